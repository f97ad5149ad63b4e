# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""CNIs ranked, and versions that go together."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.netops.kubernetes.plugins.filter.cni_choice import cni_choice
from ansible_collections.netops.kubernetes.plugins.module_utils._netplan.choice import RULES, VERSIONS
from ansible_collections.netops.kubernetes.plugins.module_utils._netplan.compatibility import (
    ROWS,
    require_supported,
    row_of,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._netplan.errors import NetworkError


@pytest.mark.parametrize(
    ("answers", "choice", "settings"),
    [
        ({}, "calico", {"calico_encapsulation": "VXLAN", "calico_bgp": False}),
        ({"environment": "bare_metal"}, "calico", {"calico_encapsulation": "None", "calico_bgp": True}),
        ({"environment": "bare_metal", "one_subnet": False}, "calico", {"calico_encapsulation": "VXLANCrossSubnet"}),
        ({"policies": "none"}, "flannel", {"flannel_backend": "vxlan"}),
        ({"policies": "none", "encryption": True}, "flannel", {"flannel_backend": "wireguard"}),
        ({"policies": "none", "latency": True}, "flannel", {"flannel_backend": "host-gw"}),
        ({"policies": "l7"}, "cilium", {}),
        ({"kube_proxy_mode": "nftables"}, "calico", {"calico_linux_dataplane": "Nftables"}),
        ({"kube_proxy_mode": "none"}, "calico", {"calico_linux_dataplane": "BPF"}),
        ({"policies": "none", "reachability": "routed"}, "calico", {"calico_bgp": True}),
        ({"encryption": True}, "calico", {"calico_wireguard": True}),
        ({"policies": "none", "kernels": ["4.18.0"]}, "flannel", {}),
    ],
)
def test_the_choice_follows_the_answers(answers: dict[str, Any], choice: str, settings: dict[str, Any]) -> None:
    chosen = cni_choice(answers)
    assert chosen["choice"] == choice
    assert settings.items() <= chosen["ranking"][0]["settings"].items()


def test_settings_of_cilium_follow_too() -> None:
    answers = {"policies": "l7", "encryption": True, "latency": True, "reachability": "routed"}
    ranked = cni_choice({**answers, "kube_proxy_mode": "none", "api_endpoint": "192.0.2.1:6443"})
    assert ranked["ranking"][0]["settings"] == {
        "cilium_tunnel": "none",
        "cilium_kube_proxy_replacement": True,
        "cilium_api_endpoint": "192.0.2.1:6443",
        "cilium_wireguard": True,
        "cilium_values": {"bgpControlPlane": {"enabled": True}},
    }


def test_an_address_that_nobody_has_said_is_asked_for() -> None:
    for one in cni_choice({"kube_proxy_mode": "none"})["ranking"]:
        asked = [warning for warning in one["warnings"] if "HOST:PORT of the API server" in warning]
        assert asked == (
            [f"{one['cni']}_api_endpoint: to be set to HOST:PORT of the API server"] if one["fits"] else []
        )


def test_what_rules_a_cni_out_is_said_with_its_source() -> None:
    ranked = {one["cni"]: one for one in cni_choice({})["ranking"]}
    assert ranked["flannel"]["fits"] is False
    assert ranked["flannel"]["settings"] == {}
    out = [reason for reason in ranked["flannel"]["reasons"] if reason["rules_out"]]
    assert out[0]["text"] == "enforces no network policy by itself"
    assert out[0]["source"].startswith("github.com/flannel-io/flannel")


def test_an_old_cluster_is_refused_unless_forced() -> None:
    old = {"kubernetes_version": "v1.29.3", "kernels": ["5.4.0-100-generic"], "policies": "l7"}
    ranked = {one["cni"]: one for one in cni_choice(old)["ranking"]}
    assert ranked["cilium"]["fits"] is False
    assert ranked["cilium"]["refused"] == [
        "Cilium 1.20 supports Kubernetes 1.33 or later, not v1.29.3 (docs.cilium.io, requirements)",
        "Cilium 1.20 needs kernel 5.10 or later, not 5.4.0-100-generic (docs.cilium.io, requirements)",
    ]
    assert {one["cni"]: one["fits"] for one in cni_choice({**old, "force": True})["ranking"]}["cilium"]


def test_a_version_outside_the_tested_ones_is_a_warning() -> None:
    ranked = {one["cni"]: one for one in cni_choice({"kubernetes_version": "1.38.0"})["ranking"]}
    tested = "Calico 3.32 is tested with Kubernetes 1.34 to 1.36, not 1.38.0 (docs.tigera.io, system requirements)"
    assert ranked["calico"]["warnings"] == [tested]
    unknown = {one["cni"]: one for one in cni_choice({"versions": {"calico": "3.99"}})["ranking"]}
    assert "calico 3.99 is not in the table of versions" in unknown["calico"]["warnings"][0]


@pytest.mark.parametrize(
    ("version", "mode", "dataplane"),
    [
        ("3.32", "nftables", "Nftables"),
        ("v3.31.7", "nftables", "Nftables"),
        ("v3.28.5", "nftables", "Iptables"),
        ("3.30", "nftables", "Iptables"),
        ("3.28", "none", "BPF"),
        ("3.28", "iptables", "Iptables"),
    ],
)
def test_calicos_nftables_are_for_versions_that_have_them(version: str, mode: str, dataplane: str) -> None:
    answers = {"kube_proxy_mode": mode, "versions": {"calico": version}, "api_endpoint": "192.0.2.1:6443"}
    [calico] = [one for one in cni_choice(answers)["ranking"] if one["cni"] == "calico"]
    assert calico["settings"]["calico_linux_dataplane"] == dataplane
    warned = any("nftables data plane as a preview at most" in warning for warning in calico["warnings"])
    assert warned == (mode == "nftables" and dataplane == "Iptables")


def test_a_cloud_has_its_own_cni() -> None:
    assert "its own CNI" in cni_choice({"environment": "cloud"})["advice"][0]
    assert cni_choice({})["advice"] == []


def test_wireguard_on_an_old_kernel_is_a_warning() -> None:
    ranked = cni_choice({"policies": "none", "encryption": True, "kernels": ["5.4.0"]})["ranking"]
    assert all(any("5.6" in warning for warning in one["warnings"]) for one in ranked)


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"environment": "moon"}, "environment: 'moon'; expected one of bare_metal, virtual, cloud"),
        ({"policies": "some"}, "policies: 'some'; expected one of none, kubernetes, cluster, l7"),
        ({"policies": True}, "policies: True; expected one of"),
        ({"reachability": "yes"}, "reachability: 'yes'; expected one of none, routed"),
        ({"kube_proxy_mode": "userspace"}, "kube_proxy_mode: 'userspace'; expected one of iptables"),
        ({"nodes": -1}, "nodes: -1; expected how many there are"),
        ({"nodes": "many"}, "nodes: 'many'"),
        ({"nodes": True}, "nodes: True"),
        ({"kernels": ["new"]}, "kernel version: 'new'; expected a version such as 1.36.3, as a text"),
        ({"kernels": [5.1]}, "kernel version: 5.1; expected a version"),
        ({"kubernetes_version": "latest"}, "kubernetes_version: 'latest'; expected a version"),
        ({"kubernetes_version": 1.36}, "kubernetes_version: 1.36; expected a version"),
        ({"versions": {"weave": "2.8"}}, "versions: 'weave' is none of the CNIs"),
        ({"versions": {"calico": "newest"}}, "version of calico: 'newest'"),
        ({"api_endpoint": "192.0.2.1"}, "api_endpoint: '192.0.2.1'; expected HOST:PORT of the API server"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_an_answer_that_is_none_is_said(answers: dict[str, Any], said: str) -> None:
    with pytest.raises(AnsibleFilterError) as refused:
        cni_choice(answers)
    assert said in str(refused.value)


# ---- the tables ------------------------------------------------------------------------------------------------------


def test_rows_are_sound_and_each_default_has_one() -> None:
    assert len({(row.cni, row.version) for row in ROWS}) == len(ROWS)
    for row in ROWS:
        assert row.floor <= row.tested[0] <= row.tested[1]
        assert row.source
    assert all(row_of(cni, version) for cni, version in VERSIONS.items())


def test_every_reason_has_a_cni_that_is_ranked_and_a_source() -> None:
    for reason in (reason for rule in RULES for reason in rule.reasons):
        assert reason.cni in VERSIONS
        assert "." in reason.source.split(",")[0]


def test_what_upstream_does_not_support_is_refused_unless_forced() -> None:
    with pytest.raises(NetworkError) as refused:
        require_supported("cilium", "1.20.0", "v1.30.1", [], force=False)
    assert "Cilium 1.20 supports Kubernetes 1.33 or later, not v1.30.1" in str(refused.value)
    assert "or force it" in str(refused.value)
    assert require_supported("cilium", "1.20.0", "v1.30.1", [], force=True)
    assert require_supported("cilium", "1.20.0", "v1.36.3", ["6.12.1"], force=False) == []
    assert "tested with Kubernetes 1.27 to 1.30" in require_supported("calico", "v3.28.5", "1.36", [], force=False)[0]
    assert "the table knows 3.28" in require_supported("calico", "v4.0.0", "1.36", [], force=False)[0]
    assert "knows no version" in require_supported("antrea", "2.0", "1.36", [], force=False)[0]
