# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose ports are opened: what is said of the CNI, else what runs, else what is to come."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.errors import PlanError
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.network import Network, network_for

CALICO = {"encapsulations": ["ipip"], "port": 0, "add_ons": ["typha", "bgp"]}
FLANNEL = {"encapsulations": ["vxlan"], "port": 0, "add_ons": []}
CILIUM = {"encapsulations": ["vxlan"], "port": 8473, "add_ons": []}


def network(cnis: dict[str, Any], asked: dict[str, str] | None = None, unread: str = "", **variables: Any) -> Network:
    return network_for(cnis, unread, asked or {}, variables)


@pytest.mark.parametrize(
    ("cnis", "variables", "expected"),
    [
        ({}, {}, ("flannel", ("vxlan",), {}, ())),
        ({}, {"cni_plugin": "calico"}, ("calico", ("vxlan",), {}, ("typha",))),
        ({}, {"cni_plugin": "cilium"}, ("cilium", ("vxlan",), {}, ("hubble",))),
        ({"calico": CALICO}, {}, ("calico", ("ipip",), {}, ("typha", "bgp"))),
        # It runs, and more cannot be told of it: then it is as its role would make it.
        ({"calico": {}}, {}, ("calico", ("vxlan",), {}, ("typha",))),
        ({"flannel": {"encapsulations": ["udp"], "port": 8286}}, {}, ("flannel", ("udp",), {"flannel-udp": 8286}, ())),
        ({"canal": FLANNEL}, {}, ("canal", ("vxlan",), {}, ())),
        ({"weave": {}}, {}, ("weave", (), {}, ())),
        # What is said of it wins, each for itself.
        ({"calico": CALICO}, {"calico_bgp": False}, ("calico", ("ipip",), {}, ("typha",))),
        ({"calico": CALICO}, {"calico_bgp": "no", "calico_mode": "manifest"}, ("calico", ("ipip",), {}, ())),
        ({"cilium": CILIUM}, {"cilium_wireguard": True}, ("cilium", ("vxlan",), 8473, ("wireguard",))),
    ],
)
def test_what_is_said_comes_before_what_is_seen(
    cnis: dict[str, Any], variables: dict[str, Any], expected: tuple[str, tuple[str, ...], Any, tuple[str, ...]]
) -> None:
    found = network(cnis, **variables)
    ports = set(found.ports.values()) if isinstance(expected[2], int) else dict(found.ports)
    wanted = {expected[2]} if isinstance(expected[2], int) else expected[2]
    assert (found.cni, found.encapsulations, ports, found.add_ons) == (*expected[:2], wanted, expected[3])
    assert found.notices == ()


POOLS = [{"name": "a", "encapsulation": "IPIP"}, {"name": "b"}, {"name": "c", "encapsulation": "None"}]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"calico_pools": POOLS}, ("ipip", "vxlan")),
        ({"calico_pools": POOLS, "calico_encapsulation": "VXLANCrossSubnet"}, ("ipip", "vxlan-crosssubnet")),
        ({"calico_pools": POOLS[:1], "calico_encapsulation": "VXLAN"}, ("ipip",)),
        ({"calico_pools": POOLS[2:]}, ("none",)),
        ({"calico_pools": [], "calico_encapsulation": "IPIP"}, ("ipip",)),
        ({"cilium_values": {"tunnelProtocol": "geneve"}}, ("geneve",)),
        ({"cilium_values": {"tunnelProtocol": "geneve"}, "cilium_tunnel": "vxlan"}, ("geneve",)),
        ({"cilium_values": {"routingMode": "native"}, "cilium_tunnel": "vxlan"}, ("native",)),
        ({"cilium_values": {"routingMode": "tunnel"}, "cilium_tunnel": "none"}, ("vxlan",)),
        ({"cilium_values": {"tunnelProtocol": "geneve"}, "cilium_tunnel": "none"}, ("native",)),
        ({"cilium_values": {"MTU": 1400}}, ("vxlan",)),
    ],
)
def test_what_pools_and_values_of_the_chart_say_counts(variables: dict[str, Any], expected: tuple[str, ...]) -> None:
    cni = next(iter(variables)).partition("_")[0]
    found = network({}, cni_plugin=cni, **variables)
    assert (found.encapsulations, found.notices) == (expected, ())


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"calico_linux_dataplane": "BPF"}, ("typha", "calico-ebpf")),
        ({"calico_linux_dataplane": "Nftables"}, ("typha",)),
        ({"calico_felix": {"bpfEnabled": True, "wireguardEnabled": True}}, ("typha", "wireguard", "calico-ebpf")),
        ({"cilium_values": {"encryption": {"enabled": True}}}, ("hubble", "ipsec")),
        ({"cilium_values": {"encryption": {"enabled": True, "type": "wireguard"}}}, ("hubble", "wireguard")),
        ({"cilium_values": {"encryption": {"type": "ipsec"}}, "cilium_wireguard": "yes"}, ("hubble", "ipsec")),
        ({"cilium_values": {"encryption": {"enabled": False}}, "cilium_wireguard": True}, ("hubble",)),
        ({"cilium_values": {"hubble": {"enabled": False}}, "cilium_hubble": True}, ()),
        (
            {"cilium_values": {"authentication": {"mutual": {"spire": {"enabled": True}}}}},
            ("hubble", "mutual-auth"),
        ),
        ({"cilium_values": {"loadBalancer": {"mode": "dsr", "dsrDispatch": "geneve"}}}, ("hubble", "dsr-geneve")),
        ({"cilium_values": {"loadBalancer": {"mode": "dsr"}}}, ("hubble",)),
    ],
)
def test_so_do_they_of_what_comes_with_it(variables: dict[str, Any], expected: tuple[str, ...]) -> None:
    cni = next(iter(variables)).partition("_")[0]
    assert network({}, cni_plugin=cni, **variables).add_ons == expected


def test_pools_of_several_kinds_are_seen_and_only_those_that_lose_their_ports_are_told() -> None:
    live = {"calico": {**CALICO, "encapsulations": ["vxlan", "ipip-crosssubnet"], "port": 4790}}
    found = network(live)
    assert found.encapsulations == ("vxlan", "ipip-crosssubnet")
    assert found.ports["calico-vxlan"] == 4790
    assert network(live, calico_pools=POOLS).notices == ()
    [notice] = network(live, calico_encapsulation="VXLAN").notices
    assert notice.startswith("calico runs with encapsulation vxlan and ipip-crosssubnet, and the ports of vxlan are ")
    ipip = {"calico": CALICO}
    assert network(ipip, calico_pools=POOLS).notices == (), "what runs keeps its ports"


def test_a_port_belongs_to_its_encapsulation() -> None:
    found = network({"cilium": CILIUM}, cilium_tunnel="geneve")
    assert (found.encapsulations, found.ports) == (("geneve",), {})
    assert len(found.notices) == 1
    assert found.notices[0].startswith("cilium runs with encapsulation vxlan, and the ports of geneve are opened: ")


def test_another_port_than_the_tunnels_is_told() -> None:
    found = network({"cilium": CILIUM}, cilium_values={"tunnelPort": 8472})
    assert found.ports["cilium-vxlan"] == 8472
    assert "cilium runs with its tunnel at UDP port 8473, and 8472 is opened" in found.notices[0]


def test_one_network_or_several_need_the_same_ports() -> None:
    crossing = {"calico": {**CALICO, "encapsulations": ["ipip-crosssubnet"]}}
    assert network(crossing, calico_encapsulation="IPIP").notices == ()


def test_another_cni_by_a_slip_is_refused_and_by_decision_is_told() -> None:
    with pytest.raises(PlanError, match=r"CNI 'flannel': cni_plugin names it, and calico runs.*node_firewall_cni"):
        network({"calico": CALICO}, cni_plugin="flannel")
    found = network({"calico": CALICO}, {"cni": "flannel"})
    assert (found.cni, found.encapsulations, found.add_ons) == ("flannel", ("vxlan",), ())
    assert "calico runs, and the ports of flannel are opened" in found.notices[0]


@pytest.mark.parametrize("named", ["flannel", "calico"])
def test_a_switch_that_is_under_way_goes_on(named: str) -> None:
    """Both run then; the inventory names the old one or the new one."""
    found = network({"calico": CALICO, "flannel": FLANNEL}, cni_plugin=named)
    assert found.cni == named
    assert len(found.notices) == 1


def test_before_a_first_installation_nothing_is_in_the_way() -> None:
    assert network({}, cni_plugin="cilium", cilium_tunnel="geneve").notices == ()
    assert network({}, unread="GET ...: forbidden", cni_plugin="cilium").cni == "cilium"


def test_who_does_not_know_asks() -> None:
    with pytest.raises(PlanError, match=r"amazon-vpc, calico run.*Set node_firewall_cni"):
        network({"calico": CALICO, "amazon-vpc": {}})
    with pytest.raises(PlanError, match=r"it may not be read: GET /apis/apps/v1/daemonsets.*Set node_firewall_cni"):
        network({}, unread="GET /apis/apps/v1/daemonsets: forbidden")


def test_a_cni_without_rows_is_told() -> None:
    found = network({"kindnet": {}})
    assert (found.cni, found.encapsulations) == ("kindnet", ())
    assert found.notices == (
        "The port matrix has no ports of the CNI kindnet: if it needs any, add them to node_firewall_rules.",
    )
