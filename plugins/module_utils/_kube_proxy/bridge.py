# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""A second data plane that serves Services while kube-proxy has none, for the seconds of a switch.

A kube-proxy that starts in mode nftables, or leaves it, first removes the other mode's rules and writes its own when it
has read the API (platformCleanup of cmd/kube-proxy/app/server_linux.go, Kubernetes 1.36); in between no Service answers
on its node. The bridge is a table of nftables behind kube-proxy's rules: the kernel asks the next chain only while a
connection has no translation yet (nf_nat_inet_fn of net/netfilter/nf_nat_core.c), so it serves what nobody else does.
Its entrances expire by themselves; a switch that dies in the middle leaves nothing that could serve stale end points.
With it, the addresses that mode ipvs has on its link stay the node's own when the link goes.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy import addresses, node, services
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.leftovers import (
    BRIDGE_TABLE,
    BRIDGE_TABLES,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._node.process import exists, require, run

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.services import Server

    # The name of a chain, what it serves, and where it leads.
    Entrance = tuple[str, Server, list[str]]

# Chains of this table come right after those of other programs at the same hook.
BEHIND = 10


@dataclass(frozen=True)
class Family:
    """How nftables names things of one address family."""

    table: str
    address: str
    version: int


FAMILIES = (Family("ip", "ipv4_addr", 4), Family("ip6", "ipv6_addr", 6))


def render(servers: Iterable[Server], pod_cidrs: Sequence[str], seconds: int) -> str:
    """The transaction that makes the bridge anew; for nft's standard input.

    :param servers: what the node must serve.
    :param pod_cidrs: traffic from here keeps its source address, as kube-proxy lets it.
    :param seconds: how long the entrances live.
    """
    known = list(servers)
    mark = _mark(known, pod_cidrs)
    lines: list[str] = []
    for family in FAMILIES:
        own = [(server, ends) for server in known if (ends := _ends(server, family))]
        lines += [f"table {family.table} {BRIDGE_TABLE}", f"delete table {family.table} {BRIDGE_TABLE}"]
        if own:
            pods = [cidr for cidr in pod_cidrs if ip_network(cidr).version == family.version]
            lines += [
                f"table {family.table} {BRIDGE_TABLE} {{",
                *_body(family, own, pods, seconds),
                f"chain {mark} {{ }}",
                "}",
            ]
    return "".join(f"{line}\n" for line in lines)


def _ends(server: Server, family: Family) -> list[str]:
    """Where a server leads in this family; none where it is of the other one."""
    if server.address and (":" in server.address) != (family.version == 6):
        return []
    return sorted(end for end in server.must or server.may if end.startswith("[") == (family.version == 6))


def _body(family: Family, own: Sequence[tuple[Server, list[str]]], pods: Sequence[str], seconds: int) -> Iterator[str]:
    # Two Services may claim the same external address and port; the first has it, as with kube-proxy.
    first = {_where(server): (server, ends) for server, ends in reversed(own)}
    entrances = [(f"s{number}", server, ends) for number, (server, ends) in enumerate(first.values())]
    yield from _entrances(family, entrances, seconds)
    yield "chain services {"
    yield f"{family.table} daddr . meta l4proto . th dport vmap @services"
    yield "fib daddr type local meta l4proto . th dport vmap @node_ports"
    yield "}"
    for hook, priority in (("prerouting", -100), ("output", -100)):
        yield f"chain {hook} {{ type nat hook {hook} priority {priority + BEHIND}; jump services; }}"
    yield f"chain postrouting {{ type nat hook postrouting priority {100 + BEHIND};"
    yield from _masquerading(family, entrances, pods)
    yield "}"


def _entrances(family: Family, entrances: Sequence[Entrance], seconds: int) -> Iterator[str]:
    """What leads to the end points: a chain for each entrance, and the maps that lead there as long as they live."""
    for chain, server, ends in entrances:
        yield f"chain {chain} {{ meta l4proto {server.protocol.lower()} dnat to {_choice(ends)}; }}"
    keys = "inet_proto . inet_service"
    for name, kind in (("services", f"{family.address} . {keys}"), ("node_ports", keys)):
        some = [one for one in entrances if bool(one[1].address) == (name == "services")]
        leads = [f"{_where(server)} timeout {seconds}s : goto {chain}" for chain, server, _ends_of in some]
        yield f"map {name} {{ type {kind} : verdict; flags timeout; {_elements(leads)} }}"


def _masquerading(family: Family, entrances: Sequence[Entrance], pods: Sequence[str]) -> Iterator[str]:
    """Whose answers must come back this way: an end point's that asks for itself, and everybody's but the pods'."""
    servers = [one[1] for one in entrances]
    ends = sorted({end.rpartition(":")[0].strip("[]") for one in entrances for end in one[2]})
    itself = ", ".join(f"{end} . {end}" for end in ends)
    yield f"ct status dnat {family.table} saddr . {family.table} daddr {{ {itself} }} masquerade"
    others = f"{family.table} saddr != {{ {', '.join(pods)} }} " if pods else ""
    fixed = ", ".join(sorted({server.address for server in servers if server.address}))
    if fixed:
        yield f"{others}ct status dnat ct original {family.table} daddr {{ {fixed} }} masquerade"
    for protocol in sorted({server.protocol.lower() for server in servers if not server.address}):
        found = [one for one in servers if not one.address and one.protocol.lower() == protocol]
        ports = ", ".join(str(server.port) for server in found)
        yield f"{others}meta l4proto {protocol} ct status dnat ct original proto-dst {{ {ports} }} masquerade"


def _elements(elements: Sequence[str]) -> str:
    return f"elements = {{ {', '.join(elements)} }}" if elements else ""


def _where(server: Server) -> str:
    place = f"{server.address} . " if server.address else ""
    return f"{place}{server.protocol.lower()} . {server.port}"


def _choice(ends: Sequence[str]) -> str:
    """One of the end points, each as likely as the others."""
    split = [end.rsplit(":", 1) for end in ends]
    listed = ", ".join(f"{number} : {host.strip('[]')} . {port}" for number, (host, port) in enumerate(split))
    return f"numgen random mod {len(ends)} map {{ {listed} }}"


def _mark(servers: Sequence[Server], pod_cidrs: Sequence[str]) -> str:
    """The name of an empty chain that tells which Services a bridge was made for."""
    said = [(one.protocol, one.address, one.port, sorted(one.must or one.may)) for one in servers]
    return f"made-for-{hashlib.sha256(repr((sorted(said), sorted(pod_cidrs))).encode()).hexdigest()[:16]}"


# ---- on the node ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Bridged:
    """What became of it.

    :param reason: why there is no bridge; empty where there is one or none was asked for.
    """

    changed: bool
    reason: str = ""
    before: str = ""
    after: str = ""

    @property
    def diff(self) -> dict[str, str]:
        return {"before": self.before, "after": self.after}


def bring(asked: Mapping[str, Any], *, check: bool) -> Bridged:
    """All that the module ``kube_proxy_bridge`` does.

    :param asked: its options.
    :raises NodeError: nft fails.
    """
    if asked["state"] == "absent":
        return remove(check=check)
    if asked["mode"] and node.ask(node.MODE) == asked["mode"]:
        return Bridged(False)
    wanted = services.servers(asked["services"], asked["node_name"])
    return build(wanted, asked["pod_cidrs"], asked["lifetime"], check=check)


def build(servers: Sequence[Server], pod_cidrs: Sequence[str], seconds: int, *, check: bool) -> Bridged:
    """Make the bridge, or renew it.

    :param check: ask nft alone whether it would take the rules.
    """
    if not exists("nft"):
        return Bridged(False, "nft is not installed on this node")
    script = render(servers, pod_cidrs, seconds)
    changed = _mark(servers, pod_cidrs) not in run(["nft", "list", "chains"]).stdout
    done = run(["nft", *(["--check"] if check else []), "--file", "-"], stdin=script)
    if done.returncode != 0:
        return Bridged(False, f"nft does not take its rules: {done.stderr.strip().splitlines()[0]}")
    kept = addresses.keep(check=check)
    lines = [f"{BRIDGE_TABLE}: {len(servers)} ports of Services\n"] if changed else []
    lines += [f"local route {address}\n" for address in kept]
    return Bridged(bool(lines), after="".join(lines))


def remove(*, check: bool) -> Bridged:
    """Take the bridge away where there is one."""
    there, kept = node.nft_tables(*BRIDGE_TABLES), addresses.kept()
    lines = [f"nftables table {family} {name}\n" for family, name in there]
    lines += [f"local route {address}\n" for address in kept]
    if not check:
        for family, name in there:
            require(["nft", "delete", "table", family, name])
        if kept:
            addresses.release()
    return Bridged(bool(lines), before="".join(lines))
