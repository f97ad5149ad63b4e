# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pod networks planned: what goes together, what fits, and what is refused with which words."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.netops.kubernetes.plugins.filter.pod_network_plan import pod_network_plan
from ansible_collections.netops.kubernetes.plugins.module_utils._netplan.ranges import Range, overlaps
from hypothesis import given, settings
from hypothesis import strategies as st

V4, V6 = "10.244.0.0/16", "2001:db8:244::/56"
SERVICES = ["10.96.0.0/16"]


def node(name: str = "a", *addresses: str, pods: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"name": name, "addresses": list(addresses or ("192.0.2.1",)), "pod_cidrs": list(pods)}


def links(**mtus: Any) -> dict[str, dict[str, Any]]:
    return {"a": mtus}


ETHERNET = {"interfaces": links(eth0=1500)}


def test_a_sound_network_is_planned_whole() -> None:
    plan = pod_network_plan(
        [V4, V6],
        cni="calico",
        service_cidrs=["10.96.0.0/16", "2001:db8:96::/112"],
        nodes=[node("a", "192.0.2.1", "2001:db8::1"), node("b", "192.0.2.2", "2001:db8::2")],
        networks={"vpn": "10.8.0.0/16"},
        routes=[{"network": "0.0.0.0/0", "device": "eth0"}, {"network": "10.244.1.0/24", "device": "cali1"}],
        interfaces={"a": {"eth0": 1500, "cni0": 900}, "b": {"eth0": 9000}},
        expected_nodes=100,
    )
    assert plan["families"] == [4, 6]
    assert plan["capacity"][0] == {
        "cidr": V4,
        "block_size": 26,
        "blocks": 1024,
        "pods_per_block": 64,
        "nodes": 512,
    }
    assert plan["mtu"]["pod"] == plan["mtu"]["value"] == 1430
    assert plan["mtu"]["setting"] == "calico_mtu"
    [warning] = plan["warnings"]
    assert warning.startswith(
        "the nodes' networks differ: a has 1500 on eth0, others up to 9000; set calico_mtu to 1430"
    )


@pytest.mark.parametrize(
    ("cni", "options", "setting", "value", "pod"),
    [
        ("flannel", {}, "flannel_mtu", 1500, 1450),
        ("flannel", {"encapsulation": "host-gw"}, "flannel_mtu", 1500, 1500),
        ("flannel", {"encapsulation": "wireguard"}, "flannel_mtu", 1500, 1420),
        ("flannel", {"encapsulation": "udp"}, "flannel_mtu", 1500, 1472),
        ("calico", {}, "calico_mtu", 1450, 1450),
        ("calico", {"encapsulation": "ipip"}, "calico_mtu", 1480, 1480),
        ("calico", {"encapsulation": "none"}, "calico_mtu", 1500, 1500),
        ("calico", {"wireguard": True}, "calico_mtu", 1440, 1440),
        ("cilium", {}, "cilium_mtu", 1500, 1450),
        ("cilium", {"encapsulation": "geneve", "wireguard": True}, "cilium_mtu", 1500, 1370),
        ("cilium", {"encapsulation": "none", "wireguard": True}, "cilium_mtu", 1500, 1420),
        ("calico", {"mtu": 1400}, "calico_mtu", 1400, 1400),
        ("flannel", {"mtu": 1400}, "flannel_mtu", 1400, 1350),
    ],
)
def test_mtu_in_the_meaning_of_each_cni(cni: str, options: dict[str, Any], setting: str, value: int, pod: int) -> None:
    mtu = pod_network_plan([V4], cni=cni, interfaces=links(eth0=1500), **options)["mtu"]
    assert (mtu["setting"], mtu["value"], mtu["pod"]) == (setting, value, pod)


@pytest.mark.parametrize(
    ("underlay", "said"),
    [
        (1450, "an underlay of 1450 is 50 less than Ethernet's: a VXLAN network"),
        (1460, "an underlay of 1460 is 40 less than Ethernet's: Google Cloud's networks"),
        (1490, "an underlay of 1490 is 10 less than Ethernet's: something on the way has taken these"),
        (9000, "jumbo frames of 9000: every switch"),
    ],
)
def test_an_underlay_that_is_not_ethernets_is_a_warning(underlay: int, said: str) -> None:
    assert pod_network_plan([V4], interfaces=links(eth0=underlay))["warnings"][0].startswith(said)


def test_cilium_carries_both_families_in_that_of_the_nodes() -> None:
    nodes = [node("a", "192.0.2.1", "2001:db8::1")]
    options: dict[str, Any] = {"cni": "cilium", "nodes": nodes, **ETHERNET}
    assert pod_network_plan([V4, "2001:db8:244::/104"], **options)["mtu"]["overhead"] == 50


def test_families_in_another_order_are_a_warning() -> None:
    plan = pod_network_plan([V4, V6], cni="calico", service_cidrs=["2001:db8:96::/112", *SERVICES])
    assert plan["warnings"][0].startswith("pods begin with IPv4, Services with IPv6")
    wide = pod_network_plan([V6], cni="calico", service_cidrs=["2001:db8:96::/100"])
    assert wide["warnings"] == ["Service network 2001:db8:96::/100: Kubernetes before 1.33 takes /108 or longer"]


@pytest.mark.parametrize(
    ("pods", "options", "said"),
    [
        # what is no network
        (["10.244.0.0"], {"expected_nodes": 1}, "a piece of /24 does not fit"),
        (["10.244.0.1/16"], {}, "pod network '10.244.0.1/16': it has host bits set; expected 10.244.0.0/16"),
        (["10.244.0.0/33"], {}, "pod network '10.244.0.0/33': "),
        (["pods"], {}, "expected a network such as 10.244.0.0/16"),
        ([10], {}, "pod network: 10 is no text"),
        ([None], {}, "pod network: None is no text"),
        (V4, {}, "is a text; expected a list of networks"),
        ([], {}, "pod networks: none; expected one network, or one of each address family"),
        ([V4, "10.245.0.0/16"], {}, "pod networks: 10.244.0.0/16, 10.245.0.0/16; expected one network"),
        ([V4], {"service_cidrs": ["10.96.0.1/16"]}, "Service network '10.96.0.1/16': it has host bits set"),
        (
            [V4],
            {"service_cidrs": [*SERVICES, "10.97.0.0/16"]},
            "Service networks: 10.96.0.0/16, 10.97.0.0/16",
        ),
        ([V4], {"service_cidrs": ["2001:db8::/112"]}, "Service network 2001:db8::/112: no pod network is of IPv6"),
        ([V4], {"service_cidrs": ["11.0.0.0/8"]}, "/8 is wider than kube-apiserver takes; expected /12 or longer"),
        ([V6], {"cni": "calico", "service_cidrs": ["2001:db9::/56"]}, "/56 is wider than kube-apiserver takes"),
        ([V4], {"networks": {"vpn": "10.8.0.0"}, "cni": "weave"}, "cni 'weave': the planner does not know it"),
        ([V4], {"networks": {"vpn": "x"}}, "network vpn 'x': "),
        ([V4], {"routes": [{"device": "eth0"}]}, "route on eth0: None is no text"),
        ([V4], {"routes": [{"network": "10.8.0.1/16", "node": "a"}]}, "route of node a on an unnamed device"),
        ([V4], {"nodes": [node("a", "somewhere")]}, "address of node a 'somewhere'"),
        ([V4], {"unknown": 1}, "unknown"),
        # what overlaps
        ([V4], {"service_cidrs": ["10.244.8.0/24"]}, "the Service network 10.244.8.0/24 overlaps the pod network"),
        (["10.0.0.0/8"], {"cni": "cilium", "service_cidrs": SERVICES}, "10.0.0.0/8 is the default of Cilium's chart"),
        (
            ["192.0.2.0/24"],
            {"cni": "calico", "nodes": [node()]},
            "address of node a 192.0.2.1/32 overlaps the pod",
        ),
        (
            [V4],
            {"networks": {"vpn": "10.0.0.0/8"}},
            "pod network 10.244.0.0/16 overlaps the network vpn 10.0.0.0/8",
        ),
        ([V4], {"networks": {"lab": "10.244.3.0/24"}}, "the network lab 10.244.3.0/24 overlaps the pod network"),
        (["169.254.0.0/17"], {}, "overlaps the link-local addresses, NodeLocal DNSCache among them 169.254.0.0/16"),
        (["127.1.0.0/16"], {"cni": "calico"}, "overlaps the loopback addresses 127.0.0.0/8"),
        (["224.0.0.0/16"], {}, "overlaps the multicast addresses 224.0.0.0/4"),
        (["fe80::/56"], {"cni": "calico"}, "overlaps the link-local addresses fe80::/10"),
        (["0.0.0.0/0"], {"cni": "calico"}, "overlaps the pod network 0.0.0.0/0"),
        ([V4], {"service_cidrs": ["169.254.1.0/24"]}, "Service network 169.254.1.0/24 overlaps the link-local"),
        (
            [V4],
            {"routes": [{"network": "10.244.0.0/24", "device": "eth1", "node": "b"}]},
            "the route of node b on eth1 10.244.0.0/24 overlaps the pod network",
        ),
        ([V4], {"routes": [{"network": "10.0.0.0/8", "device": "tun0"}]}, "overlaps the route on tun0 10.0.0.0/8"),
        # families of nodes
        ([V4, V6], {"nodes": [node()]}, "node 'a': its addresses are 192.0.2.1; expected one of IPv6 too"),
        ([V6], {"nodes": [node()], "cni": "calico"}, "expected one of IPv6 too, for its pods"),
        # what the nodes already have
        (
            [V4],
            {"nodes": [node("a", pods=("10.245.0.0/24",))]},
            "its podCIDR 10.245.0.0/24 is outside the pod",
        ),
        ([V4], {"nodes": [node("a", pods=("nonsense",))]}, "podCIDR of node a 'nonsense'"),
        # what fits
        (
            [V4],
            {"expected_nodes": 257},
            "are enough for 256 nodes with 110 pods each; expected room for 257",
        ),
        ([V4], {"pods_per_node": 254}, "a node's /24 has 253 addresses for pods; expected 254"),
        (["10.244.0.0/25"], {}, "a piece of /24 does not fit into it; expected a network of /24 or wider"),
        ([V4], {"block_sizes": {4: 31}}, "pieces of /31; expected /8 to /30 with flannel"),
        ([V4], {"block_sizes": {4: 19}, "cni": "calico"}, "pieces of /19; expected /20 to /32 with calico"),
        ([V6], {"block_sizes": {6: 64}, "cni": "calico"}, "pieces of /64; expected /116 to /128 with calico"),
        ([V4], {"block_sizes": {5: 24}}, "block_sizes: 5: 24; expected a prefix length by address family"),
        ([V4], {"block_sizes": {4: "24"}}, "block_sizes: 4: '24'; expected a prefix length"),
        ([V4], {"block_sizes": {4: True}}, "block_sizes: 4: True; expected a prefix length"),
        (["2001:db8::/40"], {}, "pieces of /64 would be 2^24; expected at most 2^16"),
        (["10.244.0.0/20"], {"cni": "calico", "expected_nodes": 40}, "64 pieces of /26 are enough for 32 nodes"),
        (["10.244.0.0/20"], {"cni": "cilium", "expected_nodes": 17}, "16 pieces of /24 are enough for 16 nodes"),
        ([V4], {"cni": "cilium", "block_sizes": {4: 26}}, "a node's /26 has 60 addresses for pods; expected 110"),
        ([V4], {"pods_per_node": 0}, "pods_per_node 0, expected_nodes 0; expected at least one pod a node"),
        ([V4], {"expected_nodes": -1}, "expected_nodes -1"),
        # MTU
        ([V4], {"interfaces": links(eth0="1500")}, "node 'a', interface eth0: MTU '1500'; expected a number of bytes"),
        ([V4], {"interfaces": links(eth0=True)}, "node 'a', interface eth0: MTU True"),
        ([V4], {"interfaces": links(eth0=20)}, "expected a number of bytes from 68 to 65536"),
        ([V4], {"interfaces": links(eth0=70000)}, "MTU 70000"),
        ([V4], {"interfaces": links(cni0=1450)}, "node 'a': it has no interface of its own"),
        (
            [V4],
            {**ETHERNET, "encapsulation": "ipip"},
            "flannel has none of this name; expected one of none",
        ),
        (
            [V4],
            {**ETHERNET, "cni": "calico", "encapsulation": "geneve"},
            "calico has none of this name",
        ),
        (
            [V4],
            {**ETHERNET, "cni": "cilium", "encapsulation": "ipip"},
            "cilium has none of this name",
        ),
        ([V4], {**ETHERNET, "wireguard": True}, "flannel has it as a back-end, not beside one"),
        ([V4], {**ETHERNET, "mtu": 1501}, "flannel_mtu 1501: it is more than fits: underlay 1500"),
        ([V4], {**ETHERNET, "mtu": 1500, "cni": "calico"}, "calico_mtu 1500: it is more than fits"),
        ([V4], {**ETHERNET, "mtu": 9000, "cni": "cilium"}, "cilium_mtu 9000: it is more than fits"),
        (
            [V6],
            {"interfaces": links(eth0=1300), "cni": "calico"},
            "MTU 1230: underlay 1300 minus 70; expected at least 1280",
        ),
        ([V4], {"interfaces": links(eth0=600)}, "pods' MTU 550: underlay 600 minus 50; expected at least 576 for IPv4"),
    ],
)
def test_what_cannot_be_is_said(pods: Any, options: dict[str, Any], said: str) -> None:
    with pytest.raises(AnsibleFilterError) as refused:
        pod_network_plan(pods, **options)
    assert said in str(refused.value)


def test_several_faults_are_all_named() -> None:
    with pytest.raises(AnsibleFilterError) as refused:
        pod_network_plan([V4], service_cidrs=["10.244.0.0/24"], expected_nodes=999, interfaces=links(eth0=10))
    assert str(refused.value).startswith("3 faults of the pod network: ")


ADDRESSES = st.integers(min_value=0, max_value=2**32 - 1)


@settings(max_examples=200, derandomize=True)
@given(st.lists(st.tuples(ADDRESSES, st.integers(min_value=0, max_value=32)), max_size=12))
def test_the_sweep_finds_what_comparing_each_with_each_does(places: list[tuple[int, int]]) -> None:
    ranges = [
        Range(str(number), ipaddress.ip_network((address, length), strict=False))
        for number, (address, length) in enumerate(places)
    ]
    swept = {frozenset((wide.what, narrow.what)) for wide, narrow in overlaps(ranges)}
    compared = {
        frozenset((one.what, other.what))
        for number, one in enumerate(ranges)
        for other in ranges[:number]
        if one.network.overlaps(other.network)
    }
    assert swept == compared
