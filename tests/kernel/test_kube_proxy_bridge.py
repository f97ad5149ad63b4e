# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The data plane for the time of a switch, on a real kernel: who is served, from which address, and for how long."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest
from tests.support.modules import Module, state_matrix

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.kernel.conftest import Namespace, Network

CLUSTER_IP, CLUSTER_IP_V6 = "10.96.0.10", "fd00:96::10"
NODE, POD, OTHER = "198.18.1.1", "198.18.1.2", "198.18.1.3"
NODE_V6, POD_V6, OTHER_V6 = "2001:db8:1::1", "2001:db8:1::2", "2001:db8:1::3"
# Answers with the address that it sees.
ANSWER = (
    "import socketserver,socket,sys\n"
    "class S(socketserver.ThreadingTCPServer): address_family=socket.AF_INET6; allow_reuse_address=True\n"
    "class H(socketserver.BaseRequestHandler):\n"
    "    def handle(self): self.request.sendall(self.client_address[0].removeprefix('::ffff:').encode())\n"
    "s=S(('::',8080),H); print('ready',flush=True); s.serve_forever()"
)
ASK = "import socket,sys; s=socket.create_connection((sys.argv[1],int(sys.argv[2])),2); print(s.recv(99).decode())"


def service(*endpoints: str, **more: Any) -> dict[str, Any]:
    """A row as kube_proxy_services_info tells it."""
    row = {
        "service": "shop/web:http",
        "protocol": "TCP",
        "port": 80,
        "node_port": 30080,
        "cluster_ips": [CLUSTER_IP],
        "external_ips": [],
        "internal_local": False,
        "external_local": False,
        "endpoints": [[end, "node1", "ready", False] for end in endpoints],
    }
    return {**row, **more}


def asked(client: Namespace, address: str, port: int) -> str:
    """The address that the server saw, or nothing when there was no answer."""
    return client.run("python3", "-c", ASK, address, str(port)).stdout.strip()


@pytest.fixture
def pod(network: Network) -> Iterator[Namespace]:
    """The friend serves as a pod; it and the stranger send by way of the node."""
    network.node.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
    for peer in (network.friend, network.stranger):
        peer.run("ip", "route", "add", "10.96.0.0/16", "via", NODE)
        peer.run("ip", "-6", "route", "add", "fd00:96::/64", "via", "2001:db8:1::1")
        peer.run("sysctl", "-qw", "net.ipv4.conf.all.accept_redirects=0", "net.ipv4.conf.eth0.accept_redirects=0")
    network.node.run("ip", "route", "add", "10.96.0.0/16", "dev", "lo")
    command = [*network.friend.prefix, "python3", "-c", ANSWER]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        yield network.friend
        process.terminate()


@pytest.fixture
def bridge(network: Network) -> Module:
    return Module("kube_proxy_bridge", {"node_name": "node1"}, network.node.prefix)


def test_state_matrix_of_kube_proxy_bridge(network: Network, bridge: Module) -> None:
    network.node.run("nft", "add", "table", "ip", "site")
    before = network.node.run("nft", "list", "ruleset").stdout
    first = state_matrix(bridge, services=[service(f"{POD}:8080")], pod_cidrs=["10.244.0.0/16"])
    assert first["diff"]["after"] == "netops-kubernetes-bridge: 2 ports of Services\n"
    assert bridge.succeeds(state="absent", check=True)["changed"] is True
    assert bridge.succeeds(state="absent")["changed"] is True
    assert bridge.succeeds(state="absent")["changed"] is False
    assert network.node.run("nft", "list", "ruleset").stdout == before


def test_everybody_is_served_and_pods_keep_their_address(network: Network, bridge: Module, pod: Namespace) -> None:
    assert asked(network.node, CLUSTER_IP, 80) == ""
    bridge.succeeds(services=[service(f"{POD}:8080")])
    assert asked(network.node, CLUSTER_IP, 80) == NODE
    assert asked(network.stranger, CLUSTER_IP, 80) == NODE
    assert asked(network.stranger, NODE, 30080) == NODE
    assert asked(pod, CLUSTER_IP, 80) == NODE, "a pod that asks for itself"
    assert asked(network.stranger, NODE, 8080) == "", "no other port of the node leads anywhere"
    bridge.succeeds(services=[service(f"{POD}:8080")], pod_cidrs=[f"{POD}/32", f"{OTHER}/32"])
    # Its answer has to come back by way of the node, which translates it.
    pod.run("ip", "route", "add", f"{OTHER}/32", "via", NODE)
    assert asked(network.stranger, CLUSTER_IP, 80) == OTHER
    assert asked(network.stranger, NODE, 30080) == OTHER
    assert asked(pod, CLUSTER_IP, 80) == NODE, "a pod that asks for itself"


def test_both_families_are_served(network: Network, bridge: Module, pod: Namespace) -> None:
    assert pod
    both = [service(f"{POD}:8080"), service("[2001:db8:1::2]:8080", cluster_ips=[CLUSTER_IP_V6])]
    bridge.succeeds(services=both)
    assert asked(network.stranger, CLUSTER_IP_V6, 80) == "2001:db8:1::1"
    assert asked(network.stranger, CLUSTER_IP, 80) == NODE


def test_two_services_at_one_place_do_not_end_it(network: Network, bridge: Module, pod: Namespace) -> None:
    assert pod
    second = service(f"{OTHER}:9", service="shop/other:http", node_port=0)
    assert bridge.succeeds(services=[service(f"{POD}:8080"), second])["reason"] == ""
    assert asked(network.stranger, CLUSTER_IP, 80) == NODE


def test_it_comes_after_rules_that_are_there(network: Network, bridge: Module, pod: Namespace) -> None:
    """A bridge that leads nowhere is not asked where kube-proxy's rules have said where to."""
    assert pod
    theirs = f"-t nat -A PREROUTING -d {CLUSTER_IP} -p tcp --dport 80 -j DNAT --to-destination {POD}:8080"
    network.node.run("iptables", *theirs.split())
    bridge.succeeds(services=[service(f"{OTHER}:9")])
    assert asked(network.stranger, CLUSTER_IP, 80) == NODE
    network.node.run("iptables", *theirs.replace("-A", "-D").split())
    assert asked(network.stranger, CLUSTER_IP, 80) == ""


def test_it_ends_by_itself(network: Network, bridge: Module, pod: Namespace) -> None:
    assert pod
    bridge.succeeds(services=[service(f"{POD}:8080")], lifetime=2)
    assert asked(network.stranger, CLUSTER_IP, 80) == NODE
    time.sleep(2.5)
    assert asked(network.stranger, CLUSTER_IP, 80) == ""


def test_kube_proxy_cleanup_takes_it_away(network: Network, bridge: Module) -> None:
    bridge.succeeds(services=[service(f"{POD}:8080")])
    done = Module("kube_proxy_cleanup", {}, network.node.prefix).succeeds(in_use="nftables")
    assert done["removed"] == ["nftables table ip netops-kubernetes-bridge"]


# Connects as the kernel does in mode ipvs, from the address that it connects to; ends IPVS' link in the middle, and
# hears what still comes through; then connects anew, from where the kernel likes.
OUTLIVE = """
import socket, subprocess, sys
host, port = sys.argv[1], 80
with socket.create_connection((host, port), 5, (host, 0)) as first:
    print(first.getsockname()[0])
    subprocess.run(["ip", "link", "delete", "kube-ipvs0"], check=True)
    print(first.recv(99).decode())
with socket.create_connection((host, port), 5) as second:
    print(second.getsockname()[0])
"""
# Says its word after a while, so that the link goes before.
PAUSING = ANSWER.replace("self.request.sendall", "__import__('time').sleep(1); self.request.sendall")


@pytest.mark.parametrize(("cluster_ip", "length", "own"), [(CLUSTER_IP, 32, NODE), (CLUSTER_IP_V6, 128, NODE_V6)])
def test_a_connection_of_the_nodes_own_outlives_the_link_of_ipvs(
    network: Network, bridge: Module, cluster_ip: str, length: int, own: str
) -> None:
    """In mode ipvs its source is the Service's address, which is nobody's when the link is gone."""
    node = network.node
    node.run("ip", "link", "add", "kube-ipvs0", "type", "bridge")
    node.run("ip", "link", "set", "kube-ipvs0", "up")
    node.run("ip", "address", "add", f"{cluster_ip}/{length}", "dev", "kube-ipvs0", "nodad")
    end = f"[{POD_V6}]:8080" if ":" in cluster_ip else f"{POD}:8080"
    rows = [service(end, cluster_ips=[cluster_ip])]
    # A way out, by which the node knows its own address.
    for version, way in (("-4", OTHER), ("-6", OTHER_V6)):
        node.run("ip", version, "route", "replace", "default", "via", way)
    first = state_matrix(bridge, services=rows)
    assert f"local route {cluster_ip}\n" in first["diff"]["after"]
    with subprocess.Popen([*network.friend.prefix, "python3", "-c", PAUSING], stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        said = node.run("python3", "-c", OUTLIVE, cluster_ip)
        process.terminate()
    assert said.stdout.split() == [cluster_ip, own, own], said.stderr
    done = Module("kube_proxy_cleanup", {}, node.prefix).succeeds(in_use="nftables")
    assert f"local route {cluster_ip}" in done["removed"]
    assert cluster_ip not in node.run("ip", "route", "show", "table", "local").stdout
    assert cluster_ip not in node.run("ip", "-6", "route", "show", "table", "local").stdout


def test_where_nft_refuses_there_is_no_bridge_and_a_reason(bridge: Module) -> None:
    done = bridge.succeeds(services=[service("not-an-address:8080")])
    assert done["changed"] is False
    assert done["reason"].startswith("nft does not take its rules: ")
