# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules that remove leftovers, and node_kernel, on a real kernel; everything else stays."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from tests.kernel.conftest import PRIVATE
from tests.support.modules import Module, state_matrix

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kernel.conftest import Namespace, Network

IPTABLES_MODE = """\
*nat
:KUBE-SERVICES - [0:0]
:KUBE-SVC-NPX46M4PTMTKRN6Y - [0:0]
:KUBE-NODEPORTS - [0:0]
:KUBE-KUBELET-CANARY - [0:0]
:SITE - [0:0]
-A PREROUTING -j KUBE-SERVICES
-A KUBE-SERVICES -d 10.96.0.1/32 -j KUBE-SVC-NPX46M4PTMTKRN6Y
-A KUBE-SERVICES -j KUBE-NODEPORTS
-A SITE -d 192.0.2.1/32 -j RETURN
COMMIT
"""


def saved(node: Namespace) -> list[str]:
    listed = node.run("iptables-save").stdout.splitlines()
    return [line.split(" [")[0] for line in listed if line[:1] in {"*", ":", "-"}]


def test_state_matrix_of_kube_proxy_cleanup(network: Network) -> None:
    node = network.node
    assert node.run("iptables-restore", stdin=IPTABLES_MODE).returncode == 0
    first = state_matrix(Module("kube_proxy_cleanup", {}, node.prefix), in_use="ipvs")
    assert first["removed"] == ["chain iptables nat KUBE-NODEPORTS", "chain iptables nat KUBE-SVC-NPX46M4PTMTKRN6Y"]
    left = saved(node)
    assert "-A SITE -d 192.0.2.1/32 -j RETURN" in left
    assert "-A PREROUTING -j KUBE-SERVICES" in left
    assert ":KUBE-KUBELET-CANARY -" in left
    assert not any("KUBE-SVC" in line or "KUBE-NODEPORTS" in line for line in left)


# Gives a rule and takes it away, as a kube-proxy that is at work does.
AT_WORK = (
    "while :; do iptables -t nat -A PREROUTING -j KUBE-NODEPORTS; iptables -t nat -D PREROUTING -j KUBE-NODEPORTS; done"
)


def test_rules_that_change_meanwhile_are_looked_at_anew(network: Network) -> None:
    node = network.node
    cleanup = Module("kube_proxy_cleanup", {}, node.prefix)
    with subprocess.Popen([*node.prefix, "sh", "-c", AT_WORK], stderr=subprocess.DEVNULL) as at_work:
        try:
            for _round in range(10):
                assert node.run("iptables-restore", "--noflush", "-w", stdin=IPTABLES_MODE).returncode == 0
                assert cleanup.succeeds(in_use="ipvs")["changed"] is True
        finally:
            at_work.kill()


def test_sets_and_the_link_of_ipvs_go(network: Network) -> None:
    node = network.node
    node.run("ipset", "create", "KUBE-CLUSTER-IP", "hash:ip,port")
    node.run("ipset", "create", "site", "hash:ip")
    node.run("ip", "link", "add", "kube-ipvs0", "type", "bridge")
    module = Module("kube_proxy_cleanup", {}, node.prefix)
    assert module.succeeds(in_use="ipvs")["changed"] is False
    result = state_matrix(module, in_use="iptables")
    assert result["removed"] == ["ipset KUBE-CLUSTER-IP", "link kube-ipvs0"]
    assert node.run("ipset", "list", "-name").stdout.split() == ["site"]


def test_no_kube_proxy_is_said(network: Network) -> None:
    module = Module("kube_proxy_info", {}, network.node.prefix)
    message = module.fails(mode="ipvs", timeout=1)
    assert "after 1 s its mode is not to be had" in message
    assert module.succeeds(check=True, mode="ipvs")["mode"] == ""


@pytest.fixture
def cni_host(network: Network, tmp_path: Path) -> tuple[Namespace, tuple[str, ...], Path]:
    """A node whose CNI folders are below a folder of the test."""
    folders = "/etc/cni /var/lib/cni /opt/cni"
    prefix = (*network.node.prefix, "unshare", "--mount", "sh", "-c", PRIVATE, "sh", folders, str(tmp_path))
    return network.node, prefix, tmp_path


@pytest.mark.parametrize(
    ("content", "cni"),
    [
        ('{"plugins": [{"type": "calico"}]}', "calico"),
        ('{"type": "bridge"}', "bridge"),
        ('{"plugins": []}', "unreadable"),
        ("{", "unreadable"),
    ],
)
def test_a_second_cni_is_named(cni_host: tuple[Namespace, tuple[str, ...], Path], content: str, cni: str) -> None:
    _node, prefix, root = cni_host
    module = Module("cni_info", {}, prefix)
    assert module.succeeds(expected="flannel")["configurations"] == {}
    folder = root / "etc/cni/net.d"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "10-other.conflist").write_text(content)
    assert module.succeeds()["configurations"] == {"10-other.conflist": cni}
    assert f"{cni} (/etc/cni/net.d/10-other.conflist) is configured" in module.fails(expected="flannel")


def test_a_route_into_the_clusters_networks_is_named_where_no_cni_is_yet(
    cni_host: tuple[Namespace, tuple[str, ...], Path],
) -> None:
    node, prefix, root = cni_host
    asked = {"pod_cidrs": ["10.244.0.0/16"], "node_addresses": ["198.18.1.1", "198.18.1.2"]}
    module = Module("cni_info", {"expected": "flannel", **asked}, prefix)
    [device] = module.succeeds()["underlay"]
    assert module.succeeds()["underlay"] == {device: 1500}
    # As Flannel's host-gw and Calico's BGP have routes; a blackhole is Calico's too.
    for words in ("10.244.1.0/24 via 198.18.1.2", "10.244.2.0/26 via 198.18.1.9 proto bird", "blackhole 10.244.3.0/26"):
        assert node.run("ip", "route", "add", *words.split()).returncode == 0, words
    assert "warnings" not in module.succeeds()
    assert node.run("ip", "route", "add", "10.0.0.0/8", "via", "198.18.1.9", "table", "52").returncode == 0
    message = module.fails(check=True)
    assert f"the pod network 10.244.0.0/16 overlaps the route on {device} 10.0.0.0/8" in message
    [route] = [one for one in module.succeeds(shared_routes=["10.0.0.0/8"])["routes"] if one["gateway"]]
    assert (route["network"], route["device"], route["gateway"]) == ("10.0.0.0/8", device, "198.18.1.9")
    # Where the CNI is at work the run goes on.
    folder = root / "etc/cni/net.d"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "10-flannel.conflist").write_text('{"plugins": [{"type": "flannel"}]}')
    assert "overlaps the route on" in str(module.succeeds()["warnings"])


@pytest.fixture
def kernel(network: Network, tmp_path: Path) -> tuple[Module, Path]:
    """node_kernel with the files below /etc in a folder of the test; sysctls are those of a network namespace."""
    folders = "/etc/modules-load.d /etc/sysctl.d"
    prefix = (*network.node.prefix, "unshare", "--mount", "sh", "-c", PRIVATE, "sh", folders, str(tmp_path))
    return Module("node_kernel", {"name": "test"}, prefix), tmp_path


def test_state_matrix_of_node_kernel(kernel: tuple[Module, Path], network: Network) -> None:
    module, root = kernel
    before = network.node.run("sysctl", "-n", "net.ipv4.ip_forward").stdout
    options = {"sysctls": {"net.ipv4.ip_forward": 1 - int(before)}}
    first = state_matrix(module, **options)
    assert f"sysctl net.ipv4.ip_forward = {before.strip()}" in first["diff"]["before"]
    assert network.node.run("sysctl", "-n", "net.ipv4.ip_forward").stdout != before
    assert f"# before: net.ipv4.ip_forward = {before.strip()}" in next((root / "etc/sysctl.d").iterdir()).read_text()
    assert module.succeeds(state="absent", check=True)["changed"] is True
    assert module.succeeds(state="absent")["changed"] is True
    assert network.node.run("sysctl", "-n", "net.ipv4.ip_forward").stdout == before
    assert not list((root / "etc/sysctl.d").iterdir())
    assert module.succeeds(state="absent")["changed"] is False


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"modules": ["no_such_module"]}, "kernel module 'no_such_module'"),
        ({"sysctls": {"net.ipv4.no_such": 1}}, "sysctl 'net.ipv4.no_such'"),
        ({"sysctls": {"net.ipv4.ip_forward": "yes"}}, "it cannot be set to 'yes'"),
        ({"modules": ["../x"]}, "name '../x': it has other characters"),
    ],
)
def test_what_the_kernel_lacks_is_named(kernel: tuple[Module, Path], options: dict[str, Any], message: str) -> None:
    assert message in kernel[0].fails(**options)
