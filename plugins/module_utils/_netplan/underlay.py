# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Which of a node's interfaces carry the packets between nodes, and what is odd about their MTUs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._netplan.errors import NetworkError
from ansible_collections.netops.kubernetes.plugins.module_utils._netplan.ranges import OWN_DEVICES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

# Names that container runtimes and hypervisors give. They count where names are all that is known, and other interfaces
# are there: a bridge that bears the node's address carries its packets, whatever its name is.
VIRTUAL_DEVICES = re.compile(
    r"docker\d+|docker_gwbridge|br-[0-9a-f]{12}|podman\d+|virbr\d+(-nic)?|vnet\d+|lxcbr\d+|lxdbr\d+|ifb\d+"
)
ETHERNET = 1500
# Underlays that lie in somebody's tunnel already.
TUNNELLED = {
    1460: "Google Cloud's networks",
    1450: "a VXLAN network, such as those of OpenStack or Hetzner",
    1442: "a Geneve network, such as OVN's",
    1420: "a WireGuard tunnel",
    1400: "some cloud's tunnel",
}
FAMILIES = ("ipv4", "ipv6")


@dataclass(frozen=True)
class Interface:
    """An interface of a node.

    :param mtu: as it was found, which may be no number.
    """

    device: str
    mtu: Any
    addresses: frozenset[str]


@dataclass(frozen=True)
class Underlay:
    """The network between the nodes.

    :param mtu: the smallest of all nodes, in bytes.
    :param difference: which node has it, where others have more; else empty.
    :param oddity: what this size tells; empty of Ethernet's own.
    """

    mtu: int
    difference: str
    oddity: str


def carriers(
    interfaces: Iterable[Interface], node_addresses: Collection[str], default_devices: Collection[str]
) -> dict[str, Any]:
    """The MTU by interface, of those that carry the packets between nodes.

    These bear the addresses by which the cluster knows its nodes: a VLAN, a bond, a bridge or a tunnel as well as a
    card. A node whose address is on none of them, such as one that announces the address of its loopback device, sends
    as its default routes say.

    :param node_addresses: of this node, or of all nodes.
    :param default_devices: where the node's default routes lead.
    """
    real = [one for one in interfaces if not OWN_DEVICES.fullmatch(one.device)]
    bearing = [one for one in real if one.addresses.intersection(node_addresses)]
    chosen = bearing or [one for one in real if one.device in default_devices]
    return {one.device: one.mtu for one in chosen}


def underlay_of(interfaces: Mapping[str, Mapping[str, Any]], node_addresses: Collection[str]) -> Underlay:
    """The smallest MTU of the interfaces that carry the packets between nodes.

    :param interfaces: by node its facts, as ``ansible.builtin.setup`` gathers them of the network, or MTU by interface.
    :param node_addresses: of all nodes, as far as they are known.
    :raises NetworkError: a node has no such interface, or an MTU is no number.
    """
    smallest: dict[str, tuple[int, str]] = {}
    for node, told in interfaces.items():
        devices = _of_facts(told, node_addresses) if _are_facts(told) else _of_names(told)
        if not devices:
            raise NetworkError(f"node '{node}'", "it has no interface of its own", "at least one with its MTU")
        smallest[node] = min((_mtu(node, device, mtu), device) for device, mtu in devices.items())
    if not smallest:
        raise NetworkError("interfaces", "no node is named", "MTU by interface, by node")
    (least, device), node = min((pair, node) for node, pair in smallest.items())
    most = max(mtu for mtu, _device in smallest.values())
    difference = f"the nodes' networks differ: {node} has {least} on {device}, others up to {most}"
    return Underlay(least, difference if most != least else "", _oddity(least))


def _are_facts(told: Mapping[str, Any]) -> bool:
    return isinstance(told.get("interfaces"), list)


def _of_facts(facts: Mapping[str, Any], node_addresses: Collection[str]) -> dict[str, Any]:
    defaults = [facts.get(f"default_{family}") or {} for family in FAMILIES]
    return carriers(_in_facts(facts), node_addresses, [one["interface"] for one in defaults if "interface" in one])


def _in_facts(facts: Mapping[str, Any]) -> Iterator[Interface]:
    """The interfaces among the facts; their keys are not their names, which may hold what a variable's may not."""
    for told in facts.values():
        if isinstance(told, dict) and told.get("device") in facts["interfaces"]:
            four = [told.get("ipv4") or {}, *(told.get("ipv4_secondaries") or [])]
            addresses = [one.get("address") for one in (*four, *(told.get("ipv6") or []))]
            yield Interface(told["device"], told.get("mtu"), frozenset(str(one) for one in addresses if one))


def _of_names(mtus: Mapping[str, Any]) -> dict[str, Any]:
    own = {device: mtu for device, mtu in mtus.items() if not OWN_DEVICES.fullmatch(device)}
    return {device: mtu for device, mtu in own.items() if not VIRTUAL_DEVICES.fullmatch(device)} or own


def _mtu(node: str, device: str, mtu: Any) -> int:
    if isinstance(mtu, bool) or not isinstance(mtu, int) or not 68 <= mtu <= 65536:
        raise NetworkError(f"node '{node}', interface {device}", f"MTU {mtu!r}", "a number of bytes from 68 to 65536")
    return mtu


def _oddity(mtu: int) -> str:
    if mtu < ETHERNET:
        taker = TUNNELLED.get(mtu, "something on the way")
        return f"an underlay of {mtu} is {ETHERNET - mtu} less than Ethernet's: {taker} has taken these"
    if mtu > ETHERNET:
        return f"jumbo frames of {mtu}: every switch between the nodes must carry them; try it with DF set"
    return ""
