# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Addresses cut into as few parts as the policies' networks tell apart.

Networks are nested or disjoint, so the innermost one that holds an address says which others hold it. In the order of
their first addresses, the larger first, all that lies in a network stands behind it in one stretch.
"""

from __future__ import annotations

import ipaddress
from bisect import bisect_right
from typing import TYPE_CHECKING, Union

if TYPE_CHECKING:
    from collections.abc import Iterable

Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]
ROOTS = {4: "0.0.0.0/0", 6: "::/0"}


def family_of(text: str) -> int:
    """4 or 6, of an address or a network."""
    return 6 if ":" in text else 4


class AddressParts:
    """The parts of one family's addresses; part 0 is what no network holds.

    :param family: 4 or 6.
    :param networks: of any family; those of others are left out. Host bits are ignored, as the API server does.
    """

    def __init__(self, family: int, networks: Iterable[str]) -> None:
        mine = {ipaddress.ip_network(text, strict=False) for text in networks if family_of(text) == family}
        mine.add(ipaddress.ip_network(ROOTS[family]))
        self.networks: list[Network] = sorted(mine, key=lambda one: (int(one.network_address), one.prefixlen))
        self._starts = [int(one.network_address) for one in self.networks]
        self._ends = [int(one.broadcast_address) for one in self.networks]
        self._places = {network: number for number, network in enumerate(self.networks)}
        self._parents: list[int] = []
        open_ones: list[int] = []
        for number, end in enumerate(self._ends):
            while open_ones and self._ends[open_ones[-1]] < end:
                open_ones.pop()
            self._parents.append(open_ones[-1] if open_ones else -1)
            open_ones.append(number)

    def __len__(self) -> int:
        return len(self.networks)

    def part_of(self, address: str) -> int:
        """The part that holds an address of this family."""
        value = int(ipaddress.ip_address(address))
        return self._innermost(value, value)

    def part_around(self, network: str) -> int:
        """The innermost part that holds all of a network."""
        parsed = ipaddress.ip_network(network, strict=False)
        return self._innermost(int(parsed.network_address), int(parsed.broadcast_address))

    def _innermost(self, low: int, high: int) -> int:
        number = bisect_right(self._starts, low) - 1
        while self._ends[number] < high:
            number = self._parents[number]
        return number

    def within(self, network: str) -> range:
        """The parts that a network is made of; it must be one of those given."""
        first = self._places[ipaddress.ip_network(network, strict=False)]
        return range(first, bisect_right(self._starts, self._ends[first]))

    def sizes(self) -> list[int]:
        """How many addresses lie in each part and in no smaller one."""
        sizes = [network.num_addresses for network in self.networks]
        for number in range(len(sizes) - 1, 0, -1):
            sizes[self._parents[number]] -= self.networks[number].num_addresses
        return sizes
