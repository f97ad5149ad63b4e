# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Roles kube_proxy and node_port_range on a real cluster whose Services somebody connects to."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._connectivity.checks import NAMESPACE
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ObjectRef
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.rollout import DAEMON_SET
from tests.long.proxies import api, evidence, modes, play
from tests.nodes.conftest import PLAYBOOKS
from tests.nodes.outage import SETTLING, STEP, connecting, of_services, wait_until_all_connect
from tests.nodes.plays import ROLE, run, succeeds
from tests.nodes.pods import Served, serve
from tests.testbed.settings import Node

if TYPE_CHECKING:
    from tests.testbed.bed import Bed

# One cluster serves them all, in this order.
pytestmark = pytest.mark.xdist_group("kube_proxy")

FIRST, LAST = Node(1), Node(2)
# Connections of one second, which a node whose kube-proxy changes its mode may lose at most.
TROUBLE = 1 / STEP
FIREWALL = PLAYBOOKS / "node_firewall.yml"
ONLY_NODES = [{"id": "nodeport-tcp", "peers": ["all_nodes"]}]
CONNECT = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), 2).close()
    print("open")
except TimeoutError:
    print("dropped")
except ConnectionRefusedError:
    print("refused")
"""
SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: ranged, namespace: netops-connectivity}
spec: {type: NodePort, selector: {app: connectivity}, ports: [{port: 80, targetPort: 8080, nodePort: %d}]}
"""


def entry_point(bed: Bed, role: str, name: str, **variables: Any) -> dict[str, int]:
    """Run an entry point of a role; how many tasks changed something, by node."""
    inventory = bed.folder / "inventory"
    return succeeds(inventory, ROLE, role_under_test=role, entry_point=name, **variables).changed


def from_outside(bed: Bed, node: Node, port: int) -> str:
    """How a connection ends that comes from none of the nodes."""
    words = ["ip", "netns", "exec", bed.netns, sys.executable, "-c", CONNECT, node.address, str(port)]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()


def from_node(bed: Bed, source: Node, target: str) -> str:
    host, _colon, port = target.rpartition(":")
    return bed.must(source, f"python3 -c '{CONNECT}' {host} {port}").strip()


def foreign_rules(bed: Bed) -> list[str]:
    """All rules of the nodes that are not kube-proxy's or kubelet's, in their order: Flannel's and the firewall's."""
    listed = (
        "iptables-save; ip6tables-save; nft list table inet netops_kubernetes | sed 's/ packets [0-9]* bytes [0-9]*//'"
    )
    lines = [line for node in bed.nodes for line in bed.must(node, listed).splitlines()]
    # What begins so is of iptables-save, and no rule of it.
    return [line for line in lines if not line.startswith(("#", "*", ":", "COMMIT")) and "KUBE-" not in line]


@pytest.fixture(scope="module")
def served(serving: Bed) -> Served:
    made = serve(api(serving))
    wait_until_all_connect(serving, of_services(made))
    return made


def test_every_direction_under_connections_and_nodeports_stay_their_peers_own(serving: Bed, served: Served) -> None:
    assert {from_outside(serving, node, served.node_port) for node in serving.nodes} == {"open"}
    succeeds(serving.folder / "inventory", FIREWALL, node_firewall_rules=ONLY_NODES)
    try:
        switch_everywhere(serving, served)
        succeeds(serving.folder / "inventory", FIREWALL)
        assert {from_outside(serving, node, served.node_port) for node in serving.nodes} == {"open"}
    finally:
        entry_point(serving, "node_firewall", "uninstall")


def switch_everywhere(serving: Bed, served: Served) -> None:
    """Every mode from every other, under connections, while NodePorts are closed to what is no node."""
    assert {from_outside(serving, node, served.node_port) for node in serving.nodes} == {"dropped"}, "iptables"
    others = foreign_rules(serving)
    assert any("FLANNEL" in rule for rule in others)
    for mode in ("ipvs", "nftables", "iptables", "nftables", "ipvs", "iptables"):
        with connecting(serving, of_services(served)) as flows:
            played = play(serving, kube_proxy_mode=mode)
            assert played.status == 0, played.said
            outside = {from_outside(serving, node, served.node_port) for node in serving.nodes}
        if any(flow.failed for flow in flows.values()):
            print(f"to {mode}:", *evidence(serving), sep="\n")
        assert modes(serving) == [mode, mode]
        assert outside == {"dropped"}, mode
        assert foreign_rules(serving) == others, mode
        for target, flow in flows.items():
            print(f"to {mode}, {target}: {flow}")
            assert len(flow.attempts) > 100
            for attempt in flow.failed:
                print(f"  begun at {attempt.begin:.3f}, after {attempt.seconds:.3f} s: {attempt.verdict}")
            assert len(flow.failed) <= TROUBLE, f"to {mode}, {target}: {flow}"
            # Trouble is while a node is switched, and none comes after that.
            assert not flow.failed or flow.failed[-1].begin - flow.failed[0].begin <= 1.0, (
                f"to {mode}, {target}: {flow}"
            )


def test_removed_and_brought_back(serving: Bed, served: Served) -> None:
    assert play(serving, kube_proxy_mode="ipvs").status == 0
    before = api(serving).get(DAEMON_SET)
    assert before
    refused = run(serving.folder / "inventory", ROLE, role_under_test="kube_proxy", entry_point="remove")
    assert "nobody serves Services in its place" in refused.said
    assert api(serving).get(DAEMON_SET)
    assert all(entry_point(serving, "kube_proxy", "remove", kube_proxy_remove_force=True).values())
    assert api(serving).get(DAEMON_SET) is None
    for node in serving.nodes:
        assert serving.must(node, "ipvsadm -Ln | grep -c -E '^(TCP|UDP)' || true").strip() == "0"
        assert "kube-ipvs0" not in serving.must(node, "ip -brief link")
        # The kubelet's own chains stay.
        assert "KUBE-SERVICES" not in serving.must(node, "iptables-save; ip6tables-save")
        assert from_node(serving, node, served.cluster_ip) != "open"
    # It is gone already, so nothing needs to be forced.
    assert not any(entry_point(serving, "kube_proxy", "remove").values())

    assert any(entry_point(serving, "kube_proxy", "restore").values())
    after = api(serving).get(DAEMON_SET)
    assert after
    assert after["spec"]["template"] == before["spec"]["template"]
    assert modes(serving) == ["ipvs", "ipvs"]
    for node in serving.nodes:
        assert from_node(serving, node, served.cluster_ip) == "open"
    assert not any(entry_point(serving, "kube_proxy", "restore").values())


def create_service(bed: Bed, port: int) -> str:
    """Make a Service with this NodePort, or hear why not."""
    create = "kubectl --kubeconfig=/etc/kubernetes/admin.conf create -f -"
    done = bed.ssh(FIRST, create, stdin=SERVICE % port)
    return done.stdout + done.stderr


def test_another_range_of_nodeports(serving: Bed, served: Served) -> None:
    inventory = serving.folder / "inventory"
    low = served.node_port + 1
    narrow = f"{low}-{low + 500}" if low < 32000 else f"30000-{low - 2}"
    refused = run(inventory, ROLE, role_under_test="node_port_range", node_port_range_ports=narrow)
    assert refused.status != 0
    assert str(served.node_port) in refused.said
    assert "netops-connectivity/connectivity" in refused.said

    wide = {"role_under_test": "node_port_range", "node_port_range_ports": "29000-32767"}
    assert succeeds(inventory, ROLE, **wide).changed[FIRST.name]
    assert not any(succeeds(inventory, ROLE, **wide).changed.values())
    assert "service/ranged created" in create_service(serving, 29500)
    connect_to = from_node(serving, LAST, f"{FIRST.address}:{served.node_port}")
    assert connect_to == "open", "what was served before the change is served after it"
    # A slow node's kube-proxy comes to serve what was made a moment ago.
    deadline = time.monotonic() + SETTLING
    while (verdict := from_outside(serving, LAST, 29500)) != "open":
        assert time.monotonic() < deadline, verdict
        time.sleep(1.0)
    # The firewall takes the range from the cluster: a port of the new one is its peers' own.
    succeeds(inventory, FIREWALL, node_firewall_rules=ONLY_NODES)
    assert from_outside(serving, LAST, 29500) == "dropped"
    assert from_node(serving, FIRST, f"{LAST.address}:29500") == "open"
    entry_point(serving, "node_firewall", "uninstall")

    api(serving).delete(ObjectRef("v1", "Service", "ranged", NAMESPACE), propagation="Background")
    assert entry_point(serving, "node_port_range", "uninstall")[FIRST.name]
    assert "The range of valid ports is 30000-32767" in create_service(serving, 29500)
    assert not any(entry_point(serving, "node_port_range", "uninstall").values())
