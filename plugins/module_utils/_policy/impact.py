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


def require_at_most(lost: Sequence[Broken], most: Optional[int]) -> None:
    """Require that a change breaks no more than so many known connections.

    :param most: ``None``: as many as it will.
    :raises PolicyError: it breaks more; the text counts them by namespace and names the first.
    """
    if most is None or len(lost) <= most:
        return
    first = lost[0]
    counts = Counter(one.namespace or "(none)" for one in lost)
    by_namespace = ", ".join(f"{name} {number}" for name, number in counts.items())
    raise PolicyError(
        f"baseline: {len(lost)} connections that work would break ({by_namespace})",
        f"the first is {first.source} > {first.destination} {first.protocol} {first.port} ({first.reason}), "
        f"{first.why}",
        f"at most {most} (max_broken)",
        "Allow them by a custom policy, leave the namespace out, or raise max_broken",
    )
