# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Ports cut into as few stretches as the policies tell apart; a set of ports is one integer, a bit a stretch."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from ansible_collections.netops.kubernetes.plugins.module_utils._policy.model import (
    FIRST_PORT,
    LAST_PORT,
    PROTOCOLS,
    PortMatch,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._policy.model import NamedPort


def places(bits: int) -> list[int]:
    """The places of the bits that are set, smallest first."""
    text = bin(bits)[:1:-1]
    found: list[int] = []
    place = text.find("1")
    while place >= 0:
        found.append(place)
        place = text.find("1", place + 1)
    return found


class PortParts:
    """Stretches of TCP, UDP and SCTP ports that no rule cuts.

    :param matches: every match by number, and every port that a name may stand for.
    """

    def __init__(self, matches: Iterable[PortMatch]) -> None:
        cuts: dict[str, set[int]] = {protocol: {FIRST_PORT} for protocol in PROTOCOLS}
        for one in matches:
            cuts[one.protocol] |= {one.low, one.high + 1}
        self._starts = {
            protocol: sorted(port for port in cuts[protocol] if port <= LAST_PORT) for protocol in PROTOCOLS
        }
        self._offsets: dict[str, int] = {}
        self.stretches: list[PortMatch] = []
        for protocol, starts in self._starts.items():
            self._offsets[protocol] = len(self.stretches)
            ends = [*(start - 1 for start in starts[1:]), LAST_PORT]
            self.stretches += [PortMatch(protocol, low, high) for low, high in zip(starts, ends)]
        self.every = (1 << len(self.stretches)) - 1

    def place_of(self, protocol: str, port: int) -> int:
        """The stretch that holds a port."""
        return self._offsets[protocol] + bisect_right(self._starts[protocol], port) - 1

    def mask(self, protocol: str, low: int, high: int) -> int:
        """The set of a range's ports; its ends must be cuts."""
        first, last = self.place_of(protocol, low), self.place_of(protocol, high)
        return (1 << (last + 1)) - (1 << first)

    def mask_of(self, matches: Sequence[PortMatch], named: Sequence[NamedPort]) -> int:
        """The set of ports that matches mean at a destination that names some of its ports."""
        found = 0
        for one in matches:
            if not one.name:
                found |= self.mask(one.protocol, one.low, one.high)
                continue
            for port in named:
                if port.name == one.name and one.protocol in {"", port.protocol}:
                    found |= self.mask(port.protocol, port.number, port.number)
        return found

    def show(self, mask: int) -> list[str]:
        """A set of ports for people: neighbours joined, ``all`` for everything, protocols without ports whole."""
        if mask == self.every:
            return ["all"]
        found: list[PortMatch] = []
        for place in places(mask):
            one = self.stretches[place]
            if found and found[-1].protocol == one.protocol and found[-1].high + 1 == one.low:
                found[-1] = PortMatch(one.protocol, found[-1].low, one.high)
            else:
                found.append(one)
        return [str(one) for one in found]
