# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""What a change of policies does to connections: which come to be, which cease."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._policy.checks import ERROR, Finding, finding
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.evaluate import Evaluation
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.ports import places
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.relation import (
    Relation,
    constant,
    union,
    without,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.universe import NODE, OUTSIDE, Universe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._policy.model import Inventory, Policy

GAINED, LOST = "gained", "lost"
CHECK_OF = {GAINED: "newly-allowed", LOST: "no-longer-allowed"}
SAMPLE = 3
OUTSIDE_NAME, NODES_NAME = "(outside)", "(nodes)"


@dataclass(frozen=True)
class Difference:
    """Connections between two namespaces that a change allows or forbids.

    :param change: ``gained`` or ``lost``.
    :param source: a namespace, ``(nodes)`` or ``(outside)``; ``destination`` likewise.
    :param sources: some of the pods; ``destinations`` likewise.
    :param ports: at which any of them is concerned.
    :param family: 4 or 6; 0 where it is the same in every family.
    """

    change: str
    source: str
    destination: str
    sources: tuple[str, ...]
    destinations: tuple[str, ...]
    ports: tuple[str, ...]
    family: int

    def to_output(self) -> dict[str, Any]:
        """For a module's result."""
        return asdict(self)


def differences(
    inventory: Inventory,
    before: Sequence[Policy],
    after: Sequence[Policy],
    family: int = 4,
    pod_networks: Sequence[str] = (),
) -> list[Difference]:
    """What ``after`` connects and ``before`` does not, and the other way round, for the same pods."""
    universe = Universe(inventory, [*before, *after], family, pod_networks)
    sides = Evaluation(universe, before), Evaluation(universe, after)
    groups = _groups(universe)
    found: list[Difference] = []
    for name, members in groups.items():
        columns: dict[str, list[tuple[int, Relation]]] = {GAINED: [], LOST: []}
        for place in places(members):
            was, now = sides[0].column(place), sides[1].column(place)
            if was != now:
                columns[GAINED].append((place, _others(universe, place, without(now, was))))
                columns[LOST].append((place, _others(universe, place, without(was, now))))
        for change, some in columns.items():
            found += _between(universe, groups, change, name, some)
    return found


def _groups(universe: Universe) -> dict[str, int]:
    groups = dict(sorted(universe.of_namespace.items()))
    groups[NODES_NAME] = universe.of_kind[NODE]
    groups[OUTSIDE_NAME] = universe.of_kind[OUTSIDE]
    return groups


def _others(universe: Universe, place: int, relation: Relation) -> Relation:
    """Without a class's reach of itself where it has one member, which reaches itself anyway."""
    if len(universe.parties[place].members) > 1:
        return relation
    return without(relation, constant(1 << place, universe.ports.every))


def _between(
    universe: Universe,
    groups: dict[str, int],
    change: str,
    destination: str,
    columns: Sequence[tuple[int, Relation]],
) -> list[Difference]:
    together = constant(0, universe.ports.every)
    for _place, relation in columns:
        together = union(together, relation)
    found: list[Difference] = []
    for source, members in groups.items():
        ports = sum(at for parties, at in together.items() if parties & members)
        if not ports:
            continue
        concerned = [(place, parties & members) for place, one in columns for parties in one if parties & members]
        sources = concerned[0][1]
        reached = list(dict.fromkeys(place for place, _parties in concerned))
        found.append(
            Difference(
                change,
                source,
                destination,
                _named(universe, places(sources)[:SAMPLE]),
                _named(universe, reached[:SAMPLE]),
                tuple(universe.ports.show(ports)),
                universe.family,
            )
        )
    return found


def _named(universe: Universe, some: Sequence[int]) -> tuple[str, ...]:
    return tuple(str(universe.parties[place]) for place in some)


def findings_of(changes: Sequence[Difference]) -> list[Finding]:
    """The same as findings; a way in from outside weighs more."""
    found = []
    for one in changes:
        severity = ERROR if one.change == GAINED and one.source == OUTSIDE_NAME else ""
        verb = "may now connect to" if one.change == GAINED else "may no longer connect to"
        over = f" over IPv{one.family}" if one.family else ""
        text = f"{', '.join(one.sources)} {verb} {', '.join(one.destinations)} at {', '.join(one.ports)}{over}"
        subject = f"{one.source} > {one.destination}"
        found.append(finding(CHECK_OF[one.change], subject, "", text, severity))
    return found
