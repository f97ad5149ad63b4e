# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""What a node's kernel serves, read from the tables that kube-proxy wrote, and compared with what it must serve.

Layouts: net/netfilter/ipvs/ip_vs_ctl.c (``/proc/net/ip_vs``) and ipvsadm(8); pkg/proxy/iptables/proxier.go with
iptables-save(8); pkg/proxy/nftables/proxier.go with libnftables-json(5).
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._errors import listed
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.services import ANY, Server, socket

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._node.packetfilter import Table

# Protocol, address (empty for a NodePort) and port.
Key = tuple[str, str, int]


@dataclass(frozen=True)
class VirtualServer:
    """One entry of the IPVS table.

    :param scheduler: its name in the kernel.
    :param real_servers: ``ADDRESS:PORT`` of those that get new connections.
    """

    protocol: str
    address: str
    port: int
    scheduler: str
    real_servers: tuple[str, ...]


# ---- IPVS -----------------------------------------------------------------------------------------------------------


def parse_ip_vs(text: str, *, is_hexadecimal: bool) -> tuple[VirtualServer, ...]:
    """``/proc/net/ip_vs``, or the output of ``ipvsadm -Ln``, which differs in how addresses and ports are written.

    :param is_hexadecimal: it is the former.
    """
    found: list[tuple[str, str, int, str, list[str]]] = []
    for line in text.splitlines():
        words = line.split()
        if len(words) > 2 and words[0] in {"TCP", "UDP", "SCTP"}:
            found.append((words[0], *_socket(words[1], is_hexadecimal), words[2], []))
        elif len(words) > 3 and words[0] == "->" and found and words[3] != "0" and words[3].isdigit():
            # A weight of 0 means that the end point is on its way out and gets nothing new.
            found[-1][4].append(socket(*_socket(words[1], is_hexadecimal)))
    return tuple(VirtualServer(*one[:4], tuple(one[4])) for one in found)


def _socket(word: str, is_hexadecimal: bool) -> tuple[str, int]:
    host, _unused, port = word.rpartition(":")
    if host.startswith("["):
        address = str(ipaddress.ip_address(host[1:-1]))
    elif is_hexadecimal:
        address = str(ipaddress.IPv4Address(int(host, 16)))
    else:
        address = host
    return address, int(port, 16 if is_hexadecimal else 10)


def served_by_ipvs(table: Iterable[VirtualServer], node_ports: Iterable[tuple[str, int]]) -> dict[Key, set[str]]:
    """Where each server leads.

    :param node_ports: protocol and port of the NodePorts: each is a server for every address of the node.
    """
    wanted = set(node_ports)
    served: dict[Key, set[str]] = {}
    for one in table:
        served[one.protocol, one.address, one.port] = set(one.real_servers)
        if (one.protocol, one.port) in wanted:
            served.setdefault((one.protocol, ANY, one.port), set()).update(one.real_servers)
    return served


# ---- iptables -------------------------------------------------------------------------------------------------------

RULE = re.compile(r"-A (\S+)")
TARGET = re.compile(r" -[jg] (\S+)")
DESTINATION = re.compile(r" -d (\S+?)(?:/\d+)? ")
PORT = re.compile(r" --dport (\d+) ")
PROTOCOL = re.compile(r" -p (\w+) ")
DNAT = re.compile(r" --to-destination (\S+)")
ENTRANCES = {"KUBE-SERVICES", "KUBE-NODEPORTS"}


def served_by_iptables(tables: Iterable[Table]) -> dict[Key, set[str]]:
    """Where each server leads, by the rules of table nat."""
    leads: dict[str, set[str]] = defaultdict(set)
    ends: dict[str, set[str]] = defaultdict(set)
    entrances: list[tuple[Key, str]] = []
    for rule in (rule for table in tables if table.name == "nat" for rule in table.rules):
        chain, target = RULE.match(rule), TARGET.search(rule)
        if not chain or not target or not chain[1].startswith("KUBE-"):
            continue
        end, port, protocol = DNAT.search(rule), PORT.search(rule), PROTOCOL.search(rule)
        if end:
            ends[chain[1]].add(end[1])
        elif chain[1] in ENTRANCES and port and protocol:
            place = DESTINATION.search(rule) if chain[1] == "KUBE-SERVICES" else None
            entrances.append(((protocol[1].upper(), place[1] if place else ANY, int(port[1])), target[1]))
        leads[chain[1]].add(target[1])
    return _followed(entrances, leads, ends)


def _followed(
    entrances: Iterable[tuple[Key, str]], leads: Mapping[str, set[str]], ends: Mapping[str, set[str]]
) -> dict[Key, set[str]]:
    known: dict[str, set[str]] = {}

    def follow(chain: str) -> set[str]:
        if chain not in known:
            known[chain] = set(ends.get(chain, ()))
            for target in leads.get(chain, ()):
                known[chain] |= follow(target) if target.startswith(INNER) else set()
        return known[chain]

    served: dict[Key, set[str]] = {}
    for key, chain in entrances:
        served.setdefault(key, set()).update(follow(chain))
    return served


# Chains of one Service or end point, in iptables and nftables; others, such as those that mark, lead nowhere.
INNER = ("KUBE-SVC-", "KUBE-SVL-", "KUBE-SEP-", "KUBE-EXT-", "KUBE-FW-", "service-", "local-", "external-", "endpoint-")


# ---- nftables -------------------------------------------------------------------------------------------------------


def served_by_nftables(listings: Iterable[str]) -> dict[Key, set[str]]:
    """Where each server leads.

    :param listings: the output of ``nft -j list table FAMILY kube-proxy``, one of each family.
    """
    served: dict[Key, set[str]] = {}
    for listing in listings:
        leads: dict[str, set[str]] = defaultdict(set)
        ends: dict[str, set[str]] = defaultdict(set)
        entrances: list[tuple[Key, str]] = []
        for item in json.loads(listing)["nftables"]:
            rule = item.get("rule")
            if rule:
                leads[rule["chain"]] |= set(_targets(rule["expr"]))
                ends[rule["chain"]] |= {end for one in rule["expr"] for end in _dnat(one)}
            entrances += _entrances(item.get("map") or {})
        for key, where in _followed(entrances, leads, ends).items():
            served.setdefault(key, set()).update(where)
    return served


def _entrances(item: Mapping[str, Any]) -> Iterator[tuple[Key, str]]:
    if item.get("name") not in {"service-ips", "service-nodeports"}:
        return
    for key, verdict in item.get("elem") or []:
        # An element with a comment is wrapped.
        words = (key.get("elem", {}).get("val") or key)["concat"]
        place = words if item["name"] == "service-ips" else [ANY, *words]
        for target in _targets(verdict):
            yield (str(place[1]).upper(), str(place[0]), int(place[2])), target


def _targets(value: Any) -> Iterator[str]:
    """Every chain that an expression leads to."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in {"goto", "jump"}:
                yield inner["target"]
            else:
                yield from _targets(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _targets(inner)


def _dnat(expression: Any) -> Iterator[str]:
    """Where an expression sends packets: to one place, or by a number at random to one of a map."""
    target = expression.get("dnat") if isinstance(expression, dict) else None
    if target and "port" in target:
        yield socket(target["addr"], int(target["port"]))
    elif target:
        for _number, place in target["addr"]["map"]["data"]["set"]:
            address, port = place["concat"]
            yield socket(address, int(port))


# ---- what must be, and what is --------------------------------------------------------------------------------------


def problems(wanted: Sequence[Server], served: Mapping[Key, set[str]]) -> list[str]:
    """What the data plane lacks, or has too much of; one line each.

    A Service without end points need not be there: each mode refuses its connections in its own way.
    """
    return [line for server in wanted for line in _problems_of(server, served)]


def _problems_of(server: Server, served: Mapping[Key, set[str]]) -> Iterator[str]:
    seen = served.get((server.protocol, server.address, server.port))
    if not seen:
        if server.must or server.may:
            yield f"{server}: the node serves it not at all; expected {_listed(server.must or server.may)}"
        return
    if server.must - seen:
        yield f"{server}: {_listed(server.must - seen)} is missing"
    if seen - server.may:
        yield f"{server}: {_listed(seen - server.may)} is no end point of it"


def _listed(ends: Iterable[str]) -> str:
    return listed(sorted(ends), 5)


def other_schedulers(wanted: Iterable[Server], table: Iterable[VirtualServer], scheduler: str) -> list[str]:
    """The virtual servers that have another scheduler than the one asked for; one line each.

    Those of other programs are not judged.
    """
    keys = {(server.protocol, server.address, server.port) for server in wanted}
    return [
        f"virtual server {one.protocol} {socket(one.address, one.port)}: its scheduler is {one.scheduler}; expected "
        f"{scheduler}"
        for one in table
        if one.scheduler != scheduler and {(one.protocol, one.address, one.port), (one.protocol, ANY, one.port)} & keys
    ]


def outside(table: Iterable[VirtualServer], exclude_cidrs: Iterable[str]) -> Iterator[VirtualServer]:
    """The virtual servers whose addresses are in none of the networks, as kube-proxy reads ``ipvs.excludeCIDRs``."""
    networks = [ipaddress.ip_network(cidr, strict=False) for cidr in exclude_cidrs]
    for one in table:
        if not any(ipaddress.ip_address(one.address) in network for network in networks):
            yield one
