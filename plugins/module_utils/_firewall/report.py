# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""A plan as people read it: the table of a diff, and Markdown for auditors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.peers import is_everybody

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.plan import Plan, Rule

WIDEST = 24
ENDINGS = {
    "drop": "everything else: dropped",
    "reject": "everything else: rejected",
    "accept": "everything else: accepted",
}


def readable(plan: Plan, *, default: str = "drop", log: bool = False) -> str:
    """The plan as a table; the text of a diff.

    :param default: what happens to everything else: ``drop``, ``reject`` or ``accept``.
    """
    return table(plan.rules, plan.peers, bool(plan.service_cidrs), plan.load_balancer_cidrs, default=default, log=log)


def table(
    rules: Sequence[Rule],
    peers: Mapping[str, Sequence[str]],
    services: bool,
    virtual: Sequence[str],
    *,
    default: str,
    log: bool,
) -> str:
    """Rules as a table in the order of their ids, so that two tables compare line by line.

    :param services: whether nodes and pods may reach the Service networks.
    :param virtual: networks of other addresses of Services, which everybody may reach.
    """
    rows = [("rule", "protocol", "ports", "from")]
    rows += [
        (rule.id, rule.protocol, rule.ports or "-", ", ".join(sorted(rule.peers)))
        for rule in sorted(rules, key=lambda one: (one.id, one.protocol, one.ports))
    ]
    if services:
        rows.append(("services", "any", "any", "all_nodes, pods"))
    # A list of ICMP types is longer than any port and would push everybody else's column out of sight.
    widths = [max(len(row[column]) for row in rows if len(row[column]) <= WIDEST) for column in range(3)]
    lines = ["  ".join(word.ljust(width) for word, width in zip(row, [*widths, 0])).rstrip() for row in rows]
    sets = [f"{name}: {_shown(entries)}" for name, entries in sorted(peers.items())]
    addresses = [f"left to kube-proxy: whatever is for {', '.join(virtual)}"] if virtual else []
    return "\n".join([*lines, *addresses, ENDINGS[default] + (", logged" if log else ""), *sets]) + "\n"


def _shown(entries: Sequence[str]) -> str:
    return "everybody" if is_everybody(entries) else ", ".join(entries)


def markdown(plans: Sequence[Plan], *, default: str = "drop") -> str:
    """Plans as one Markdown document for an auditor: a section a node, its rules and who its peers are."""
    parts = [_section(plan, default) for plan in sorted(plans, key=lambda one: one.node_name)]
    return "\n".join(["# Ports of the nodes", "", *parts])


def _section(plan: Plan, default: str) -> str:
    lines = [f"## {plan.node_name}", "", "| Rule | Listens | Protocol | Ports | From |", "|---|---|---|---|---|"]
    lines += [
        f"| {rule.id} | {rule.component} | {rule.protocol} | {rule.ports or '-'} | {', '.join(rule.peers)} |"
        for rule in plan.rules
    ]
    lines += ["", f"Connections that are there, loopback and ICMP errors pass; {ENDINGS[default]}.", ""]
    lines += ["| Peers | Networks |", "|---|---|"]
    lines += [f"| {name} | {_shown(entries)} |" for name, entries in sorted(plan.peers.items())]
    networks = [
        ("pods", plan.pod_cidrs),
        ("services", plan.service_cidrs),
        ("load balancers of the cluster", plan.load_balancer_cidrs),
    ]
    lines += [f"| {name} | {', '.join(entries)} |" for name, entries in networks if entries and name not in plan.peers]
    return "\n".join([*lines, ""])
