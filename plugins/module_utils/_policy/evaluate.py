# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Who can reach whom, at which ports: all of it at once, by sets.

For a destination, :meth:`Evaluation.column` is the set of sources at each stretch of ports. It is what ingress at the
destination lets in, cut with those sources whose egress lets them out to it. Pods under the same policies share both,
so the work is that of the policies, not that of the pairs of pods.

The rules are those of NetworkPolicy (kubernetes.io, "Network Policies", and the API's own documentation) and of
policy.networking.k8s.io: first the admin tier, then NetworkPolicies, which are final for what they select, then the
baseline tier, and what nobody decides is allowed.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Callable

from ansible_collections.netops.kubernetes.plugins.module_utils._policy.model import (
    ADMIN,
    ALLOW,
    BASELINE,
    DENY,
    DIRECTIONS,
    EGRESS,
    INGRESS,
    NAMESPACED,
    DomainPeer,
    PortMatch,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.ports import places
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.relation import (
    Relation,
    at,
    both,
    constant,
    of_rectangles,
    ports_at,
    union,
    without,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.universe import HOST, OUTSIDE, POD

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._policy.model import NamedPort, Policy, Rule
    from ansible_collections.netops.kubernetes.plugins.module_utils._policy.universe import Universe

Rectangles = list[tuple[int, int]]


@dataclass(frozen=True)
class Reading:
    """One way in which an implementation may read what the specification leaves open.

    :param hosts_are_pods: selectors mean pods on their node's network too; most implementations take them for nodes.
    :param lenient: of policies of one tier and priority that disagree, the one that lets more through wins, and a
        domain name means every address outside.
    """

    hosts_are_pods: bool = False
    lenient: bool = False


STRICT = Reading()
READINGS = tuple(Reading(hosts, lenient) for hosts in (False, True) for lenient in (False, True))


@dataclass(frozen=True)
class CompiledRule:
    """A rule with its peers as a set of classes.

    :param ports: the set of its ports by number.
    :param named: its ports by name, which mean other ports at each destination.
    """

    rule: Rule
    peers: int
    ports: int
    named: tuple[PortMatch, ...]


@dataclass(frozen=True)
class Tier:
    """What a tier makes of traffic: it allows some, and leaves some to the next tier; the rest it denies."""

    allowed: Relation
    left: Relation


class Evaluation:
    """A set of policies over a universe, under one reading.

    :param policies: those that decide; the universe must have been made with them.
    """

    def __init__(self, universe: Universe, policies: Sequence[Policy], reading: Reading = STRICT) -> None:
        self.universe = universe
        self.policies = policies
        self.reading = reading
        self.ports = universe.ports
        self.subjects = [universe.members_of(policy.subject, self._selectable(policy)) for policy in policies]
        self.rules = [
            tuple(self._compiled(rule, self._selectable(policy)) for rule in policy.rules) for policy in policies
        ]
        self.nothing = constant(0, self.ports.every)
        self.all = constant(universe.every, self.ports.every)
        self._order = sorted(range(len(policies)), key=lambda number: policies[number].priority)
        self._assign()
        self._ingress_known: dict[object, Relation] = {}
        self._egress_known: dict[object, Relation] = {}
        self._prepare_egress()

    def _selectable(self, policy: Policy) -> int:
        """The classes that a policy's selectors can mean: of a cluster-wide one never pods on their node's network."""
        pods = self.universe.of_kind[POD]
        if self.reading.hosts_are_pods and policy.tier == NAMESPACED:
            return pods | self.universe.of_kind[HOST]
        return pods

    def _compiled(self, rule: Rule, selectable: int) -> CompiledRule:
        universe = self.universe
        peers = universe.every if rule.peers is None else 0
        for peer in rule.peers or ():
            if isinstance(peer, DomainPeer) and self.reading.lenient:
                peers |= universe.of_kind[OUTSIDE]
            peers |= universe.members_of(peer, selectable)
        if rule.ports is None:
            return CompiledRule(rule, peers, self.ports.every, ())
        numbered = [one for one in rule.ports if not one.name]
        named = tuple(one for one in rule.ports if one.name)
        return CompiledRule(rule, peers, self.ports.mask_of(numbered, ()), named)

    def _assign(self) -> None:
        """Which policies each class is under, by tier and direction."""
        lists: dict[tuple[str, str], dict[int, list[int]]] = {
            (tier, direction): {} for tier in (ADMIN, NAMESPACED, BASELINE) for direction in DIRECTIONS
        }
        for number in self._order:
            policy = self.policies[number]
            members = places(self.subjects[number])
            for direction in policy.directions:
                mine = lists[policy.tier, direction]
                for place in members:
                    mine.setdefault(place, []).append(number)
        # Classes under the same policies share one tuple, so that what is remembered by it is found fast.
        self._under = {
            key: {place: tuple(numbers) for place, numbers in members.items()} for key, members in lists.items()
        }

    def under(self, place: int, tier: str, direction: str) -> tuple[int, ...]:
        """The numbers of the policies of a tier that a class is under, in the order in which they decide."""
        return self._under[tier, direction].get(place, ())

    # ---- one direction --------------------------------------------------------------------------------------

    def ingress(self, place: int) -> Relation:
        """The sources that a class's own policies let in."""
        named = self.universe.parties[place].ports
        tiers = [self.under(place, tier, INGRESS) for tier in (ADMIN, NAMESPACED, BASELINE)]
        key = (*tiers, named)
        if key not in self._ingress_known:

            def rectangles(rule: CompiledRule) -> Rectangles:
                return [(rule.ports | self.ports.mask_of(rule.named, named), rule.peers)]

            self._ingress_known[key] = self._decided(tiers, INGRESS, rectangles)
        return self._ingress_known[key]

    def _decided(
        self, tiers: Sequence[Sequence[int]], direction: str, rectangles: Callable[[CompiledRule], Rectangles]
    ) -> Relation:
        """The peers that three tiers together let through."""
        admin = self._tier(tiers[0], direction, rectangles)
        if tiers[1]:
            rest = self._allowed_by(tiers[1], direction, rectangles)
        else:
            baseline = self._tier(tiers[2], direction, rectangles)
            rest = union(baseline.allowed, baseline.left)
        return union(admin.allowed, both(admin.left, rest))

    def rules_of(self, number: int, direction: str) -> Iterator[CompiledRule]:
        """The rules of a policy for a direction, in their order."""
        return (one for one in self.rules[number] if one.rule.direction == direction)

    def _allowed_by(
        self, numbers: Sequence[int], direction: str, rectangles: Callable[[CompiledRule], Rectangles]
    ) -> Relation:
        return of_rectangles(
            (piece for number in numbers for one in self.rules_of(number, direction) for piece in rectangles(one)),
            self.ports.every,
        )

    def _tier(self, numbers: Sequence[int], direction: str, rectangles: Callable[[CompiledRule], Rectangles]) -> Tier:
        allowed, passed, undecided = self.nothing, self.nothing, self.all
        for _priority, group in groupby(numbers, key=lambda number: self.policies[number].priority):
            opinions = [self._opinion(number, direction, undecided, rectangles) for number in group]
            allows, denies, passes = self._settled(opinions)
            allowed, passed = union(allowed, allows), union(passed, passes)
            undecided = without(undecided, union(allows, union(denies, passes)))
        return Tier(allowed, union(undecided, passed))

    def _opinion(
        self, number: int, direction: str, undecided: Relation, rectangles: Callable[[CompiledRule], Rectangles]
    ) -> dict[str, Relation]:
        """What one policy makes of what is undecided: the first rule that matches counts."""
        found: dict[str, Relation] = {}
        for one in self.rules_of(number, direction):
            hit = both(of_rectangles(rectangles(one), self.ports.every), undecided)
            action = one.rule.action
            found[action] = union(found.get(action, self.nothing), hit)
            undecided = without(undecided, hit)
        return found

    def _settled(self, opinions: Sequence[dict[str, Relation]]) -> tuple[Relation, Relation, Relation]:
        """What policies of one priority, any of which may be the one that counts, allow, deny and pass on."""
        total: dict[str, Relation] = {}
        for opinion in opinions:
            for action, hit in opinion.items():
                total[action] = union(total.get(action, self.nothing), hit)
        order = (ALLOW, "pass", DENY) if self.reading.lenient else (DENY, "pass", ALLOW)
        taken = self.nothing
        settled: dict[str, Relation] = {}
        for action in order:
            settled[action] = without(total.get(action, self.nothing), taken)
            taken = union(taken, settled[action])
        return settled[ALLOW], settled[DENY], settled["pass"]

    # ---- egress, seen from its destinations -----------------------------------------------------------------

    def _prepare_egress(self) -> None:
        """Egress rules as triples of ports, destinations and sources, found by their destinations."""
        universe = self.universe
        self.of_named_ports: dict[tuple[NamedPort, ...], int] = {}
        for place, party in enumerate(universe.parties):
            if party.ports:
                self.of_named_ports[party.ports] = self.of_named_ports.get(party.ports, 0) | 1 << place
        triples: dict[tuple[int, int], int] = {}
        isolated = 0
        for number, policy in enumerate(self.policies):
            if policy.tier != NAMESPACED or EGRESS not in policy.directions:
                continue
            isolated |= self.subjects[number]
            for one in self.rules_of(number, EGRESS):
                for piece in self._outward(one):
                    triples[piece] = triples.get(piece, 0) | self.subjects[number]
        self._open = universe.every & ~isolated
        self._wide: Rectangles = []
        self._narrow: Rectangles = []
        self._reached: dict[int, list[int]] = {}
        for (ports, destinations), sources in triples.items():
            if destinations == universe.every:
                self._wide.append((ports, sources))
                continue
            for place in places(destinations):
                self._reached.setdefault(place, []).append(len(self._narrow))
            self._narrow.append((ports, sources))
        self._groups = self._governed()

    def _outward(self, one: CompiledRule) -> Rectangles:
        """A rule of egress as pairs of ports and destinations; a name of a port means what its destination says."""
        found = [(one.ports, one.peers)] if one.ports else []
        if one.named:
            for named, members in self.of_named_ports.items():
                ports = self.ports.mask_of(one.named, named)
                if ports and one.peers & members:
                    found.append((ports, one.peers & members))
        return found

    def _governed(self) -> list[tuple[int, Tier, Tier]]:
        """Sources by the cluster-wide policies that they are under, with what these make of every destination."""
        keys: dict[tuple[tuple[int, ...], tuple[int, ...]], int] = {}
        admin, baseline = self._under[ADMIN, EGRESS], self._under[BASELINE, EGRESS]
        for place in sorted(admin.keys() | baseline.keys()):
            key = (admin.get(place, ()), baseline.get(place, ()))
            keys[key] = keys.get(key, 0) | 1 << place
        rest = self.universe.every
        groups: list[tuple[int, Tier, Tier]] = []
        for (first, last), sources in keys.items():
            rest &= ~sources
            groups.append((sources, self._tier(first, EGRESS, self._outward), self._tier(last, EGRESS, self._outward)))
        free = Tier(self.nothing, self.all)
        return [*groups, (rest, free, free)] if groups else []

    def egress(self, place: int) -> Relation:
        """The sources whose own policies let them out to a class."""
        numbers = tuple(self._reached.get(place, ()))
        masks = tuple(
            tuple(ports_at(relation, place) for relation in (first.allowed, first.left, last.allowed, last.left))
            for _sources, first, last in self._groups
        )
        key = (numbers, masks)
        if key not in self._egress_known:
            self._egress_known[key] = self._let_out(numbers, masks)
        return self._egress_known[key]

    def _let_out(self, numbers: Sequence[int], masks: Sequence[tuple[int, ...]]) -> Relation:
        every = self.ports.every
        allowed = of_rectangles([*self._wide, *(self._narrow[number] for number in numbers)], every)
        if not self._groups:
            return union(allowed, constant(self._open, every))
        first, left, rest = [], [], []
        for (sources, _first, _last), (admin_allows, admin_leaves, last_allows, last_leaves) in zip(
            self._groups, masks
        ):
            first.append((admin_allows, sources))
            left.append((admin_leaves, sources))
            rest.append((last_allows | last_leaves, sources & self._open))
        later = union(allowed, of_rectangles(rest, every))
        return union(of_rectangles(first, every), both(of_rectangles(left, every), later))

    # ---- both directions ------------------------------------------------------------------------------------

    def column(self, place: int) -> Relation:
        """The sources that reach a class."""
        return both(self.ingress(place), self.egress(place))

    def reaches(self, source: int, destination: int, port_place: int) -> bool:
        """Whether one class reaches another at one stretch of ports."""
        return bool(at(self.column(destination), port_place) >> source & 1)

    def isolated(self, direction: str) -> int:
        """The classes that some NetworkPolicy isolates in a direction."""
        found = 0
        for number, policy in enumerate(self.policies):
            if policy.tier == NAMESPACED and direction in policy.directions:
                found |= self.subjects[number]
        return found
