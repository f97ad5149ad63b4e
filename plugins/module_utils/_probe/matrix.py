# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""From the nodes' plans to what is listened on and probed, and from the results to what is wrong and why; pure.

Plans are the output of the filter ``port_plan`` by node name. ICMP is not probed.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._errors import listed
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.plan import Plan, Rule, from_output
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.protocols import ICMP_TYPES, span
from ansible_collections.netops.kubernetes.plugins.module_utils._probe.model import (
    DROPPED,
    KIND_OF,
    NO_ROUTE,
    OPEN,
    REFUSED,
    UNKNOWN,
    ProbeError,
    Target,
    address_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

# Where no rule is looked for: below the range of NodePorts and above the ports of known services.
UNLISTED = range(20000, 30000)
# A range this long or shorter is probed as a whole.
WHOLE = 3
NAMES_SHOWN = 3


# ---- what to listen on and what to probe -------------------------------------------------------------------------


def plans_from(outputs: Mapping[str, Any]) -> dict[str, Plan]:
    """Plans by node name.

    :raises PlanError: one of them is none.
    """
    return {name: from_output(output) for name, output in outputs.items()}


def sample(rule: Rule) -> tuple[int, ...]:
    """The ports that stand for a rule: first, last, and one between that is always the same for it; 0 for no ports."""
    low, high = span(rule.ports)
    if high - low < WHOLE:
        return tuple(range(low, high + 1))
    return low, low + 1 + _pick(rule.id, high - low - 1), high


def _pick(word: str, count: int) -> int:
    return int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "big") % count


def unlisted(plan: Plan, protocol: str) -> int:
    """A port that no rule of a plan is about; the same for the same plan."""
    spans = [span(rule.ports) for rule in plan.rules if rule.protocol == protocol]
    begin = _pick(f"{plan.node_name} {protocol}", len(UNLISTED))
    for number in range(len(UNLISTED)):
        port = UNLISTED[(begin + number) % len(UNLISTED)]
        if not any(low <= port <= high for low, high in spans):
            return port
    return 0


def probed_ports(plan: Plan, *, negative: bool) -> list[tuple[str, int, Rule | None]]:
    """What stands for a plan: protocol, port and rule; no rule for a port that must be closed to everybody."""
    found: list[tuple[str, int, Rule | None]] = [
        (rule.protocol, port, rule) for rule in plan.rules if rule.protocol not in ICMP_TYPES for port in sample(rule)
    ]
    if negative:
        found += [(protocol, port, None) for protocol in ("tcp", "udp") for port in [unlisted(plan, protocol)] if port]
    return found


def _known(node_name: str, by_node: Mapping[str, Any], what: str) -> Any:
    if node_name not in by_node:
        raise ProbeError(f"node {node_name!r}", f"it has no {what}", f"one of {', '.join(sorted(by_node))}")
    return by_node[node_name]


def listeners_for(
    plans: Mapping[str, Plan], addresses: Mapping[str, Sequence[str]], node_name: str, *, negative: bool = True
) -> list[dict[str, Any]]:
    """What a node listens on, for the module.

    :raises ProbeError: the node is unknown.
    """
    plan: Plan = _known(node_name, plans, "plan")
    own = list(_known(node_name, addresses, "address"))
    return [
        {"protocol": protocol, "port": port, "addresses": own}
        for protocol, port, _rule in probed_ports(plan, negative=negative)
    ]


class _Sets:
    """Which addresses a plan's peer sets hold; asked often, so remembered."""

    def __init__(self, plan: Plan) -> None:
        self._networks = {name: [ipaddress.ip_network(one) for one in some] for name, some in plan.peers.items()}
        self._found: dict[tuple[str, str], bool] = {}

    def _holds(self, name: str, address: str) -> bool:
        key = (name, address)
        if key not in self._found:
            parsed = ipaddress.ip_address(address)
            self._found[key] = any(parsed in network for network in self._networks[name])
        return self._found[key]

    def admits(self, rule: Rule | None, address: str) -> bool:
        return rule is not None and any(self._holds(name, address) for name in rule.peers)


def targets_for(
    plans: Mapping[str, Plan],
    addresses: Mapping[str, Sequence[str]],
    node_name: str,
    listening: Mapping[str, Sequence[Mapping[str, Any]]],
    *,
    negative: bool = True,
    source_addresses: Sequence[str] = (),
) -> list[Target]:
    """What a node probes: every port of every other node that has been listened on.

    :param listening: by node name, what became of each port (``listeners`` of the module's result).
    :param negative: also probe what must be closed to this node.
    :param source_addresses: of somebody who is none of the nodes, such as Ansible's controller.
    :raises ProbeError: the node is unknown, or a source address is none.
    """
    own = [address_of(f"source_addresses of {node_name!r}", one) for one in source_addresses]
    if not own:
        _known(node_name, plans, "plan")
        own = list(_known(node_name, addresses, "address"))
    found: list[Target] = []
    for name, plan in plans.items():
        if name != node_name and name in listening:
            status = {(one["protocol"], int(one["port"]), one["address"]): one["status"] for one in listening[name]}
            for address in addresses.get(name, ()):
                sources = [one for one in own if (":" in one) == (":" in address)]
                found += _targets_at(plan, address, sources, status, negative=negative)
    return found


def _targets_at(
    plan: Plan,
    address: str,
    sources: Sequence[str],
    status: Mapping[tuple[str, int, str], str],
    *,
    negative: bool,
) -> list[Target]:
    sets = _Sets(plan)
    rows: list[tuple[str, int, str, str, bool]] = []
    for protocol, port, rule in probed_ports(plan, negative=negative):
        state = status.get((protocol, port, str(ipaddress.ip_address(address))))
        admitted = {sets.admits(rule, one) for one in sources}
        # Routes choose the source address. Where that decides, nothing can be expected.
        if state and len(admitted) == 1 and (admitted == {True} or negative):
            rows.append((protocol, port, rule.id if rule else "", KIND_OF[state], True in admitted))
    control = next((row[1] for row in rows if row[0] == "tcp" and row[3] == "echo" and row[4]), 0)
    return [
        Target(
            plan.node_name,
            address,
            protocol,
            port,
            rule,
            kind,
            "open" if admitted else "closed",
            control_port=control if kind == "kernel" else 0,
        )
        for protocol, port, rule, kind, admitted in rows
    ]


def targets_output(targets: Iterable[Target]) -> list[dict[str, Any]]:
    """Targets for the module."""
    return [asdict(target) for target in targets]


# ---- what the results mean ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Facts:
    """What is known about a target beyond one probe.

    :param rule: the rule of the target's plan about the port, when there is a plan and a rule.
    :param admitted: whether the plan admits the source address; unknown without a plan.
    :param answers: whether anything at all came back from the target's address to this source.
    """

    rule: Rule | None
    admitted: bool | None
    answers: bool


def is_failure(row: Mapping[str, Any]) -> bool:
    """Whether a result shows what must not be; one that shows nothing is no failure."""
    if row["verdict"] == UNKNOWN:
        return False
    return bool((row["verdict"] == OPEN) != (row["expected"] == "open"))


def explain(row: Mapping[str, Any], facts: Facts) -> tuple[str, str]:
    """The likely culprit of a failure, and the remedy."""
    if row["expected"] == "closed":
        return _why_open(row, facts)
    if row["verdict"] == NO_ROUTE:
        return (
            f"{row['source']} has no route to {row['address']}, or nobody there answers",
            f"Run 'ip route get {row['address']}' on {row['source']}, and correct the address, the route or the link",
        )
    if "own rules" in row.get("detail", ""):
        return (
            f"rules of {row['source']} itself do not let it out",
            f"Look at its output chains: nft list ruleset on {row['source']}",
        )
    if row["verdict"] == DROPPED and not facts.answers:
        return (
            f"nothing at all comes back from {row['address']}",
            f"See whether {row['node_name']} is up, and whether something between the nodes drops everything",
        )
    if row["verdict"] == REFUSED:
        return _why_refused(row, facts)
    return _why_stopped(row, facts)


def _named(facts: Facts) -> str:
    return f"rule {facts.rule.id}" if facts.rule else "any rule"


def _why_open(row: Mapping[str, Any], facts: Facts) -> tuple[str, str]:
    if facts.admitted:
        return (
            f"the plan admits {row['source_address']} by {_named(facts)}, though it was not expected to",
            "Correct the peer sets of the rule, or what is expected",
        )
    return (
        f"nothing on {row['node_name']} drops it: its plan is not applied, or its default is accept",
        f"Apply the plan of {row['node_name']} with default_input drop",
    )


def _why_refused(row: Mapping[str, Any], facts: Facts) -> tuple[str, str]:
    if facts.admitted is False:
        return _why_stopped(row, facts)
    if row["kind"] == "echo":
        return (
            f"the listener on {row['node_name']} has ended, or a table there other than ours answers with a refusal",
            f"Listen for longer, or look for 'reject' in nft list ruleset on {row['node_name']}",
        )
    what = facts.rule.component if facts.rule else f"{row['protocol']} {row['port']}"
    return (f"{what} does not listen on {row['address']}", f"Start it on {row['node_name']}, or correct its address")


def _why_stopped(row: Mapping[str, Any], facts: Facts) -> tuple[str, str]:
    if facts.admitted is False:
        sets = f" (from {', '.join(facts.rule.peers)})" if facts.rule else ""
        return (
            f"the plan of {row['node_name']} does not admit {row['source_address']} by {_named(facts)}{sets}",
            "Correct the host variable ip, or add the address to a peer set of the rule in node_firewall_peers",
        )
    if facts.admitted:
        return (
            f"the plan admits it by {_named(facts)}, so the plan is not applied, or something else stops it",
            f"Apply it, then look at other tables of nft list ruleset on {row['node_name']}, and at the network",
        )
    return (
        f"a rule on {row['node_name']} or a firewall between the nodes stops it",
        f"Look at nft list ruleset on {row['node_name']}, and at the network between",
    )


def _facts(row: Mapping[str, Any], plans: Mapping[str, Plan], sets: Mapping[str, _Sets], *, answers: bool) -> Facts:
    plan = plans.get(row["node_name"])
    if plan is None:
        return Facts(None, None, answers)
    about = [
        rule
        for rule in plan.rules
        if rule.protocol == row["protocol"]
        for low, high in [span(rule.ports)]
        if low <= row["port"] <= high
    ]
    rule = about[0] if about else None
    source = row.get("source_address")
    return Facts(rule, sets[row["node_name"]].admits(rule, source) if source else None, answers)


def report(rows: Sequence[Mapping[str, Any]], plans: Mapping[str, Plan]) -> dict[str, Any]:
    """What the results of all nodes mean.

    :param rows: ``results`` of the module, of every node.
    :param plans: by node name; without them culprits are told less exactly.
    :returns: ``matrix`` (verdicts by source, target and port), ``failures`` with culprit and remedy, ``unproven`` rows,
        ``missing`` nodes that have a plan and no results of their own, and ``text`` for a person.
    """
    sets = {name: _Sets(plan) for name, plan in plans.items()}
    answering = {(row["source"], row["address"]) for row in rows if row["verdict"] not in {DROPPED, NO_ROUTE, UNKNOWN}}
    matrix: dict[str, dict[str, dict[str, str]]] = {}
    failures: list[dict[str, Any]] = []
    for row in rows:
        cells = matrix.setdefault(row["source"], {}).setdefault(row["node_name"], {})
        cells[_place(row)] = row["verdict"]
        if is_failure(row):
            facts = _facts(row, plans, sets, answers=(row["source"], row["address"]) in answering)
            culprit, remedy = explain(row, facts)
            failures.append({**row, "culprit": culprit, "remedy": remedy})
    unproven = [dict(row) for row in rows if row["verdict"] == UNKNOWN]
    missing = sorted(set(plans) - set(matrix)) if len(plans) > 1 else []
    return {
        "matrix": matrix,
        "failures": failures,
        "unproven": unproven,
        "missing": missing,
        "text": _text(rows, failures, unproven, missing),
    }


def _text(
    rows: Sequence[Mapping[str, Any]],
    failures: Sequence[Mapping[str, Any]],
    unproven: Sequence[Mapping[str, Any]],
    missing: Sequence[str],
) -> str:
    if not rows:
        return "nothing was probed\n"
    proven = len(rows) - len(failures) - len(unproven)
    lines = [*_table(rows), "", f"{proven} as expected, {len(failures)} not, {len(unproven)} not proven"]
    lines += _grouped(failures, unproven)
    if missing:
        lines.append(f"not probed from: {', '.join(missing)}")
    return "\n".join(lines) + "\n"


def _table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Per pair of nodes, how many probes were as expected, of how many; sources go down, targets across."""
    sources = list(dict.fromkeys(row["source"] for row in rows))
    targets = list(dict.fromkeys(row["node_name"] for row in rows))
    total = Counter((row["source"], row["node_name"]) for row in rows)
    good = Counter(
        (row["source"], row["node_name"]) for row in rows if row["verdict"] != UNKNOWN and not is_failure(row)
    )
    cells = [["from \\ to", *targets]]
    for source in sources:
        pairs = [(source, target) for target in targets]
        cells.append([source, *(f"{good[pair]}/{total[pair]}" if total[pair] else "-" for pair in pairs)])
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    return ["  ".join(word.ljust(width) for word, width in zip(line, widths)).rstrip() for line in cells]


def _place(row: Mapping[str, Any]) -> str:
    """Protocol, address and, where there is one, port."""
    return f"{row['protocol']} {row['address']}" + (f" {row['port']}" if row["port"] else "")


def _grouped(failures: Sequence[Mapping[str, Any]], unproven: Sequence[Mapping[str, Any]]) -> list[str]:
    """One entry for what is the same from many nodes."""
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for row in [*failures, *unproven]:
        fields = ("node_name", "address", "protocol", "port", "rule", "kind", "expected", "verdict")
        groups.setdefault(tuple(row[field] for field in fields), []).append(row)
    lines: list[str] = []
    for rows in groups.values():
        row = rows[0]
        names = list(dict.fromkeys(one["source"] for one in rows))
        about = row["rule"] or "no rule"
        lines.append(
            f"{row['node_name']} {_place(row)} ({about}) from {listed(names, NAMES_SHOWN)}: "
            f"{row['verdict']}, expected {row['expected']}"
        )
        said = row["detail"]
        if "culprit" in row:
            said = f"{row['culprit']}. {row['remedy']}." + (f" ({said})" if said else "")
        if said:
            lines.append(f"  {said}")
    return lines
