# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""NetworkPolicy (networking.k8s.io/v1) into the one form of all policies.

What the API server would add or refuse is added and found here too, so that a manifest means what it will mean there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional

from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ref_of
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.fields import Fields
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.model import (
    ALLOW,
    DIRECTIONS,
    EGRESS,
    FIRST_PORT,
    INGRESS,
    LAST_PORT,
    NAMESPACED,
    PROTOCOLS,
    BlockPeer,
    Defect,
    Peer,
    PodPeer,
    Policy,
    PortMatch,
    Rule,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

API_VERSION = "networking.k8s.io/v1"
PEERS_FIELD = {INGRESS: "from", EGRESS: "to"}


def network_policy(document: Mapping[str, Any]) -> Policy:
    """One NetworkPolicy.

    :raises PolicyError: a field has a shape that cannot mean anything.
    """
    return _Reader(document).policy()


class _Reader:
    """Reads one object and collects what is wrong with it but can be evaluated."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document
        self.ref = ref_of(document)
        self.fields = Fields(str(self.ref))
        self.namespace = self.ref.namespace or "default"
        self.defects: list[Defect] = []

    def policy(self) -> Policy:
        spec = self.fields.mapping(self.document.get("spec"), "spec")
        rules = {direction: tuple(self._rules(spec.get(direction), direction)) for direction in DIRECTIONS}
        directions = self._directions(spec, rules)
        subject = PodPeer(self.fields.selector(spec.get("podSelector"), "spec.podSelector"), None, self.namespace)
        return Policy(
            self.ref,
            NAMESPACED,
            subject,
            directions,
            tuple(rule for direction in directions for rule in rules[direction]),
            defects=tuple(self.defects),
            document=self.document,
        )

    def _directions(self, spec: Mapping[str, Any], rules: Mapping[str, tuple[Rule, ...]]) -> tuple[str, ...]:
        """The directions that it isolates: absent types are Ingress, and Egress where there are egress rules."""
        written = self.fields.items(spec.get("policyTypes"), "spec.policyTypes")
        if not written:
            if rules[EGRESS]:
                self._defect(
                    "missing-types", "spec.policyTypes", "the types are not written; Egress is guessed from its rules"
                )
            elif spec.get(EGRESS) is not None:
                self._defect(
                    "missing-types",
                    "spec.policyTypes",
                    "egress is an empty list and Egress no type: nothing that goes out is isolated",
                )
            return (INGRESS, EGRESS) if rules[EGRESS] else (INGRESS,)
        types = [self.fields.text(one, "spec.policyTypes", ("Ingress", "Egress")).lower() for one in written]
        for direction in DIRECTIONS:
            if rules[direction] and direction not in types:
                self._defect(
                    "inert-rules",
                    f"spec.{direction}",
                    f"policyTypes does not list {direction.capitalize()}: these rules do nothing",
                )
        return tuple(direction for direction in DIRECTIONS if direction in types)

    def _defect(self, check: str, path: str, text: str) -> None:
        self.defects.append(Defect(check, path, text))

    def _rules(self, value: Any, direction: str) -> list[Rule]:
        found: list[Rule] = []
        for number, one in enumerate(self.fields.items(value, f"spec.{direction}")):
            path = f"spec.{direction}[{number}]"
            rule = self.fields.mapping(one, path)
            peers = self._peers(rule, direction, path)
            found.append(Rule(direction, ALLOW, peers, self._ports(rule.get("ports"), path), f"{direction}[{number}]"))
        return found

    def _peers(self, rule: Mapping[str, Any], direction: str, path: str) -> Optional[tuple[Peer, ...]]:
        mine = PEERS_FIELD[direction]
        unknown = sorted(set(rule) - {mine, "ports"})
        if unknown:
            raise self.fields.wrong(path, f"has {unknown[0]!r}", f"{mine} and ports")
        peers = self.fields.items(rule.get(mine), f"{path}.{mine}")
        if not peers:
            return None
        return tuple(self._peer(one, f"{path}.{mine}[{number}]") for number, one in enumerate(peers))

    def _peer(self, value: Any, path: str) -> Peer:
        peer = self.fields.mapping(value, path)
        known = ("podSelector", "namespaceSelector", "ipBlock")
        unknown = sorted(set(peer) - set(known))
        if unknown:
            raise self.fields.wrong(path, f"has {unknown[0]!r}", f"one of {', '.join(known)}")
        present = {key for key in known if peer.get(key) is not None}
        if not present:
            raise self.fields.wrong(
                path, "is empty", f"one of {', '.join(known)}", "Leave out the list to mean everybody"
            )
        if "ipBlock" in present:
            if len(present) > 1:
                raise self.fields.wrong(path, "has ipBlock and a selector", "one of them", "Make two entries of it")
            return self._block(peer["ipBlock"], f"{path}.ipBlock")
        pods = self.fields.selector(peer.get("podSelector"), f"{path}.podSelector")
        if "namespaceSelector" not in present:
            return PodPeer(pods, None, self.namespace)
        return PodPeer(pods, self.fields.selector(peer["namespaceSelector"], f"{path}.namespaceSelector"))

    def _block(self, value: Any, path: str) -> BlockPeer:
        block = self.fields.mapping(value, path)
        network = self.fields.network(block.get("cidr"), f"{path}.cidr")
        written = self.fields.items(block.get("except"), f"{path}.except")
        exceptions = tuple(self.fields.network(one, f"{path}.except[{number}]") for number, one in enumerate(written))
        for number, one in enumerate(exceptions):
            if not _is_inside(one, network):
                self._defect("except-outside", f"{path}.except[{number}]", f"{one} is not within {network}")
        return BlockPeer(network, exceptions)

    def _ports(self, value: Any, path: str) -> Optional[tuple[PortMatch, ...]]:
        ports = self.fields.items(value, f"{path}.ports")
        if not ports:
            return None
        return tuple(self._port(one, f"{path}.ports[{number}]") for number, one in enumerate(ports))

    def _port(self, value: Any, path: str) -> PortMatch:
        entry = self.fields.mapping(value, path)
        protocol = self.fields.text(entry.get("protocol", "TCP"), f"{path}.protocol", PROTOCOLS)
        port, end = entry.get("port"), entry.get("endPort")
        if isinstance(port, str):
            if port.isdigit():
                raise self.fields.wrong(f"{path}.port", f"is the text {port!r}", "a number", "Remove the quotes")
            if end is not None:
                self._defect(
                    "end-port", f"{path}.endPort", "an endPort needs a port by number; the API server refuses it"
                )
            return PortMatch(protocol, name=port)
        if port is None:
            if end is not None:
                self._defect("end-port", f"{path}.endPort", "an endPort needs a port; the API server refuses it")
            return PortMatch(protocol)
        low = self.fields.number(port, f"{path}.port", FIRST_PORT, LAST_PORT)
        if end is None:
            return PortMatch(protocol, low, low)
        high = self.fields.number(end, f"{path}.endPort", FIRST_PORT, LAST_PORT)
        if high < low:
            self._defect(
                "end-port", f"{path}.endPort", f"endPort {high} is below port {low}; the API server refuses it"
            )
            high = low
        return PortMatch(protocol, low, high)


def _is_inside(inner: str, outer: str) -> bool:
    """Whether a network is a real part of another."""
    import ipaddress

    one, other = ipaddress.ip_network(inner), ipaddress.ip_network(outer)
    if isinstance(one, ipaddress.IPv4Network) and isinstance(other, ipaddress.IPv4Network):
        return one != other and one.subnet_of(other)
    if isinstance(one, ipaddress.IPv6Network) and isinstance(other, ipaddress.IPv6Network):
        return one != other and one.subnet_of(other)
    return False
