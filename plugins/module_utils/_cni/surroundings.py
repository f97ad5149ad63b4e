# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""The networks around a node, as a CNI meets them: what carries packets between nodes, and where routes lead."""

from __future__ import annotations

import json
import platform
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._netplan.routes import (
    Host,
    networks_of_cluster,
    require_apart,
    routes_around,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._netplan.underlay import Interface, carriers
from ansible_collections.netops.kubernetes.plugins.module_utils._node.process import require

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

# ip's option by family, and what it calls default.
DEFAULTS = {"-4": "0.0.0.0/0", "-6": "::/0"}
# What a kernel has that was not told to leave IPv6 out, which ip(8) would fail to list then.
IPV6 = "/proc/net/if_inet6"


@dataclass(frozen=True)
class Route:
    """A way to a network: packets that take it leave the node.

    :param network: where it leads.
    :param gateway: the next hop; empty where the network is attached to the device.
    :param protocol: who made it, as ip(8) names it; empty where it does not.
    :param table: empty is the main one.
    """

    network: str
    device: str
    gateway: str = ""
    protocol: str = ""
    table: str = ""

    @property
    def planned(self) -> dict[str, str]:
        """As the planner takes routes."""
        return {name: value for name, value in asdict(self).items() if name != "table"}


def default_devices(found: Iterable[Route]) -> set[str]:
    """Where the default routes of the main table lead."""
    return {route.device for route in found if route.network in DEFAULTS.values() and not route.table}


def interfaces_in(listed: Iterable[Mapping[str, Any]]) -> Iterator[Interface]:
    """Interfaces as ``ip -j address show`` lists them; some releases list empty entries too."""
    for one in listed:
        if "ifname" in one:
            told = [str(address["local"]) for address in one.get("addr_info") or [] if "local" in address]
            yield Interface(one["ifname"], one.get("mtu"), frozenset(told))


def routes_in(listed: Iterable[Mapping[str, Any]], family: str) -> Iterator[Route]:
    """Routes as ``ip -j route show`` lists them.

    The node's own addresses are none, nor is what leads to nobody: a blackhole, such as Calico has for its blocks.
    """
    for one in listed:
        if "dst" not in one or one.get("type", "unicast") != "unicast":
            continue
        target = DEFAULTS[family] if one["dst"] == "default" else str(one["dst"])
        # Several ways at the same cost are listed beneath one route.
        for way in one.get("nexthops") or [one]:
            gateway = str(way.get("gateway") or (way.get("via") or {}).get("host") or "")
            table, protocol = str(one.get("table", "")), str(one.get("protocol", ""))
            yield Route(target, str(way.get("dev", "")), gateway, protocol, "" if table == "main" else table)


def surroundings(asked: Mapping[str, Any], *, serves: bool) -> dict[str, Any]:
    """Read this node's interfaces and routes, and require that no route leads into the cluster's networks.

    :param asked: ``pod_cidrs``, ``service_cidrs``, ``node_addresses`` and ``shared_routes``.
    :param serves: whether the CNI is at work on this node already; a route is a warning then.
    :returns: ``underlay``, MTU by interface; ``routes`` to networks around the cluster; ``warnings`` if there are any.
    :raises NetopsError: a route overlaps, a network is none, or ``ip`` refuses.
    """
    addresses = frozenset(asked["node_addresses"])
    found = _routes()
    clusters = networks_of_cluster(asked["pod_cidrs"], asked["service_cidrs"])
    own = [one.network for one in clusters]
    around = list(routes_around([one.planned for one in found], own, addresses))
    host = Host(platform.node(), asked["shared_routes"], serves)
    warnings = require_apart(host, clusters, [one for _route, one in around])
    return {
        "underlay": carriers(interfaces_in(_listed("address", "show")), addresses, default_devices(found)),
        "routes": [{**route, "node": host.name} for route, _range in around],
        **({"warnings": warnings} if warnings else {}),
    }


def _routes() -> list[Route]:
    """The routes of all tables: a VPN may have one of its own."""
    families = [one for one in DEFAULTS if one == "-4" or Path(IPV6).exists()]
    return [one for family in families for one in routes_in(_listed(family, "route", "show", "table", "all"), family)]


def _listed(*words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(require(["ip", "-j", *words]) or "[]")
    return found
