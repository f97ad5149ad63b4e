# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""What stands in the way of a switch, each with its remedy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

from ansible_collections.netops.kubernetes.plugins.module_utils._cni.switch import (
    SwitchError,
    pending,
    record_for,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.switch_networks import ANY_NODE
from ansible_collections.netops.kubernetes.plugins.module_utils._errors import listed
from ansible_collections.netops.kubernetes.plugins.module_utils._netplan.ranges import Range, network, overlaps, within

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._cni.switch import (
        BudgetFacts,
        Found,
        NodeFacts,
        PodFacts,
        Record,
        Wish,
    )
    from ansible_collections.netops.kubernetes.plugins.module_utils._cni.switch_networks import PodNetwork
    from ansible_collections.netops.kubernetes.plugins.module_utils._errors import NetopsError


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
            f"node {listed(away)}",
            "not Ready",
            "every node Ready: pods of the others must find a place, and each node must be reached",
            "Bring it back, or delete the Node",
        )
    unreached = [node.name for node in left if node.name not in found.hosts]
    if unreached:
        yield SwitchError(
            f"node {listed(unreached)}",
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
            f"node {listed(sorted(name for name, one in strange.items() if one == cni))}",
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
                f"{listed(map(str, covered))}",
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
            f"pod {listed(alone)}",
            "no controller makes it again after its node was drained",
            "pods of a Deployment, a StatefulSet, a Job or the like",
            "Delete it yourself, or set cni_switch_delete_unmanaged_pods: true to lose it",
        )
    ported = [f"{pod} ({', '.join(map(str, pod.host_ports))})" for pod in pods if pod.host_ports]
    if ported and not target.serves_host_ports:
        yield SwitchError(
            f"pod {listed(ported)}",
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
                f"{one.cni} gives pods on {listed(strange) or 'any node'} addresses outside the node's own podCIDR"
            )
    return told


def _within(inner: Iterable[str], outer: Sequence[str]) -> bool:
    wide = [network("podCIDR", cidr) for cidr in outer]
    return all(within(network("block", cidr), wide) for cidr in inner)


def _of_addresses(source: PodNetwork, target: PodNetwork) -> Iterator[NetopsError]:
    """Two pods must never have one address: what Services and policies lead to would be the wrong one."""
    found = list(_collisions(source, target))
    if found:
        old, new = found[0]
        more = f" (and {len(found) - 1} more such pairs)" if len(found) > 1 else ""
        yield SwitchError(
            "pod networks",
            f"{source.cni} gives pods on {old.what} addresses of {old.network}, {target.cni} gives pods on {new.what} "
            f"some of {new.network}{more}",
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


def _collisions(source: PodNetwork, target: PodNetwork) -> Iterator[tuple[Range, Range]]:
    """Networks of the source and of the target that pods of different nodes get addresses of, the lowest first."""
    ranges = [
        Range(name, network("addresses", cidr), group)
        for group, one in (("source", source), ("target", target))
        for cidr, name in one.all_ranges
    ]
    for pair in overlaps(ranges):
        old, new = sorted(pair, key=lambda one: one.group)
        same_node = old.what == new.what != ANY_NODE
        if not same_node:
            yield old, new
