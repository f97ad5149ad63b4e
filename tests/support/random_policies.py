# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small clusters at random, from few labels, ports and networks, so that policies meet, overlap and contradict."""

from __future__ import annotations

import random
from typing import Any

Object = dict[str, Any]
KEYS, VALUES = ("app", "tier"), ("a", "b", "")
PORTS = (53, 80, 81, 8080, 65535)
NAMES = ("http", "dns")
PROTOCOLS = ("TCP", "UDP", "SCTP")
OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")
BLOCKS = {
    4: ("0.0.0.0/0", "10.0.0.0/8", "10.0.1.0/24", "10.0.1.2/32", "10.0.2.0/25", "192.0.2.0/24", "198.51.100.0/24"),
    6: ("::/0", "fd00::/16", "fd00:1::/32", "fd00:1::2/128", "2001:db8::/32"),
}
# Blocks without pods in them: for some evaluators a block never means pods.
BLOCKS_OUTSIDE = ("192.0.2.0/24", "198.51.100.0/24", "198.51.100.0/28", "198.51.100.7/32", "10.9.0.0/16", "128.0.0.0/1")
OUTSIDE = {4: ("198.51.100.7", "10.9.9.9", "203.0.113.5"), 6: ("2001:db8::7", "fd00:9::9", "2001:db9::1")}


class RandomCluster:
    """Objects made from one seed.

    :param simple: only what every evaluator of NetworkPolicies knows and reads alike: IPv4, no pods on their node's
        network, no cluster-wide policies, written types, no empty label values, no blocks with pods in them, and pods
        of other namespaces by In and NotIn alone (network-config-analyzer 2.1.0 looks for Exists and DoesNotExist in
        the policy's own namespace whatever the peer's namespaceSelector says).
    """

    def __init__(self, seed: int, *, simple: bool = False) -> None:
        self.pick = random.Random(seed)  # noqa: S311 - the same clusters each time, no secret
        self.simple = simple
        self.families = (4,) if simple else self.pick.choice(((4,), (4, 6), (6,)))

    def chance(self, share: float) -> bool:
        return self.pick.random() < share

    def some(self, values: Any, low: int, high: int) -> list[Any]:
        return [self.pick.choice(values) for _one in range(self.pick.randint(low, high))]

    def labels(self) -> dict[str, str]:
        values = VALUES[:2] if self.simple else VALUES
        return {key: self.pick.choice(values) for key in KEYS if self.chance(0.6)}

    def objects(self) -> list[Object]:
        spaces = [f"n{number}" for number in range(self.pick.randint(1, 3))]
        found: list[Object] = [
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": self.labels()}}
            for name in spaces
        ]
        for number, space in enumerate(spaces, start=1):
            found += [self.pod(space, number, place) for place in range(1, self.pick.randint(2, 4))]
        found += [self.network_policy(self.pick.choice(spaces), number) for number in range(self.pick.randint(0, 4))]
        if not self.simple and self.chance(0.6):
            found += [self.cluster_policy(number) for number in range(self.pick.randint(0, 3))]
            found += [self.admin_policy(number) for number in range(self.pick.randint(0, 1))]
            found += [self.baseline_policy()] if self.chance(0.3) else []
        return found

    def pod(self, space: str, number: int, place: int) -> Object:
        host = not self.simple and self.chance(0.15)
        node = self.pick.randint(1, 2)
        v4 = f"192.0.2.{node}" if host else f"10.0.{number}.{place}"
        v6 = f"2001:db8::{node}" if host else f"fd00:{number}::{place}"
        ports = [
            {"name": name, "containerPort": self.pick.choice(PORTS), "protocol": self.pick.choice(PROTOCOLS)}
            for name in NAMES
            if self.chance(0.5)
        ]
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": f"p{place}", "namespace": space, "labels": self.labels()},
            "spec": {
                "nodeName": f"node{node}",
                "containers": [{"name": "c", "image": "i", "ports": ports}],
                **({"hostNetwork": True} if host else {}),
            },
            "status": {"podIPs": [{"ip": v4 if family == 4 else v6} for family in self.families]},
        }

    # ---- parts of policies -----------------------------------------------------------------------------------

    def selector(self, operators: tuple[str, ...] = OPERATORS) -> Object:
        found: Object = {}
        values = VALUES[:2] if self.simple else VALUES
        if self.chance(0.4):
            found["matchLabels"] = {self.pick.choice(KEYS): self.pick.choice(values)}
        if self.chance(0.4):
            found["matchExpressions"] = [self.expression(values, operators) for _one in range(self.pick.randint(1, 2))]
        return found

    def expression(self, values: tuple[str, ...], operators: tuple[str, ...]) -> Object:
        operator = self.pick.choice(operators)
        term = {"key": self.pick.choice(KEYS), "operator": operator}
        if operator in {"In", "NotIn"}:
            return {**term, "values": sorted(set(self.some(values, 1, 2)))}
        return term

    def peer(self) -> Object:
        if self.chance(0.35):
            family = self.pick.choice(self.families)
            blocks = BLOCKS_OUTSIDE if self.simple else BLOCKS[family]
            block: Object = {"cidr": self.pick.choice(blocks)}
            # Exceptions lie within their block, or the API server refuses them.
            length = int(block["cidr"].partition("/")[2])
            inner = [one for one in blocks if int(one.partition("/")[2]) > length and within(one, block["cidr"])]
            if inner and self.chance(0.5):
                block["except"] = [self.pick.choice(inner)]
            return {"ipBlock": block}
        found: Object = {}
        if self.chance(0.6):
            found["namespaceSelector"] = self.selector()
        if not found or self.chance(0.6):
            found["podSelector"] = self.selector(OPERATORS[:2] if self.simple and found else OPERATORS)
        return found

    def port(self) -> Object:
        found: Object = {}
        if self.chance(0.7):
            found["protocol"] = self.pick.choice(PROTOCOLS)
        if self.chance(0.25):
            found["port"] = self.pick.choice(NAMES)
        elif self.chance(0.8):
            found["port"] = self.pick.choice(PORTS)
            if self.chance(0.3):
                found["endPort"] = self.pick.randint(found["port"], 65535)
        return found

    def network_policy(self, space: str, number: int) -> Object:
        spec: Object = {"podSelector": self.selector()}
        for way, side in (("ingress", "from"), ("egress", "to")):
            if self.chance(0.7):
                spec[way] = [self.rule(side) for _one in range(self.pick.randint(0, 2))]
        if self.simple:
            spec["policyTypes"] = [way.capitalize() for way in ("ingress", "egress") if way in spec] or ["Ingress"]
        elif self.chance(0.6):
            spec["policyTypes"] = self.pick.choice((["Ingress"], ["Egress"], ["Ingress", "Egress"]))
        metadata = {"name": f"np{number}", "namespace": space}
        return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}

    def rule(self, side: str) -> Object:
        found: Object = {}
        if self.chance(0.8):
            found[side] = [self.peer() for _one in range(self.pick.randint(1, 2))]
        if self.chance(0.6):
            found["ports"] = [self.port() for _one in range(self.pick.randint(1, 2))]
        return found

    def pods(self) -> Object:
        if self.chance(0.5):
            return {"namespaces": self.selector()}
        return {"pods": {"namespaceSelector": self.selector(), "podSelector": self.selector()}}

    def cluster_peer(self, side: str) -> Object:
        if side == "to" and self.chance(0.35):
            return {"networks": sorted(set(self.some(BLOCKS[self.pick.choice(self.families)], 1, 2)))}
        return self.pods()

    def protocol(self) -> Object:
        if self.chance(0.2):
            return {"destinationNamedPort": self.pick.choice(NAMES)}
        name = self.pick.choice(PROTOCOLS).lower()
        if self.chance(0.3):
            return {name: {}}
        if self.chance(0.6):
            return {name: {"destinationPort": {"number": self.pick.choice(PORTS)}}}
        low = self.pick.choice(PORTS[:-1])
        return {name: {"destinationPort": {"range": {"start": low, "end": self.pick.randint(low + 1, 65535)}}}}

    def cluster_rules(self, side: str, actions: tuple[str, ...], field: str) -> list[Object]:
        found = []
        for _one in range(self.pick.randint(0, 2)):
            rule: Object = {"action": self.pick.choice(actions)}
            rule[side] = [self.cluster_peer(side) for _two in range(self.pick.randint(1, 2))]
            if self.chance(0.5):
                make = self.protocol if field == "protocols" else self.admin_port
                rule[field] = [make() for _two in range(self.pick.randint(1, 2))]
            found.append(rule)
        return found

    def admin_port(self) -> Object:
        protocol = self.pick.choice(PROTOCOLS)
        if self.chance(0.3):
            return {"namedPort": self.pick.choice(NAMES)}
        if self.chance(0.5):
            return {"portNumber": {"protocol": protocol, "port": self.pick.choice(PORTS)}}
        low = self.pick.choice(PORTS[:-1])
        return {"portRange": {"protocol": protocol, "start": low, "end": self.pick.randint(low + 1, 65535)}}

    def cluster_policy(self, number: int) -> Object:
        actions = ("Accept", "Deny", "Pass")
        spec = {
            "tier": self.pick.choice(("Admin", "Baseline")),
            "priority": self.pick.randint(0, 2),
            "subject": self.pods(),
            "ingress": self.cluster_rules("from", actions, "protocols"),
            "egress": self.cluster_rules("to", actions, "protocols"),
        }
        return wide("ClusterNetworkPolicy", "v1alpha2", f"cnp{number}", spec)

    def admin_policy(self, number: int) -> Object:
        actions = ("Allow", "Deny", "Pass")
        spec = {
            "priority": self.pick.randint(0, 2),
            "subject": self.pods(),
            "ingress": self.cluster_rules("from", actions, "ports"),
            "egress": self.cluster_rules("to", actions, "ports"),
        }
        return wide("AdminNetworkPolicy", "v1alpha1", f"anp{number}", spec)

    def baseline_policy(self) -> Object:
        actions = ("Allow", "Deny")
        spec = {
            "subject": self.pods(),
            "ingress": self.cluster_rules("from", actions, "ports"),
            "egress": self.cluster_rules("to", actions, "ports"),
        }
        return wide("BaselineAdminNetworkPolicy", "v1alpha1", "default", spec)


def wide(kind: str, version: str, name: str, spec: Object) -> Object:
    version = f"policy.networking.k8s.io/{version}"
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": spec}


def within(inner: str, outer: str) -> bool:
    import ipaddress

    small, large = ipaddress.ip_network(inner), ipaddress.ip_network(outer)
    return small.network_address in large
