# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The port matrix: that its rows are well formed, do not contradict each other, and say what is true."""

from __future__ import annotations

import re

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.ports import (
    ADD_ONS,
    ENCAPSULATIONS,
    IP_PROTOCOLS,
    MATRIX,
    NODEPORT_RULES,
    REPLACES,
    PortRow,
)

ROWS = {row.id: row for row in MATRIX}
PEERS = {
    *("all_nodes", "control_plane", "etcd", "pods", "admins", "load_balancers"),
    *("monitoring", "bgp_peers", "remote_clusters", "anywhere"),
}
# nft(8), and what `nft describe icmp type` and `nft describe icmpv6 type` print.
ICMP_TYPES = {
    "icmp": {
        *("echo-reply", "destination-unreachable", "source-quench", "redirect", "echo-request", "time-exceeded"),
        *("parameter-problem", "timestamp-request", "timestamp-reply", "info-request", "info-reply"),
        *("address-mask-request", "address-mask-reply", "router-advertisement", "router-solicitation"),
    },
    "icmpv6": {
        *("destination-unreachable", "packet-too-big", "time-exceeded", "parameter-problem"),
        *("echo-request", "echo-reply", "mld-listener-query", "mld-listener-report", "mld-listener-done"),
        *("mld-listener-reduction", "nd-router-solicit", "nd-router-advert", "nd-neighbor-solicit"),
        *("nd-neighbor-advert", "nd-redirect", "router-renumbering", "ind-neighbor-solicit"),
        *("ind-neighbor-advert", "mld2-listener-report"),
    },
}
# A file of one version of a program, an RFC, a manual page.
SOURCE = re.compile(
    r"[\w.-]+/[\w.-]+@(v\d+\.\d+\.\d+|[0-9a-f]{7}) [\w./-]+(: .+)?|RFC \d+( section [\d.]+)?|\w+\(\d\): \w+"
)
WORDS = {"ssh": "22", "nodeport": "30000-32767"}
NETWORKS = [("", "")] + [(cni, how) for cni, ways in ENCAPSULATIONS.items() for how in ways or ("",)]


def span(row: PortRow) -> tuple[int, int]:
    """The first and the last port of a row of TCP, UDP or SCTP."""
    low, _unused, high = WORDS.get(row.port, row.port).partition("-")
    return int(low), int(high or low)


def overlap(one: PortRow, other: PortRow) -> bool:
    """Whether some packet is one that both rows are about."""
    if one.protocol != other.protocol:
        return False
    if one.protocol in IP_PROTOCOLS:
        return True
    if one.protocol in ICMP_TYPES:
        return bool(set(one.port.split(",")) & set(other.port.split(",")))
    (low, high), (other_low, other_high) = span(one), span(other)
    return low <= other_high and other_low <= high


def rows_of(cni: str, encapsulation: str, add_ons: set[str]) -> list[PortRow]:
    """What applies to a node that is everything at once: control plane, etcd and worker."""
    rows = []
    for row in MATRIX:
        needed, _unused, encapsulations = row.when.partition("/")
        if needed not in ("", cni) or (encapsulations and encapsulation not in encapsulations.split("|")):
            continue
        if not row.add_on or row.add_on in add_ons:
            rows.append(row)
    replaced = {REPLACES.get(row.id) for row in rows}
    return [row for row in rows if row.id not in replaced]


def ids(cni: str, encapsulation: str, *add_ons: str) -> set[str]:
    return {row.id for row in rows_of(cni, encapsulation, set(add_ons))} - {row.id for row in rows_of("", "", set())}


@pytest.mark.parametrize("row", MATRIX, ids=lambda row: row.id)
def test_a_row_is_well_formed(row: PortRow) -> None:
    assert re.fullmatch(r"[a-z0-9-]+", row.id)
    assert row.component
    assert row.nodes in ("all", "control_plane", "etcd")
    assert all(SOURCE.fullmatch(one) for one in row.source.split("; ")), row.source
    assert set(row.peers) <= PEERS
    assert len(set(row.peers)) == len(row.peers)
    assert row.need in ("required", "optional", "local")
    assert bool(row.peers) == (row.need != "local")
    assert not row.add_on or row.add_on in ADD_ONS
    cni, slash, encapsulations = row.when.partition("/")
    assert not cni or cni in ENCAPSULATIONS
    assert not slash or set(encapsulations.split("|")) <= set(ENCAPSULATIONS[cni])


@pytest.mark.parametrize("row", MATRIX, ids=lambda row: row.id)
def test_its_port_fits_its_protocol(row: PortRow) -> None:
    if row.protocol in IP_PROTOCOLS:
        assert row.port == ""
    elif row.protocol in ICMP_TYPES:
        assert set(row.port.split(",")) <= ICMP_TYPES[row.protocol]
    else:
        assert row.protocol in ("tcp", "udp", "sctp")
        assert row.port in WORDS or re.fullmatch(r"[1-9]\d*(-[1-9]\d*)?", row.port)
        low, high = span(row)
        assert 0 < low <= high < 65536


def test_ids_are_unique() -> None:
    assert len(ROWS) == len(MATRIX)


def test_every_add_on_is_documented_and_used() -> None:
    assert set(ADD_ONS) == {row.add_on for row in MATRIX if row.add_on}
    assert all(re.fullmatch(r"[a-z0-9-]+", name) and words for name, words in ADD_ONS.items())


def test_ip_protocols_have_the_numbers_of_iana() -> None:
    assert IP_PROTOCOLS == {"ipip": 4, "ipv6": 41, "gre": 47, "esp": 50, "ah": 51, "vrrp": 112}
    assert {row.protocol for row in MATRIX} <= {"tcp", "udp", "sctp", "icmp", "icmpv6", *IP_PROTOCOLS}


# Rows only ever join as add-ons do, so all add-ons at once covers every pair of them, and none are left that collide.
@pytest.mark.parametrize(
    "add_ons", [set(), *({name} for name in ADD_ONS), set(ADD_ONS)], ids=lambda one: "+".join(sorted(one))
)
@pytest.mark.parametrize(("cni", "encapsulation"), NETWORKS)
def test_no_two_rows_are_about_one_port(cni: str, encapsulation: str, add_ons: set[str]) -> None:
    rows = rows_of(cni, encapsulation, add_ons)
    clashes = [
        f"{row.id} and {other.id}" for number, row in enumerate(rows) for other in rows[:number] if overlap(row, other)
    ]
    assert clashes == []


@pytest.mark.parametrize(("replacing", "replaced"), REPLACES.items())
def test_what_stands_in_for_a_row_admits_whom_that_admitted(replacing: str, replaced: str) -> None:
    row, other = ROWS[replacing], ROWS[replaced]
    assert (row.protocol, row.port, row.nodes) == (other.protocol, other.port, other.nodes)
    assert "all_nodes" in row.peers
    assert set(other.peers) <= {*row.peers, "control_plane", "etcd"}
    assert row.when or row.add_on


@pytest.mark.parametrize("cni", ENCAPSULATIONS)
def test_each_cni_has_rows(cni: str) -> None:
    assert any(row.when.partition("/")[0] == cni for row in MATRIX)


@pytest.mark.parametrize(("cni", "encapsulation"), NETWORKS)
def test_nobody_is_locked_out(cni: str, encapsulation: str) -> None:
    always = {row.id: row for row in rows_of(cni, encapsulation, set())}
    assert always["ssh"].peers == ("admins",)
    for name in ("dhcp4-client", "dhcp6-client", "icmp-errors", "icmpv6-errors", "icmpv6-nd"):
        assert (always[name].nodes, always[name].peers, always[name].need) == ("all", ("anywhere",), "required")


def test_neighbours_are_found() -> None:
    types = {name for row in MATRIX if row.protocol == "icmpv6" for name in row.port.split(",")}
    assert types >= {"nd-neighbor-solicit", "nd-neighbor-advert", "nd-router-advert", "packet-too-big"}


def test_nodeports_of_every_protocol() -> None:
    assert {ROWS[name].protocol for name in NODEPORT_RULES} == {"tcp", "udp", "sctp"}
    assert {row.id for row in MATRIX if row.port == "nodeport"} == set(NODEPORT_RULES)
    assert [ROWS[name].add_on for name in NODEPORT_RULES] == ["", "", "sctp"]


@pytest.mark.parametrize(
    ("name", "protocol", "port", "nodes"),
    [
        ("kube-apiserver", "tcp", "6443", "control_plane"),
        ("etcd-client", "tcp", "2379", "etcd"),
        ("etcd-peer", "tcp", "2380", "etcd"),
        ("etcd-metrics", "tcp", "2381", "etcd"),
        ("kubelet-health", "tcp", "10248", "all"),
        ("kube-proxy-metrics", "tcp", "10249", "all"),
        ("kubelet", "tcp", "10250", "all"),
        ("kubelet-readonly", "tcp", "10255", "all"),
        ("kube-proxy-health", "tcp", "10256", "all"),
        # Not the other way round, as kubespray's docs/operations/port-requirements.md has them.
        ("kube-controller-manager", "tcp", "10257", "control_plane"),
        ("cloud-controller-manager", "tcp", "10258", "control_plane"),
        ("kube-scheduler", "tcp", "10259", "control_plane"),
        ("dhcp4-client", "udp", "68", "all"),
        ("dhcp6-client", "udp", "546", "all"),
        ("konnectivity", "tcp", "8132", "control_plane"),
        ("coredns-udp", "udp", "53", "all"),
        ("coredns-tcp", "tcp", "53", "all"),
        ("coredns-metrics", "tcp", "9153", "all"),
        ("nodelocaldns-udp", "udp", "53", "all"),
        ("nodelocaldns-tcp", "tcp", "53", "all"),
        ("nodelocaldns-metrics", "tcp", "9253", "all"),
        ("keepalived-vrrp", "vrrp", "", "all"),
        ("metallb-memberlist-tcp", "tcp", "7946", "all"),
        ("metallb-memberlist-udp", "udp", "7946", "all"),
        ("node-exporter", "tcp", "9100", "all"),
        ("ingress-http3", "udp", "443", "all"),
        ("flannel-vxlan", "udp", "8472", "all"),
        ("flannel-udp", "udp", "8285", "all"),
        # An IP protocol, not the "port 50" of flannel's document.
        ("flannel-ipsec-esp", "esp", "", "all"),
        ("calico-vxlan", "udp", "4789", "all"),
        ("calico-bgp", "tcp", "179", "all"),
        ("calico-typha", "tcp", "5473", "all"),
        ("calico-wireguard", "udp", "51820-51821", "all"),
        ("cilium-vxlan", "udp", "8472", "all"),
        ("cilium-geneve", "udp", "6081", "all"),
        ("cilium-health", "tcp", "4240", "all"),
        ("cilium-wireguard", "udp", "51871", "all"),
        ("cilium-ipsec", "esp", "", "all"),
        ("kube-router-fou", "udp", "5555", "all"),
        ("antrea-geneve", "udp", "6081", "all"),
        ("antrea-vxlan", "udp", "4789", "all"),
        ("weave-control", "tcp", "6783", "all"),
        ("weave-data", "udp", "6783-6784", "all"),
    ],
)
def test_facts(name: str, protocol: str, port: str, nodes: str) -> None:
    row = ROWS[name]
    assert (row.protocol, row.port, row.nodes) == (protocol, port, nodes)


@pytest.mark.parametrize(
    ("cni", "encapsulation", "add_ons", "expected"),
    [
        ("flannel", "host-gw", (), set()),
        ("flannel", "ipsec", (), {"flannel-ipsec-esp", "flannel-ipsec-ike", "flannel-ipsec-natt"}),
        ("canal", "vxlan", (), {"canal-vxlan", "canal-felix-health"}),
        # Calico's eBPF always has a VXLAN: its own, or that of the pods.
        ("calico", "none", ("calico-ebpf",), {"calico-bgp", "calico-ebpf-vxlan", "calico-felix-health"}),
        ("calico", "vxlan", ("calico-ebpf",), {"calico-vxlan", "calico-felix-health"}),
        ("calico", "vxlan", ("bgp",), {"calico-vxlan", "calico-vxlan-bgp", "calico-felix-health"}),
        ("kube-router", "ipip", (), {"kube-router-bgp", "kube-router-ipip", "kube-router-ip6ip6"}),
        ("kube-router", "none", (), {"kube-router-bgp"}),
        ("antrea", "gre", (), {"antrea-gre", "antrea-api", "antrea-memberlist-udp"}),
        ("weave", "", (), {"weave-control", "weave-data", "weave-metrics", "weave-local"}),
        ("", "", ("etcd-datastore",), {"etcd-client-nodes"}),
        ("", "", ("coredns-host",), {"coredns-udp", "coredns-tcp", "coredns-metrics"}),
        ("flannel", "host-gw", ("wireguard", "hubble", "typha"), set()),
    ],
)
def test_what_a_network_and_its_add_ons_bring(
    cni: str, encapsulation: str, add_ons: tuple[str, ...], expected: set[str]
) -> None:
    assert ids(cni, encapsulation, *add_ons) == expected


def test_only_the_control_plane_and_etcd_reach_etcd() -> None:
    assert set(ROWS["etcd-client"].peers) == {"control_plane", "etcd"}
    assert ROWS["etcd-peer"].peers == ("etcd",)


def test_metrics_are_for_monitoring_alone() -> None:
    metrics = [row for row in MATRIX if row.id.endswith("metrics") and row.need != "local"]
    assert len(metrics) > 10
    assert {(row.peers, row.need) for row in metrics} == {(("monitoring",), "optional")}
