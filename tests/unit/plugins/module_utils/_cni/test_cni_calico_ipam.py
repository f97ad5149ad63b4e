# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calico's objects read: who has which address, and which are lost."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.calico_ipam import (
    Allocation,
    allocations,
    leaks,
    nodes_of,
    pools_of,
    sessions_of,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.calico_state import lost_twice

TUNNEL = {"handle_id": "vxlan-tunnel-addr-a", "secondary": {"node": "a", "type": "vxlanTunnelAddress"}}
WEB = {"handle_id": "k8s-pod-network.1", "secondary": {"namespace": "shop", "pod": "web", "node": "a"}}


def block(cidr: str, node: str, taken: list[int | None], attributes: list[dict[str, Any]]) -> dict[str, Any]:
    return {"spec": {"cidr": cidr, "affinity": f"host:{node}", "allocations": taken, "attributes": attributes}}


def named(name: str, namespace: str = "", **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, **({"namespace": namespace} if namespace else {})}, **more}


BLOCKS = [
    block("10.244.0.0/30", "a", [0, None, 1, None], [TUNNEL, WEB]),
    block("2001:db8::4/126", "b", [None, 0, None, None], [{"handle_id": None, "secondary": {}}]),
]


def test_addresses_are_counted_from_the_blocks_first() -> None:
    assert [(one.address, one.pod, one.node_name) for one in allocations(BLOCKS)] == [
        ("10.244.0.0", "", "a"),
        ("10.244.0.2", "shop/web", "a"),
        ("2001:db8::5", "", ""),
    ]


def test_a_block_that_contradicts_itself_gives_no_owner() -> None:
    assert list(allocations([block("10.244.0.0/30", "a", [7], [])])) == []


@pytest.mark.parametrize(
    ("nodes", "pods", "lost"),
    [
        (["a"], [("web", "shop")], []),
        (["a"], [("web", "other")], [("10.244.0.2", "pod 'shop/web' is not there")]),
        (
            [],
            [("web", "shop")],
            [("10.244.0.0", "node 'a' is not there"), ("10.244.0.2", "node 'a' is not there")],
        ),
    ],
)
def test_leaks_have_a_reason(nodes: list[str], pods: list[tuple[str, str]], lost: list[tuple[str, str]]) -> None:
    found = leaks(allocations(BLOCKS), map(named, nodes), [named(*pod) for pod in pods])
    assert [(one.address, reason) for one, reason in found] == lost


def test_pools_are_as_full_as_their_blocks() -> None:
    pools = [
        named("six", spec={"cidr": "2001:db8::/122", "disabled": True}),
        named("four", spec={"cidr": "10.244.0.0/16"}),
        named("empty", spec={"cidr": "10.245.0.0/16"}),
    ]
    found = pools_of(pools, BLOCKS, list(allocations(BLOCKS)))
    assert [(pool["name"], pool["addresses"], pool["blocks"], pool["used"], pool["disabled"]) for pool in found] == [
        ("empty", 65536, 0, 0, False),
        ("four", 65536, 1, 2, False),
        ("six", 64, 1, 1, True),
    ]


def test_nodes_are_as_calico_has_them() -> None:
    annotations = {
        "projectcalico.org/IPv4Address": "192.0.2.1/24",
        "projectcalico.org/IPv4VXLANTunnelAddr": "10.244.0.0",
        "flannel.alpha.coreos.com/public-ip": "192.0.2.1",
    }
    nodes: list[dict[str, Any]] = [{"metadata": {"name": "b"}}, {"metadata": {"name": "a", "annotations": annotations}}]
    agents = [
        {"spec": {"nodeName": node}, "status": {"conditions": [{"type": "Ready", "status": status}]}}
        for node, status in (("a", "True"), ("b", "False"))
    ]
    first, second = nodes_of(nodes, agents, BLOCKS)
    assert first == {
        "name": "a",
        "ready": True,
        "addresses": ["192.0.2.1/24"],
        "tunnel_addresses": ["10.244.0.0"],
        "blocks": ["10.244.0.0/30"],
    }
    assert (second["ready"], second["addresses"], second["blocks"]) == (False, [], ["2001:db8::4/126"])


def test_sessions_are_those_that_somebody_asked_for() -> None:
    peers = [{"peerIP": "192.0.2.2", "type": "NodeMesh", "state": "Established"}, {"peerIP": "192.0.2.3"}]
    statuses = [named("a", spec={"node": "a"}, status={"bgp": {"peersV4": peers}}), named("b", spec={"node": "b"})]
    assert [(one["node"], one["peer"], one["established"]) for one in sessions_of(statuses)] == [
        ("a", "192.0.2.2", True),
        ("a", "192.0.2.3", False),
    ]


def test_what_is_lost_in_two_readings_is_lost() -> None:
    """Their order is that of the second reading."""
    many = [(Allocation(f"10.244.{n // 256}.{n % 256}", "block", "handle", "", "a"), "gone") for n in range(300)]
    assert lost_twice(many[:-1], many[1:]) == many[1:-1]
