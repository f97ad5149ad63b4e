# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""What a switch will do and what it costs, as a user reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

from ansible_collections.netops.kubernetes.plugins.module_utils._cni.switch import (
    pending,
    record_for,
    source_of,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._errors import listed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._cni.switch import (
        Found,
        NodeFacts,
        PodFacts,
        Record,
        Wish,
    )
    from ansible_collections.netops.kubernetes.plugins.module_utils._cni.switch_networks import PodNetwork


def plan_lines(found: Found, wish: Wish, source: Optional[PodNetwork], target: PodNetwork) -> list[str]:
    """What will happen and what it costs, a line each; nothing where nothing is to be done.

    :param source: the network that is there; nothing when a switch is under way.
    :param target: the network that is wanted.
    """
    record = record_for(found, wish)
    left = pending(record, found.nodes)
    if found.record is None and not source_of(found, wish):
        return []
    lines = [f"{record.source} -> {record.target} on {len(found.nodes)} nodes, {record.way}; {_begun(found, record)}"]
    lines += [EVICTED, LEFT]
    lines.append(f"Between pods on nodes of both CNIs: {BETWEEN_BOTH[record.way]}")
    lines.append(f"Network policies: {_policy_window(found, record)}")
    lines += _firewall_lines(source, target)
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


def _firewall_lines(source: Optional[PodNetwork], target: PodNetwork) -> list[str]:
    """What firewalls must let through from the first node's switch on, unless it is what the old CNI has used."""
    if target.port and source is not None and source.port == target.port:
        return []
    tunnel = f"UDP {target.port}" if target.port else "what its encapsulation needs"
    rule = (
        f"; with role node_firewall, which opens one CNI's ports, by node_firewall_rules: [{{id: cni-switch, protocol: "
        f"udp, ports: '{target.port}', peers: [all_nodes]}}]"
        if target.port
        else "; role node_firewall opens one CNI's ports, so name those of the other in node_firewall_rules"
    )
    return [f"Firewalls: open {tunnel} for {target.cni} between all nodes before it begins{rule}"]


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
        told.append(f"restart {listed(staying)}")
    told.append("verify" if not node.schedulable and not node.step else "verify, uncordon")
    return f"Node {node.name}: {', '.join(told)}" + (" (goes on where it was interrupted)" if node.step else "")
