# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""One connection: whether it can be made, and which policies and rules say so."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Optional, Union

from ansible_collections.netops.kubernetes.plugins.module_utils._policy.addresses import family_of
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.evaluate import (
    READINGS,
    STRICT,
    Evaluation,
    Reading,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.model import (
    ADMIN,
    ALLOW,
    BASELINE,
    DENY,
    EGRESS,
    FIRST_PORT,
    INGRESS,
    LAST_PORT,
    NAMESPACED,
    PASS,
    PROTOCOLS,
    BlockPeer,
    Inventory,
    Node,
    Pod,
    Policy,
    PolicyError,
    Service,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.relation import ports_at
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.universe import (
    HOST,
    POD,
    UNLOCATED,
    Universe,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._policy.evaluate import CompiledRule

ALLOWED, DENIED, UNDEFINED, PARTLY = "allowed", "denied", "undefined", "partly"
# An end of a connection; a text is an address outside of the cluster.
End = Union[Pod, Node, str]
TIER_NAMES = {ADMIN: "admin tier", NAMESPACED: "NetworkPolicy", BASELINE: "baseline tier"}


@dataclass(frozen=True)
class Decision:
    """What the policies of one end make of a connection.

    :param tier: which tier decided; empty: none did, and traffic is allowed.
    :param isolating: the NetworkPolicies that isolate this end in this direction.
    :param rules: the rules that decided, as policy and place within it.
    """

    direction: str
    allowed: bool
    tier: str
    isolating: tuple[str, ...]
    rules: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class Verdict:
    """Whether one end reaches another.

    :param verdict: allowed, denied, undefined (implementations may differ), or partly (of several ports or pods).
    :param ports: with no port asked for, those that are reached.
    :param notes: what a reader must know beside it.
    """

    source: str
    destination: str
    protocol: str
    port: Optional[int]
    verdict: str
    decisions: tuple[Decision, ...] = ()
    ports: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    family: int = 4


class Reachability:
    """Answers about single connections under a set of policies.

    :param policies: those of the inventory unless others are given.
    :param pod_networks: where pods without an address will have theirs.
    """

    def __init__(
        self, inventory: Inventory, policies: Optional[Sequence[Policy]] = None, pod_networks: Sequence[str] = ()
    ) -> None:
        self.inventory = inventory
        self.policies = inventory.policies if policies is None else tuple(policies)
        self._pod_networks = tuple(pod_networks)
        self._universes: dict[int, Universe] = {}
        self._evaluations: dict[tuple[int, Reading], Evaluation] = {}

    def universe(self, family: int) -> Universe:
        if family not in self._universes:
            self._universes[family] = Universe(self.inventory, self.policies, family, self._pod_networks)
        return self._universes[family]

    def evaluation(self, family: int = 4, reading: Reading = STRICT) -> Evaluation:
        key = (family, reading)
        if key not in self._evaluations:
            self._evaluations[key] = Evaluation(self.universe(family), self.policies, reading)
        return self._evaluations[key]

    # ---- ends -----------------------------------------------------------------------------------------------

    def find(self, text: str) -> Union[End, Service]:
        """An end by what a user writes: ``NAMESPACE/POD``, ``NAMESPACE/KIND/NAME``, ``node:NAME``,
        ``service:NAMESPACE/NAME`` or an address.

        :raises PolicyError: there is none.
        """
        if text.startswith("service:"):
            services = {str(one): one for one in self.inventory.services}
            return services.get(text[len("service:") :]) or _nowhere(text, "a Service of the cluster")
        if text.startswith("node:"):
            nodes = {one.name: one for one in self.inventory.nodes}
            return nodes.get(text[len("node:") :]) or _nowhere(text, "a node of the cluster")
        if "/" in text:
            return self._pod(text)
        return self._owner(text)

    def _pod(self, text: str) -> Pod:
        parts = text.split("/")
        for pod in self.inventory.pods:
            if str(pod) == text or (
                pod.namespace == parts[0] and len(parts) == 2 and parts[1] in {pod.name, pod.workload}
            ):
                return pod
        return _nowhere(text, "NAMESPACE/POD or NAMESPACE/KIND/NAME of a pod or workload that is given")

    def _owner(self, text: str) -> End:
        """Whose an address is: a pod's, a node's, or nobody's in the cluster."""
        if not _is_address(text):
            return _nowhere(text, "NAMESPACE/POD, NAMESPACE/KIND/NAME, node:NAME, service:NAMESPACE/NAME or an address")
        address = str(ipaddress.ip_address(text))
        for node in self.inventory.nodes:
            if address in node.addresses:
                return node
        for pod in self.inventory.pods:
            if address in pod.addresses:
                return pod
        return address

    def families(self, source: End, destination: End) -> list[int]:
        """The families of addresses in which two ends can talk."""
        sides = [_families(one) for one in (source, destination)]
        return sorted((sides[0] or {4}) & (sides[1] or {4}) if all(sides) else (sides[0] or sides[1] or {4}))

    # ---- answers --------------------------------------------------------------------------------------------

    def reachable(self, source: str, destination: str, protocol: str = "TCP", port: Optional[int] = None) -> Verdict:
        """Whether one end reaches another.

        :param source: see :meth:`find`; a Service cannot be one.
        :param protocol: TCP, UDP or SCTP; of any other the specification says nothing.
        :param port: the destination's; of a Service, the Service's. Without one, which ports are reached.
        :raises PolicyError: an end is not there, or the port is none.
        """
        begin, end = self.find(source), self.find(destination)
        if isinstance(begin, Service):
            raise PolicyError(f"source {source!r}", "a Service sends nothing", "a pod, a node or an address")
        if port is not None and not FIRST_PORT <= port <= LAST_PORT:
            raise PolicyError(f"port {port}", "there is no such port", f"a number from {FIRST_PORT} to {LAST_PORT}")
        if isinstance(end, Service):
            return self._service(begin, end, protocol, port)
        # An address asks about its own family alone, whoever bears it.
        asked = [{family_of(text)} for text in (source, destination) if _is_address(text)]
        families = [one for one in self.families(begin, end) if all(one in some for some in asked)]
        if not families:
            return Verdict(
                source, destination, protocol, port, DENIED, notes=("they have no family of addresses in common",)
            )
        answers = [self.judge(begin, end, protocol, port, family) for family in families]
        return _together(source, destination, protocol, port, answers)

    def _service(self, source: End, service: Service, protocol: str, port: Optional[int]) -> Verdict:
        """What becomes of a connection to a Service: its pods at their ports, as if it went to them directly."""
        name = f"service:{service}"
        chosen = [one for one in service.ports if one.protocol == protocol and port in {None, one.number}]
        if not chosen:
            offered = ", ".join(f"{one.protocol} {one.number}" for one in service.ports) or "none"
            raise PolicyError(f"Service '{service}'", f"it has no port {protocol} {port}", offered)
        answers: list[Verdict] = []
        for pod in self.backends(service):
            for one in chosen:
                number = target_port(pod, one.target, one.protocol)
                families = [] if number is None else self.families(source, pod)
                answers += [self.judge(source, pod, protocol, number, family) for family in families]
        if not answers:
            note = "no pod of the Service serves this port"
            return Verdict(_text(source), name, protocol, port, DENIED, notes=(note,))
        verdict = _together(_text(source), name, protocol, port, answers)
        if self._names_address(service.addresses):
            note = "a rule names the Service's own address: whether rules see it, or the pod's, is left open"
            verdict = Verdict(**{**verdict.__dict__, "notes": (*verdict.notes, note)})
        return verdict

    def backends(self, service: Service) -> list[Pod]:
        """The pods that a Service selects."""
        if service.selector is None:
            return []
        return [
            pod
            for pod in self.inventory.pods
            if pod.namespace == service.namespace and service.selector.matches(pod.labels)
        ]

    def _names_address(self, addresses: Sequence[str]) -> bool:
        wanted = {str(ipaddress.ip_network(text)) for text in addresses}
        return any(
            isinstance(peer, BlockPeer) and peer.network in wanted
            for policy in self.policies
            for rule in policy.rules
            for peer in rule.peers or ()
        )

    def judge(self, source: End, destination: End, protocol: str, port: Optional[int], family: int) -> Verdict:
        """One pair of ends, in one family of addresses."""
        names = (_text(source), _text(destination))
        free = exempt(source, destination)
        if free:
            return Verdict(*names, protocol, port, ALLOWED, notes=(free,), family=family)
        universe = self.universe(family)
        places = (_place(universe, source), _place(universe, destination))
        if protocol not in PROTOCOLS:
            return self._other(names, places, protocol, family)
        if port is None:
            return self._every_port(names, places, protocol, family)
        port_place = universe.ports.place_of(protocol, port)
        answers = {
            self.evaluation(family, reading).reaches(*places, port_place) for reading in self._readings(family, places)
        }
        verdict = UNDEFINED if len(answers) > 1 else ALLOWED if answers == {True} else DENIED
        decisions = explain(self.evaluation(family), *places, port_place)
        notes = _notes(universe, places, undefined=verdict == UNDEFINED)
        return Verdict(*names, protocol, port, verdict, decisions, notes=notes, family=family)

    def _readings(self, family: int, places: tuple[int, int]) -> Sequence[Reading]:
        """Only readings that can differ for these ends."""
        kinds = {self.universe(family).parties[place].kind for place in places}
        return READINGS if HOST in kinds else READINGS[:2] if self._is_open else READINGS[:1]

    @property
    def _is_open(self) -> bool:
        """Whether a cluster-wide policy may be read in more than one way."""
        return any(policy.tier != NAMESPACED for policy in self.policies)

    def _every_port(self, names: tuple[str, str], places: tuple[int, int], protocol: str, family: int) -> Verdict:
        universe = self.universe(family)
        whole = universe.ports.mask(protocol, FIRST_PORT, LAST_PORT)
        found = set()
        for reading in self._readings(family, places):
            found.add(ports_at(self.evaluation(family, reading).column(places[1]), places[0]) & whole)
        mask = found.pop()
        verdict = UNDEFINED if found else ALLOWED if mask == whole else PARTLY if mask else DENIED
        notes = _notes(universe, places, undefined=verdict == UNDEFINED)
        decisions = explain(self.evaluation(family), *places, None)
        ports = tuple(universe.ports.show(mask))
        return Verdict(*names, protocol, None, verdict, decisions, ports, notes, family)

    def _other(self, names: tuple[str, str], places: tuple[int, int], protocol: str, family: int) -> Verdict:
        """A protocol that the specification leaves out: allowed only where no policy says anything."""
        evaluation = self.evaluation(family)
        sides = ((places[0], EGRESS), (places[1], INGRESS))
        governed = any(evaluation.under(place, tier, direction) for place, direction in sides for tier in TIER_NAMES)
        note = f"policies are defined for TCP, UDP and SCTP; what they make of {protocol} is left open"
        return Verdict(
            *names, protocol, None, UNDEFINED if governed else ALLOWED, notes=(note,) if governed else (), family=family
        )


def _nowhere(text: str, expected: str) -> Pod:
    raise PolicyError(f"end {text!r}", "there is no such thing", expected)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _families(end: End) -> set[int]:
    if isinstance(end, str):
        return {family_of(end)}
    return {family_of(text) for text in end.addresses}


def _text(end: End) -> str:
    return f"node:{end.name}" if isinstance(end, Node) else str(end)


def _place(universe: Universe, end: End) -> int:
    if isinstance(end, str):
        return universe.outside_of(end)
    return universe.place_of[f"node {end.name}" if isinstance(end, Node) else str(end)]


def target_port(pod: Pod, target: Union[int, str], protocol: str) -> Optional[int]:
    """The number of a Service's target port at a pod; ``None`` when the pod names none so."""
    if isinstance(target, int):
        return target
    return next((one.number for one in pod.ports if one.name == target and one.protocol == protocol), None)


def exempt(source: End, destination: End) -> str:
    """Why no policy can forbid a connection; empty: one can."""
    if isinstance(source, Pod) and source == destination and source.kind == "Pod":
        return "a pod always reaches itself"
    for one, other in ((source, destination), (destination, source)):
        if isinstance(one, Pod) and one.node and not one.host_network:
            on_node = isinstance(other, Node) and other.name == one.node
            on_host = isinstance(other, Pod) and other.host_network and other.node == one.node
            if on_node or on_host:
                return f"a pod and its own node ({one.node}) always reach each other"
    return ""


def _notes(universe: Universe, places: tuple[int, int], *, undefined: bool) -> tuple[str, ...]:
    parties = [universe.parties[place] for place in places]
    found = []
    if HOST in {party.kind for party in parties}:
        found.append(
            "an end is on its node's network: most implementations take it for the node and no selector means it"
            + ("; others would decide the other way" if undefined else "")
        )
    elif undefined:
        found.append("policies of one tier and priority disagree, or a domain name decides: either may happen")
    if any(party.part == UNLOCATED and party.kind == POD for party in parties):
        found.append("an end has no address yet: blocks of addresses were taken not to mean it, a block of all aside")
    return tuple(found)


def _together(source: str, destination: str, protocol: str, port: Optional[int], answers: Sequence[Verdict]) -> Verdict:
    """One verdict for several pairs, explained by the one that is least open."""
    kinds = {one.verdict for one in answers}
    verdict = kinds.pop() if len(kinds) == 1 else UNDEFINED if UNDEFINED in kinds else PARTLY
    order = {DENIED: 0, UNDEFINED: 1, PARTLY: 2, ALLOWED: 3}
    worst = min(answers, key=lambda one: order[one.verdict])
    notes = list(worst.notes)
    if len(answers) > 1:
        counts = {kind: sum(one.verdict == kind for one in answers) for kind in order}
        told = ", ".join(f"{number} {kind}" for kind, number in counts.items() if number)
        notes.append(f"{told}; explained by {worst.source} to {worst.destination} over IPv{worst.family}")
    return Verdict(
        source, destination, protocol, port, verdict, worst.decisions, worst.ports, tuple(notes), worst.family
    )


# ---- why -------------------------------------------------------------------------------------------------------------


def explain(
    evaluation: Evaluation, source: int, destination: int, port_place: Optional[int]
) -> tuple[Decision, Decision]:
    """What egress at the source and ingress at the destination decide, and by which rules.

    :param port_place: a stretch of ports; ``None``: every rule about these ends counts, whatever its ports.
    """
    return (
        _decision(evaluation, EGRESS, source, destination, destination, port_place),
        _decision(evaluation, INGRESS, destination, source, destination, port_place),
    )


def _decision(
    evaluation: Evaluation, direction: str, subject: int, peer: int, destination: int, port_place: Optional[int]
) -> Decision:
    universe = evaluation.universe
    named = universe.parties[destination].ports

    def matches(one: CompiledRule) -> bool:
        ports = one.ports | universe.ports.mask_of(one.named, named)
        at_port = bool(ports) if port_place is None else bool(ports >> port_place & 1)
        return at_port and bool(one.peers >> peer & 1)

    isolating = tuple(
        str(evaluation.policies[number].ref) for number in evaluation.under(subject, NAMESPACED, direction)
    )
    for tier in (ADMIN, NAMESPACED, BASELINE):
        numbers = evaluation.under(subject, tier, direction)
        hits = [(number, one) for number in numbers for one in evaluation.rules_of(number, direction) if matches(one)]
        if tier == NAMESPACED and numbers:
            return _by_network_policies(evaluation, direction, isolating, hits)
        if tier != NAMESPACED and hits:
            decided = _by_cluster_policies(evaluation, direction, tier, isolating, hits)
            if decided:
                return decided
    return Decision(direction, True, "", isolating, (), f"{direction}: no policy decides, so it is allowed")


def _cited(evaluation: Evaluation, hits: Sequence[tuple[int, CompiledRule]]) -> tuple[str, ...]:
    return tuple(
        f"{evaluation.policies[number].ref} {one.rule.path}" + (f" ({one.rule.name})" if one.rule.name else "")
        for number, one in hits
    )


def _by_network_policies(
    evaluation: Evaluation, direction: str, isolating: tuple[str, ...], hits: Sequence[tuple[int, CompiledRule]]
) -> Decision:
    rules = _cited(evaluation, hits)
    if rules:
        text = f"{direction}: isolated by {', '.join(isolating)}; allowed by {', '.join(rules)}"
    else:
        text = f"{direction}: isolated by {', '.join(isolating)}; no rule of these allows it"
    return Decision(direction, bool(rules), NAMESPACED, isolating, rules, text)


def _by_cluster_policies(
    evaluation: Evaluation,
    direction: str,
    tier: str,
    isolating: tuple[str, ...],
    hits: Sequence[tuple[int, CompiledRule]],
) -> Optional[Decision]:
    """What the first matching rules decide; nothing where they pass it on."""
    first = min(evaluation.policies[number].priority for number, _one in hits)
    leading: dict[int, CompiledRule] = {}
    for number, one in hits:
        if evaluation.policies[number].priority == first:
            leading.setdefault(number, one)
    actions = {one.rule.action for one in leading.values()}
    # Where policies of one priority disagree, this is the strict reading; the verdict says that it is open.
    action = next(one for one in (DENY, PASS, ALLOW) if one in actions)
    rules = _cited(evaluation, [(number, one) for number, one in leading.items() if one.rule.action == action])
    if action == PASS:
        return None
    word = "allowed" if action == ALLOW else "denied"
    text = f"{direction}: {word} in the {TIER_NAMES[tier]} by {', '.join(rules)}"
    if len(actions) > 1:
        text += f", but policies of priority {first} disagree"
    return Decision(direction, action == ALLOW, tier, isolating, rules, text)
