# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A switch of the CNI: what stands in its way, the plan, and DaemonSets that follow the nodes' label."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.switch import (
    BETWEEN,
    LABEL,
    BudgetFacts,
    Found,
    NodeFacts,
    PodFacts,
    Record,
    SwitchError,
    Wish,
    pending,
    record_for,
    source_of,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.switch_networks import (
    PodNetwork,
    live_calico,
    live_cilium,
    live_flannel,
    live_weave,
    wanted,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.switch_obstacles import (
    problems,
    require_possible,
    unjoinable,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.switch_plan import plan_lines
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.switch_steering import (
    HELD,
    REQUIRED,
    released,
    steered,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._errors import NetopsError
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import merged
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.model import Requirement, Selector

CIDRS = ["10.244.0.0/16"]
NODES = (
    NodeFacts("control", is_control_plane=True, pod_cidrs=("10.244.0.0/24",), address="192.0.2.11"),
    NodeFacts("worker", pod_cidrs=("10.244.1.0/24",), address="192.0.2.12"),
)
WEB = PodFacts("shop", "web-0", "worker", owner="ReplicaSet", labels={"app": "web"})
AGENT = PodFacts("shop", "agent-x", "worker", owner="DaemonSet")
FOUND = Found(
    nodes=NODES,
    pods=(WEB, AGENT),
    installed=("flannel",),
    hosts=("control", "worker"),
    active={"control": "flannel", "worker": "flannel"},
)
CALICO: dict[str, Any] = {
    "mode": "manifest",
    "encapsulation": "VXLAN",
    "pools": [],
    "bgp": False,
    "wireguard": False,
    "vxlan_port": 8472,
    "vxlan_vni": 1,
}
FLANNEL = {"backend": "vxlan", "port": 8472, "vni": 1, "direct_routing": False}
CILIUM: dict[str, Any] = {"tunnel": "vxlan", "kube_proxy_replacement": False, "values": {}}
SETTINGS = {"calico": CALICO, "flannel": FLANNEL, "cilium": CILIUM}
NET_CONF = '{"Network": "10.244.0.0/16", "Backend": {"Type": "vxlan"}}'


def flannel(net_conf: str = NET_CONF) -> PodNetwork:
    return live_flannel({"data": {"net-conf.json": net_conf}}, NODES)


def block(cidr: str, node: str) -> dict[str, Any]:
    return {"spec": {"cidr": cidr, "affinity": f"host:{node}", "allocations": [0]}}


def calico(*blocks: dict[str, Any], port: int = 8472, vni: int = 1) -> PodNetwork:
    pool = {"metadata": {"name": "default"}, "spec": {"cidr": CIDRS[0], "vxlanMode": "Always"}}
    return live_calico([pool], {"spec": {"vxlanPort": port, "vxlanVNI": vni}}, blocks, NODES)


def judged(wish: Wish, found: Found = FOUND, source: PodNetwork | None = None, **settings: Any) -> list[str]:
    """The problems of a switch, as texts."""
    target = wanted(wish.target, {**SETTINGS[wish.target], **settings}, CIDRS, found.nodes)
    return [str(one) for one in problems(found, wish, source, target)]


def test_a_cni_that_takes_the_nodes_pod_cidrs_needs_them() -> None:
    """Cilium's nodes need none, and the first of them would be emptied for a Flannel that never starts."""
    bare = (NODES[0], replace(NODES[1], pod_cidrs=()))
    with pytest.raises(NetopsError, match=r"node worker: no podCIDR of IPv4; .*--allocate-node-cidrs=true"):
        wanted("flannel", FLANNEL, CIDRS, bare)
    of_kubernetes = {**CILIUM, "values": {"ipam": {"mode": "kubernetes"}}}
    with pytest.raises(NetopsError, match=r"node worker: no podCIDR of IPv4"):
        wanted("cilium", of_kubernetes, CIDRS, bare)
    assert wanted("cilium", CILIUM, CIDRS, bare).shared == ("10.244.0.0/16",)


@pytest.mark.parametrize(
    ("cni", "settings", "said"),
    [
        ("calico", {"pools": [{"name": "x"}]}, "calico_pools, pool 'x': no cidr; expected name and cidr."),
        ("calico", {"pools": [{"cidr": "10.9.0.0/16"}]}, "calico_pools, pool 1: no name; expected name and cidr."),
        (
            "calico",
            {"pools": [{"name": "x", "cidr": "10.9.0.0/16", "size": 26}]},
            "expected fields name, cidr, encapsulation",
        ),
        ("cilium", {"tunnel": "gre"}, "cilium_tunnel: 'gre'; expected one of vxlan, geneve, none."),
        ("cilium", {"tunnel": "gre", "values": {"tunnelPort": 1}}, "cilium_tunnel: 'gre'; expected one of"),
    ],
)
def test_a_setting_that_cannot_be_is_named(cni: str, settings: dict[str, Any], said: str) -> None:
    with pytest.raises(SwitchError) as refused:
        wanted(cni, {**SETTINGS[cni], **settings}, CIDRS, NODES)
    assert said in str(refused.value)


# ---- which switch it is ---------------------------------------------------------------------------------------------


def test_where_it_comes_from() -> None:
    assert source_of(FOUND, Wish("calico")) == "flannel"
    assert source_of(replace(FOUND, installed=("calico",)), Wish("calico")) == ""
    assert source_of(replace(FOUND, installed=("weave",)), Wish("cilium")) == "weave"
    for installed, said in (((), "no CNI that is known here"), (("calico", "flannel"), "calico and flannel are there")):
        with pytest.raises(SwitchError, match=said):
            source_of(replace(FOUND, installed=installed), Wish("calico"))


def test_nodes_by_their_label() -> None:
    record = Record("flannel", "calico", "calico", "joined")
    assert [record.cni_of(label) for label in ("", "calico", BETWEEN)] == ["flannel", "calico", ""]
    back = replace(record, target="flannel")
    assert (record.source, record.target_label) == ("flannel", "calico")
    assert (back.source, back.target_label) == ("calico", None)


def test_half_switched_nodes_come_first_and_the_control_plane_last() -> None:
    record = Record("flannel", "calico", "calico", "joined")
    done = NodeFacts("done", label="calico")
    half = NodeFacts("half", label="calico", step="open", is_control_plane=True)
    between = NodeFacts("nobody", label=BETWEEN)
    assert [node.name for node in pending(record, [*NODES, done, half, between])] == [
        "half",
        "nobody",
        "worker",
        "control",
    ]


def test_at_the_end_a_node_without_a_label_is_done() -> None:
    assert pending(Record("flannel", "calico", "calico", "joined", "end"), NODES) == []


def test_the_way_back_is_another_target() -> None:
    record = Record("flannel", "calico", "calico", "joined")
    found = replace(FOUND, record=record, installed=("calico", "flannel"))
    assert record_for(found, Wish("calico")) == record
    assert record_for(found, Wish("flannel")) == replace(record, target="flannel")
    assert source_of(found, Wish("flannel")) == "calico"


# ---- what stands in the way -----------------------------------------------------------------------------------------


def test_nothing_does() -> None:
    assert judged(Wish("calico"), source=flannel()) == []
    assert judged(Wish("flannel"), source=calico(block("10.244.1.64/26", "worker"))) == []


BUDGET = BudgetFacts("shop", "web", Selector((Requirement("app", "In", ("web",)),)), expected=1, desired=1)


@pytest.mark.parametrize(
    ("found", "wish", "said"),
    [
        (replace(FOUND, nodes=(NODES[0], replace(NODES[1], ready=False))), Wish("calico"), "node worker: not Ready"),
        (replace(FOUND, hosts=("control",)), Wish("calico"), "node worker: no host of this play"),
        (
            replace(FOUND, active={"control": "flannel", "worker": "weave"}),
            Wish("calico"),
            "node worker: its container runtime uses weave; expected flannel",
        ),
        (
            replace(FOUND, active={"control": "flannel", "worker": ""}),
            Wish("calico"),
            "node worker: its container runtime uses no CNI",
        ),
        (
            replace(FOUND, budgets=(BUDGET,)),
            Wish("calico"),
            "PodDisruptionBudget 'shop/web': it wants 1 healthy pods and counts 1, so it never lets one go: shop/web-0",
        ),
        (
            replace(FOUND, budgets=(replace(BUDGET, expected=3), replace(BUDGET, name="all", expected=3))),
            Wish("calico"),
            "pod 'shop/web-0': PodDisruptionBudgets web, all select it",
        ),
        (
            replace(FOUND, pods=(PodFacts("shop", "debug", "worker"),)),
            Wish("calico"),
            "pod shop/debug: no controller makes it again",
        ),
        (
            replace(FOUND, pods=(replace(AGENT, host_ports=(8080,)),)),
            Wish("cilium", "apart", settings=CILIUM),
            "pod shop/agent-x (8080): it has host ports, and cilium with these settings serves none",
        ),
        (
            replace(FOUND, policies={"NetworkPolicy": 4}),
            Wish("flannel", "apart"),
            "network policies: 4 NetworkPolicy: flannel enforces none of them",
        ),
        (
            replace(FOUND, installed=("calico",), policies={"NetworkPolicy": 4, "GlobalNetworkPolicy": 2}),
            Wish("cilium", "apart"),
            "network policies: 2 GlobalNetworkPolicy: cilium enforces none of them",
        ),
        (
            replace(FOUND, installed=("cilium",), replaces_kube_proxy=True),
            Wish("calico", "apart"),
            "kube-proxy: Cilium serves Services in its place, and goes",
        ),
        (
            replace(FOUND, installed=("calico",), active={}, is_operated=True),
            Wish("flannel", "apart"),
            "Calico: its operator puts its DaemonSet on every node again",
        ),
        (
            FOUND,
            Wish("cilium", "apart", settings={"kube_proxy_replacement": True}),
            "cilium_kube_proxy_replacement: true, while nodes of the other CNI need kube-proxy",
        ),
        (
            replace(FOUND, record=Record("flannel", "cilium", "cilium", "apart")),
            Wish("calico"),
            "switch of the CNI: one from flannel to cilium is half done",
        ),
        (
            replace(FOUND, record=Record("flannel", "calico", "calico", "joined", "end")),
            Wish("flannel"),
            "the one from flannel to calico is at its end: flannel is being removed",
        ),
        (
            replace(FOUND, record=Record("flannel", "calico", "calico", "joined")),
            Wish("calico", "apart"),
            "cni_switch_way: 'apart', and the switch that is under way is 'joined'",
        ),
    ],
)
def test_each_problem_is_named(found: Found, wish: Wish, said: str) -> None:
    told = judged(wish, found)
    assert len(told) == 1, told
    assert said in told[0]
    assert told[0].count(".") >= 1, "it ends with its remedy"


def test_what_is_accepted_is_no_problem() -> None:
    found = replace(FOUND, pods=(PodFacts("shop", "debug", "worker"),), policies={"NetworkPolicy": 1})
    assert judged(Wish("flannel", "apart", True, True), replace(found, installed=("calico",))) == []


def test_only_nodes_that_are_left_count() -> None:
    """A node that was switched is drained no more, so what runs there stands in no way."""
    nodes = (NODES[0], replace(NODES[1], label="calico"))
    record = Record("flannel", "calico", "calico", "joined")
    found = replace(FOUND, nodes=nodes, record=record, budgets=(BUDGET,), hosts=("control",))
    assert judged(Wish("calico"), found) == []


def test_a_half_switched_node_may_be_unready() -> None:
    nodes = (NODES[0], replace(NODES[1], ready=False, step="open", label=BETWEEN))
    found = replace(FOUND, nodes=nodes, record=Record("flannel", "calico", "calico", "joined"))
    assert judged(Wish("calico"), found) == []


def test_all_problems_are_told_at_once() -> None:
    nobody: list[NetopsError] = []
    require_possible(nobody)
    with pytest.raises(SwitchError, match=r"^first: bad\.$"):
        require_possible([SwitchError("first", "bad")])
    with pytest.raises(SwitchError, match=r"2 things stand in its way. \(1\) first: bad. \(2\) second: worse."):
        require_possible([SwitchError("first", "bad"), SwitchError("second", "worse")])


# ---- whether two networks can be joined -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "settings", "reason"),
    [
        (flannel('{"Backend": {"Type": "host-gw"}}'), {}, "flannel: its back-end is host-gw, not vxlan"),
        (flannel('{"Backend": {"Type": "vxlan", "DirectRouting": true}}'), {}, "flannel: it routes directly"),
        (flannel(), {"mode": "operator"}, "calico: its operator does not leave the tunnel's settings alone"),
        (flannel(), {"encapsulation": "IPIP", "bgp": True}, "calico_encapsulation is IPIP, not VXLAN"),
        (flannel(), {"bgp": True}, "calico: calico_bgp is set"),
        (flannel(), {"wireguard": True}, "calico: calico_wireguard is set"),
        (flannel(), {"pools": [{"name": "a", "cidr": "10.9.0.0/16"}]}, "no pool holds the podCIDR of control, worker"),
        (
            flannel(),
            {"vxlan_port": 4789, "vxlan_vni": 4096},
            (
                "flannel has port 8472 and VNI 1, calico port 4789 and VNI 4096; set calico_vxlan_port: 8472 and "
                "calico_vxlan_vni: 1"
            ),
        ),
    ],
)
def test_flannel_and_calico_cannot_be_joined(source: PodNetwork, settings: dict[str, Any], reason: str) -> None:
    [told] = judged(Wish("calico"), source=source, **settings)
    assert reason in told
    assert "Correct that, or set cni_switch_way: apart" in told


def test_calicos_blocks_must_be_of_their_nodes_pod_cidr() -> None:
    strange = calico(block("10.244.0.64/26", "worker"))
    [reason] = unjoinable(strange, wanted("flannel", FLANNEL, CIDRS, NODES))
    assert reason == "calico gives pods on worker addresses outside the node's own podCIDR"
    assert len(judged(Wish("flannel"), replace(FOUND, installed=("calico",)), source=strange)) == 2


def test_no_other_pair_can_be_joined() -> None:
    [told] = judged(Wish("cilium"), source=flannel(), values={"ipam": {"mode": "kubernetes"}, "tunnelPort": 8473})
    assert "flannel and cilium: they cannot be joined: only Flannel and Calico can be" in told


# ---- addresses ------------------------------------------------------------------------------------------------------


def test_two_pods_must_not_have_one_address() -> None:
    weave = live_weave({}, NODES)
    inside = live_weave(
        {"spec": {"template": {"spec": {"containers": [{"env": [{"name": "IPALLOC_RANGE", "value": CIDRS[0]}]}]}}}},
        NODES,
    )
    apart = Wish("calico", "apart")
    assert judged(apart, replace(FOUND, installed=("weave",), active={}), source=weave) == []
    [told] = judged(apart, replace(FOUND, installed=("weave",), active={}), source=inside)
    assert "weave gives pods on any node addresses of 10.244.0.0/16" in told
    assert "Name a pool of another network in calico_pools" in told


def test_every_pair_of_networks_with_one_address_counts() -> None:
    """Those of one node do not, nor do those of one CNI; either side's network may be the wider one."""
    blocks = [block("10.244.0.0/26", "control"), block("10.244.0.64/26", "worker"), block("10.244.1.0/26", "control")]
    wide = {"spec": {"cidr": "10.244.0.0/15", "affinity": "host:gone", "allocations": [0]}}
    single = {"spec": {"cidr": "10.244.1.7/32", "affinity": "host:gone", "allocations": [0]}}
    wish = Wish("flannel", "apart")
    found = replace(FOUND, installed=("calico",), active={})
    assert judged(wish, found, source=calico(blocks[0], block("10.244.1.0/25", "worker"))) == []
    [told] = judged(wish, found, source=calico(*blocks))
    assert "calico gives pods on worker addresses of 10.244.0.64/26, flannel gives pods on control some of " in told
    assert "10.244.0.0/24 (and 1 more such pairs)" in told
    [told] = judged(wish, found, source=calico(*blocks, wide, single))
    assert "calico gives pods on any node addresses of 10.244.0.0/15, flannel gives pods on control some of " in told
    assert "10.244.0.0/24 (and 4 more such pairs)" in told


DUAL_CIDRS = ["10.244.0.0/16", "fd00:10:244::/56"]
DUAL_NODES = (
    replace(NODES[0], pod_cidrs=("10.244.0.0/24", "fd00:10:244::/64")),
    replace(NODES[1], pod_cidrs=("10.244.1.0/24", "fd00:10:244:1::/64")),
)


def dual(source: PodNetwork, pools: list[dict[str, Any]]) -> list[str]:
    """The problems of a switch to Calico where each node has a /64 of IPv6 too."""
    target = wanted("calico", {**CALICO, "pools": pools}, DUAL_CIDRS, DUAL_NODES)
    found = replace(FOUND, nodes=DUAL_NODES, installed=(source.cni,), active={})
    return [str(one) for one in problems(found, Wish("calico", "apart"), source, target)]


def test_a_pod_cidr_with_too_many_blocks_for_its_node_collides() -> None:
    """Calico gives any node a block of it, and so Flannel's pods of another node share their addresses."""
    source = live_flannel({"data": {"net-conf.json": NET_CONF}}, DUAL_NODES)
    [told] = dual(source, [])
    assert "flannel gives pods on control addresses of fd00:10:244::/64" in told
    assert "calico gives pods on any node some of fd00:10:244::/56 (and 1 more such pairs)" in told
    assert told.endswith(
        "Name a pool of another network in calico_pools for fd00:10:244::/56: a podCIDR such as fd00:10:244::/64 has "
        "too many blocks of /122 to give its node all."
    )
    four = {"name": "four", "cidr": "10.244.0.0/16"}
    assert dual(source, [four, {"name": "six", "cidr": "fd00:10:245::/56"}]) == []
    assert dual(live_weave({}, DUAL_NODES), []) == []


def test_a_pod_cidr_with_few_blocks_is_claimed() -> None:
    nodes = [replace(NODES[0], pod_cidrs=("10.244.0.0/24", "fd00:10:244::/112"))]
    network = wanted("calico", CALICO, DUAL_CIDRS, nodes)
    assert (network.ranges, network.shared) == ({"control": ("10.244.0.0/24", "fd00:10:244::/112")}, ())


def test_a_pool_that_is_claimed_in_part_is_shared() -> None:
    nodes = [*NODES, NodeFacts("large", pod_cidrs=("10.192.0.0/11",))]
    network = wanted("calico", CALICO, ["10.192.0.0/10"], nodes)
    assert (network.ranges["worker"], network.ranges["large"]) == (("10.244.1.0/24",), ())
    assert network.shared == ("10.192.0.0/10",)


def test_ciliums_own_pool_must_be_another_network() -> None:
    wish = Wish("cilium", "apart")
    other_port = {"tunnelPort": 8473}
    [told] = judged(wish, source=flannel(), values=other_port)
    assert "two pods have one address" in told
    assert "Set cilium_values: {ipam: {mode: kubernetes}}" in told
    assert judged(wish, source=flannel(), values={**other_port, "ipam": {"mode": "kubernetes"}}) == []
    pool = {"ipam": {"operator": {"clusterPoolIPv4PodCIDRList": ["10.128.0.0/14"]}}}
    assert judged(wish, source=flannel(), values={**other_port, **pool}) == []


def test_ciliums_port_must_be_another_than_flannels() -> None:
    """Cilium would read Flannel's network number 1 as the identity of the host."""
    [told] = judged(Wish("cilium", "apart"), source=flannel(), values={"ipam": {"mode": "kubernetes"}})
    assert "VXLAN port: 8472 of flannel and of cilium" in told
    assert "Set cilium_values: {tunnelPort: 8473}" in told


def test_ciliums_nodes_tell_their_addresses() -> None:
    nodes = [{"metadata": {"name": "worker"}, "spec": {"ipam": {"podCIDRs": ["10.0.1.0/24"]}}}]
    found = live_cilium({"data": {"tunnel-port": "8473"}}, nodes, NODES)
    assert (found.ranges, found.port) == ({"control": ("10.244.0.0/24",), "worker": ("10.0.1.0/24",)}, 8473)
    assert live_cilium({"data": {"routing-mode": "native"}}, nodes, NODES).port == 0


# ---- the plan -------------------------------------------------------------------------------------------------------


def plan(found: Found, wish: Wish, source: PodNetwork | None = None, **settings: Any) -> list[str]:
    """The lines of a switch's plan."""
    return plan_lines(
        found, wish, source, wanted(wish.target, {**SETTINGS[wish.target], **settings}, CIDRS, found.nodes)
    )


@pytest.mark.parametrize(
    ("target", "settings", "said"),
    [
        (
            "calico",
            {"vxlan_port": 4789},
            "open UDP 4789 for calico between all nodes before it begins; with role",
        ),
        ("cilium", {"tunnel": "geneve"}, "{id: cni-switch, protocol: udp, ports: '6081', peers: [all_nodes]}"),
        ("cilium", {"tunnel": "none"}, "open what its encapsulation needs for cilium"),
        ("calico", {}, ""),
    ],
)
def test_what_firewalls_must_let_through_is_told(target: str, settings: dict[str, Any], said: str) -> None:
    lines = plan(FOUND, Wish(target, "apart"), flannel(), **settings)
    assert said in "".join(line for line in lines if line.startswith("Firewalls"))
    assert bool(said) == any(line.startswith("Firewalls") for line in lines)


def test_the_plan_can_be_read() -> None:
    found = replace(FOUND, pods=(replace(WEB, has_empty_dir=True), AGENT), policies={"NetworkPolicy": 3})
    lines = plan(found, Wish("calico"), flannel())
    assert lines[0] == "flannel -> calico on 2 nodes, joined; not begun"
    assert "Between pods on nodes of both CNIs: they reach each other all the time" in lines
    assert "Network policies: 3 are enforced on a node from its switch on; flannel enforces none" in lines
    first, second = lines[-3:-1]
    assert first.startswith("Node worker: cordon, evict 1 pods (1 lose what is in their emptyDir), clean, new CNI, ")
    assert first.endswith("restart shop/agent-x, verify, uncordon")
    assert second == "Node control: cordon, evict 0 pods, clean, new CNI, verify, uncordon"
    assert plan(replace(found, installed=("calico",)), Wish("calico")) == []


def test_the_plan_of_a_switch_that_is_under_way() -> None:
    record = Record("flannel", "calico", "calico", "joined")
    nodes = (replace(NODES[0], schedulable=False), replace(NODES[1], label="calico", step="open"))
    lines = plan(replace(FOUND, nodes=nodes, record=record), Wish("flannel"))
    assert lines[0] == "calico -> flannel on 2 nodes, joined; 1 nodes done, on the way back"
    assert lines[-2].startswith("Node worker: ")
    assert lines[-2].endswith("verify, uncordon (goes on where it was interrupted)")


@pytest.mark.parametrize(
    ("source", "target", "way", "said"),
    [
        ("calico", "flannel", "joined", "enforced on no node that was switched, and nowhere afterwards"),
        ("calico", "cilium", "apart", "does not know those on nodes of the other"),
        ("flannel", "cilium", "apart", "flannel enforces none"),
    ],
)
def test_while_which_policies_are_not_enforced(source: str, target: str, way: str, said: str) -> None:
    found = replace(FOUND, installed=(source,), policies={"NetworkPolicy": 3})
    [line] = [line for line in plan(found, Wish(target, way)) if line.startswith("Network policies")]
    assert said in line


def test_apart_says_what_it_costs() -> None:
    [line] = [line for line in plan(FOUND, Wish("cilium", "apart")) if line.startswith("Between pods")]
    assert "they do not reach each other, from the first node's switch to the last one's" in line


# ---- DaemonSets that follow the label -------------------------------------------------------------------------------

OWN = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}}
LINUX = {"key": "kubernetes.io/os", "operator": "In", "values": ["linux"]}
AWAY = {"key": LABEL, "operator": "DoesNotExist"}


def without_nothing(value: Any) -> Any:
    """What a merge patch leaves: what is set to nothing is not there."""
    if isinstance(value, dict):
        return {key: without_nothing(inner) for key, inner in value.items() if inner is not None}
    return value


@pytest.mark.parametrize(
    "affinity",
    [
        None,
        {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [{"matchExpressions": [LINUX]}]}}},
        {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
        {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1}]}},
    ],
)
def test_a_daemon_set_is_held_and_given_back(affinity: dict[str, Any] | None) -> None:
    pod = {"hostNetwork": True, **({"affinity": affinity} if affinity else {})}
    live: dict[str, Any] = {"metadata": {"annotations": {}}, "spec": {"updateStrategy": OWN, "template": {"spec": pod}}}
    before = copy.deepcopy(live)
    patch = steered(live["spec"])
    assert patch
    held = without_nothing(merged(live, patch))
    terms = held["spec"]["template"]["spec"]["affinity"]["nodeAffinity"][REQUIRED]["nodeSelectorTerms"]
    assert all(AWAY in term["matchExpressions"] for term in terms)
    assert held["spec"]["updateStrategy"] == {"type": "OnDelete"}
    assert steered(held["spec"]) is None, "a second time changes nothing"
    back = released(held["metadata"]["annotations"])
    assert back
    assert without_nothing(merged(held, back)) == before
    assert released(before["metadata"]["annotations"]) is None
    assert HELD not in before["metadata"]["annotations"]
