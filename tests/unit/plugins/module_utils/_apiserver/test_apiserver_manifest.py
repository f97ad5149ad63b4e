# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A flag in kube-apiserver's manifest, and the range of NodePorts in kubeadm's configuration."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._apiserver.manifest import flags_of, with_flag
from ansible_collections.netops.kubernetes.plugins.module_utils._apiserver.node_ports import (
    FLAG,
    argument,
    outside,
    parse_range,
    require_inside,
    with_argument,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._errors import NetopsError

MANIFEST = """\
apiVersion: v1
kind: Pod
spec:
  containers:
  - command:
    - kube-apiserver
    - --advertise-address=198.18.0.11
    - --secure-port=6443 # as ever
    image: registry.k8s.io/kube-apiserver:v1.36.3
    name: kube-apiserver
  hostNetwork: true
"""


def test_a_flag_is_added_changed_and_taken_out() -> None:
    added = with_flag(MANIFEST, FLAG, "30000-31000", "manifest")
    line = '    - "--service-node-port-range=30000-31000"\n'
    assert added == MANIFEST.replace("# as ever\n", f"# as ever\n{line}")
    assert flags_of(added, "manifest")[FLAG] == "30000-31000"
    assert with_flag(added, FLAG, "30000-31000", "manifest") == added
    assert with_flag(added, FLAG, "1-2", "manifest") == added.replace("30000-31000", "1-2")
    assert with_flag(added, FLAG, "", "manifest") == MANIFEST
    assert with_flag(MANIFEST, FLAG, "", "manifest") == MANIFEST


def test_a_value_of_its_own_and_arguments_beside_the_command() -> None:
    text = MANIFEST.replace(
        "    - --secure-port=6443 # as ever\n", f"    - --{FLAG}\n    - 1-2\n    - --secure-port=1\n"
    )
    assert with_flag(text, FLAG, "3-4", "manifest") == text.replace("- 1-2\n", '- "3-4"\n')
    assert FLAG not in with_flag(text, FLAG, "", "manifest")
    text = MANIFEST.replace("    image:", "    args: [--v=2]\n    image:")
    assert f'args: [--v=2, "--{FLAG}=3-4"]' in with_flag(text, FLAG, "3-4", "manifest")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "kind: Pod\n",
            "manifest: it has no container kube-apiserver; expected the manifest of kube-",
        ),
        ("spec: {containers: [{name: etcd}]}\n", "manifest: it has no container kube-apiserver"),
        ("a: [\n", "manifest: its YAML does not parse"),
    ],
)
def test_what_is_no_manifest_is_named(text: str, message: str) -> None:
    with pytest.raises(NetopsError) as error:
        with_flag(text, FLAG, "1-2", "manifest")
    assert message in str(error.value)


@pytest.mark.parametrize("text", ["", "30000", "0-10", "10-5", "1-65536", "a-b", "30000-", "-1-5", "1-2-3"])
def test_what_is_no_range_is_named(text: str) -> None:
    with pytest.raises(NetopsError) as error:
        parse_range(text)
    assert f"range of NodePorts {text!r}: it is none; expected FIRST-LAST, 1 to 65535" in str(error.value)


def service(name: str, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"namespace": "shop", "name": name}, "spec": spec}


def test_ports_in_use_that_lie_outside_are_named() -> None:
    services = [
        service("web", ports=[{"nodePort": 30000, "protocol": "TCP"}, {"nodePort": 31001, "protocol": "UDP"}]),
        service("balanced", ports=[{"nodePort": 30500}], healthCheckNodePort=32000),
        service("inner", ports=[{"port": 80}]),
        service("external"),
    ]
    lines = outside(services, parse_range("30000-31000"))
    assert lines == ["shop/web: UDP NodePort 31001", "shop/balanced: healthCheckNodePort 32000"]
    with pytest.raises(NetopsError, match="2 ports in use lie outside: shop/web: UDP NodePort 31001; shop/balanced"):
        require_inside(lines, parse_range("30000-31000"))
    require_inside([], parse_range("1-2"))


V1BETA4 = "apiServer: {}\napiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n"
V1BETA3 = "apiServer:\n  timeoutForControlPlane: 4m0s\napiVersion: kubeadm.k8s.io/v1beta3\nkind: ClusterConfiguration\n"


@pytest.mark.parametrize(
    "text",
    [
        V1BETA4,
        V1BETA4.replace("apiServer: {}\n", ""),
        V1BETA4.replace("{}", "{extraArgs: [{name: v, value: '2'}]}"),
        V1BETA4.replace(" {}", "\n  extraArgs:\n  - name: v\n    value: '2' # more\n"),
        V1BETA3,
        V1BETA3.replace("apiServer:\n", "apiServer:\n  extraArgs:\n    v: '2'\n"),
    ],
)
def test_kubeadms_configuration_of_either_form(text: str) -> None:
    assert argument(text) == ""
    changed = with_argument(text, "30000-31000")
    assert argument(changed) == "30000-31000"
    assert with_argument(changed, "30000-31000") == changed
    assert argument(with_argument(changed, "1-2")) == "1-2"
    without = with_argument(changed, "")
    assert argument(without) == ""
    assert with_argument(without, "") == without
