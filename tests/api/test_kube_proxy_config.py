# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module kube_proxy_config against a real API server, and its output against the real kube-proxy."""

from __future__ import annotations

import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.yamltext import at
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.config_map import CONFIG_MAP
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.configuration import edit, refusals
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.fields import (
    FIELDS,
    MODES,
    SCHEDULERS,
    given,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.rollout import (
    BACKUP,
    DAEMON_SET,
    DIGEST,
    PENDING,
)
from tests.support.kube_proxy_objects import objects
from tests.support.modules import Module, state_matrix

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
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


@pytest.fixture
def kube_proxy(api: str, client: KubeClient) -> Iterator[Module]:
    for ref in (CONFIG_MAP, DAEMON_SET):
        client.delete(ref, propagation="Background")
    for obj in objects(CONFIGURATION):
        client.create(obj)
    # No kubelet runs here; the roll-out itself is proven on real nodes.
    yield Module("kube_proxy_config", {"kubeconfig": api, "wait": False})
    for ref in (CONFIG_MAP, DAEMON_SET):
        client.delete(ref, propagation="Background")


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
    assert '# the site\'s own note\nipvs:\n  excludeCIDRs: ["192.0.2.0/24"]\n  scheduler: lc\n' in text
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
        options: dict[str, Any] = {"mode": "ipvs", "ipvs": {"tcp_timeout": f"{number + 1}s"}}
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
        ({"ipvs": {"exclude_cidrs": ["192.0.2.1"]}}, "'192.0.2.1' is no network"),
        ({"node_port_addresses": ["all"]}, "'all' is a keyword since Kubernetes 1.37, and this is 1.36"),
        ({"mode": "ipvs", "ipvs": {"min_sync_period": "1h"}}, "ipvs.minSyncPeriod: 3600 s is longer than"),
        ({"detect_local_mode": "Bridge"}, "value of detect_local_mode must be one of"),
        ({"iptables": {"masquerade_bit": "many"}}, "masquerade_bit"),
        ({"path": "/etc/hosts"}, "missing parameter(s) required by 'path': version"),
    ],
)
def test_bad_input_is_named(kube_proxy: Module, client: KubeClient, options: dict[str, Any], message: str) -> None:
    assert message in kube_proxy.fails(**options)
    assert live(client)[0] == CONFIGURATION


def test_editors_at_the_same_time_lose_nothing(kube_proxy: Module, client: KubeClient) -> None:
    """Four modules and an editor of another field at once, three times."""
    for turn in range(3):
        seconds = f"{turn + 1}s"
        options: tuple[dict[str, Any], ...] = (
            {"ipvs": {"tcp_timeout": seconds}},
            {"ipvs": {"udp_timeout": seconds}},
            {"conntrack": {"udp_timeout": seconds}},
            {"nftables": {"sync_period": f"{turn + 30}s"}},
        )
        runs = [
            subprocess.Popen(kube_proxy.command(), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) for _one in options
        ]
        for run, one in zip(runs, options, strict=True):
            assert run.stdin
            run.stdin.write(kube_proxy.arguments(**one).encode())
            run.stdin.close()
        for number in range(20):
            client.patch(CONFIG_MAP, {"data": {"kubeconfig.conf": f"{turn}.{number}"}})
        for run in runs:
            assert run.wait() == 0
        config_map = client.get(CONFIG_MAP)
        assert config_map
        assert config_map["data"]["kubeconfig.conf"] == f"{turn}.19"
        text = config_map["data"]["config.conf"]
        words = (f"tcpTimeout: {seconds}", f"udpTimeout: {seconds}", f"syncPeriod: {turn + 30}s")
        assert all(word in text for word in words)
        assert text.count(f"udpTimeout: {seconds}") == 2


def test_a_file_on_the_node(tmp_path: Path) -> None:
    file = tmp_path / "config.conf"
    file.write_text(CONFIGURATION)
    file.chmod(0o640)
    module = Module("kube_proxy_config", {"path": str(file), "version": "v1.36.3"})
    first = state_matrix(module, mode="nftables")
    assert (first["restarted"], first["mode"]) == (True, "nftables")
    assert file.read_text() == CONFIGURATION.replace("mode: iptables", "mode: nftables")
    assert file.stat().st_mode & 0o777 == 0o640
    assert module.succeeds(conntrack={"min": 0}, state="absent", check=True)["changed"] is True
    assert module.succeeds(state="absent")["changed"] is True
    assert [one.name for one in tmp_path.iterdir()] == ["config.conf"]
    assert file.read_text() == CONFIGURATION
    assert module.succeeds(state="absent")["changed"] is False
    file.unlink()
    assert "there is no such file on this host" in module.fails(mode="ipvs")
    assert "version 'new': it is no version of Kubernetes" in module.fails(mode="ipvs", version="new")


def test_a_cluster_without_kube_proxy_is_named(kube_proxy: Module, client: KubeClient) -> None:
    client.delete(CONFIG_MAP, propagation="Background")
    assert "ConfigMap 'kube-system/kube-proxy': it is not there" in kube_proxy.fails(mode="ipvs")


# Values that only together are good or bad, and fields that another mode's kube-proxy does not look at.
JUDGED = [
    "mode: ipvs\nipvs: {scheduler: mh, strictARP: true, syncPeriod: 1m30s, tcpTimeout: 0s, udpTimeout: 5m}",
    "mode: ipvs\nipvs: {tcpTimeout: -1s}",
    "mode: ipvs\nipvs: {tcpTimeout: 5}",
    "mode: ipvs\nipvs: {excludeCIDRs: [192.0.2.1/24]}",
    "mode: ipvs\nipvs: {excludeCIDRs: [192.0.2.1]}",
    "mode: ipvs\nipvs: {excludeCIDRs: [192.0.2.0/x]}",
    "mode: ipvs\nipvs: {syncPeriod: 1s, minSyncPeriod: 2s}",
    "mode: ipvs\nipvs: {syncPeriod: 0s}",
    "mode: ipvs\nipvs: {syncPeriod: -5s}",
    "mode: ipvs\nipvs: {strictARP: 1}",
    "mode: iptables\nipvs: {tcpTimeout: -1s}",
    "mode: iptables\nipvs: {tcpTimeout: soon}",
    "mode: iptables\niptables: {minSyncPeriod: 40s}",
    "mode: iptables\niptables: {syncPeriod: 1.5h, minSyncPeriod: 100ms}",
    "iptables: {masqueradeBit: 31}",
    "iptables: {masqueradeBit: 32}",
    "iptables: {masqueradeBit: 1.5}",
    "mode: nftables\nnftables: {masqueradeBit: 32}",
    "mode: iptables\nnftables: {masqueradeBit: 32}",
    "mode: nftables\nnftables: {syncPeriod: 500ms}",
    "mode: userspace",
    "conntrack: {maxPerCore: -1}",
    "conntrack: {maxPerCore: 0, min: 0, tcpBeLiberal: true, udpTimeout: 1s, udpStreamTimeout: 1s}",
    "conntrack: {udpTimeout: -1s}",
    "conntrack: {tcpEstablishedTimeout: 1h, tcpCloseWaitTimeout: -1h}",
    "nodePortAddresses: [primary]",
    "nodePortAddresses: [primary, 192.0.2.0/24]",
    "nodePortAddresses: [all]",
    "nodePortAddresses: [192.0.2.0/24, '2001:db8::/32']",
    "clusterCIDR: 10.0.0.0/8,2001:db8::/32",
    "clusterCIDR: 10.0.0.0/8,172.16.0.0/12",
    "clusterCIDR: 10.0.0.0",
    "detectLocalMode: NodeCIDR\nclusterCIDR: nonsense",
    "detectLocalMode: BridgeInterface",
    "detectLocalMode: BridgeInterface\ndetectLocal: {bridgeInterface: cni0}",
    "detectLocalMode: InterfaceNamePrefix\ndetectLocal: {interfaceNamePrefix: ''}",
    "detectLocalMode: Other",
    "metricsBindAddress: 127.0.0.1:10249",
    "metricsBindAddress: 127.0.0.1",
    "metricsBindAddress: '::1'",
    "metricsBindAddress: '[::1]:10249'",
    "metricsBindAddress: '[::1]'",
    "metricsBindAddress: localhost:10249",
    "metricsBindAddress: ':10249'",
    "healthzBindAddress: 0.0.0.0:0",
    "healthzBindAddress: 0.0.0.0:65536",
    "healthzBindAddress: 0.0.0.0:http",
    "featureGates: {KubeProxyIPVS: true}",
]


@pytest.mark.parametrize("lines", JUDGED)
def test_the_real_kube_proxy_judges_as_we_do(programs: Path, tmp_path: Path, lines: str) -> None:
    content = {"kind": "KubeProxyConfiguration", **yaml.safe_load(lines)}
    done = judged(programs, tmp_path, content)
    assert (done.returncode == 0) is (not refusals(content, 36)), (done.stderr, refusals(content, 36))


# What each field may say and what not, where kube-proxy looks at it: in the field's own mode.
PERIODS = (["30s", "1m30s", "1.5h"], ["-1s", "5", "soon", 5])
SHORTEST = (["0s", "1s", "100ms"], ["-1s", "1h", "x"])
SPANS = (["0s", "15m0s", "24h"], ["-1s", "1d", 5])
TRUTHS = ([True, False], ["on the whole", 1])
BITS = ([0, 14, 31], [32, -1, 1.5, "many"])
COUNTS = ([0, 131072], [-1, 1.5, 2**31, "x"])
NETWORKS = ["192.0.2.0/24", "192.0.2.1/24", "2001:db8::/32"]
NO_NETWORKS = ["192.0.2.1", "192.0.2.0/33", "2001:db8::/129", "everywhere", ""]
ENDPOINTS = (
    ["127.0.0.1:10249", "127.0.0.1", "::1", "[::1]:10249", "0.0.0.0:1", "[::]:65535"],
    ["localhost:10249", ":10249", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:http", "[::1]", "x"],
)
ALLOWED: dict[str, tuple[Sequence[Any], Sequence[Any]]] = {
    "mode": (["", "iptables", "ipvs", "nftables"], ["userspace", "IPVS", "kernelspace", 1]),
    "ipvs.scheduler": (["", *SCHEDULERS], [1]),
    "ipvs.strictARP": TRUTHS,
    "ipvs.excludeCIDRs": ([[], NETWORKS, None], [[one] for one in NO_NETWORKS]),
    "ipvs.syncPeriod": PERIODS,
    "ipvs.minSyncPeriod": SHORTEST,
    "ipvs.tcpTimeout": SPANS,
    "ipvs.tcpFinTimeout": SPANS,
    "ipvs.udpTimeout": SPANS,
    "iptables.masqueradeAll": TRUTHS,
    "iptables.masqueradeBit": BITS,
    "iptables.localhostNodePorts": TRUTHS,
    "iptables.syncPeriod": PERIODS,
    "iptables.minSyncPeriod": SHORTEST,
    "nftables.masqueradeAll": TRUTHS,
    "nftables.masqueradeBit": BITS,
    "nftables.syncPeriod": PERIODS,
    "nftables.minSyncPeriod": SHORTEST,
    "conntrack.maxPerCore": COUNTS,
    "conntrack.min": COUNTS,
    "conntrack.tcpEstablishedTimeout": SPANS,
    "conntrack.tcpCloseWaitTimeout": SPANS,
    "conntrack.tcpBeLiberal": TRUTHS,
    "conntrack.udpTimeout": SPANS,
    "conntrack.udpStreamTimeout": SPANS,
    "nodePortAddresses": (
        [None, [], ["primary"], ["192.0.2.0/24"], ["192.0.2.0/24", "198.51.100.0/24", "2001:db8::/32"]],
        [["primary", "192.0.2.0/24"], ["primary", "primary"], ["all"], ["localhost"], *([one] for one in NO_NETWORKS)],
    ),
    "clusterCIDR": (
        ["", "10.0.0.0/8", "2001:db8::/32", "10.0.0.0/8,2001:db8::/32", "2001:db8::/32,10.0.0.0/8"],
        [
            "10.0.0.0",
            "10.0.0.0/8,172.16.0.0/12",
            "2001:db8::/32,2001:db9::/32",
            "10.0.0.0/8,2001:db8::/32,172.16.0.0/12",
            "10.0.0.0/8, 2001:db8::/32",
            "10.0.0.0/8,",
        ],
    ),
    "detectLocalMode": (["", "ClusterCIDR", "NodeCIDR"], ["Other", "nodecidr", 1]),
    "detectLocal.bridgeInterface": (["cni0"], ["", None, 5]),
    "detectLocal.interfaceNamePrefix": (["veth"], ["", None, 5]),
    "metricsBindAddress": ENDPOINTS,
    "healthzBindAddress": ENDPOINTS,
}


def test_every_field_is_judged_beside_the_real_kube_proxy() -> None:
    assert set(ALLOWED) == {".".join(field.place) for field in FIELDS}
    assert all(good and bad for good, bad in ALLOWED.values())


def with_field(place: str, value: Any) -> dict[str, Any]:
    """A configuration in which kube-proxy looks at the field."""
    first, _dot, second = place.partition(".")
    content: dict[str, Any] = {"mode": first if first in MODES else "iptables"}
    if first == "detectLocal":
        content["detectLocalMode"] = second[:1].upper() + second[1:]
    return {**content, first: {second: value} if second else value}


@pytest.mark.parametrize("place", ALLOWED)
def test_the_real_kube_proxy_judges_each_field_as_we_do(programs: Path, tmp_path: Path, place: str) -> None:
    """Each value goes through the real program, in the version that the test bed builds."""
    for values, is_good in zip(ALLOWED[place], (True, False), strict=True):
        for value in values:
            content = {"kind": "KubeProxyConfiguration", **with_field(place, value)}
            done = judged(programs, tmp_path, content)
            ours = refusals(content, 36)
            assert (done.returncode == 0) is is_good, (value, done.stderr)
            assert (not ours) is is_good, (value, ours)


def judged(programs: Path, folder: Path, content: Mapping[str, Any]) -> subprocess.CompletedProcess[str]:
    """What the real kube-proxy says of a configuration: it reads, judges and writes it, and ends."""
    source = folder / "config.conf"
    source.write_text(yaml.safe_dump({"apiVersion": "kubeproxy.config.k8s.io/v1alpha1", **content}))
    command = [str(programs / "kube-proxy"), f"--config={source}", f"--write-config-to={folder / 'written.yaml'}"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    "params",
    [
        {"mode": "ipvs", "ipvs": {"scheduler": "mh", "strict_arp": True, "sync_period": "1m30s"}},
        {"mode": "nftables", "node_port_addresses": ["192.0.2.0/24", "2001:db8::/32"]},
        {"mode": "ipvs", "ipvs": {"exclude_cidrs": [], "tcp_timeout": "0s", "udp_timeout": "5m0s"}},
        {"metrics_bind_address": "127.0.0.1:10249", "cluster_cidrs": ["10.0.0.0/8", "2001:db8::/32"]},
        {"mode": "nftables", "nftables": {"masquerade_all": True, "masquerade_bit": 3, "min_sync_period": "2s"}},
        {"iptables": {"localhost_node_ports": False, "masquerade_bit": 5}, "conntrack": {"max_per_core": 0, "min": 7}},
        {"detect_local_mode": "BridgeInterface", "detect_local": {"bridge_interface": "cni0"}},
    ],
)
def test_the_real_kube_proxy_reads_what_was_written(programs: Path, tmp_path: Path, params: dict[str, Any]) -> None:
    source, written = tmp_path / "config.conf", tmp_path / "written.yaml"
    source.write_text(edit(CONFIGURATION, given(params), 36))
    command = [str(programs / "kube-proxy"), f"--config={source}", f"--write-config-to={written}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    content = yaml.safe_load(written.read_text())
    for place, value in given(params).items():
        assert at(content, place) == value
