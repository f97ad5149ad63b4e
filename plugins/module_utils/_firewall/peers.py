# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Who the peers of a node are: named sets of networks, from the inventory and from the user."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Union

from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.errors import PlanError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.plan import Cluster

Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]

ANYWHERE = ("0.0.0.0/0", "::/0")
# Sets that only a user can know. Nobody is in them until they are filled, but for admins: nobody is locked out.
OF_THE_USER = ("load_balancers", "monitoring", "bgp_peers", "remote_clusters")


def members(peer_set: str, cluster: Cluster) -> list[str]:
    """The nodes of one of the sets ``control_plane``, ``etcd`` and ``all_nodes``, by host name."""
    groups = cluster.groups
    control_plane = list(groups.get("kube_control_plane", ()))
    etcd = list(groups.get("etcd", ())) or control_plane
    if peer_set == "control_plane":
        return control_plane
    if peer_set == "etcd":
        return etcd
    return list(dict.fromkeys([*control_plane, *groups.get("kube_node", ()), *etcd]))


def peer_sets(cluster: Cluster) -> dict[str, tuple[str, ...]]:
    """Networks by set, each sorted and merged; a set without anybody is empty.

    :raises PlanError: something is no network, and no host or group of the inventory either.
    """
    sets: dict[str, tuple[str, ...]] = {
        "anywhere": ANYWHERE,
        "admins": ANYWHERE,
        **dict.fromkeys(OF_THE_USER, ()),
        "pods": networks("pods", cluster.pod_cidrs),
    }
    for name in ("all_nodes", "control_plane", "etcd"):
        sets[name] = networks(name, [address for host in members(name, cluster) for address in cluster.addresses[host]])
    for name, entries in (cluster.peers or {}).items():
        sets[name] = networks(name, [word for entry in entries for word in _resolved(name, str(entry), cluster)])
    return sets


def _resolved(name: str, entry: str, cluster: Cluster) -> Sequence[str]:
    """An entry as it is, or the addresses of the host or the group of hosts that it names."""
    hosts = [entry] if entry in cluster.addresses else cluster.groups.get(entry)
    if hosts is None:
        return [entry]
    found = [address for host in hosts for address in cluster.addresses.get(host, ())]
    if not found:
        raise PlanError(
            f"peer set {name!r}",
            f"no address of {entry!r} is known",
            "facts of its hosts, or their host variable ip",
            "Gather the facts of those hosts first, or name networks instead",
        )
    return found


def networks(name: str, entries: Iterable[str]) -> tuple[str, ...]:
    """The networks sorted and merged, as text.

    :param name: the set's, for the error.
    :raises PlanError: one is no network, or has host bits.
    """
    parsed: list[Network] = []
    for entry in entries:
        try:
            parsed.append(ipaddress.ip_network(entry))
        except ValueError as error:
            raise _no_network(name, entry) from error
    return merged(parsed)


def _no_network(name: str, entry: str) -> PlanError:
    expected = "an address, a network without host bits, or a host or group of the inventory"
    try:
        meant = ipaddress.ip_interface(entry)
    except ValueError:
        return PlanError(f"peer set {name!r}", f"{entry!r} is none of these", expected)
    remedy = f"Write {meant.network} for the whole network, or {meant.ip} for the one address"
    return PlanError(f"peer set {name!r}", f"{entry!r} has host bits set", expected, remedy)


def merged(parsed: Iterable[Network]) -> tuple[str, ...]:
    """Networks without overlap, IPv4 first."""
    kept = list(parsed)
    four = ipaddress.collapse_addresses(one for one in kept if isinstance(one, ipaddress.IPv4Network))
    six = ipaddress.collapse_addresses(one for one in kept if isinstance(one, ipaddress.IPv6Network))
    return tuple(str(network) for network in (*sorted(four), *sorted(six)))


def of_version(entries: Iterable[str], version: int) -> list[str]:
    """The networks of one IP version; a single address without its prefix."""
    parsed = [ipaddress.ip_network(entry) for entry in entries]
    return [
        str(network.network_address) if network.prefixlen == network.max_prefixlen else str(network)
        for network in parsed
        if network.version == version
    ]


def is_everybody(entries: Iterable[str]) -> bool:
    """Whether the set is the whole Internet, in both versions."""
    return set(ANYWHERE) <= set(entries)
