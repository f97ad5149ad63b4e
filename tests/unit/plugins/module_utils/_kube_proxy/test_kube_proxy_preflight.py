# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in the way of a mode: named with its remedy, all nodes at once, and nothing that works."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.preflight import (
    ClusterFacts,
    NodeFacts,
    Wish,
    judge,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.surroundings import default_nftables

EVERYTHING = dict.fromkeys(("ip_vs", "ip_vs_rr", "ip_vs_lc", "nf_conntrack", "nf_tables"), "loadable")
NODE = NodeFacts("6.12.9-amd64", EVERYTHING, "1.0.9", ("10.96.0.10",), strict_forward_ports=False)
CLUSTER = ClusterFacts("v1.36.3", dns_address="10.96.0.10")


def said(wish: Wish, cluster: ClusterFacts = CLUSTER, **nodes: NodeFacts) -> list[str]:
    return [str(trouble) for trouble in judge(wish, cluster, nodes or {"a": NODE})[0]]


@pytest.mark.parametrize("mode", ["iptables", "ipvs", "nftables"])
def test_what_works_is_not_refused(mode: str) -> None:
    assert said(Wish(mode)) == []
    built_in = replace(NODE, modules=dict.fromkeys(EVERYTHING, "built-in"), nft="")
    assert said(Wish(mode), a=built_in) == []
    calico = replace(CLUSTER, calico_nftables="Auto", has_node_local_dns=mode != "ipvs")
    assert said(Wish(mode), calico) == []
    assert said(Wish(mode, strict_arp=True), replace(CLUSTER, announcers=("MetalLB",))) == []


@pytest.mark.parametrize(
    ("mode", "changes", "message"),
    [
        (
            "ipvs",
            {"modules": {"ip_vs": "loaded", "ip_vs_lc": "loaded", "nf_conntrack": "loaded"}},
            "kernel module ip_vs_rr on a: kernel 6.12.9-amd64 does not have it; its schedulers are lc",
        ),
        (
            "ipvs",
            {"modules": {}},
            "kernel module ip_vs, ip_vs_rr, nf_conntrack on a: ",
        ),
        (
            "nftables",
            {"kernel": "5.10.0-30-amd64"},
            "kube-proxy refuses kernel 5.10.0-30-amd64; expected 5.13",
        ),
        ("nftables", {"kernel": "4.18.0"}, "kube-proxy refuses kernel 4.18.0"),
        ("nftables", {"nft": "0.9.8"}, "program nft on a: version 0.9.8 cannot read what kube-proxy writes"),
        ("nftables", {"nft": "1.0"}, "program nft on a: version 1.0 cannot read"),
        ("nftables", {"modules": {}}, "kernel module nf_tables on a: kernel 6.12.9-amd64 does not have it"),
        ("iptables", {"strict_forward_ports": True}, "firewalld on a: StrictForwardPorts=yes drops what kube-proxy"),
    ],
)
def test_what_a_node_lacks_is_named(mode: str, changes: dict[str, Any], message: str) -> None:
    found = said(Wish(mode), a=replace(NODE, **changes))
    assert len(found) == 1
    assert message in found[0]


@pytest.mark.parametrize(
    ("mode", "changes", "message"),
    [
        (
            "iptables",
            {"replacement": "Cilium (kube-proxy-replacement)"},
            "kube-proxy: Cilium (kube-proxy-rep",
        ),
        (
            "ipvs",
            {"version": "v1.43.0"},
            "mode ipvs: upstream's plan removes mode ipvs from",
        ),
        ("ipvs", {"announcers": ("MetalLB", "kube-vip")}, "MetalLB and kube-vip: every node would answer ARP"),
        ("ipvs", {"has_node_local_dns": True}, "kubelet's clusterDNS on a: it is 10.96.0.10, which IPVS takes"),
        (
            "nftables",
            {"version": "v1.28.9"},
            "mode nftables: kube-proxy v1.28.9 does not have it",
        ),
        ("iptables", {"calico_nftables": "Enabled"}, "Calico: its data plane is nftables (nftablesMode Enabled); exp"),
        ("ipvs", {"calico_nftables": "Enabled"}, "Calico: its data plane is nftables (nftablesMode Enabled)"),
        ("nftables", {"calico_nftables": "Disabled"}, "Calico: its data plane is iptables (nftablesMode Disabled)"),
    ],
)
def test_what_the_cluster_forbids_is_named(mode: str, changes: dict[str, Any], message: str) -> None:
    found = said(Wish(mode), replace(CLUSTER, **changes))
    assert len(found) == 1
    assert message in found[0]


@pytest.mark.parametrize("address", ["", "127.0.0.1:10249", "0.0.0.0:10249", "[::]:10249", "0.0.0.0", "::1"])
def test_where_kube_proxy_can_be_asked(address: str) -> None:
    assert said(Wish("iptables", metrics_bind_address=address)) == []


@pytest.mark.parametrize("address", ["127.0.0.1:10250", "198.18.0.11:10249", "[2001:db8::1]:10249", "198.18.0.11"])
def test_where_kube_proxy_cannot_be_asked_is_named(address: str) -> None:
    found = said(Wish("iptables", metrics_bind_address=address))
    assert len(found) == 1
    assert f"metricsBindAddress: it is {address}, and each node's kube-proxy is asked on localhost:10249" in found[0]


@pytest.mark.parametrize(
    ("image", "mode"),
    [
        ("quay.io/calico/node:v3.28.5", "Disabled"),
        ("quay.io/calico/node:v3.31.7", "Disabled"),
        ("quay.io/calico/node:v3.32.1@sha256:0", "Auto"),
        ("registry.example.com/calico/node:site-7", "Auto"),
    ],
)
def test_what_calico_does_where_nobody_says(image: str, mode: str) -> None:
    assert default_nftables(image) == mode


def test_all_problems_of_all_nodes_at_once_and_alike_ones_together() -> None:
    poor = replace(NODE, modules={})
    found = said(Wish("ipvs"), replace(CLUSTER, announcers=("MetalLB",)), a=poor, b=NODE, c=poor)
    assert len(found) == 2
    assert "strictARP. Set kube_proxy_ipvs_strict_arp: true." in found[0]
    assert "kernel module ip_vs, ip_vs_rr, nf_conntrack on a, c: " in found[1]


def test_many_nodes_are_counted() -> None:
    nodes = {f"n{number:02}": replace(NODE, modules={}) for number in range(14)}
    assert "on n00, n01, n02, n03, n04, n05, n06, n07, n08, n09 and 4 more: " in said(Wish("ipvs"), CLUSTER, **nodes)[0]


def test_deprecation_is_said_and_refuses_nothing() -> None:
    troubles, notices = judge(Wish("ipvs"), CLUSTER, {"a": NODE})
    assert troubles == []
    assert "KEP-5495" in notices[0]
    assert judge(Wish("nftables"), CLUSTER, {"a": NODE})[1] == []
