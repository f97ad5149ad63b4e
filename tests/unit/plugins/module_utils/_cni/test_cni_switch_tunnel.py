# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Flannel and Calico are told of each other's nodes."""

from __future__ import annotations

import ipaddress
import json
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.calico_ipam import allocations
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.switch import NodeFacts, SwitchError
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.switch_tunnel import (
    BACKEND_DATA,
    MANAGED,
    NODE_ADDRESS,
    PUBLIC_ADDRESS,
    TUNNEL_ADDRESS,
    TUNNEL_MAC,
    claims,
    notes_for_calico,
    notes_for_flannel,
)

MAC = "56:1d:8d:30:79:97"
FLANNELS = {BACKEND_DATA: json.dumps({"VNI": 1, "VtepMAC": MAC}), PUBLIC_ADDRESS: "192.0.2.12"}
NODE = NodeFacts("worker", pod_cidrs=("10.244.1.0/24",), address="192.0.2.12", notes=FLANNELS)


def pool(cidr: str = "10.244.0.0/16", size: int = 26) -> dict[str, Any]:
    return {"metadata": {"name": "default"}, "spec": {"cidr": cidr, "blockSize": size}}


def test_calico_learns_flannels_end_of_the_tunnel() -> None:
    told = notes_for_calico(NODE)
    assert told == {NODE_ADDRESS: "192.0.2.12/32", TUNNEL_ADDRESS: "10.244.1.0", TUNNEL_MAC: MAC}
    assert notes_for_calico(replace(NODE, notes={**FLANNELS, **told})) == {}
    # calico-node has written the network's own length meanwhile.
    assert notes_for_calico(replace(NODE, notes={**FLANNELS, **told, NODE_ADDRESS: "192.0.2.12/24"})) == {}


def test_flannel_learns_calicos() -> None:
    calico = replace(NODE, notes={NODE_ADDRESS: "192.0.2.13/24", TUNNEL_MAC: MAC})
    told = notes_for_flannel(calico, 1, MAC)
    assert json.loads(told[BACKEND_DATA]) == {"VNI": 1, "VtepMAC": MAC}
    assert (told[PUBLIC_ADDRESS], told[MANAGED]) == ("192.0.2.13", "true")
    assert notes_for_flannel(replace(calico, notes={**calico.notes, **told}), 1, MAC) == {}


@pytest.mark.parametrize("note", ["", "{}", "no JSON", "null", '{"VtepMAC": ""}'])
def test_a_flannel_that_has_noted_nothing(note: str) -> None:
    with pytest.raises(SwitchError, match=r"node 'worker': its note .* tells no hardware address"):
        notes_for_calico(replace(NODE, notes={BACKEND_DATA: note}))


def test_a_node_without_a_pod_cidr() -> None:
    with pytest.raises(SwitchError, match="it has no podCIDR of IPv4"):
        notes_for_calico(replace(NODE, pod_cidrs=("fd00::/64",)))


def test_a_node_gets_the_blocks_of_its_pod_cidr() -> None:
    made = list(claims([NODE], [pool()], []))
    kinds = [obj["kind"] for obj in made]
    assert kinds == ["BlockAffinity", "IPAMHandle", "IPAMBlock", *["BlockAffinity", "IPAMBlock"] * 3]
    blocks = [obj for obj in made if obj["kind"] == "IPAMBlock"]
    parts = [ipaddress.IPv4Network(one["spec"]["cidr"]) for one in blocks]
    assert list(ipaddress.collapse_addresses(parts)) == [ipaddress.IPv4Network("10.244.1.0/24")]
    assert {one["spec"]["affinity"] for one in blocks} == {"host:worker"}
    assert [len(one["spec"]["allocations"]) for one in blocks] == [64] * 4
    assert made[0]["metadata"]["name"] == "worker-10-244-1-0-26"
    assert made[2]["metadata"]["name"] == "10-244-1-0-26"


def test_the_tunnels_address_is_taken() -> None:
    blocks = [obj for obj in claims([NODE], [pool()], []) if obj["kind"] == "IPAMBlock"]
    [taken] = allocations(blocks)
    assert (taken.address, taken.handle, taken.node_name) == ("10.244.1.0", "vxlan-tunnel-addr-worker", "worker")
    assert blocks[0]["spec"]["unallocated"] == list(range(1, 64))


def test_what_is_there_is_not_made_again() -> None:
    made = list(claims([NODE], [pool()], []))
    blocks = [obj for obj in made if obj["kind"] == "IPAMBlock"]
    assert list(claims([NODE], [pool()], blocks)) == []
    assert [obj["metadata"]["name"] for obj in claims([NODE], [pool()], blocks[:3])] == [
        "worker-10-244-1-192-26",
        "10-244-1-192-26",
    ]


def test_a_block_of_another_node_stands_in_the_way() -> None:
    other = {"spec": {"cidr": "10.244.1.64/26", "affinity": "host:control", "allocations": []}}
    with pytest.raises(SwitchError, match=r"IPAMBlock 10.244.1.64/26: it is of control, and a part of the podCIDR of"):
        list(claims([NODE], [pool()], [other]))


def test_pools_that_hold_no_pod_cidr_and_blocks_that_are_larger() -> None:
    assert list(claims([NODE], [pool("10.9.0.0/16")], [])) == []
    [_affinity, _handle, block] = claims([NODE], [pool(size=20)], [])
    assert block["spec"]["cidr"] == "10.244.1.0/24"


def test_a_pod_cidr_of_too_many_blocks_gets_none() -> None:
    """The /64 that kube-controller-manager gives a node has 2^58 of Calico's blocks."""
    node = replace(NODE, pod_cidrs=("10.244.1.0/24", "fd00:10:244:1::/64"))
    pools = [pool(), pool("fd00:10:244::/56", 122)]
    blocks = [obj["spec"]["cidr"] for obj in claims([node], pools, []) if obj["kind"] == "IPAMBlock"]
    assert blocks == ["10.244.1.0/26", "10.244.1.64/26", "10.244.1.128/26", "10.244.1.192/26"]
