# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Which parties, at which ports: a function from stretches of ports to sets of parties, in as few pieces as it has.

A relation is a mapping from a set of parties to the set of ports at which exactly these are meant; both are integers.
The port sets of one relation are disjoint and together are every port.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable

if TYPE_CHECKING:
    from collections.abc import Iterable

Relation = dict[int, int]


def constant(parties: int, ports: int) -> Relation:
    """The same parties at every port."""
    return {parties: ports}


def join(operation: Callable[[int, int], int], one: Relation, other: Relation) -> Relation:
    """Two relations combined port by port."""
    if len(one) == len(other) == 1:
        (left, ports), (right, _same) = next(iter(one.items())), next(iter(other.items()))
        return {operation(left, right): ports}
    result: Relation = {}
    for left, left_ports in one.items():
        for right, right_ports in other.items():
            ports = left_ports & right_ports
            if ports:
                parties = operation(left, right)
                result[parties] = result.get(parties, 0) | ports
    return result


def union(one: Relation, other: Relation) -> Relation:
    return join(int.__or__, one, other)


def both(one: Relation, other: Relation) -> Relation:
    return join(int.__and__, one, other)


def without(one: Relation, other: Relation) -> Relation:
    return join(lambda left, right: left & ~right, one, other)


def of_rectangles(rectangles: Iterable[tuple[int, int]], every_port: int) -> Relation:
    """The union of pairs (ports, parties)."""
    by_ports: dict[int, int] = {}
    for ports, parties in rectangles:
        by_ports[ports] = by_ports.get(ports, 0) | parties
    result = constant(0, every_port)
    for ports, parties in by_ports.items():
        if ports and parties:
            rest = every_port & ~ports
            piece = {parties: ports, 0: rest} if rest else {parties: ports}
            result = union(result, piece)
    return result


def at(relation: Relation, place: int) -> int:
    """The parties meant at one stretch of ports."""
    for parties, ports in relation.items():
        if ports >> place & 1:
            return parties
    return 0


def ports_at(relation: Relation, place: int) -> int:
    """The ports at which one party is meant."""
    found = 0
    for parties, ports in relation.items():
        if parties >> place & 1:
            found |= ports
    return found
