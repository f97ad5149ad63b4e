# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module kube_proxy_config against a real API server, and its output against the real kube-proxy."""

from __future__ import annotations

import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.configuration import edit, fields_of
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.rollout import (
    BACKUP,
    CONFIG_MAP,
    DAEMON_SET,
    DIGEST,
    PENDING,
)
from tests.support.modules import Module, state_matrix

if TYPE_CHECKING:
    from pathlib import Path

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient

CONFIGURATION = """\
apiVersion: kubeproxy.config.k8s.io/v1alpha1
bindAddress: 0.0.0.0
clientConnection:
  kubeconfig: /var/lib/kube-proxy/kubeconfig.conf
clusterCIDR: 10.244.0.0/16
# the site's own note
ipvs:
  excludeCIDRs: null
  scheduler: ""
  strictARP: false
kind: KubeProxyConfiguration
mode: iptables
nodePortAddresses: null"""
PLACE = {"name": "kube-proxy", "namespace": "kube-system"}


@pytest.fixture
def kube_proxy(api: str, client: KubeClient) -> Module:
    for ref in (CONFIG_MAP, DAEMON_SET):
        client.delete(ref, propagation="Background")
    client.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": PLACE, "data": {"config.conf": CONFIGURATION}})
    labels = {"k8s-app": "kube-proxy"}
    container = {"name": "kube-proxy", "image": "registry.k8s.io/kube-proxy:v1.36.3"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec = {"selector": {"matchLabels": labels}, "template": template}
    client.create({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": PLACE, "spec": spec})
    # No DaemonSet controller runs here; the roll-out itself is proven on real nodes.
    return Module("kube_proxy_config", {"kubeconfig": api, "wait": False})


def live(client: KubeClient) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Configuration, the ConfigMap's annotations and the pod template's."""
    config_map, daemon_set = client.get(CONFIG_MAP), client.get(DAEMON_SET)
    assert config_map
    assert daemon_set
    template = daemon_set["spec"]["template"]["metadata"].get("annotations") or {}
    return config_map["data"]["config.conf"], config_map["metadata"].get("annotations") or {}, template


def test_state_matrix(kube_proxy: Module, client: KubeClient) -> None:
    first = state_matrix(kube_proxy, mode="ipvs", ipvs={"scheduler": "lc", "exclude_cidrs": ["192.0.2.0/24"]})
    assert first["restarted"] is True
    assert any("KEP-5495" in str(warning) for warning in first["warnings"])
    text, notes, template = live(client)
    assert '# the site\'s own note\nipvs:\n  excludeCIDRs:\n  - "192.0.2.0/24"\n  scheduler: lc\n' in text
    assert text.endswith("mode: ipvs\nnodePortAddresses: null")
    assert PENDING not in notes
    assert notes[BACKUP] == CONFIGURATION
    assert DIGEST in template
    assert kube_proxy.succeeds(state="absent", check=True)["changed"] is True
    assert kube_proxy.succeeds(state="absent")["changed"] is True
    assert live(client) == (CONFIGURATION, {}, {})
    assert kube_proxy.succeeds(state="absent")["changed"] is False


def test_killed_before_the_restart_the_next_run_completes_it(kube_proxy: Module, client: KubeClient) -> None:
    """Killed at many moments; whenever the configuration is new and the pods are not, the next run restarts them."""
    half_way = 0
    for number, moment in enumerate((0.3, 0.35, 0.4, 0.45, 0.5)):
        options: dict[str, Any] = {"ipvs": {"tcp_timeout": f"{number + 1}s"}}
        process = subprocess.Popen(kube_proxy.command(), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        assert process.stdin
        process.stdin.write(kube_proxy.arguments(**options).encode())
        process.stdin.close()
        time.sleep(moment)
        process.send_signal(signal.SIGKILL)
        process.wait()
        half_way += PENDING in live(client)[1]
        kube_proxy.succeeds(**options)
        text, notes, _template = live(client)
        assert f"tcpTimeout: {number + 1}s" in text
        assert PENDING not in notes
    # The moment itself: what a run that died between its two writes leaves.
    client.patch(CONFIG_MAP, {"metadata": {"annotations": {PENDING: "x"}}})
    client.patch(DAEMON_SET, {"spec": {"template": {"metadata": {"annotations": {DIGEST: None}}}}})
    again = kube_proxy.succeeds(**options)
    assert again["restarted"] is True
    assert PENDING not in live(client)[1]
    assert DIGEST in live(client)[2]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mode": "userspace"}, "value of mode must be one of"),
        ({"ipvs": {"scheduler": "random"}}, "value of scheduler must be one of"),
        ({"ipvs": {"tcp_timeout": "5 minutes"}}, "ipvs.tcp_timeout '5 minutes': it is no duration"),
        ({"ipvs": {"exclude_cidrs": ["192.0.2.1/24"]}}, "has host bits set"),
        ({"node_port_addresses": ["all"]}, "node_port_addresses 'all'"),
    ],
)
def test_bad_input_is_named(kube_proxy: Module, client: KubeClient, options: dict[str, Any], message: str) -> None:
    assert message in kube_proxy.fails(**options)
    assert live(client)[0] == CONFIGURATION


def test_a_cluster_without_kube_proxy_is_named(kube_proxy: Module, client: KubeClient) -> None:
    client.delete(CONFIG_MAP, propagation="Background")
    assert "ConfigMap 'kube-system/kube-proxy': it is not there" in kube_proxy.fails(mode="ipvs")


@pytest.mark.parametrize(
    "params",
    [
        {"mode": "ipvs", "ipvs": {"scheduler": "mh", "strict_arp": True, "sync_period": "1m30s"}},
        {"mode": "nftables", "node_port_addresses": ["192.0.2.0/24", "2001:db8::/32"]},
        {"ipvs": {"exclude_cidrs": [], "tcp_timeout": "0s", "udp_timeout": "5m", "tcp_fin_timeout": "100ms"}},
        {"metrics_bind_address": "127.0.0.1:10249"},
    ],
)
def test_the_real_kube_proxy_reads_it(programs: Path, tmp_path: Path, params: dict[str, Any]) -> None:
    source, written = tmp_path / "config.conf", tmp_path / "written.yaml"
    source.write_text(edit(CONFIGURATION, fields_of(params)))
    command = [str(programs / "kube-proxy"), f"--config={source}", f"--write-config-to={written}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    text = written.read_text()
    for value in (params.get("mode"), (params.get("ipvs") or {}).get("scheduler"), params.get("metrics_bind_address")):
        assert value is None or value in text
