# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Everybody who can send or receive, in classes that no policy tells apart.

A class is a bit. Pods of a namespace are of one class when they have the same values of the labels that policies ask
for, the same named ports that policies name, and addresses in the same networks of policies. Nodes are of a class by
labels and networks. Addresses that are neither a pod's nor a node's are a class for each part that the policies'
networks cut them into.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Union

from ansible_collections.netops.kubernetes.plugins.module_utils._policy.addresses import (
    ROOTS,
    AddressParts,
    family_of,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.model import (
    BlockPeer,
    NodePeer,
    PodPeer,
    PortMatch,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.ports import PortParts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._policy.model import (
        Inventory,
        Labels,
        NamedPort,
        Node,
        Peer,
        Pod,
        Policy,
        Requirement,
        Selector,
    )

POD, HOST, NODE, OUTSIDE = "pod", "host", "node", "outside"
# The part of an address that is not known.
UNLOCATED = -1


@dataclass(frozen=True)
class Party:
    """One class.

    :param kind: pods, pods on their node's network, nodes, or addresses outside of the cluster.
    :param members: pods, nodes, or one network.
    :param part: see ``AddressParts``.
    """

    kind: str
    namespace: str
    labels: Labels
    part: int
    ports: tuple[NamedPort, ...]
    members: tuple[Union[Pod, Node, str], ...]

    def __str__(self) -> str:
        if self.kind == OUTSIDE:
            return f"addresses of {self.members[0]}"
        named = str(self.members[0]) if self.kind in {POD, HOST} else f"node {_name(self.members[0])}"
        return named + (f" and {len(self.members) - 1} like it" if len(self.members) > 1 else "")


def _name(member: Any) -> str:
    return str(member.name)


def bits_of(places: Iterable[int], size: int) -> int:
    """A set from the places of its members; linear, where shifting bit after bit is not."""
    found = bytearray(size // 8 + 1)
    for place in places:
        found[place >> 3] |= 1 << (place & 7)
    return int.from_bytes(found, "little")


class LabelIndex:
    """From a label, or a label's value, to the classes that have it.

    :param rows: labels and the places of the classes that bear them.
    """

    def __init__(self, rows: Iterable[tuple[Labels, Sequence[int]]], keys: set[str], size: int) -> None:
        found: dict[tuple[str, str], list[int]] = {}
        for labels, places in rows:
            for key in keys & labels.keys():
                found.setdefault((key, labels[key]), []).extend(places)
        self._values = {term: bits_of(places, size) for term, places in found.items()}
        self._keys: dict[str, int] = {}
        for (key, _value), bits in self._values.items():
            self._keys[key] = self._keys.get(key, 0) | bits

    def meeting(self, one: Requirement, every: int) -> int:
        """The classes whose labels meet a requirement."""
        if one.operator in {"Exists", "DoesNotExist"}:
            present = self._keys.get(one.key, 0)
            return present if one.operator == "Exists" else every & ~present
        named = 0
        for value in one.values:
            named |= self._values.get((one.key, value), 0)
        return named if one.operator == "In" else every & ~named

    def selected(self, selector: Selector, every: int) -> int:
        """The classes whose labels meet all requirements."""
        found = every
        for one in selector.requirements:
            found &= self.meeting(one, every)
        return found


class Universe:
    """The classes of one family of addresses.

    :param family: 4 or 6.
    :param policies: who decides what must be told apart; more than those of the inventory when two sets are compared.
    :param pod_networks: where pods without an address will have theirs.
    """

    def __init__(
        self, inventory: Inventory, policies: Sequence[Policy], family: int = 4, pod_networks: Sequence[str] = ()
    ) -> None:
        self.family = family
        self.inventory = inventory
        peers = list(_peers_of(policies))
        blocks = [one for one in peers if isinstance(one, BlockPeer)]
        self.parts = AddressParts(family, {text for one in blocks for text in (one.network, *one.exceptions)})
        self._pod_keys = _terms(one.pods for one in peers if isinstance(one, PodPeer))
        self._node_keys = _terms(one.nodes for one in peers if isinstance(one, NodePeer))
        self._names = {match.name for match in _matches_of(policies) if match.name}
        located = [text for text in pod_networks if family_of(text) == family]
        self._home = self.parts.part_around(located[0]) if located else UNLOCATED
        self.place_of: dict[str, int]
        self.parties: list[Party] = self._classes()
        self._index(peers)
        self.ports = PortParts(
            [
                *(match for match in _matches_of(policies) if not match.name),
                *(PortMatch(p.protocol, p.number, p.number) for party in self.parties for p in party.ports),
            ]
        )

    # ---- classes --------------------------------------------------------------------------------------------

    def _classes(self) -> list[Party]:
        groups: dict[tuple[Any, ...], list[Any]] = {}
        taken = [0] * len(self.parts)
        seen: set[str] = set()
        by_node = {node.name: node for node in self.inventory.nodes}
        for pod in self.inventory.pods:
            addresses = pod.addresses
            if pod.host_network and not addresses and pod.node in by_node:
                addresses = by_node[pod.node].addresses
            mine = self._of_family(addresses)
            if addresses and not mine:
                continue
            part = self.parts.part_of(mine[0]) if mine else self._home
            self._take(mine, taken, seen)
            kind = HOST if pod.host_network else POD
            groups.setdefault((kind, pod.namespace, self._told(pod.labels), part, self._named(pod)), []).append(pod)
        # A node with addresses in several parts is found by its first one.
        first_parts: dict[tuple[str, int], bool] = {}
        for node in self.inventory.nodes:
            mine = self._of_family(node.addresses)
            self._take(mine, taken, seen)
            labels = _told(node.labels, self._node_keys)
            for number, part in enumerate(dict.fromkeys(self.parts.part_of(text) for text in mine)):
                groups.setdefault((NODE, "", labels, part, ()), []).append(node)
                first_parts[node.name, part] = number == 0
        parties = [_party(key, members) for key, members in groups.items()]
        parties += [
            Party(OUTSIDE, "", {}, number, (), (str(self.parts.networks[number]),))
            for number, size in enumerate(self.parts.sizes())
            if size > taken[number]
        ]
        self.place_of = {
            _key(party, member): number
            for number, party in enumerate(parties)
            for member in party.members
            if party.kind != NODE or first_parts[_name(member), party.part]
        }
        return parties

    def _of_family(self, addresses: Iterable[str]) -> list[str]:
        return [text for text in addresses if family_of(text) == self.family]

    def _take(self, addresses: Iterable[str], taken: list[int], seen: set[str]) -> None:
        for text in addresses:
            if text not in seen:
                seen.add(text)
                taken[self.parts.part_of(text)] += 1

    def _told(self, labels: Labels) -> tuple[tuple[str, str], ...]:
        return _told(labels, self._pod_keys)

    def _named(self, pod: Pod) -> tuple[NamedPort, ...]:
        return tuple(port for port in pod.ports if port.name in self._names) if self._names else ()

    # ---- sets of classes ------------------------------------------------------------------------------------

    def _index(self, peers: Sequence[Peer]) -> None:
        size = len(self.parties)
        self.every = (1 << size) - 1
        by_kind: dict[str, list[int]] = {kind: [] for kind in (POD, HOST, NODE, OUTSIDE)}
        by_namespace: dict[str, list[int]] = {}
        by_part: dict[int, list[int]] = {}
        for place, party in enumerate(self.parties):
            by_kind[party.kind].append(place)
            by_part.setdefault(party.part, []).append(place)
            if party.namespace:
                by_namespace.setdefault(party.namespace, []).append(place)
        self.of_kind = {kind: bits_of(places, size) for kind, places in by_kind.items()}
        self.of_namespace = {name: bits_of(places, size) for name, places in by_namespace.items()}
        self._of_part = {part: bits_of(places, size) for part, places in by_part.items()}
        with_labels = [place for kind in (POD, HOST) for place in by_kind[kind]]
        self._pods = LabelIndex(
            ((self.parties[place].labels, (place,)) for place in with_labels), set(self._pod_keys), size
        )
        self._nodes = LabelIndex(
            ((self.parties[place].labels, (place,)) for place in by_kind[NODE]), set(self._node_keys), size
        )
        keys = _terms(one.namespaces for one in peers if isinstance(one, PodPeer) and one.namespaces)
        labels = self.inventory.namespaces
        self._namespaces = LabelIndex(
            ((labels[name], places) for name, places in by_namespace.items()), set(keys), size
        )
        self._remembered: dict[Any, int] = {}

    def members_of(self, peer: Peer, selectable: int) -> int:
        """The classes that a peer means.

        :param selectable: the classes that selectors of pods can mean.
        """
        if isinstance(peer, PodPeer):
            return self._selected(peer) & selectable
        if isinstance(peer, BlockPeer):
            return self._held(peer)
        if isinstance(peer, NodePeer):
            return self._nodes.selected(peer.nodes, self.of_kind[NODE])
        return 0

    def _selected(self, peer: PodPeer) -> int:
        if peer not in self._remembered:
            if peer.namespaces is None:
                within = self.of_namespace.get(peer.namespace, 0)
            else:
                within = self._namespaces.selected(peer.namespaces, self.of_kind[POD] | self.of_kind[HOST])
            self._remembered[peer] = self._pods.selected(peer.pods, within)
        return self._remembered[peer]

    def _held(self, peer: BlockPeer) -> int:
        """The classes with addresses in a block; those without a known one only in a block of everything."""
        if family_of(peer.network) != self.family:
            return 0
        if peer not in self._remembered:
            found = self._in_network(peer.network)
            for text in peer.exceptions:
                if family_of(text) == self.family:
                    found &= ~self._in_network(text)
            if peer.network == ROOTS[self.family] and not peer.exceptions:
                found |= self._of_part.get(UNLOCATED, 0)
            self._remembered[peer] = found
        return self._remembered[peer]

    def _in_network(self, text: str) -> int:
        if text not in self._remembered:
            found = 0
            for part in self.parts.within(text):
                found |= self._of_part.get(part, 0)
            self._remembered[text] = found
        return self._remembered[text]

    def outside_of(self, address: str) -> int:
        """The place of the class of an address that is neither a pod's nor a node's; -1: there is none."""
        part = self.parts.part_of(address)
        for place in range(len(self.parties) - 1, -1, -1):
            party = self.parties[place]
            if party.kind != OUTSIDE:
                break
            if party.part == part:
                return place
        return -1


def _party(key: tuple[Any, ...], members: Sequence[Any]) -> Party:
    kind, namespace, labels, part, ports = key
    return Party(kind, namespace, dict(labels), part, ports, tuple(members))


def _key(party: Party, member: Any) -> str:
    """How a class is found by its member."""
    if party.kind == NODE:
        return f"node {member.name}"
    return str(member)


def _terms(selectors: Iterable[Selector]) -> dict[str, set[str]]:
    """The keys that selectors ask for, each with the values that they name."""
    found: dict[str, set[str]] = {}
    for selector in selectors:
        for one in selector.requirements:
            found.setdefault(one.key, set()).update(one.values)
    return found


def _told(labels: Labels, terms: Mapping[str, set[str]]) -> tuple[tuple[str, str], ...]:
    """What selectors can tell of labels; a value that none of them names is one like any other."""
    return tuple(
        sorted((key, labels[key] if labels[key] in values else "*") for key, values in terms.items() if key in labels)
    )


def _peers_of(policies: Iterable[Policy]) -> Iterator[Peer]:
    for policy in policies:
        yield policy.subject
        for rule in policy.rules:
            yield from rule.peers or ()


def _matches_of(policies: Iterable[Policy]) -> Iterator[PortMatch]:
    for policy in policies:
        for rule in policy.rules:
            yield from rule.ports or ()
