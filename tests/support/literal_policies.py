# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Policies taken at their word, one pair of pods at a time: slow, and sharing nothing with the collection.

Written from the API's documentation alone, on the objects as they are: no classes, no sets, no parsing. It exists to
disagree with the collection's evaluator where one of them is wrong.
"""

from __future__ import annotations

import ipaddress
from itertools import groupby
from typing import Any, Optional

Object = dict[str, Any]
NAME = "kubernetes.io/metadata.name"


def labels_match(selector: Object, labels: dict[str, str]) -> bool:
    for key, value in (selector.get("matchLabels") or {}).items():
        if labels.get(key) != value:
            return False
    for term in selector.get("matchExpressions") or []:
        value = labels.get(term["key"])
        met = {
            "In": value is not None and value in (term.get("values") or []),
            "NotIn": value is None or value not in (term.get("values") or []),
            "Exists": value is not None,
            "DoesNotExist": value is None,
        }[term["operator"]]
        if not met:
            return False
    return True


class LiteralCluster:
    """A cluster as a list of objects.

    :param hosts_are_pods: the first of the two possibilities that the documentation leaves for pods on their node's
        network: they are like any other. Otherwise they are their node's address.
    """

    def __init__(self, objects: list[Object], family: int, *, hosts_are_pods: bool) -> None:
        self.family = family
        self.hosts_are_pods = hosts_are_pods
        self.of = {
            kind: [one for one in objects if one["kind"] == kind]
            for kind in (
                *("Pod", "Namespace", "Node", "NetworkPolicy"),
                *("ClusterNetworkPolicy", "AdminNetworkPolicy", "BaselineAdminNetworkPolicy"),
            )
        }
        self.namespaces = {
            one["metadata"]["name"]: {**(one["metadata"].get("labels") or {}), NAME: one["metadata"]["name"]}
            for one in self.of["Namespace"]
        }

    def pods(self) -> list[Object]:
        return [one for one in self.of["Pod"] if self.address(one)]

    def address(self, pod: Object) -> Optional[str]:
        for entry in pod["status"]["podIPs"]:
            if ipaddress.ip_address(entry["ip"]).version == self.family:
                return str(entry["ip"])
        return None

    # ---- one connection --------------------------------------------------------------------------------------

    def outcomes(self, source: Any, destination: Any, protocol: str, port: int) -> set[bool]:
        """Every answer that an implementation may give; ends are pods, or addresses outside of the cluster."""
        if source is destination:
            return {True}
        for one, other in ((source, destination), (destination, source)):
            if isinstance(one, dict) and isinstance(other, dict):
                same_node = one["spec"].get("nodeName") and one["spec"]["nodeName"] == other["spec"].get("nodeName")
                if same_node and other["spec"].get("hostNetwork") and not one["spec"].get("hostNetwork"):
                    return {True}
        out = self.direction("egress", source, destination, destination, protocol, port)
        into = self.direction("ingress", destination, source, destination, protocol, port)
        return {one and other for one in out for other in into}

    def direction(self, way: str, subject: Any, peer: Any, destination: Any, protocol: str, port: int) -> set[bool]:
        if not isinstance(subject, dict):
            return {True}
        connection = (peer, destination, protocol, port)
        results: set[bool] = set()
        for admin in self.tier("Admin", way, subject, connection):
            if admin in {"Accept", "Deny"}:
                results.add(admin == "Accept")
                continue
            selecting = [one for one in self.of["NetworkPolicy"] if self.isolates(one, way, subject)]
            if selecting:
                results.add(any(self.admits(one, way, connection) for one in selecting))
                continue
            for last in self.tier("Baseline", way, subject, connection):
                results.add(last != "Deny")
        return results

    # ---- NetworkPolicy ---------------------------------------------------------------------------------------

    def is_ordinary(self, end: Any) -> bool:
        return isinstance(end, dict) and (self.hosts_are_pods or not end["spec"].get("hostNetwork"))

    def isolates(self, policy: Object, way: str, pod: Object) -> bool:
        spec = policy["spec"]
        types = spec.get("policyTypes") or (["Ingress", "Egress"] if spec.get("egress") else ["Ingress"])
        return (
            way.capitalize() in types
            and self.is_ordinary(pod)
            and pod["metadata"]["namespace"] == policy["metadata"]["namespace"]
            and labels_match(spec.get("podSelector") or {}, pod["metadata"].get("labels") or {})
        )

    def admits(self, policy: Object, way: str, connection: tuple[Any, Any, str, int]) -> bool:
        peer, destination, protocol, port = connection
        home = policy["metadata"]["namespace"]
        for rule in policy["spec"].get(way) or []:
            peers = rule.get("from" if way == "ingress" else "to")
            if peers and not any(self.is_peer(one, peer, home) for one in peers):
                continue
            ports = rule.get("ports")
            if not ports or any(self.is_port(one, destination, protocol, port) for one in ports):
                return True
        return False

    def is_peer(self, entry: Object, end: Any, home: str) -> bool:
        block = entry.get("ipBlock")
        if block is not None:
            return self.in_network(block["cidr"], end) and not any(
                self.in_network(one, end) for one in block.get("except") or []
            )
        if not self.is_ordinary(end):
            return False
        namespace = end["metadata"]["namespace"]
        if entry.get("namespaceSelector") is None:
            in_place = namespace == home
        else:
            in_place = labels_match(entry["namespaceSelector"], self.namespaces[namespace])
        return in_place and labels_match(entry.get("podSelector") or {}, end["metadata"].get("labels") or {})

    def in_network(self, cidr: str, end: Any) -> bool:
        address = self.address(end) if isinstance(end, dict) else str(end)
        return address is not None and ipaddress.ip_address(address) in ipaddress.ip_network(cidr, strict=False)

    def is_port(self, entry: Object, destination: Any, protocol: str, port: int) -> bool:
        if entry.get("protocol", "TCP") != protocol:
            return False
        if "port" not in entry:
            return True
        wanted = entry["port"]
        if isinstance(wanted, str):
            return port in self.named(destination, wanted, protocol)
        low, high = wanted, entry.get("endPort") or wanted
        return bool(low <= port <= high)

    def named(self, destination: Any, name: str, protocol: str) -> list[int]:
        if not isinstance(destination, dict):
            return []
        return [
            one["containerPort"]
            for container in destination["spec"]["containers"]
            for one in container.get("ports") or []
            if one.get("name") == name and one.get("protocol", "TCP") == protocol
        ]

    # ---- cluster-wide policies -------------------------------------------------------------------------------

    def tier(self, tier: str, way: str, pod: Object, connection: tuple[Any, Any, str, int]) -> set[str]:
        """What a tier may do: Accept, Deny, or Pass, which stands for no decision too."""
        if pod["spec"].get("hostNetwork"):
            return {"Pass"}
        found = [
            (one["spec"]["priority"], one) for one in self.of["ClusterNetworkPolicy"] if one["spec"]["tier"] == tier
        ]
        if tier == "Admin":
            found += [(one["spec"]["priority"], one) for one in self.of["AdminNetworkPolicy"]]
        else:
            found += [(100000, one) for one in self.of["BaselineAdminNetworkPolicy"]]
        found.sort(key=lambda pair: pair[0])
        for _priority, group in groupby(found, key=lambda pair: pair[0]):
            actions = {
                action
                for _same, policy in group
                if self.is_cluster_peer(policy["spec"]["subject"], pod)
                for action in self.first_action(policy, way, connection)
            }
            if actions:
                return actions
        return {"Pass"}

    def first_action(self, policy: Object, way: str, connection: tuple[Any, Any, str, int]) -> list[str]:
        peer, destination, protocol, port = connection
        side = "from" if way == "ingress" else "to"
        for rule in policy["spec"].get(way) or []:
            entries = rule.get("protocols", rule.get("ports"))
            if any(self.is_cluster_peer(one, peer) for one in rule[side]) and (
                entries is None or any(self.is_cluster_port(one, destination, protocol, port) for one in entries)
            ):
                return ["Accept" if rule["action"] == "Allow" else rule["action"]]
        return []

    def is_cluster_peer(self, entry: Object, end: Any) -> bool:
        if "networks" in entry:
            return any((":" in one) == (self.family == 6) and self.in_network(one, end) for one in entry["networks"])
        if not isinstance(end, dict) or end["spec"].get("hostNetwork"):
            return False
        labels = end["metadata"].get("labels") or {}
        of_namespace = self.namespaces[end["metadata"]["namespace"]]
        if "namespaces" in entry:
            return labels_match(entry["namespaces"], of_namespace)
        both = entry["pods"]
        return labels_match(both.get("namespaceSelector") or {}, of_namespace) and labels_match(
            both["podSelector"], labels
        )

    def is_cluster_port(self, entry: Object, destination: Any, protocol: str, port: int) -> bool:
        name = entry.get("destinationNamedPort", entry.get("namedPort"))
        if name is not None:
            return port in self.named(destination, name, protocol)
        if "portNumber" in entry:
            return bool(entry["portNumber"].get("protocol", "TCP") == protocol and entry["portNumber"]["port"] == port)
        if "portRange" in entry:
            span = entry["portRange"]
            return bool(span.get("protocol", "TCP") == protocol and span["start"] <= port <= span["end"])
        inner = entry.get(protocol.lower())
        if inner is None:
            return False
        wanted = inner.get("destinationPort")
        if wanted is None:
            return True
        if "number" in wanted:
            return bool(wanted["number"] == port)
        return bool(wanted["range"]["start"] <= port <= wanted["range"]["end"])
