# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sets that an evaluation is made of: addresses, ports and relations, each against the plain meaning."""

from __future__ import annotations

import ipaddress

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.addresses import AddressParts
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.explain import Reachability
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.inventory import inventory
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.model import PROTOCOLS, NamedPort, PortMatch
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.ports import PortParts, places
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.relation import (
    at,
    both,
    of_rectangles,
    ports_at,
    union,
    without,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.universe import bits_of
from hypothesis import given, settings
from hypothesis import strategies as st

# Few enough that networks nest and addresses meet them.
SMALL = st.integers(0, 15).map(lambda one: f"10.0.0.{one * 16}")
NETWORKS = st.lists(st.tuples(SMALL, st.integers(22, 32)).map(lambda one: f"{one[0]}/{one[1]}"), max_size=12)
BITS = st.integers(0, 255)
SPANS = st.lists(st.tuples(st.sampled_from(PROTOCOLS), st.integers(1, 90), st.integers(0, 9)), max_size=6)
RECTANGLES = st.lists(st.tuples(BITS, BITS), max_size=6)


@settings(max_examples=200, derandomize=True)
@given(networks=NETWORKS, host=st.integers(0, 255))
def test_a_part_is_within_the_networks_that_hold_its_addresses(networks: list[str], host: int) -> None:
    parts = AddressParts(4, networks)
    address = f"10.0.0.{host}"
    part = parts.part_of(address)
    for text in networks:
        holds = ipaddress.ip_address(address) in ipaddress.ip_network(text, strict=False)
        assert (part in parts.within(text)) == holds
    assert sum(parts.sizes()) == 2**32
    assert all(size >= 0 for size in parts.sizes())


def test_a_network_is_around_another() -> None:
    parts = AddressParts(4, ["10.0.0.0/8", "10.1.0.0/16", "2001:db8::/32"])
    assert str(parts.networks[parts.part_around("10.1.2.0/24")]) == "10.1.0.0/16"
    assert str(parts.networks[parts.part_around("10.0.0.0/15")]) == "10.0.0.0/8"
    assert str(parts.networks[parts.part_around("192.0.2.0/24")]) == "0.0.0.0/0"
    assert len(parts) == 3, "networks of the other family are left out"


@settings(max_examples=200, derandomize=True)
@given(
    spans=st.lists(
        st.tuples(st.sampled_from(["TCP", "UDP", "SCTP"]), st.integers(1, 90), st.integers(0, 9)), max_size=6
    )
)
def test_a_set_of_ports_holds_what_its_ranges_hold(spans: list[tuple[str, int, int]]) -> None:
    matches = [PortMatch(protocol, low, low + more) for protocol, low, more in spans]
    ports = PortParts(matches)
    mask = ports.mask_of(matches, ())
    for protocol in PROTOCOLS:
        for port in (*range(1, 102), 65535):
            meant = any(one.protocol == protocol and one.low <= port <= one.high for one in matches)
            assert bool(mask >> ports.place_of(protocol, port) & 1) == meant


def test_ports_are_shown_joined() -> None:
    matches = [PortMatch("TCP", 80, 80), PortMatch("TCP", 81, 90), PortMatch("UDP")]
    ports = PortParts(matches)
    assert ports.show(ports.mask_of(matches, ())) == ["TCP 80-90", "UDP"]
    assert ports.show(ports.every) == ["all"]
    assert ports.show(0) == []


def test_a_name_means_what_a_destination_says() -> None:
    ports = PortParts([PortMatch("TCP", 80, 80), PortMatch("UDP", 53, 53)])
    named = (NamedPort("web", "TCP", 80), NamedPort("web", "UDP", 53))
    assert ports.show(ports.mask_of([PortMatch("TCP", name="web")], named)) == ["TCP 80"]
    assert ports.show(ports.mask_of([PortMatch("", name="web")], named)) == ["TCP 80", "UDP 53"]
    assert ports.mask_of([PortMatch("TCP", name="other")], named) == 0


@settings(max_examples=200, derandomize=True)
@given(one=RECTANGLES, other=RECTANGLES)
def test_relations_are_sets_at_every_port(one: list[tuple[int, int]], other: list[tuple[int, int]]) -> None:
    left, right = (of_rectangles(some, 255) for some in (one, other))
    for place in range(8):
        plain = [0, 0]
        for number, some in enumerate((one, other)):
            for ports, parties in some:
                plain[number] |= parties if ports >> place & 1 else 0
        assert (at(left, place), at(right, place)) == tuple(plain)
        assert at(union(left, right), place) == plain[0] | plain[1]
        assert at(both(left, right), place) == plain[0] & plain[1]
        assert at(without(left, right), place) == plain[0] & ~plain[1]
    for party in range(8):
        assert ports_at(left, party) == sum(1 << place for place in range(8) if at(left, place) >> party & 1)


@given(members=st.sets(st.integers(0, 300)))
@settings(max_examples=50, derandomize=True)
def test_places_and_bits_are_each_others_inverse(members: set[int]) -> None:
    assert places(bits_of(members, 301)) == sorted(members)


@pytest.mark.parametrize(("first", "verdict"), [("192.0.2.1", "allowed"), ("198.51.100.1", "denied")])
def test_a_node_with_two_addresses_is_the_first(first: str, verdict: str) -> None:
    second = "198.51.100.1" if first == "192.0.2.1" else "192.0.2.1"
    addresses = [{"type": "InternalIP", "address": first}, {"type": "ExternalIP", "address": second}]
    spec = {"podSelector": {}, "ingress": [{"from": [{"ipBlock": {"cidr": "192.0.2.0/24"}}]}]}
    objects = [
        {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}, "status": {"addresses": addresses}},
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "web", "namespace": "shop"},
            "status": {"podIP": "10.1.0.1"},
        },
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": "one", "namespace": "shop"},
            "spec": spec,
        },
    ]
    assert Reachability(inventory(objects)).reachable("node:n1", "shop/web", "TCP", 80).verdict == verdict
