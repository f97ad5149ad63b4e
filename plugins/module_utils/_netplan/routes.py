# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""A node's routes: those that lead to networks around the cluster, and which of these overlap its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._errors import listed
from ansible_collections.netops.kubernetes.plugins.module_utils._netplan.errors import NetworkError
from ansible_collections.netops.kubernetes.plugins.module_utils._netplan.ranges import (
    OWN_DEVICES,
    Range,
    clashes,
    network,
    within,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._netplan.ranges import Network

# Who made a route, as ip(8) names it, or the number behind the name: Calico's BIRD, and Felix itself
# (github.com/projectcalico/calico, felix/dataplane/linux).
CALICO_PROTOCOLS = frozenset({"bird", "12", "80"})
# Default routes, and the parts that a VPN lays over them so that they stay (openvpn(8), redirect-gateway).
DEFAULT_LENGTHS = {4: 1, 6: 4}


@dataclass(frozen=True)
class Host:
    """A node that is to have a CNI, or has it.

    :param shared: networks of routes that may overlap, since the cluster's own were taken out of them.
    :param serves: whether the CNI is at work here already.
    """

    name: str
    shared: Collection[str] = field(default_factory=frozenset)
    serves: bool = False


def routes_around(
    routes: Iterable[Mapping[str, Any]], clusters: Sequence[Network], node_addresses: Collection[str]
) -> Iterator[tuple[Mapping[str, Any], Range]]:
    """The routes that are not a CNI's, each with what it is and where it leads.

    A CNI's lead over a device of its own; or into a network of the cluster, by another node or by the CNI's protocol.
    Default routes lead everywhere and overlap nothing.

    :param routes: each with ``network`` and ``device``, and ``gateway`` and ``protocol`` where they are known.
    :param clusters: the networks of pods and Services.
    :param node_addresses: of all nodes.
    :raises NetworkError: a route's network is none.
    """
    for route in routes:
        device = str(route.get("device") or "")
        if OWN_DEVICES.fullmatch(device):
            continue
        where = f" of node {route['node']}" if route.get("node") else ""
        what = f"route{where} on {device or 'an unnamed device'}"
        found = network(what, route.get("network"))
        is_cnis = route.get("gateway") in node_addresses or route.get("protocol") in CALICO_PROTOCOLS
        if found.prefixlen > DEFAULT_LENGTHS[found.version] and not (is_cnis and within(found, clusters)):
            yield route, Range(what, found, "around")


def networks_of_cluster(pods: Sequence[str], services: Sequence[str]) -> list[Range]:
    """The networks of pods and Services.

    :raises NetworkError: one is none.
    """
    ranges = [Range("pod network", network("pod network", cidr), "cluster") for cidr in pods]
    return ranges + [Range("Service network", network("Service network", cidr), "cluster") for cidr in services]


def require_apart(host: Host, clusters: Iterable[Range], around: Iterable[Range]) -> list[str]:
    """Require a node without routes into the networks of pods and Services that are not a CNI's.

    Where the CNI is at work already such a route is a warning: whoever changes something else is not to be stopped.

    :param around: where its routes lead that are not a CNI's, as :func:`routes_around` tells.
    :returns: warnings.
    :raises NetworkError: a shared network is none, or a route overlaps; the text names every one that does.
    """
    shared = {network("shared route", cidr) for cidr in host.shared}
    found = clashes([*clusters, *(one for one in around if one.network not in shared)])
    if not found:
        return []
    if host.serves:
        return [f"host '{host.name}': {listed(found)}"]
    raise NetworkError(
        f"host '{host.name}'",
        listed(found),
        "pod and Service networks of their own, into which no host has a route yet",
        "Choose another network for the cluster, or take the route away; a route to a wide network out of which the "
        "cluster's was taken may be named in cni_shared_routes",
    )
