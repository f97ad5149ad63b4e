# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a cluster can have a CNI."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.preflight import (
    Candidate,
    Packets,
    require_alone,
    require_fitting,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._errors import NetopsError

PODS = ("10.244.0.0/16",)
SIX = "2001:db8:244::/56"


def node(name: str, *pod_cidrs: str, kernel: str = "6.1.0-52-amd64", **more: Any) -> dict[str, Any]:
    info = {"kernelVersion": kernel, "operatingSystem": more.get("system", "linux")}
    addresses = [{"type": "InternalIP", "address": address} for address in more.get("addresses", ["192.0.2.11"])]
    return {
        "metadata": {"name": name, "labels": more.get("labels", {})},
        "spec": {"podCIDRs": list(pod_cidrs)},
        "status": {"nodeInfo": info, "addresses": addresses},
    }


NODES = [node("a", "10.244.0.0/24"), node("b", "10.244.1.0/24")]


@pytest.mark.parametrize(
    ("candidate", "kubernetes", "nodes"),
    [
        (Candidate("flannel", "v0.28.9", PODS), "v1.36.3", NODES),
        (Candidate("calico", "v3.32.1", PODS), "v1.36.3", NODES),
        (Candidate("cilium", "1.20.0", PODS), "v1.36.3", NODES),
        (Candidate("cilium", "v1.19.6", PODS), "v1.35.1", NODES),
        # A network as narrow as the nodes need.
        (Candidate("calico", "v3.32.1", ("10.244.0.0/25",)), "v1.36.3", NODES),
        (Candidate("cilium", "1.20.0", ("10.244.0.0/25",), {4: 26}), "v1.36.3", NODES),
        (Candidate("flannel", "v0.28.9", ("10.244.0.0/24",)), "1.36", [node("a", "10.244.0.0/26")]),
        # Of nodes that it is not for nothing is asked, nor of kernels that are not Linux', or not told yet.
        (Candidate("flannel", "v0.28.9", PODS, node_selector={"a": "b"}), "1.36", [node("a")]),
        (Candidate("cilium", "1.20.0", PODS, node_selector={"a": "b"}), "1.36", [node("a", kernel="4.18.0")]),
        (Candidate("cilium", "1.20.0", PODS), "1.36", [node("a", kernel="10.0.20348", system="windows")]),
        (Candidate("cilium", "1.20.0", PODS), "1.36", [node("a", kernel="")]),
        (Candidate("calico", "v3.32.1"), "1.36", []),
        # Which families Services have is not asked of a cluster that is there.
        (Candidate("calico", "v3.32.1", PODS, service_cidrs=["10.96.0.0/12", "2001:db8:96::/64"]), "1.36", NODES),
        (Candidate("calico", "v3.32.1", pools=["10.128.0.0/14", SIX], service_cidrs=["10.96.0.0/12"]), "1.36", NODES),
    ],
)
def test_what_fits(candidate: Candidate, kubernetes: str, nodes: list[dict[str, Any]]) -> None:
    assert require_fitting(candidate, kubernetes, nodes) == []


@pytest.mark.parametrize(
    ("candidate", "kubernetes", "nodes", "said"),
    [
        (
            Candidate("cilium", "1.20.0", PODS),
            "v1.36.3",
            [*NODES, node("old", kernel="4.18.0-553.el8.x86_64")],
            "Cilium 1.20 needs kernel 5.10 or later, not 4.18.0-553.el8.x86_64 (docs.cilium.io, requirements)",
        ),
        (
            Candidate("calico", "v3.32.1", PODS),
            "v1.36.3",
            [node("old", kernel="5.4.0-100-generic")],
            "Calico 3.32 needs kernel 5.10 or later, not 5.4.0-100-generic",
        ),
        (Candidate("calico", "v3.32.1", PODS), "v1.20.0", NODES, "supports Kubernetes 1.21 or later, not v1.20.0"),
        (Candidate("flannel", "v0.28.9", PODS), "v1.16.0", NODES, "supports Kubernetes 1.17 or later, not v1.16.0"),
        (
            Candidate("flannel", "v0.28.9", PODS),
            "v1.36.3",
            [*NODES, node("new"), node("newer")],
            "node new, newer: no podCIDR of IPv4; expected a part of the pod networks for each node",
        ),
        (
            Candidate("flannel", "v0.28.9", PODS),
            "v1.36.3",
            [node("new")],
            "Start kube-controller-manager with --allocate-node-cidrs=true and --cluster-cidr=10.244.0.0/16, or choose",
        ),
        (Candidate("flannel", "v0.28.9", (*PODS, SIX)), "v1.36.3", NODES, "node a, b: no podCIDR of IPv6"),
        (
            Candidate("flannel", "v0.28.9", ("10.245.0.0/16",)),
            "v1.36.3",
            NODES,
            "its podCIDR 10.244.0.0/24 is outside the pod networks",
        ),
        (
            Candidate("calico", "v3.32.1", ("192.0.2.0/24",)),
            "v1.36.3",
            NODES,
            "the address of node a 192.0.2.11/32 overlaps the pod network 192.0.2.0/24",
        ),
        (
            Candidate("cilium", "1.20.0", ("10.244.0.0/24",)),
            "v1.36.3",
            NODES,
            "1 pieces of /24 are enough for 1 nodes",
        ),
        (
            Candidate("calico", "v3.32.1", pools=["10.244.0.0/16", "10.96.0.0/14"], service_cidrs=["10.96.0.0/12"]),
            "v1.36.3",
            NODES,
            "the pod network 10.96.0.0/14 overlaps the Service network 10.96.0.0/12",
        ),
        (
            Candidate("calico", "v3.32.1", pools=["10.244.0.0/16", "192.0.0.0/16", "169.254.0.0/24"]),
            "v1.36.3",
            NODES,
            "Cache among them 169.254.0.0/16; the address of node a 192.0.2.11/32 overlaps the pod network 192.0.0.0",
        ),
        (
            Candidate("cilium", "1.20.0", ("10.0.0.0/8",), service_cidrs=["10.96.0.0/12"]),
            "v1.36.3",
            NODES,
            "Choose another network for one of each pair; 10.0.0.0/8 is the default of Cilium's chart",
        ),
    ],
)
def test_what_does_not_fit_is_named(
    candidate: Candidate, kubernetes: str, nodes: list[dict[str, Any]], said: str
) -> None:
    with pytest.raises(NetopsError) as refused:
        require_fitting(candidate, kubernetes, nodes)
    assert said in str(refused.value)


ETHERNET = {"a": {"eth0": 1500}, "b": {"bond0.100": 1500}}
POOLS = ["10.244.0.0/17", "10.244.128.0/17"]


@pytest.mark.parametrize(
    ("candidate", "said"),
    [
        (
            Candidate("flannel", "v0.28.9", PODS, packets=Packets(ETHERNET, "vxlan", mtu=1501)),
            "flannel_mtu 1501: it is more than fits: underlay 1500, overhead 50; expected at most 1500",
        ),
        (
            Candidate("calico", "v3.32.1", PODS, packets=Packets(ETHERNET, "VXLANCrossSubnet", mtu=1500)),
            "calico_mtu 1500: it is more than fits: underlay 1500, overhead 50; expected at most 1450",
        ),
        (
            Candidate("calico", "v3.32.1", pools=POOLS, packets=Packets(ETHERNET, "IPIP", wireguard=True, mtu=1480)),
            "calico_mtu 1480: it is more than fits: underlay 1500, overhead 60; expected at most 1440",
        ),
        # the smallest of all nodes
        (
            Candidate("cilium", "1.20.0", PODS, packets=Packets({"a": {"eth0": 9000}, "b": {"eth0": 1500}}, mtu=9000)),
            "cilium_mtu 9000: it is more than fits: underlay 1500",
        ),
        (
            Candidate("calico", "v3.32.1", PODS, packets=Packets({"a": {"eth0": 600}}, "VXLAN")),
            "pods' MTU 550: underlay 600 minus 50; expected at least 576 for IPv4",
        ),
    ],
)
def test_an_mtu_that_does_not_fit_is_refused_with_the_one_that_does(candidate: Candidate, said: str) -> None:
    with pytest.raises(NetopsError) as refused:
        require_fitting(candidate, "v1.36.3", NODES)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    "packets",
    [
        Packets(ETHERNET, "VXLAN", mtu=1450),
        Packets(ETHERNET, "VXLAN"),
        # A node of which no interface is known, as one that has no default route, says nothing.
        Packets({**ETHERNET, "c": {}}, "VXLAN", mtu=1450),
        Packets({"c": {}}, "VXLAN", mtu=9000),
        Packets(mtu=9000),
    ],
)
@pytest.mark.parametrize("networks", [{"pod_cidrs": PODS}, {"pools": POOLS}])
def test_an_mtu_that_fits_is_taken(packets: Packets, networks: dict[str, Any]) -> None:
    assert require_fitting(Candidate("calico", "v3.32.1", **networks, packets=packets), "v1.36.3", NODES) == []


def test_of_pools_of_both_families_the_one_whose_packets_get_most_decides_on_the_mtu() -> None:
    packets = Packets(ETHERNET, "VXLAN", mtu=1450, network="10.244.0.0/16")
    pools = ["10.244.0.0/16", SIX]
    assert require_fitting(Candidate("calico", "v3.32.1", pools=pools, packets=packets), "v1.36.3", NODES) == []


def test_nodes_whose_mtus_differ_are_a_warning_that_names_the_setting() -> None:
    packets = Packets({"a": {"eth0": 9000}, "b": {"eth0": 1500}}, "VXLAN")
    [warning] = require_fitting(Candidate("calico", "v3.32.1", PODS, packets=packets), "v1.36.3", NODES)
    assert warning.startswith(
        "the nodes' networks differ: b has 1500 on eth0, others up to 9000; set calico_mtu to 1450"
    )


@pytest.mark.parametrize(
    ("dataplane", "mode", "wanted"),
    [
        ("iptables", "nftables", "nftables"),
        ("nftables", "iptables", "iptables"),
        ("nftables", "ipvs", "iptables"),
        ("iptables", "iptables", ""),
        ("iptables", "ipvs", ""),
        ("nftables", "nftables", ""),
        ("", "nftables", ""),
        ("nftables", "", ""),
    ],
)
def test_rules_that_are_not_written_as_kube_proxys_are_a_warning(dataplane: str, mode: str, wanted: str) -> None:
    candidate = Candidate("calico", "v3.32.1", PODS, dataplane=dataplane, kube_proxy_mode=mode)
    said = f"calico writes its rules with {dataplane}, and kube-proxy is in mode {mode}: let it use {wanted} too, or "
    warnings = require_fitting(candidate, "v1.36.3", NODES)
    assert [one.startswith(said) for one in warnings] == ([True] if wanted else [])


def test_what_is_not_supported_can_be_forced_and_what_is_not_known_is_said() -> None:
    old = [node("old", kernel="5.4.0")]
    [warning] = require_fitting(Candidate("calico", "v3.32.1", PODS, force=True), "v1.36.3", old)
    assert "needs kernel 5.10 or later" in warning
    [tested] = require_fitting(Candidate("cilium", "v1.19.6", PODS), "v1.36.3", NODES)
    assert "Cilium 1.19 is tested with Kubernetes 1.32 to 1.35, not v1.36.3" in tested
    for version, told in (("", "of an unknown version"), ("mine", "mine")):
        warnings = require_fitting(Candidate("flannel", version, PODS), "v1.36.3", NODES)
        assert warnings == [f"flannel {told}: whether it fits is not checked"]


def test_a_second_cni_of_the_cluster_is_refused_with_the_way_out() -> None:
    agents = {"running": True, "agents": ["DaemonSet 'kube-system/cilium'"]}
    left = {"running": False, "agents": []}
    require_alone({"cilium": agents, "multus": agents, "calico": left}, "cilium")
    with pytest.raises(NetopsError) as refused:
        require_alone({"cilium": agents, "multus": agents, "calico": left}, "flannel")
    told = str(refused.value)
    assert "CNI of this cluster: cilium (DaemonSet 'kube-system/cilium') is there; expected flannel alone" in told
    assert "cilium by role netops.kubernetes.cilium, tasks_from uninstall" in told
