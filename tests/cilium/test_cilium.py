# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cilium by the roles on a real cluster: installed, proven, changed while pods run, taken away.

One cluster serves all tests, in the order in which they stand here; each begins where the one before has ended.
"""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ObjectRef
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.waiting import wait_gone
from tests.cilium.conftest import PATIENCE
from tests.cilium.traces import of_every_node
from tests.nodes.conftest import PLAYBOOKS
from tests.nodes.enforcement import ADMIT_FRIEND, DENY, NAMESPACE, PODS, expectations, put, selecting, take
from tests.nodes.plays import ROLE, Played, succeeds
from tests.nodes.pods import PORT, Running, Wanted, Way, cluster_ip, start, until
from tests.testbed import artefacts
from tests.testbed.bed import BedError
from tests.testbed.settings import CILIUM, Node

if TYPE_CHECKING:
    from tests.cilium.conftest import Lab

CNI = PLAYBOOKS / "cni.yml"
EVERYONE = {"neighbour", "friend", "stranger"}
API_SERVICE = "10.96.0.1:443"
AGENTS = ("kube-system", "k8s-app=cilium")
# What Cilium takes of the nodes' MTU for its tunnel.
VXLAN_BYTES = 50
SMALLER = 1400
# Cilium's agent forbids all but root to load programs, and nobody can allow it again before a reboot: the kernel takes
# no other value after this one (kernel/bpf/syscall.c, bpf_unpriv_handler).
BPF_OPEN, BPF_CLOSED = re.compile(r"(?<=kernel\.unprivileged_bpf_disabled = )[02]"), "1"
# Where a pod is made after a change.
LATER = "netops-later"


def play(lab: Lab, **variables: Any) -> Played:
    return succeeds(lab.inventory, CNI, timeout=2 * PATIENCE, **{**lab.settings, **variables})


def entry_point(lab: Lab, name: str, **variables: Any) -> Played:
    wanted = {**lab.settings, "role_under_test": "cni", "entry_point": name, **variables}
    return succeeds(lab.inventory, ROLE, timeout=2 * PATIENCE, **wanted)


def agents(lab: Lab) -> dict[str, str]:
    """The uid of each node's agent."""
    return {one["spec"]["nodeName"]: one["metadata"]["uid"] for one in lab.client.list("v1", "Pod", *AGENTS)}


def tcp(lab: Lab, node: Node, target: str) -> str:
    """How a connection of the node's own ends: ``open``, ``refused`` or ``timeout``."""
    return lab.bed.ssh(node, f"client tcp {target} 5s", timeout=120.0).stdout.strip()


def connect_from_outside(lab: Lab, target: str) -> None:
    """Connect as who is no node, until it works: agents learn of a Service a moment after the API server.

    :raises BedError: it does not.
    """
    client = str(lab.bed.store.path(artefacts.client) / "client")
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            lab.bed.outside(client, "tcp", target, "5s")
        except BedError:
            if time.monotonic() > deadline:
                raise
        else:
            return


def policy(name: str, spec: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": name, "namespace": NAMESPACE}
    return {"apiVersion": "cilium.io/v2", "kind": "CiliumNetworkPolicy", "metadata": metadata, "spec": spec}


ADMIT_FRIEND_ALONE = policy(
    "admit-friend-alone",
    {
        "endpointSelector": selecting("server"),
        "ingress": [
            {
                "fromEndpoints": [selecting("friend")],
                "toPorts": [{"ports": [{"port": str(PORT), "protocol": "TCP"}]}],
            }
        ],
    },
)
REFUSE_FRIEND = policy(
    "refuse-friend",
    {"endpointSelector": selecting("server"), "ingressDeny": [{"fromEndpoints": [selecting("friend")]}]},
)


@pytest.fixture(scope="session")
def pods(lab: Lab) -> dict[str, Running]:
    """A server with a neighbour on its node, and two pods on the other; they stay until all is taken away."""
    return start(lab.bed, lab.client, NAMESPACE, PODS, PATIENCE)


@pytest.fixture(scope="session")
def service(lab: Lab, pods: dict[str, Running]) -> str:
    """The address and port of the server's Service."""
    return cluster_ip(lab.client, NAMESPACE, pods["server"].name)


def expect(lab: Lab, pods: dict[str, Running], service: str, closed: set[str]) -> None:
    until(lab.bed, expectations(pods, service, closed), PATIENCE)


def test_the_role_installs_it(lab: Lab) -> None:
    """Where no Service was served before, and no node was ready."""
    for node in lab.bed.nodes:
        assert tcp(lab, node, API_SERVICE) != "open"
    play(lab)
    lab.bed.reach_pods(
        {
            node["metadata"]["name"]: node["spec"]["ipam"]["podCIDRs"]
            for node in lab.client.list("cilium.io/v2", "CiliumNode")
        }
    )
    assert set(agents(lab)) == {node.name for node in lab.bed.nodes}
    for node in lab.bed.nodes:
        live = lab.client.get(ObjectRef("v1", "Node", node.name))
        assert live
        [ready] = [one["status"] for one in live["status"]["conditions"] if one["type"] == "Ready"]
        assert ready == "True"
    said = lab.bed.kubectl("-n", "kube-system", "exec", "ds/cilium", "--", "cilium-agent", "--version")
    assert CILIUM.lstrip("v") in said


def test_pods_reach_each_other_across_nodes(lab: Lab) -> None:
    """As the role proves it; and it finds nothing that it would change."""
    said = entry_point(lab, "verify").said
    for line in (
        "pod to pod (TCP): 2 of 2",
        "pod to pod (UDP): 2 of 2",
        "pod to pod of its node (TCP): 2 of 2",
        "large transfers: 2 of 2",
        "Service by address: 2 of 2",
        "Service by name: 2 of 2",
        "NodePort: 2 of 2",
        "node to pod: 4 of 4",
    ):
        assert f"{line} connections work" in said


def test_network_policies_are_enforced(lab: Lab, pods: dict[str, Running], service: str) -> None:
    expect(lab, pods, service, set())
    put(lab.client, DENY)
    expect(lab, pods, service, EVERYONE)
    put(lab.client, ADMIT_FRIEND)
    expect(lab, pods, service, EVERYONE - {"friend"})
    take(lab.client, DENY, ADMIT_FRIEND)
    expect(lab, pods, service, set())


def test_policies_of_its_own_kind_are_enforced(lab: Lab, pods: dict[str, Running], service: str) -> None:
    put(lab.client, ADMIT_FRIEND_ALONE)
    expect(lab, pods, service, EVERYONE - {"friend"})
    put(lab.client, REFUSE_FRIEND)
    expect(lab, pods, service, EVERYONE)
    take(lab.client, ADMIT_FRIEND_ALONE, REFUSE_FRIEND)
    expect(lab, pods, service, set())


@pytest.mark.usefixtures("pods")
def test_it_takes_the_place_of_kube_proxy(lab: Lab) -> None:
    """Services are served to nodes too, without one rule of kube-proxy's, and NodePorts to who is outside."""
    said = lab.bed.kubectl("-n", "kube-system", "exec", "ds/cilium", "--", "cilium-dbg", "status", "-o", "json")
    assert json.loads(said)["kube-proxy-replacement"]["mode"] == "True"
    for node in lab.bed.nodes:
        assert tcp(lab, node, API_SERVICE) == "open"
        assert "KUBE-SVC" not in lab.bed.must(node, "iptables-save", timeout=120.0)
    patch = json.dumps({"spec": {"type": "NodePort"}})
    lab.bed.kubectl("-n", NAMESPACE, "patch", "service", "server", "--patch", patch)
    live = lab.client.get(ObjectRef("v1", "Service", "server", NAMESPACE))
    assert live
    [port] = live["spec"]["ports"]
    for node in lab.bed.nodes:
        # The pod runs on the first node alone.
        connect_from_outside(lab, f"{node.address}:{port['nodePort']}")


def test_a_changed_value_is_rolled_out(lab: Lab, pods: dict[str, Running], service: str) -> None:
    """Every agent is another one, new pods get what was changed, and those that ran before still reach each other."""
    before = agents(lab)
    play(lab, cilium_mtu=SMALLER)
    after = agents(lab)
    assert before.keys() == after.keys()
    assert not set(before.values()) & set(after.values())
    later = start(lab.bed, lab.client, LATER, [Wanted("later", Node(2))], PATIENCE)["later"]
    told = lab.bed.must(later.node, f"ip -n {later.network_namespace} -json route show default", timeout=120.0)
    [route] = json.loads(told)
    assert route["metrics"] == [{"mtu": SMALLER - VXLAN_BYTES}]
    expect(lab, pods, service, set())
    until(lab.bed, {Way(later, service): "open"}, PATIENCE)
    assert set(play(lab, cilium_mtu=SMALLER).changed.values()) == {0}


def test_uninstalling_leaves_the_nodes_as_they_were(lab: Lab) -> None:
    """Links, routes, rules, files, sysctls and programs in the kernel; and nothing of it at the API."""
    places = [ObjectRef("v1", "Namespace", name) for name in (NAMESPACE, LATER)]
    for place in places:
        lab.client.delete(place, propagation="Background")
    wait_gone(lab.client, places, time.monotonic() + PATIENCE)
    entry_point(lab, "uninstall")
    after = of_every_node(lab.bed)
    for name, before in lab.before.items():
        assert after[name].state == BPF_OPEN.sub(BPF_CLOSED, before.state)
        assert after[name].bpf == ()
    definitions = lab.client.list("apiextensions.k8s.io/v1", "CustomResourceDefinition")
    assert not [one for one in definitions if one["spec"]["group"].endswith("cilium.io")]
    assert not agents(lab)
    assert set(entry_point(lab, "uninstall").changed.values()) == {0}
