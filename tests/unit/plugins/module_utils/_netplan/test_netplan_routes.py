# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node's routes into the networks of pods and Services: whose they are, and what is said of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._netplan.errors import NetworkError
from ansible_collections.netops.kubernetes.plugins.module_utils._netplan.routes import (
    Host,
    networks_of_cluster,
    require_apart,
    routes_around,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PODS, SERVICES = ("10.244.0.0/16", "2001:db8:244::/56"), ("10.96.0.0/16",)
NODES = ["192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2"]


def route(network: str, device: str, gateway: str = "", protocol: str = "") -> dict[str, Any]:
    return {"network": network, "device": device, "gateway": gateway, "protocol": protocol}


def judged(host: Host, routes: Sequence[Mapping[str, Any]], services: Sequence[str] = SERVICES) -> list[str]:
    """What is said of a host with these routes."""
    clusters = networks_of_cluster(PODS, services)
    around = routes_around(routes, [one.network for one in clusters], NODES)
    return require_apart(host, clusters, [one for _route, one in around])


# What is there before any CNI.
OWN = [
    route("0.0.0.0/0", "eth0", "192.0.2.254"),
    route("::/0", "eth0", "fe80::1", "ra"),
    route("192.0.2.0/24", "eth0", protocol="kernel"),
    route("172.17.0.0/16", "docker0", protocol="kernel"),
    route("192.168.122.0/24", "virbr0", protocol="kernel"),
    route("fe80::/64", "eth0", protocol="kernel"),
    # a VPN that all goes through
    route("0.0.0.0/1", "tun0", "10.8.0.1"),
    route("128.0.0.0/1", "tun0", "10.8.0.1"),
    route("2000::/4", "tun0"),
]
CNIS = {
    "flannel, VXLAN": [
        route("10.244.0.0/24", "cni0", protocol="kernel"),
        route("10.244.1.0/24", "flannel.1", "10.244.1.0"),
        route("2001:db8:244:1::/64", "flannel-v6.1", "2001:db8:244:1::"),
    ],
    "flannel, host-gw": [
        route("10.244.0.0/24", "cni0", protocol="kernel"),
        route("10.244.1.0/24", "eth0", "192.0.2.2"),
        route("2001:db8:244:1::/64", "eth0", "2001:db8::2"),
    ],
    "calico, VXLAN": [
        route("10.244.66.0", "cali0123456789a"),
        route("10.244.66.64/26", "vxlan.calico", "10.244.66.64", "80"),
    ],
    "calico, BGP": [
        route("10.244.66.1", "cali0123456789a"),
        route("10.244.66.64/26", "eth0", "192.0.2.2", "bird"),
        route("10.244.66.128/26", "tunl0", "192.0.2.2", "bird"),
        # a route reflector beside the cluster, as an older ip tells it
        route("10.244.67.0/26", "eth0", "192.0.2.254", "12"),
    ],
    "cilium": [
        route("10.244.0.0/24", "cilium_host", "10.244.0.57", "kernel"),
        route("10.244.0.57", "cilium_host", protocol="kernel"),
        route("10.244.0.99", "lxc0123456789ab", protocol="kernel"),
    ],
    "cilium, direct": [route("10.244.1.0/24", "eth0", "192.0.2.2", "kernel")],
    "kube-proxy": [route("10.96.0.0/16", "kube-ipvs0")],
}


@pytest.mark.parametrize("cni", ["", *CNIS])
def test_routes_of_the_network_and_of_a_cni_are_none_of_others(cni: str) -> None:
    routes = [*OWN, *CNIS.get(cni, [])]
    assert judged(Host("a"), routes) == []


@pytest.mark.parametrize(
    ("one", "said"),
    [
        # attached to the host itself, by a gateway, as wide, wider and narrower; a single address
        (
            route("10.244.7.0/24", "docker0"),
            "the route on docker0 10.244.7.0/24 overlaps the pod network 10.244.0.0/16",
        ),
        (route("10.244.0.0/16", "eth1", "198.51.100.1"), "the route on eth1 10.244.0.0/16"),
        (route("10.0.0.0/8", "tun0"), "the pod network 10.244.0.0/16 overlaps the route on tun0 10.0.0.0/8"),
        (route("10.96.0.10", "wg0"), "the route on wg0 10.96.0.10/32 overlaps the Service network 10.96.0.0/16"),
        (route("2001:db8::/32", "eth1"), "the pod network 2001:db8:244::/56 overlaps the route on eth1 2001:db8::/32"),
        # a bridge of LXC's, which is not one of Cilium's links
        (route("10.244.3.0/24", "lxcbr0"), "the route on lxcbr0 10.244.3.0/24"),
        # by another node, and of a routing daemon, but beyond the cluster's networks
        (route("10.0.0.0/8", "eth0", "192.0.2.2"), "the route on eth0 10.0.0.0/8"),
        (route("10.240.0.0/12", "eth0", "192.0.2.254", "bird"), "the route on eth0 10.240.0.0/12"),
    ],
)
def test_a_route_into_the_clusters_networks_is_named_with_the_way_out(one: dict[str, Any], said: str) -> None:
    with pytest.raises(NetworkError) as refused:
        judged(Host("node-a"), [*OWN, one])
    told = str(refused.value)
    assert told.startswith("host 'node-a': ")
    assert said in told
    assert "Choose another network for the cluster, or take the route away" in told
    # Where the CNI is at work the run goes on.
    [warning] = judged(Host("node-a", serves=True), [*OWN, one])
    assert warning.startswith("host 'node-a': ")
    assert said in warning


def test_a_route_that_may_overlap_is_no_fault() -> None:
    wide = route("10.0.0.0/8", "eth1", "198.51.100.1")
    assert judged(Host("a", shared=["10.0.0.0/8"]), [wide]) == []
    with pytest.raises(NetworkError, match=r"10\.0\.0\.0/8"):
        judged(Host("a", shared=["10.0.0.0/9"]), [wide])
    with pytest.raises(NetworkError, match="shared route '10': "):
        judged(Host("a", shared=["10"]), [wide])


def test_of_many_routes_some_are_named() -> None:
    many = [route(f"10.244.{number}.0/24", "eth1", "198.51.100.1") for number in range(200)]
    with pytest.raises(NetworkError, match="and 190 more"):
        judged(Host("a"), many, [])
