# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Cilium's agent refuses of a CiliumClusterwideNetworkPolicy though the API server takes it.

Written from the conditions of ``Validate`` in Cilium's pkg/policy/api, sharing nothing with what makes the policies.
"""

from __future__ import annotations

import ipaddress
from itertools import combinations
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# IngressCommonRule; EgressCommonRule and, of EgressRule, the names. No two of them may stand in one rule.
PEERS = {
    "ingress": ("fromEndpoints", "fromCIDR", "fromCIDRSet", "fromEntities", "fromNodes", "fromGroups"),
    "egress": (
        *("toEndpoints", "toCIDR", "toCIDRSet", "toEntities"),
        *("toServices", "toGroups", "toNodes", "toFQDNs"),
    ),
}
# EntitySelectorMapping.
ENTITIES = {
    *("all", "world", "world-ipv4", "world-ipv6", "cluster", "host", "remote-node", "kube-apiserver"),
    *("init", "ingress", "unmanaged", "none", "health"),
}
PROTOCOLS = {"TCP", "UDP", "SCTP", "ICMP", "ICMPV6", "VRRP", "IGMP", "ANY"}
MOST_PORTS = 40
LAST_PORT = 65535


def refusals(policy: Mapping[str, Any]) -> list[str]:
    """Why the agent would refuse a policy; nothing where it takes it."""
    rules = policy.get("specs") or [policy["spec"]]
    return [f"specs[{number}]: {text}" for number, rule in enumerate(rules) for text in _rule(rule)]


def _rule(rule: Mapping[str, Any]) -> Iterator[str]:
    if not any(rule.get(section) for section in ("ingress", "ingressDeny", "egress", "egressDeny")):
        yield "rule must have at least one of Ingress, IngressDeny, Egress, EgressDeny"
    if ("endpointSelector" in rule) == ("nodeSelector" in rule):
        yield "rule must have one of EndpointSelector or NodeSelector"
    for direction, members in PEERS.items():
        for place, one in enumerate(rule.get(direction) or []):
            for text in _section(one, members):
                yield f"{direction}[{place}]: {text}"


def _section(rule: Mapping[str, Any], members: tuple[str, ...]) -> Iterator[str]:
    unknown = set(rule) - {*members, "toPorts", "icmps", "authentication"}
    if unknown:
        yield f"unknown fields {sorted(unknown)}"
    for one, other in combinations([name for name in members if rule.get(name)], 2):
        yield f"combining {one} and {other} is not supported yet"
    for name in members:
        if name.endswith("Entities"):
            yield from (f"unsupported entity: {one}" for one in rule.get(name) or [] if one not in ENTITIES)
        if name.endswith("CIDRSet"):
            for block in rule.get(name) or []:
                yield from _block(block)
    for ports in rule.get("toPorts") or []:
        yield from _ports(ports)


def _block(block: Mapping[str, Any]) -> Iterator[str]:
    network = ipaddress.ip_network(block["cidr"], strict=False)
    for text in block.get("except") or []:
        hole = ipaddress.ip_network(text, strict=False)
        if hole.version != network.version or hole.network_address not in network or hole.prefixlen < network.prefixlen:
            yield f"allow CIDR prefix {network} does not contain exclude CIDR prefix {hole}"


def _ports(ports: Mapping[str, Any]) -> Iterator[str]:
    if len(ports["ports"]) > MOST_PORTS:
        yield f"too many ports, the max is {MOST_PORTS}"
    for one in ports["ports"]:
        text = one.get("port", "")
        if not isinstance(text, str) or not text:
            yield f"port must be specified as a text: {text!r}"
        elif text.isdigit() and int(text) > LAST_PORT:
            yield f"unable to parse port: {text}"
        if one.get("protocol", "ANY") not in PROTOCOLS:
            yield f"invalid protocol {one['protocol']}"
