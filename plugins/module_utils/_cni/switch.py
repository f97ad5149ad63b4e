# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""From one CNI to another, node by node: what stands in the way, which way leads there, and what it costs.

What a node has is said by a label of it. A node without the label has the CNI that was there when the switch began;
one with the CNI's name as its value has the other; one with ``none`` is between the two. Both CNIs' DaemonSets follow
the label, so a node changes hands by one write, and what a run that was killed left undone can be read from the nodes.

Two ways lead there. *Joined*: both CNIs carry packets in the same VXLAN, so that pods on nodes of the one reach pods
on nodes of the other (upstream's flannel-migration-controller, kube-controllers/pkg/controllers/flannelmigration in
github.com/projectcalico/calico, has shown it for Flannel to Calico; the way back is its mirror image). *Apart*: until
the last node has changed, pods reach only pods on nodes of their own CNI.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Optional

from ansible_collections.netops.kubernetes.plugins.module_utils._cni.switch_networks import ANY_NODE
from ansible_collections.netops.kubernetes.plugins.module_utils._errors import NetopsError
from ansible_collections.netops.kubernetes.plugins.module_utils._netplan.ranges import network, within

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._cni.switch_networks import PodNetwork
    from ansible_collections.netops.kubernetes.plugins.module_utils._policy.model import Selector

TARGETS = ("calico", "cilium", "flannel")
WAYS = ("joined", "apart")
# On nodes: the CNI, see above.
LABEL = "netops.kubernetes/cni"
BETWEEN = "none"
# On nodes while one is being switched: whether pods could be scheduled there before.
STEP = "netops.kubernetes/cni-switch"
WAS_OPEN, WAS_CORDONED = "open", "cordoned"
# What each CNI's programs note on nodes; the notes go when the CNI has gone.
NODE_NOTES = {
    "calico": "projectcalico.org/",
    "cilium": "network.cilium.io/",
    "flannel": "flannel.alpha.coreos.com/",
    "weave": "weave.works/",
}
SHOWN = 10


class SwitchError(NetopsError):
    """A switch that cannot be made on this cluster as it is."""


@dataclass(frozen=True)
class Record:
    """The switch that is under way, as the cluster keeps it.

    :param default: the CNI of nodes without the label: the one that was there.
    :param other: the one that came.
    :param target: which of the two all nodes are to have. The way back is another target.
    :param way: ``joined`` or ``apart``.
    :param stage: ``nodes``, or ``end`` once every node has the target.
    """

    default: str
    other: str
    target: str
    way: str
    stage: str = "nodes"

    @property
    def source(self) -> str:
        return self.other if self.target == self.default else self.default

    @property
    def target_label(self) -> Optional[str]:
        """The label's value on a node that has the target; nothing stands for no label."""
        return None if self.target == self.default else self.target

    def cni_of(self, label: str) -> str:
        """The CNI of a node by its label; empty between the two."""
        if label == BETWEEN:
            return ""
        return self.other if label == self.other else self.default


@dataclass(frozen=True)
class NodeFacts:
    """A node as the API has it.

    :param label: the value of LABEL; empty without it.
    :param step: the value of STEP; empty unless the node is being switched.
    :param address: its internal IPv4 address.
    """

    name: str
    ready: bool = True
    schedulable: bool = True
    is_control_plane: bool = False
    label: str = ""
    step: str = ""
    pod_cidrs: tuple[str, ...] = ()
    address: str = ""
    notes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PodFacts:
    """A pod on the pod network.

    :param owner: the kind of its controller; ``Node`` of a static pod, empty without one.
    :param host_ports: ports of the node that lead to it.
    """

    namespace: str
    name: str
    node_name: str
    owner: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    host_ports: tuple[int, ...] = ()
    has_empty_dir: bool = False

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    @property
    def stays(self) -> bool:
        """Whether draining leaves it: it would come back to the same node."""
        return self.owner in {"DaemonSet", "Node"}


@dataclass(frozen=True)
class BudgetFacts:
    """A PodDisruptionBudget.

    :param expected: how many pods it counts.
    :param desired: how many of them must be healthy.
    """

    namespace: str
    name: str
    selector: Selector
    expected: int
    desired: int

    def covers(self, pod: PodFacts) -> bool:
        return self.namespace == pod.namespace and self.selector.matches(pod.labels)


@dataclass(frozen=True)
class Found:
    """What the cluster is, before anything changes.

    :param installed: the CNIs whose agents are there.
    :param hosts: the nodes that the play reaches.
    :param active: what each of those tells of itself: the CNI that its container runtime uses.
    :param policies: how many there are, by kind.
    :param is_operated: whether Calico's operator keeps its DaemonSet.
    :param replaces_kube_proxy: whether Cilium serves Services and no kube-proxy is there.
    """

    nodes: tuple[NodeFacts, ...]
    pods: tuple[PodFacts, ...]
    installed: tuple[str, ...]
    hosts: tuple[str, ...]
    budgets: tuple[BudgetFacts, ...] = ()
    active: Mapping[str, str] = field(default_factory=dict)
    policies: Mapping[str, int] = field(default_factory=dict)
    is_operated: bool = False
    replaces_kube_proxy: bool = False
    has_kube_proxy: bool = True
    record: Optional[Record] = None


@dataclass(frozen=True)
class Wish:
    """What is wanted.

    :param way: ``joined`` or ``apart``.
    :param delete_unmanaged_pods: whether pods that nobody makes again may go.
    :param accept_unenforced_policies: whether policies may lose their enforcement for good.
    :param settings: those of the target's role.
    """

    target: str
    way: str = "joined"
    delete_unmanaged_pods: bool = False
    accept_unenforced_policies: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)


# ---- what is to be done ---------------------------------------------------------------------------------------------


def record_from(said: Mapping[str, Any], subject: str) -> Record:
    """A record out of what was noted.

    :param subject: where it was noted, for the message.
    :raises SwitchError: it is none.
    """
    try:
        return Record(**said)
    except TypeError as error:
        fields = ", ".join(Record.__annotations__)
        raise SwitchError(subject, f"it notes no switch: {error}", f"fields {fields}", "Delete it") from error


def source_of(found: Found, wish: Wish) -> str:
    """The CNI that goes; empty where the target alone is there.

    :raises SwitchError: there is none, or there are more than one and no switch is under way.
    """
    if found.record:
        return found.record.default if wish.target == found.record.other else found.record.other
    others = [cni for cni in found.installed if cni != wish.target]
    if len(others) == 1 and wish.target not in found.installed:
        return others[0]
    if not others and wish.target in found.installed:
        return ""
    told = " and ".join(found.installed)
    raise SwitchError(
        "CNI of the cluster",
        f"agents of {told} are there, and no switch is under way" if told else "no CNI that is known here is there",
        "one of calico, cilium, flannel and weave",
        "Remove what should not be there" if told else f"Install {wish.target} with role netops.kubernetes.cni",
    )


def record_for(found: Found, wish: Wish) -> Record:
    """What the cluster is to keep of this switch: a new one, or the one under way with this target."""
    if found.record is None:
        return Record(source_of(found, wish), wish.target, wish.target, wish.way)
    before = found.record
    stage = before.stage if before.target == wish.target else "nodes"
    return Record(before.default, before.other, wish.target, before.way, stage)


def pending(record: Record, nodes: Iterable[NodeFacts]) -> list[NodeFacts]:
    """The nodes that are to be switched, in their order: those that are half-way, workers, the control plane."""
    if record.stage == "end":
        # All had it. Labels go one by one now, so that a node without one says nothing any more.
        return []
    left = [node for node in nodes if node.step or record.cni_of(node.label) != record.target]
    return sorted(left, key=lambda node: (not node.step, node.is_control_plane, node.name))


# ---- what stands in the way -----------------------------------------------------------------------------------------


def require_possible(problems: Sequence[NetopsError]) -> None:
    """Require that nothing stands in the way.

    :raises SwitchError: something does; all of it is named.
    """
    if len(problems) == 1:
        raise problems[0]
    if problems:
        said = " ".join(f"({number}) {problem}" for number, problem in enumerate(problems, start=1))
        raise SwitchError("switch of the CNI", f"{len(problems)} things stand in its way. {said}")


def problems(found: Found, wish: Wish, source: Optional[PodNetwork], target: PodNetwork) -> list[NetopsError]:
    """All that stands in the way, each with its remedy.

    :param source: the network that is there; nothing when a switch is under way: it was judged when that began.
    :param target: the network that is wanted.
    """
    record = record_for(found, wish)
    left = pending(record, found.nodes)
    told = [*_of_record(found, wish), *_of_nodes(found, left)]
    names = {node.name for node in left}
    pods = [pod for pod in found.pods if pod.node_name in names]
    told += [*_of_budgets(found.budgets, pods), *_of_pods(pods, wish, target)]
    told += [*_of_services(found, wish, record), *_of_policies(found, wish, record)]
    if source is not None:
        told += [*_of_way(wish, source, target), *_of_addresses(source, target)]
    return told


def _listed(names: Iterable[str]) -> str:
    every = list(names)
    more = f" and {len(every) - SHOWN} more" if len(every) > SHOWN else ""
    return ", ".join(every[:SHOWN]) + more


def _of_record(found: Found, wish: Wish) -> Iterator[NetopsError]:
    record = found.record
    if record is None:
        return
    if wish.target not in (record.default, record.other):
        yield SwitchError(
            "switch of the CNI",
            f"one from {record.source} to {record.target} is half done",
            "one switch at a time",
            f"Finish it first (cni_switch_to: {record.target}), or go back (cni_switch_to: {record.source})",
        )
    elif record.stage == "end" and wish.target != record.target:
        yield SwitchError(
            "switch of the CNI",
            f"the one from {record.source} to {record.target} is at its end: {record.source} is being removed",
            "a switch that has ended, before the way back",
            f"Finish it first (cni_switch_to: {record.target})",
        )
    elif record.way != wish.way:
        yield SwitchError(
            "cni_switch_way",
            f"{wish.way!r}, and the switch that is under way is {record.way!r}",
            "one way from its beginning to its end",
            f"Set cni_switch_way: {record.way}",
        )


def _of_nodes(found: Found, left: Sequence[NodeFacts]) -> Iterator[NetopsError]:
    away = [node.name for node in found.nodes if not node.ready and not node.step]
    if away:
        yield SwitchError(
            f"node {_listed(away)}",
            "not Ready",
            "every node Ready: pods of the others must find a place, and each node must be reached",
            "Bring it back, or delete the Node",
        )
    unreached = [node.name for node in left if node.name not in found.hosts]
    if unreached:
        yield SwitchError(
            f"node {_listed(unreached)}",
            "no host of this play",
            "every node of the cluster among the hosts: each is cleaned of the CNI that goes",
            "Add it to the inventory, or do not limit the play",
        )
    if found.record:
        return
    if found.is_operated and "calico" in found.installed:
        yield SwitchError(
            "Calico",
            "its operator puts its DaemonSet on every node again",
            "Calico by its manifest",
            "Remove it with role netops.kubernetes.calico, tasks_from uninstall, then install the other CNI",
        )
    source = [cni for cni in found.installed if cni in found.active.values()]
    strange = {name: cni for name, cni in found.active.items() if source and cni not in source}
    for cni in sorted(set(strange.values())):
        yield SwitchError(
            f"node {_listed(sorted(name for name, one in strange.items() if one == cni))}",
            f"its container runtime uses {cni or 'no CNI'}",
            f"{' or '.join(source)}, as the other nodes",
            "Mend it first; netops.kubernetes.cni_info tells what is there",
        )


def _of_budgets(budgets: Sequence[BudgetFacts], pods: Sequence[PodFacts]) -> Iterator[NetopsError]:
    going = [pod for pod in pods if not pod.stays]
    for budget in budgets:
        covered = [pod for pod in going if budget.covers(pod)]
        if covered and budget.desired >= budget.expected:
            yield SwitchError(
                f"PodDisruptionBudget '{budget.namespace}/{budget.name}'",
                f"it wants {budget.desired} healthy pods and counts {budget.expected}, so it never lets one go: "
                f"{_listed(map(str, covered))}",
                "a budget that admits one disruption",
                "Give it more replicas, or lower minAvailable for the time of the switch",
            )
    for pod in going:
        several = [budget.name for budget in budgets if budget.covers(pod)]
        if len(several) > 1:
            yield SwitchError(
                f"pod '{pod}'",
                f"PodDisruptionBudgets {', '.join(several)} select it, and the API server evicts no such pod",
                "one budget at most",
                "Narrow their selectors",
            )


def _of_pods(pods: Sequence[PodFacts], wish: Wish, target: PodNetwork) -> Iterator[NetopsError]:
    alone = [str(pod) for pod in pods if not pod.owner]
    if alone and not wish.delete_unmanaged_pods:
        yield SwitchError(
            f"pod {_listed(alone)}",
            "no controller makes it again after its node was drained",
            "pods of a Deployment, a StatefulSet, a Job or the like",
            "Delete it yourself, or set cni_switch_delete_unmanaged_pods: true to lose it",
        )
    ported = [f"{pod} ({', '.join(map(str, pod.host_ports))})" for pod in pods if pod.host_ports]
    if ported and not target.serves_host_ports:
        yield SwitchError(
            f"pod {_listed(ported)}",
            f"it has host ports, and {wish.target} with these settings serves none",
            "a CNI with the plugin portmap, or Cilium in kube-proxy's place",
            "Set cilium_values: {cni: {chainingMode: portmap}}",
        )


def _of_services(found: Found, wish: Wish, record: Record) -> Iterator[NetopsError]:
    if record.source == "cilium" and found.replaces_kube_proxy:
        yield SwitchError(
            "kube-proxy",
            "Cilium serves Services in its place, and goes",
            "kube-proxy, before Cilium goes",
            "Bring it back with role netops.kubernetes.kube_proxy, tasks_from present, and set "
            "cilium_kube_proxy_replacement: false first",
        )
    if wish.target == "cilium" and wish.settings.get("kube_proxy_replacement") and found.has_kube_proxy:
        yield SwitchError(
            "cilium_kube_proxy_replacement",
            "true, while nodes of the other CNI need kube-proxy until the switch has ended",
            "false for the time of the switch",
            "Switch with false, then replace kube-proxy",
        )


def _of_policies(found: Found, wish: Wish, record: Record) -> Iterator[NetopsError]:
    counted = dict(found.policies)
    own = {kind: count for kind, count in counted.items() if kind in OWN_POLICIES.get(record.source, ())}
    lost = own if wish.target != "flannel" else {kind: count for kind, count in counted.items() if count}
    lost = {kind: count for kind, count in lost.items() if count}
    if lost and not wish.accept_unenforced_policies:
        told = ", ".join(f"{count} {kind}" for kind, count in sorted(lost.items()))
        yield SwitchError(
            "network policies",
            f"{told}: {wish.target} enforces none of them",
            "policies that the new CNI enforces",
            "Write them as NetworkPolicies, choose another CNI, or set cni_switch_accept_unenforced_policies: true",
        )


# Kinds of policies that one CNI alone enforces.
OWN_POLICIES = {
    "calico": ("GlobalNetworkPolicy", "NetworkPolicy of Calico"),
    "cilium": ("CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy"),
}


def _of_way(wish: Wish, source: PodNetwork, target: PodNetwork) -> Iterator[NetopsError]:
    if wish.way != "joined":
        return
    reasons = unjoinable(source, target)
    if reasons:
        yield SwitchError(
            f"{source.cni} and {target.cni}",
            f"they cannot be joined: {'; '.join(reasons)}",
            "networks that carry each other's packets while nodes of both are there",
            "Correct that, or set cni_switch_way: apart: then pods on nodes of the one do not reach pods on nodes of "
            "the other until the switch has ended",
        )


def unjoinable(source: PodNetwork, target: PodNetwork) -> list[str]:
    """Why two networks cannot carry each other's packets; nothing when they can."""
    if {source.cni, target.cni} != {"calico", "flannel"}:
        return ["only Flannel and Calico can be"]
    told = [f"{one.cni}: {reason}" for one in (source, target) for reason in one.not_plain_vxlan]
    if not told and (source.port, source.vni) != (target.port, target.vni):
        told.append(
            f"{source.cni} has port {source.port} and VNI {source.vni}, {target.cni} port {target.port} and VNI "
            f"{target.vni}; set {target.cni}_vxlan_port: {source.port} and {target.cni}_vxlan_vni: {source.vni}"
        )
    for one in (source, target):
        strange = [name for name, cidrs in sorted(one.ranges.items()) if not _within(cidrs, one.pod_cidrs[name])]
        if strange or one.shared:
            told.append(
                f"{one.cni} gives pods on {_listed(strange) or 'any node'} addresses outside the node's own podCIDR"
            )
    return told


def _within(inner: Iterable[str], outer: Sequence[str]) -> bool:
    wide = [network("podCIDR", cidr) for cidr in outer]
    return all(within(network("block", cidr), wide) for cidr in inner)


def _of_addresses(source: PodNetwork, target: PodNetwork) -> Iterator[NetopsError]:
    """Two pods must never have one address: what Services and policies lead to would be the wrong one."""
    found = list(_collisions(source, target))
    if found:
        (cidr, name), (other, place) = found[0]
        more = f" (and {len(found) - 1} more such pairs)" if len(found) > 1 else ""
        yield SwitchError(
            "pod networks",
            f"{source.cni} gives pods on {name} addresses of {cidr}, {target.cni} gives pods on {place} some of "
            f"{other}{more}",
            "the same node's podCIDR in both, or networks that do not overlap: else two pods have one address",
            target.way_to_other_addresses,
        )
    if target.cni == "cilium" and source.port and source.port == target.port:
        yield SwitchError(
            "VXLAN port",
            f"{source.port} of {source.cni} and of cilium, which would take the other's network number for an identity",
            "ports of their own while nodes of both are there",
            f"Set cilium_values: {{tunnelPort: {source.port + 1}}}",
        )


def _collisions(source: PodNetwork, target: PodNetwork) -> Iterator[tuple[tuple[str, str], tuple[str, str]]]:
    for cidr, name in source.all_ranges:
        for other, place in target.all_ranges:
            same_node = name == place != ANY_NODE
            if not same_node and network("addresses", cidr).overlaps(network("addresses", other)):
                yield (cidr, name), (other, place)


# ---- the plan, as a user reads it -----------------------------------------------------------------------------------


def plan_lines(found: Found, wish: Wish) -> list[str]:
    """What will happen and what it costs, a line each; nothing where nothing is to be done."""
    record = record_for(found, wish)
    left = pending(record, found.nodes)
    if found.record is None and not source_of(found, wish):
        return []
    lines = [f"{record.source} -> {record.target} on {len(found.nodes)} nodes, {record.way}; {_begun(found, record)}"]
    lines += [EVICTED, LEFT]
    lines.append(f"Between pods on nodes of both CNIs: {BETWEEN_BOTH[record.way]}")
    lines.append(f"Network policies: {_policy_window(found, record)}")
    for node in left:
        lines.append(_node_line(node, [pod for pod in found.pods if pod.node_name == node.name]))
    lines.append(f"At the end: the objects of {record.source} are removed, with its notes on the nodes")
    return lines


EVICTED = (
    "Pods that are evicted: no connection from their end to their start on another node; with nowhere to go, until "
    "their node is switched"
)
LEFT = (
    "Pods that draining leaves (of DaemonSets, static ones): no network from the old CNI's end on their node to the "
    "new one's start, then a restart"
)
BETWEEN_BOTH = {
    "joined": "they reach each other all the time",
    "apart": (
        "they do not reach each other, from the first node's switch to the last one's; Services answer where a pod on "
        "a node of the same CNI is behind them"
    ),
}


def _begun(found: Found, record: Record) -> str:
    if found.record is None:
        return "not begun"
    done = len(found.nodes) - len(pending(record, found.nodes))
    back = ", on the way back" if record.target == record.default else ""
    return f"{done} nodes done{back}"


def _policy_window(found: Found, record: Record) -> str:
    count = sum(found.policies.values())
    if not count:
        return "there are none"
    if record.target == "flannel":
        return f"{count} are enforced on no node that was switched, and nowhere afterwards"
    if record.source == "flannel":
        return f"{count} are enforced on a node from its switch on; flannel enforces none"
    gap = "" if record.way == "joined" else "; one that admits pods by labels does not know those on nodes of the other"
    return (
        f"{count} are enforced on every node by its own CNI; on a node that is being switched no pod has a network{gap}"
    )


def _node_line(node: NodeFacts, pods: Sequence[PodFacts]) -> str:
    going = [pod for pod in pods if not pod.stays]
    staying = [str(pod) for pod in pods if pod.stays]
    lost = sum(pod.has_empty_dir for pod in going)
    told = [f"cordon, evict {len(going)} pods" + (f" ({lost} lose what is in their emptyDir)" if lost else "")]
    told.append("clean, new CNI")
    if staying:
        told.append(f"restart {_listed(staying)}")
    told.append("verify" if not node.schedulable and not node.step else "verify, uncordon")
    return f"Node {node.name}: {', '.join(told)}" + (" (goes on where it was interrupted)" if node.step else "")


# ---- DaemonSets that follow the label -------------------------------------------------------------------------------

HELD = "netops.kubernetes/cni-switch-held"
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def steered(spec: Mapping[str, Any]) -> Optional[dict[str, Any]]:
    """A patch that takes a DaemonSet away from nodes that have the label, and restarts none of its pods.

    :param spec: that of the DaemonSet.
    :returns: nothing when it is so already.
    """
    pod = spec["template"]["spec"]
    affinity = pod.get("affinity") or {}
    required = (affinity.get("nodeAffinity") or {}).get(REQUIRED) or {}
    terms = required.get("nodeSelectorTerms") or [{}]
    wanted = {"key": LABEL, "operator": "DoesNotExist"}
    if all(wanted in (term.get("matchExpressions") or []) for term in terms):
        return None
    steered_terms = [{**term, "matchExpressions": [*(term.get("matchExpressions") or []), wanted]} for term in terms]
    held = {"affinity": pod.get("affinity"), "updateStrategy": spec.get("updateStrategy")}
    return {
        "metadata": {"annotations": {HELD: json.dumps(held, sort_keys=True)}},
        "spec": {
            "updateStrategy": {"type": "OnDelete", "rollingUpdate": None},
            "template": {"spec": {"affinity": {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": steered_terms}}}}},
        },
    }


def released(notes: Mapping[str, str]) -> Optional[dict[str, Any]]:
    """A patch that gives a DaemonSet back what :func:`steered` took; nothing when it took nothing.

    :param notes: the DaemonSet's annotations.
    """
    if HELD not in notes:
        return None
    held = json.loads(notes[HELD])
    affinity = held["affinity"]
    if affinity is not None:
        # A merge leaves what it does not name.
        of_nodes = affinity.get("nodeAffinity")
        affinity = {**affinity, "nodeAffinity": of_nodes and {REQUIRED: None, **of_nodes}}
    return {
        "metadata": {"annotations": {HELD: None}},
        "spec": {"updateStrategy": held["updateStrategy"], "template": {"spec": {"affinity": affinity}}},
    }
