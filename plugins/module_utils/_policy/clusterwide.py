# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Cluster-wide policies of policy.networking.k8s.io into the one form of all policies.

ClusterNetworkPolicy is of v1alpha2, AdminNetworkPolicy and BaselineAdminNetworkPolicy of v1alpha1. An entry without a
field that is known here comes from a later version of the API, which asks for failing closed: an Accept rule then
matches nothing, a Deny or Pass rule denies everything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional

from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ref_of
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.fields import Fields
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.model import (
    ADMIN,
    ALLOW,
    BASELINE,
    DENY,
    DIRECTIONS,
    EGRESS,
    EVERYTHING,
    FIRST_PORT,
    INGRESS,
    LAST_PORT,
    PASS,
    PROTOCOLS,
    BlockPeer,
    Defect,
    DomainPeer,
    NodePeer,
    Peer,
    PodPeer,
    Policy,
    PortMatch,
    Rule,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

GROUP = "policy.networking.k8s.io"
CLUSTER, ADMIN_KIND, BASELINE_KIND = "ClusterNetworkPolicy", "AdminNetworkPolicy", "BaselineAdminNetworkPolicy"
KINDS = {CLUSTER: f"{GROUP}/v1alpha2", ADMIN_KIND: f"{GROUP}/v1alpha1", BASELINE_KIND: f"{GROUP}/v1alpha1"}
LAST_PRIORITY = 1000
ACTIONS = {
    CLUSTER: {"Accept": ALLOW, "Deny": DENY, "Pass": PASS},
    ADMIN_KIND: {"Allow": ALLOW, "Deny": DENY, "Pass": PASS},
    BASELINE_KIND: {"Allow": ALLOW, "Deny": DENY},
}
MOST = {CLUSTER: 25, ADMIN_KIND: 100, BASELINE_KIND: 100}
PEERS = {INGRESS: ("namespaces", "pods"), EGRESS: ("namespaces", "pods", "nodes", "networks", "domainNames")}


def cluster_policy(document: Mapping[str, Any]) -> Policy:
    """One cluster-wide policy.

    :raises PolicyError: a field has a shape that cannot mean anything.
    """
    return _Reader(document).policy()


class _UnknownFieldError(Exception):
    """An entry says something that this version of the API does not know."""


class _Reader:
    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document
        self.ref = ref_of(document)
        self.kind = self.ref.kind
        self.fields = Fields(str(self.ref))
        self.defects: list[Defect] = []

    def policy(self) -> Policy:
        if self.ref.api_version != KINDS[self.kind]:
            raise self.fields.wrong("apiVersion", f"is {self.ref.api_version!r}", KINDS[self.kind])
        spec = self.fields.mapping(self.document.get("spec"), "spec")
        tier, priority = self._place(spec)
        rules = [rule for direction in DIRECTIONS for rule in self._rules(spec.get(direction), direction)]
        return Policy(
            self.ref,
            tier,
            self._subject(spec.get("subject")),
            tuple(direction for direction in DIRECTIONS if any(rule.direction == direction for rule in rules)),
            tuple(rules),
            priority,
            tuple(self.defects),
            self.document,
        )

    def _place(self, spec: Mapping[str, Any]) -> tuple[str, int]:
        if self.kind == BASELINE_KIND:
            if self.ref.name != "default":
                raise self.fields.wrong("metadata.name", f"is {self.ref.name!r}", "default: there is only one")
            # After every ClusterNetworkPolicy of the tier: it is what they replace.
            return BASELINE, LAST_PRIORITY + 1
        priority = self.fields.number(spec.get("priority"), "spec.priority", 0, LAST_PRIORITY)
        if self.kind == ADMIN_KIND:
            return ADMIN, priority
        return self.fields.text(spec.get("tier"), "spec.tier", ("Admin", "Baseline")).lower(), priority

    def _subject(self, value: Any) -> PodPeer:
        subject = self.fields.mapping(value, "spec.subject")
        field = self.fields.only(subject, "spec.subject", ("namespaces", "pods"))
        if field is None:
            raise self.fields.wrong("spec.subject", f"is {value!r}", "namespaces or pods")
        return self._pods(field, subject[field], f"spec.subject.{field}")

    def _pods(self, field: str, value: Any, path: str) -> PodPeer:
        if field == "namespaces":
            return PodPeer(EVERYTHING, self.fields.selector(value, path))
        both = self.fields.mapping(value, path)
        return PodPeer(
            self.fields.selector(both.get("podSelector"), f"{path}.podSelector"),
            self.fields.selector(both.get("namespaceSelector"), f"{path}.namespaceSelector"),
        )

    def _rules(self, value: Any, direction: str) -> list[Rule]:
        written = self.fields.items(value, f"spec.{direction}")
        if len(written) > MOST[self.kind]:
            raise self.fields.wrong(f"spec.{direction}", f"has {len(written)} rules", f"at most {MOST[self.kind]}")
        return [self._rule(one, direction, number) for number, one in enumerate(written)]

    def _rule(self, value: Any, direction: str, number: int) -> Rule:
        path, short = f"spec.{direction}[{number}]", f"{direction}[{number}]"
        rule = self.fields.mapping(value, path)
        actions = ACTIONS[self.kind]
        action = actions[self.fields.text(rule.get("action"), f"{path}.action", tuple(actions))]
        name = self.fields.text(rule.get("name", ""), f"{path}.name")
        side = "from" if direction == INGRESS else "to"
        entries = self.fields.items(rule.get(side), f"{path}.{side}")
        if not entries:
            raise self.fields.wrong(f"{path}.{side}", "is empty", "at least one peer")
        try:
            peers = tuple(
                peer
                for place, one in enumerate(entries)
                for peer in self._peers(one, direction, f"{path}.{side}[{place}]", action)
            )
            return Rule(direction, action, peers, self._ports(rule, path), short, name)
        except _UnknownFieldError as error:
            closed = "matches nothing" if action == ALLOW else "denies everything"
            self.defects.append(Defect("unknown-field", str(error), f"no known field is set: the rule {closed}"))
            if action == ALLOW:
                return Rule(direction, ALLOW, (), None, short, name)
            return Rule(direction, DENY, None, None, short, name)

    def _peers(self, value: Any, direction: str, path: str, action: str) -> list[Peer]:
        peer = self.fields.mapping(value, path)
        field = self.fields.only(peer, path, PEERS[direction])
        if field is None:
            raise _UnknownFieldError(path)
        if field in {"namespaces", "pods"}:
            return [self._pods(field, peer[field], f"{path}.{field}")]
        if field == "nodes":
            return [NodePeer(self.fields.selector(peer[field], f"{path}.{field}"))]
        entries = self.fields.items(peer[field], f"{path}.{field}")
        if field == "networks":
            return [
                BlockPeer(self.fields.network(one, f"{path}.networks[{place}]")) for place, one in enumerate(entries)
            ]
        if action != ALLOW:
            raise self.fields.wrong(f"{path}.domainNames", f"stands in a rule that does {action}", "an accepting rule")
        return [DomainPeer(tuple(self.fields.text(one, f"{path}.domainNames") for one in entries))]

    def _ports(self, rule: Mapping[str, Any], path: str) -> Optional[tuple[PortMatch, ...]]:
        field = "protocols" if self.kind == CLUSTER else "ports"
        if rule.get(field) is None:
            return None
        read = self._protocol if self.kind == CLUSTER else self._port
        entries = self.fields.items(rule[field], f"{path}.{field}")
        return tuple(read(one, f"{path}.{field}[{number}]") for number, one in enumerate(entries))

    def _protocol(self, value: Any, path: str) -> PortMatch:
        entry = self.fields.mapping(value, path)
        field = self.fields.only(entry, path, ("tcp", "udp", "sctp", "destinationNamedPort"))
        if field is None:
            raise _UnknownFieldError(path)
        if field == "destinationNamedPort":
            return PortMatch("", name=self.fields.text(entry[field], f"{path}.{field}"))
        inner = self.fields.mapping(entry[field], f"{path}.{field}")
        if inner.get("destinationPort") is None:
            return PortMatch(field.upper())
        place = f"{path}.{field}.destinationPort"
        port = self.fields.mapping(inner["destinationPort"], place)
        if self.fields.only(port, place, ("number", "range")) == "number":
            number = self.fields.number(port["number"], f"{place}.number", FIRST_PORT, LAST_PORT)
            return PortMatch(field.upper(), number, number)
        return self._range(field.upper(), port.get("range"), f"{place}.range")

    def _range(self, protocol: str, value: Any, path: str) -> PortMatch:
        span = self.fields.mapping(value, path)
        low = self.fields.number(span.get("start"), f"{path}.start", FIRST_PORT, LAST_PORT)
        high = self.fields.number(span.get("end"), f"{path}.end", FIRST_PORT, LAST_PORT)
        if high < low:
            raise self.fields.wrong(path, f"ends at {high}, below its start {low}", "start below end")
        return PortMatch(protocol, low, high)

    def _port(self, value: Any, path: str) -> PortMatch:
        entry = self.fields.mapping(value, path)
        field = self.fields.only(entry, path, ("portNumber", "portRange", "namedPort"))
        if field is None:
            raise _UnknownFieldError(path)
        if field == "namedPort":
            return PortMatch("", name=self.fields.text(entry[field], f"{path}.{field}"))
        inner = self.fields.mapping(entry[field], f"{path}.{field}")
        protocol = self.fields.text(inner.get("protocol", "TCP"), f"{path}.{field}.protocol", PROTOCOLS)
        if field == "portRange":
            return self._range(protocol, inner, f"{path}.{field}")
        number = self.fields.number(inner.get("port"), f"{path}.{field}.port", FIRST_PORT, LAST_PORT)
        return PortMatch(protocol, number, number)
