# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""The whole cluster at a glance: who is isolated, who reaches whom by namespaces, what is reached from outside."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._policy.checks import Finding, finding
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.model import EGRESS, Pod
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
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.universe import HOST, OUTSIDE, POD

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
# OpenShift's DNS listens on 5353.
DNS_PORTS = (DNS_PORT, 5353)


# ---- coverage --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Coverage:
    """How many pods of a namespace something is forbidden to, by direction; those on their node's network apart."""

    namespace: str
    pods: int = 0
    ingress: int = 0
    egress: int = 0
    host_network: int = 0
    open_ingress: tuple[str, ...] = ()


def coverage(evaluation: Evaluation) -> list[Coverage]:
    """For every namespace with pods, how many of them policies cover."""
    universe = evaluation.universe
    out = _restricted_egress(evaluation)
    rows: dict[str, Coverage] = {}
    for place, party in enumerate(universe.parties):
        if party.kind not in {POD, HOST}:
            continue
        row = rows.get(party.namespace) or Coverage(party.namespace)
        count = len(party.members)
        if party.kind == HOST:
            rows[party.namespace] = replace(row, host_network=row.host_network + count)
            continue
        is_open = evaluation.ingress(place) == {universe.every: universe.ports.every}
        rows[party.namespace] = replace(
            row,
            pods=row.pods + count,
            ingress=row.ingress + (0 if is_open else count),
            egress=row.egress + (count if out >> place & 1 else 0),
            open_ingress=(*row.open_ingress, *map(str, party.members)) if is_open else row.open_ingress,
        )
    return [rows[name] for name in sorted(rows)]


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
        if not row.ingress:
            found.append(finding("open-namespace", named, "", f"each of its {row.pods} pods is open to everybody"))
        elif row.open_ingress:
            shown = ", ".join(row.open_ingress[:3]) + (" …" if len(row.open_ingress) > 3 else "")
            text = f"{len(row.open_ingress)} of {row.pods} pods are open to everybody: {shown}"
            found.append(finding("open-pods", named, "", text))
        if row.egress < row.pods:
            text = f"{row.pods - row.egress} of {row.pods} pods may connect to everything"
            found.append(finding("open-egress", named, "", text))
    return found


def lint_dns(evaluation: Evaluation) -> list[Finding]:
    """Namespaces with pods whose egress is isolated and that reach no DNS."""
    universe = evaluation.universe
    isolated = evaluation.isolated(EGRESS) & universe.of_kind[POD]
    if not isolated:
        return []
    reached = 0
    pods = [place for place in places(universe.of_kind[POD]) if _is_dns(universe, place)]
    # Without the DNS's own pods in sight, whoever may send to anybody's port 53 has not forgotten it.
    targets = pods or range(len(universe.parties))
    for place in targets:
        for port in DNS_PORTS:
            reached |= at(evaluation.egress(place), universe.ports.place_of("UDP", port))
    reached |= _to_node_dns(evaluation)
    found: list[Finding] = []
    for name, members in universe.of_namespace.items():
        lacking = isolated & members & ~reached
        if lacking:
            shown = [str(one) for place in places(lacking) for one in universe.parties[place].members]
            policies = sorted(
                {
                    str(evaluation.policies[number].ref)
                    for place in places(lacking)
                    for number in evaluation.under(place, "namespaced", EGRESS)
                }
            )
            who = ", ".join(shown[:3]) + (" …" if len(shown) > 3 else "")
            text = f"{who} reach no DNS; isolated by {', '.join(policies[:3])}"
            found.append(finding("dns-forgotten", f"Namespace '{name}'", "", text))
    return found


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
class Matrix:
    """Every pair of namespaces; those that are not listed are as ``usual`` says."""

    namespaces: tuple[str, ...]
    usual: str
    cells: tuple[Cell, ...]

    def to_output(self) -> dict[str, Any]:
        """For a module's result."""
        return asdict(self)


def matrix(evaluation: Evaluation) -> Matrix:
    """What every namespace reaches of every other; a pod's reach of itself does not count."""
    universe = evaluation.universe
    names = sorted(universe.of_namespace)
    found: list[Cell] = []
    shown: dict[int, tuple[str, ...]] = {}
    for destination in names:
        anything, everything = evaluation.nothing, evaluation.all
        for place in places(universe.of_namespace[destination]):
            column = evaluation.column(place)
            # A class of one pod has no other of its kind to reach.
            alone = constant(1 << place if len(universe.parties[place].members) == 1 else 0, universe.ports.every)
            anything, everything = union(anything, without(column, alone)), both(everything, union(column, alone))
        found += [_cell(universe, source, destination, (anything, everything), shown) for source in names]
    usual = Counter(cell.reach for cell in found).most_common(1)[0][0] if found else NONE
    usual = usual if usual != SOME else NONE
    return Matrix(tuple(names), usual, tuple(cell for cell in found if cell.reach != usual))


def _cell(
    universe: Universe,
    source: str,
    destination: str,
    columns: tuple[Relation, Relation],
    shown: dict[int, tuple[str, ...]],
) -> Cell:
    members = universe.of_namespace[source]
    if all(not members & ~parties for parties in columns[1]):
        return Cell(source, destination, ALL)
    some = sum(ports for parties, ports in columns[0].items() if parties & members)
    if not some:
        return Cell(source, destination, NONE)
    if some not in shown:
        shown[some] = tuple(universe.ports.show(some))
    return Cell(source, destination, SOME, shown[some])


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
