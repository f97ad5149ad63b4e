# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Networks with a name: read, and those that overlap found."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Union

from ansible_collections.netops.kubernetes.plugins.module_utils._netplan.errors import NetworkError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]

# What no network of a cluster may use, and whose it is (RFC 6890; RFC 5771; RFC 4291).
RESERVED = (
    ("loopback addresses", "127.0.0.0/8"),
    ("link-local addresses, NodeLocal DNSCache among them", "169.254.0.0/16"),
    ("multicast addresses", "224.0.0.0/4"),
    ("reserved addresses", "240.0.0.0/4"),
    ("addresses of this network", "0.0.0.0/8"),
    ("the loopback address", "::1/128"),
    ("link-local addresses", "fe80::/10"),
    ("multicast addresses", "ff00::/8"),
)
# Devices that CNIs and kube-proxy make: their routes are ours, not the network's.
OWN_DEVICES = re.compile(
    r"lo|cni0|flannel.*|cali.*|vxlan\.calico|vxlan-v6\.calico|tunl0|wireguard\.cali|wg-v6\.cali|bpf(in|out)\.cali|"
    r"cilium.*|lxc_health|lxc[0-9a-f]{12}|weave|vxlan-6784|kube-ipvs0|kube-bridge|dummy0|nodelocaldns|veth.*"
)
# HOST:PORT of a server.
ENDPOINT = re.compile(r"(?P<host>[^\s:]+|\[[0-9a-fA-F:]+\]):(?P<port>\d{1,5})")


@dataclass(frozen=True)
class Range:
    """A network and what it is, as a message names it.

    :param group: networks of one group may overlap: those of the nodes, for instance.
    """

    what: str
    network: Network
    group: str = ""

    def __str__(self) -> str:
        return f"{self.what} {self.network}"


def network(what: str, cidr: Any) -> Network:
    """A network out of its text.

    :raises NetworkError: it is none, or has host bits; the text says what it should be.
    """
    if not isinstance(cidr, str):
        raise NetworkError(what, f"{cidr!r} is no text", "a network such as 10.244.0.0/16")
    try:
        return ipaddress.ip_network(cidr)
    except ValueError:
        pass
    try:
        wide = ipaddress.ip_network(cidr, strict=False)
    except ValueError as error:
        raise NetworkError(f"{what} {cidr!r}", str(error), "a network such as 10.244.0.0/16") from error
    raise NetworkError(f"{what} {cidr!r}", "it has host bits set", str(wide), f"Write {wide}")


def overlaps(ranges: Iterable[Range]) -> Iterator[tuple[Range, Range]]:
    """Pairs that overlap and are not of one group; the wider one of a pair comes first.

    Two networks overlap when one holds the other, so of a sorted list only those that are still open count.
    """
    open_ranges: list[Range] = []
    for one in sorted(ranges, key=_place):
        open_ranges = [other for other in open_ranges if _holds(other.network, one.network)]
        for other in open_ranges:
            if not one.group or one.group != other.group:
                yield other, one
        open_ranges.append(one)


def clashes(ranges: Iterable[Range]) -> list[str]:
    """What overlaps, each pair in words."""
    return [f"the {narrow} overlaps the {wide}" for wide, narrow in overlaps(ranges)]


def _place(one: Range) -> tuple[int, int, int]:
    return one.network.version, int(one.network.network_address), one.network.prefixlen


def _holds(wide: Network, narrow: Network) -> bool:
    return wide.version == narrow.version and int(wide.broadcast_address) >= int(narrow.network_address)


def reserved() -> list[Range]:
    """What no network of a cluster may use."""
    return [Range(what, ipaddress.ip_network(cidr), "around") for what, cidr in RESERVED]


def within(narrow: Network, wide: Iterable[Network]) -> bool:
    """Whether a network is part of one of the others."""
    return any(
        narrow.version == one.version
        and int(one.network_address) <= int(narrow.network_address)
        and int(narrow.broadcast_address) <= int(one.broadcast_address)
        for one in wide
    )
