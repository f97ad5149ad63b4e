# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""What a change of policies breaks, of the connections that are known to be needed."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Optional

from ansible_collections.netops.kubernetes.plugins.module_utils._policy.evaluate import Evaluation
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.explain import Reachability, exempt, explain
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.model import EGRESS, Node, Pod, PolicyError
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.universe import Universe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._policy.explain import End
    from ansible_collections.netops.kubernetes.plugins.module_utils._policy.flows import Flow
    from ansible_collections.netops.kubernetes.plugins.module_utils._policy.model import Inventory, Policy


@dataclass(frozen=True)
class Broken:
    """A connection that works and would not any more.

    :param namespace: whose policies would forbid it.
    :param reason: how it is known that it is needed.
    :param why: what would forbid it.
    """

    namespace: str
    source: str
    destination: str
    protocol: str
    port: int
    reason: str
    why: str

    def in_words(self) -> str:
        """From where to where, how it is known, and why."""
        return f"{self.source} > {self.destination} {self.protocol} {self.port} ({self.reason}), {self.why}"

    def to_output(self) -> dict[str, Any]:
        """For a module's result."""
        return asdict(self)


def broken(
    inventory: Inventory, before: Sequence[Policy], after: Sequence[Policy], flows: Sequence[Flow]
) -> list[Broken]:
    """Of the flows, those that ``before`` allows in some family of addresses and ``after`` in none; by namespace."""
    judge = _Judge(inventory, before, after)
    found = [one for flow in flows for one in [judge.verdict(flow)] if one]
    return sorted(found, key=lambda one: (one.namespace, one.destination, one.source, one.protocol, one.port))


class _Judge:
    def __init__(self, inventory: Inventory, before: Sequence[Policy], after: Sequence[Policy]) -> None:
        self._inventory = inventory
        self._sets = (before, after)
        self._finder = Reachability(inventory, ())
        self._sides: dict[int, tuple[Universe, Evaluation, Evaluation]] = {}
        self._known: dict[tuple[int, int, int, int], Optional[tuple[str, str]]] = {}

    def _of(self, family: int) -> tuple[Universe, Evaluation, Evaluation]:
        if family not in self._sides:
            universe = Universe(self._inventory, [*self._sets[0], *self._sets[1]], family)
            first, last = (Evaluation(universe, policies) for policies in self._sets)
            self._sides[family] = (universe, first, last)
        return self._sides[family]

    def verdict(self, flow: Flow) -> Optional[Broken]:
        if exempt(flow.source, flow.destination):
            return None
        answers = [self._at(flow, family) for family in self._finder.families(flow.source, flow.destination)]
        lost = [one for one in answers if one]
        if not lost or len(lost) < len(answers):
            return None
        direction, why = lost[0]
        side = flow.source if direction == EGRESS else flow.destination
        namespace = side.namespace if isinstance(side, Pod) else ""
        return Broken(
            namespace, _shown(flow.source), _shown(flow.destination), flow.protocol, flow.port, flow.reason, why
        )

    def _at(self, flow: Flow, family: int) -> Optional[tuple[str, str]]:
        """The direction that would forbid a flow, and why; ``None``: it is not lost."""
        universe, first, last = self._of(family)
        places = [_place(universe, one) for one in (flow.source, flow.destination)]
        if min(places) < 0:
            return None
        port = universe.ports.place_of(flow.protocol, flow.port)
        key = (family, places[0], places[1], port)
        if key not in self._known:
            self._known[key] = None
            if first.reaches(places[0], places[1], port) and not last.reaches(places[0], places[1], port):
                decisions = explain(last, places[0], places[1], port)
                self._known[key] = next((one.direction, one.text) for one in decisions if not one.allowed)
        return self._known[key]


def _place(universe: Universe, end: End) -> int:
    if isinstance(end, str):
        return universe.outside_of(end)
    return universe.place_of.get(f"node {end.name}" if isinstance(end, Node) else str(end), -1)


def _shown(end: End) -> str:
    return f"node:{end.name}" if isinstance(end, Node) else str(end)


# A warning is read in passing, a diff at leisure; the result has all.
WARNED, LISTED, NAMESPACES = 5, 200, 10


def warning_of(lost: Sequence[Broken], *, would: bool) -> str:
    """What breaks in a few sentences, for those who see nothing but warnings; empty: nothing does.

    :param would: whether nothing has been changed yet.
    """
    if not lost:
        return ""
    first = "; ".join(one.in_words() for one in lost[:WARNED])
    more = f"; and {len(lost) - WARNED} more, all in the result impact" if len(lost) > WARNED else ""
    breaks = "would break" if would else "break"
    return f"impact: {len(lost)} connections that work {breaks} ({_counted(lost)}): {first}{more}."


def listing(lost: Sequence[Broken]) -> str:
    """What breaks, namespace by namespace, for a diff; empty: nothing does."""
    lines: list[str] = []
    for number, one in enumerate(lost[:LISTED]):
        if not number or one.namespace != lost[number - 1].namespace:
            lines.append(f"breaks by policies of namespace {one.namespace}:" if one.namespace else "breaks:")
        lines.append(f"  {one.in_words()}")
    if len(lost) > LISTED:
        lines.append(f"and {len(lost) - LISTED} more, all in the result impact")
    return "".join(f"{line}\n" for line in lines)


def _counted(lost: Sequence[Broken]) -> str:
    """How many by namespace."""
    counts = Counter(one.namespace or "(none)" for one in lost)
    more = f", {len(counts) - NAMESPACES} more namespaces" if len(counts) > NAMESPACES else ""
    return ", ".join(f"{name} {number}" for name, number in list(counts.items())[:NAMESPACES]) + more


def require_at_most(lost: Sequence[Broken], most: Optional[int]) -> None:
    """Require that a change breaks no more than so many known connections.

    :param most: ``None``: as many as it will.
    :raises PolicyError: it breaks more; the text counts them by namespace and names the first.
    """
    if most is None or len(lost) <= most:
        return
    raise PolicyError(
        f"baseline: {len(lost)} connections that work would break ({_counted(lost)})",
        f"the first is {lost[0].in_words()}",
        f"at most {most} (max_broken)",
        "Allow them by a custom policy, leave the namespace out, or raise max_broken",
    )
