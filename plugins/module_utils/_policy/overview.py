# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""The whole cluster at a glance: who is isolated, who reaches whom by namespaces, what is reached from outside."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from ansible_collections.netops.kubernetes.plugins.module_utils._policy.addresses import family_of
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.checks import Finding, finding
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.model import EGRESS, NAMESPACED, Pod
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.ports import places
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.relation import (
    Relation,
    at,
    both,
    constant,
    ports_at,
    union,
    without,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.universe import HOST, OUTSIDE, POD, bits_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._policy.evaluate import Evaluation
    from ansible_collections.netops.kubernetes.plugins.module_utils._policy.universe import Universe

ALL, SOME, NONE = "all", "some", "none"
DNS_PORT = 53
DNS_LABELS = (
    ("kube-system", "k8s-app", "kube-dns"),
    ("openshift-dns", "dns.operator.openshift.io/daemonset-dns", "default"),
)
DNS_NAMESPACES = tuple(namespace for namespace, _key, _value in DNS_LABELS)
# OpenShift's DNS listens on 5353.
DNS_PORTS = (DNS_PORT, 5353)


# ---- coverage --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Coverage:
    """How many pods of a namespace something is forbidden to, by direction; those on their node's network apart.

    A pod counts where something is forbidden to it in each family of which it has an address.

    :param open_over: of the pods that are open to everybody, those that are so in one family alone, and in which.
    """

    namespace: str
    pods: int = 0
    ingress: int = 0
    egress: int = 0
    host_network: int = 0
    open_ingress: tuple[str, ...] = ()
    open_over: dict[str, int] = field(default_factory=dict)


@dataclass
class _Covered:
    """What is known of one pod while family after family is looked at."""

    pod: Pod
    families: int = 0
    is_open: tuple[int, ...] = ()
    egress: bool = True


def coverage(evaluations: Sequence[Evaluation]) -> list[Coverage]:
    """For every namespace with pods, how many of them policies cover.

    :param evaluations: of each family of addresses; all of the same policies.
    """
    # By identity: the families share the pods, and a pod that has no hash is one object.
    seen: dict[int, _Covered] = {}
    for evaluation in evaluations:
        universe = evaluation.universe
        out = _restricted_egress(evaluation)
        for place, party in enumerate(universe.parties):
            if party.kind not in {POD, HOST}:
                continue
            is_open = party.kind == POD and evaluation.ingress(place) == {universe.every: universe.ports.every}
            for pod in party.members:
                one = seen.setdefault(id(pod), _Covered(cast("Pod", pod)))
                one.families += 1
                one.is_open += (universe.family,) if is_open else ()
                one.egress = one.egress and bool(out >> place & 1)
    by_namespace: dict[str, list[_Covered]] = {}
    for one in seen.values():
        by_namespace.setdefault(one.pod.namespace, []).append(one)
    return [_row(name, by_namespace[name]) for name in sorted(by_namespace)]


def _row(namespace: str, some: Sequence[_Covered]) -> Coverage:
    pods = [one for one in some if not one.pod.host_network]
    exposed = [one for one in pods if one.is_open]
    return Coverage(
        namespace,
        len(pods),
        len(pods) - len(exposed),
        sum(one.egress for one in pods),
        len(some) - len(pods),
        tuple(str(one.pod) for one in exposed),
        {str(one.pod): one.is_open[0] for one in exposed if len(one.is_open) < one.families},
    )


def _restricted_egress(evaluation: Evaluation) -> int:
    """The classes that some destination is forbidden to."""
    universe = evaluation.universe
    free = universe.every
    for place in range(len(universe.parties)):
        if not free:
            break
        for sources in evaluation.egress(place):
            free &= sources
    return universe.every & ~free


def lint_coverage(rows: Sequence[Coverage], system: Collection[str]) -> list[Finding]:
    """Namespaces and pods that nothing isolates.

    :param system: namespaces that are left as they are.
    """
    found: list[Finding] = []
    for row in rows:
        named = f"Namespace '{row.namespace}'"
        if row.namespace in system or not row.pods:
            continue
        shown = [_over(name, row.open_over.get(name, 0)) for name in row.open_ingress]
        if not row.ingress and not row.open_over:
            found.append(finding("open-namespace", named, "", f"each of its {row.pods} pods is open to everybody"))
        elif not row.ingress:
            text = f"each of its {row.pods} pods is open to everybody in some family of addresses: {_few(shown)}"
            found.append(finding("open-namespace", named, "", text))
        elif shown:
            text = f"{len(shown)} of {row.pods} pods are open to everybody: {_few(shown)}"
            found.append(finding("open-pods", named, "", text))
        if row.egress < row.pods:
            text = f"{row.pods - row.egress} of {row.pods} pods may connect to everything"
            found.append(finding("open-egress", named, "", text))
    return found


def _over(name: str, family: int) -> str:
    return f"{name} over IPv{family}" if family else name


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (" …" if len(names) > 3 else "")


def lint_dns(evaluations: Sequence[Evaluation]) -> list[Finding]:
    """Namespaces with pods whose egress is isolated and that reach no DNS.

    One family will do, but one in which the cluster's DNS is served, where its Services tell.

    :param evaluations: of each family of addresses; all of the same policies.
    """
    served = _dns_families(evaluations[0].universe)
    some = [one for one in evaluations if one.universe.family in served] or evaluations
    reaching: set[int] = set()
    lacking: dict[str, dict[int, tuple[str, list[str]]]] = {}
    for evaluation in some:
        universe = evaluation.universe
        isolated = evaluation.isolated(EGRESS) & universe.of_kind[POD]
        reached = _reaching_dns(evaluation) if isolated else 0
        for place in places(isolated):
            party = universe.parties[place]
            if reached >> place & 1:
                reaching.update(map(id, party.members))
                continue
            policies = [str(evaluation.policies[number].ref) for number in evaluation.under(place, NAMESPACED, EGRESS)]
            of_namespace = lacking.setdefault(party.namespace, {})
            of_namespace.update({id(one): (str(one), policies) for one in party.members})
    found: list[Finding] = []
    for name, pods in lacking.items():
        left = [told for key, told in pods.items() if key not in reaching]
        if left:
            policies = sorted({text for _pod, some_policies in left for text in some_policies})
            text = f"{_few([pod for pod, _policies in left])} reach no DNS; isolated by {', '.join(policies[:3])}"
            found.append(finding("dns-forgotten", f"Namespace '{name}'", "", text))
    return found


def _dns_families(universe: Universe) -> set[int]:
    """The families in which Services of the cluster's DNS have addresses."""
    return {
        family_of(text)
        for one in universe.inventory.services
        if one.namespace in DNS_NAMESPACES and any(port.number == DNS_PORT for port in one.ports)
        for text in one.addresses
    }


def _reaching_dns(evaluation: Evaluation) -> int:
    """The classes that may ask a DNS."""
    universe = evaluation.universe
    pods = [place for place in places(universe.of_kind[POD]) if _is_dns(universe, place)]
    reached = _to_node_dns(evaluation)
    # Without the DNS's own pods in sight, whoever may send to anybody's port 53 has not forgotten it.
    for place in pods or range(len(universe.parties)):
        for port in DNS_PORTS:
            reached |= at(evaluation.egress(place), universe.ports.place_of("UDP", port))
    return reached


def _is_dns(universe: Universe, place: int) -> bool:
    party = universe.parties[place]
    return any(
        isinstance(one, Pod) and one.namespace == namespace and one.labels.get(key) == value
        for namespace, key, value in DNS_LABELS
        for one in party.members
    )


def _to_node_dns(evaluation: Evaluation) -> int:
    """The classes that may ask a DNS which answers at an address of the node, or at a Service's."""
    universe = evaluation.universe
    services = [
        text
        for one in universe.inventory.services
        if any(port.number == DNS_PORT and port.protocol == "UDP" for port in one.ports)
        for text in one.addresses
    ]
    reached = 0
    for text in ("169.254.20.10", "169.254.25.10", "169.254.169.254", *services):
        if (":" in text) == (universe.family == 6):
            place = universe.outside_of(text)
            if place >= 0:
                reached |= at(evaluation.egress(place), universe.ports.place_of("UDP", DNS_PORT))
    return reached


# ---- namespaces ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cell:
    """What one namespace's pods reach of another's: all, some or none; for some, the ports at which anything is."""

    source: str
    destination: str
    reach: str
    ports: tuple[str, ...] = ()


@dataclass(frozen=True)
class OfFamily(Cell):
    """What another family of addresses than the first makes of a pair."""

    family: int = 0


@dataclass(frozen=True)
class Matrix:
    """Every pair of namespaces; those that are not listed are as ``usual`` says.

    :param differing: pairs of which another family of addresses says otherwise than the first.
    """

    namespaces: tuple[str, ...]
    usual: str
    cells: tuple[Cell, ...]
    differing: tuple[OfFamily, ...] = ()

    def to_output(self) -> dict[str, Any]:
        """For a module's result."""
        return asdict(self)

    def at(self, source: str, destination: str) -> Cell:
        """What is known of a pair."""
        return self._known.get((source, destination)) or Cell(source, destination, self.usual)

    @cached_property
    def _known(self) -> dict[tuple[str, str], Cell]:
        return {(one.source, one.destination): one for one in self.cells}

    @property
    def listed(self) -> set[tuple[str, str]]:
        """The pairs that are not as usual."""
        return set(self._known)


def matrix(evaluations: Sequence[Evaluation]) -> Matrix:
    """What every namespace reaches of every other; a pod's reach of itself does not count.

    :param evaluations: of each family of addresses; pairs that the first does not know are as the next one says.
    """
    found = _MatrixMaker(evaluations[0]).matrix()
    for evaluation in evaluations[1:]:
        found = _beside(found, _MatrixMaker(evaluation).matrix(), evaluation.universe.family)
    return found


def _beside(first: Matrix, other: Matrix, family: int) -> Matrix:
    """A matrix with what another family of addresses says otherwise."""
    names = tuple(sorted({*first.namespaces, *other.namespaces}))
    known, theirs = set(first.namespaces), set(other.namespaces)
    if known == theirs and first.usual == other.usual:
        pairs = sorted(first.listed | other.listed)
    else:
        pairs = [(source, destination) for source in names for destination in names]
    cells, differing = list(first.cells), list(first.differing)
    for source, destination in pairs:
        ends = {source, destination}
        told = other.at(source, destination) if ends <= theirs else Cell(source, destination, NONE)
        if not ends <= known:
            cells.append(told)
        elif ends <= theirs and told != first.at(source, destination):
            differing.append(OfFamily(source, destination, told.reach, told.ports, family))
    return Matrix(names, first.usual, tuple(cells), tuple(differing))


# Up to so many namespaces are looked at one by one.
FEW = 64


class _MatrixMaker:
    """Namespaces as bits of their own, so that only pairs that reach each other cost anything."""

    def __init__(self, evaluation: Evaluation) -> None:
        self._evaluation = evaluation
        self._universe = evaluation.universe
        self.names = sorted(self._universe.of_namespace)
        self._members = [self._universe.of_namespace[name] for name in self.names]
        self._number = {name: number for number, name in enumerate(self.names)}
        self._inside = 0
        for members in self._members:
            self._inside |= members
        self._every = (1 << len(self.names)) - 1
        self._touched: dict[int, int] = {}

    def matrix(self) -> Matrix:
        rows = [self._row(name) for name in self.names]
        whole = sum(len(places(everywhere)) for everywhere, _some in rows)
        part = sum(len(some) for _everywhere, some in rows)
        usual = ALL if whole > len(self.names) ** 2 - whole - part else NONE
        found: list[Cell] = []
        for destination, (everywhere, some) in zip(self.names, rows):
            shown = everywhere if usual == NONE else self._every & ~everywhere
            for number in sorted({*places(shown), *some}):
                reach = ALL if everywhere >> number & 1 else SOME if number in some else NONE
                ports = tuple(self._universe.ports.show(some[number])) if reach == SOME else ()
                found.append(Cell(self.names[number], destination, reach, ports))
        return Matrix(tuple(self.names), usual, tuple(found))

    def _row(self, destination: str) -> tuple[int, dict[int, int]]:
        """The namespaces that reach all of one, and those that reach some of it, with the ports."""
        universe = self._universe
        anything, everything = self._evaluation.nothing, self._evaluation.all
        for place in places(universe.of_namespace[destination]):
            column = self._evaluation.column(place)
            # A class of one pod has no other of its kind to reach.
            alone = constant(1 << place if len(universe.parties[place].members) == 1 else 0, universe.ports.every)
            anything, everything = union(anything, without(column, alone)), both(everything, union(column, alone))
        ports: dict[int, int] = {}
        for parties, at_ports in anything.items():
            for number in places(self._touching(parties)):
                ports[number] = ports.get(number, 0) | at_ports
        # One that has nobody else to reach reaches all of nobody.
        candidates = sorted({*ports, self._number[destination]})
        everywhere = self._within(everything, candidates)
        return everywhere, {number: some for number, some in ports.items() if not everywhere >> number & 1}

    def _touching(self, parties: int) -> int:
        """The namespaces with a member among some classes."""
        inside = parties & self._inside
        if inside not in self._touched:
            numbers = {self._number[self._universe.parties[place].namespace] for place in places(inside)}
            self._touched[inside] = bits_of(numbers, len(self.names))
        return self._touched[inside]

    def _within(self, everything: Relation, candidates: Sequence[int]) -> int:
        """Of the candidates, the namespaces all of whose members are meant at every port."""
        if len(candidates) <= FEW:
            full = [number for number in candidates if all(not self._members[number] & ~one for one in everything)]
            return bits_of(full, len(self.names))
        found = self._every
        for parties in everything:
            found &= ~self._touching(self._inside & ~parties)
        return found & bits_of(candidates, len(self.names))


# ---- outside ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Exposure:
    """What of a class of pods is reached from outside of the cluster, and what it reaches there.

    :param ingress: ports by the networks that reach them.
    :param egress: ports by the networks that are reached.
    """

    namespace: str
    pods: tuple[str, ...]
    ingress: dict[str, list[str]]
    egress: dict[str, list[str]]


def exposure(evaluation: Evaluation) -> list[Exposure]:
    """What policies let in from outside and out to it; whether anything routes there is another question."""
    universe = evaluation.universe
    outside = places(universe.of_kind[OUTSIDE])
    networks = {place: str(universe.parties[place].members[0]) for place in outside}
    reached = {place: evaluation.column(place) for place in outside}
    found: dict[tuple[Any, ...], tuple[dict[str, list[str]], dict[str, list[str]], list[str]]] = {}
    for place in places(universe.of_kind[POD]):
        party = universe.parties[place]
        column = evaluation.column(place)
        into = {networks[one]: ports for one in outside if (ports := ports_at(column, one))}
        out = {networks[one]: ports for one in outside if (ports := ports_at(reached[one], place))}
        key = (party.namespace, tuple(into.items()), tuple(out.items()))
        if key not in found:
            show = universe.ports.show
            sides = [{network: show(ports) for network, ports in side.items()} for side in (into, out)]
            found[key] = (sides[0], sides[1], [])
        found[key][2].extend(str(one) for one in party.members)
    return [Exposure(key[0], tuple(pods), into, out) for key, (into, out, pods) in found.items()]
