# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of a node's ports, and its nftables rendering."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.backends.nftables import render
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.errors import PlanError
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.inventory import addresses_of
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.node import require_admitted
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.plan import (
    Cluster,
    admits,
    from_output,
    plan_for,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.ports import ENCAPSULATIONS, MATRIX
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.report import markdown, readable
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.ruleset import Settings, intended
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.plans import inputs

if TYPE_CHECKING:
    from random import Random

CLUSTER = Cluster(
    groups={"kube_control_plane": ["cp"], "kube_node": ["cp", "worker"]},
    addresses={"cp": ["192.0.2.1", "2001:db8::1"], "worker": ["192.0.2.2"]},
    pod_cidrs=("10.244.0.0/16",),
    service_cidrs=("10.96.0.0/16",),
    cni="flannel",
    encapsulations=("vxlan",),
)


BASE = "ssh dhcp4-client dhcp6-client icmp-errors icmp-echo icmpv6-errors icmpv6-nd icmpv6-echo".split()
TYPHA = "calico-typha tcp 5473"


def ids(node: str, cluster: Cluster = CLUSTER) -> list[str]:
    return [rule.id for rule in plan_for(node, cluster).rules]


def test_every_row_has_a_source_and_its_own_id() -> None:
    assert len({row.id for row in MATRIX}) == len(MATRIX)
    assert all(row.source for row in MATRIX)


def test_a_control_plane_node_and_a_worker() -> None:
    assert ids("cp") == [
        *BASE,
        *("kube-apiserver", "etcd-client", "etcd-peer", "kubelet"),
        *("kube-proxy-health", "nodeport-tcp", "nodeport-udp", "flannel-vxlan"),
    ]
    assert ids("worker") == [*BASE, "kubelet", "kube-proxy-health", "nodeport-tcp", "nodeport-udp", "flannel-vxlan"]


def test_a_calico_of_several_encapsulations_has_the_ports_of_each() -> None:
    """And each once, though two rows are about BGP, and two about VXLAN."""
    several = replace(CLUSTER, cni="calico", encapsulations=("vxlan", "ipip"), add_ons=("bgp", "calico-ebpf"))
    assert [one for one in ids("worker", several) if one.startswith("calico")] == [
        "calico-bgp",
        "calico-ipip",
        "calico-vxlan",
    ]


@pytest.mark.parametrize(
    ("encapsulation", "port"), [("vxlan", "8472"), ("udp", "8285"), ("wireguard", "51820-51821"), ("host-gw", None)]
)
def test_the_ports_of_flannel_follow_its_encapsulation(encapsulation: str, port: str | None) -> None:
    plan = plan_for("worker", replace(CLUSTER, encapsulations=(encapsulation,)))
    assert [rule.ports for rule in plan.rules if rule.id.startswith("flannel")] == ([port] if port else [])


@pytest.mark.parametrize(
    ("cni", "encapsulation", "add_ons", "expected"),
    [
        ("flannel", "ipip", (), ["flannel-ipip ipip "]),
        ("calico", "vxlan", (), ["calico-vxlan udp 4789"]),
        (
            "calico",
            "ipip-crosssubnet",
            ("typha",),
            ["calico-bgp tcp 179", "calico-ipip ipip ", TYPHA],
        ),
        ("calico", "none", (), ["calico-bgp tcp 179"]),
        ("cilium", "geneve", (), ["cilium-geneve udp 6081", "cilium-health tcp 4240"]),
        ("cilium", "native", ("ipsec",), ["cilium-health tcp 4240", "cilium-ipsec esp "]),
        (
            "cilium",
            "vxlan",
            ("hubble", "wireguard"),
            [
                *(
                    "cilium-vxlan udp 8472",
                    "cilium-health tcp 4240",
                    "cilium-hubble tcp 4244",
                    "cilium-wireguard udp 51871",
                ),
            ],
        ),
        ("", "", ("nodelocaldns",), ["nodelocaldns-udp udp 53", "nodelocaldns-tcp tcp 53"]),
        ("cloud", "", (), []),
    ],
)
def test_the_ports_of_a_cni_and_of_add_ons(
    cni: str, encapsulation: str, add_ons: tuple[str, ...], expected: list[str]
) -> None:
    base = set(ids("worker", replace(CLUSTER, cni="", encapsulations=())))
    plan = plan_for("worker", replace(CLUSTER, cni=cni, encapsulations=(encapsulation,), add_ons=add_ons))
    assert [f"{rule.id} {rule.protocol} {rule.ports}" for rule in plan.rules if rule.id not in base] == expected


def test_every_row_asks_for_what_can_be() -> None:
    for row in MATRIX:
        cni, _unused, encapsulations = row.when.partition("/")
        assert not cni or cni in ENCAPSULATIONS
        assert not encapsulations or set(encapsulations.split("|")) <= set(ENCAPSULATIONS[cni])


def test_etcd_is_on_the_control_plane_unless_it_has_a_group() -> None:
    groups = {**CLUSTER.groups, "etcd": ["store"]}
    cluster = replace(CLUSTER, groups=groups, addresses={**CLUSTER.addresses, "store": ["192.0.2.9"]})
    assert "etcd-peer" in ids("store", cluster)
    assert "etcd-peer" not in ids("cp", cluster)


def test_users_add_change_and_remove_rules_by_id() -> None:
    changes: list[dict[str, Any]] = [
        {"id": "exporter", "ports": "9100", "peers": ["monitoring"]},
        {"id": "nodeport-tcp", "peers": ["load_balancers"]},
        {"id": "nodeport-udp", "state": "absent"},
    ]
    cluster = replace(CLUSTER, peers={"monitoring": ["198.51.100.0/24"], "load_balancers": ["198.51.100.7"]})
    rules = {rule.id: rule for rule in plan_for("worker", cluster, changes).rules}
    assert rules["exporter"].peers == ("monitoring",)
    assert rules["nodeport-tcp"].peers == ("load_balancers",)
    assert "nodeport-udp" not in rules


@pytest.mark.parametrize(
    "change",
    [
        {"id": "kube-apiserver", "peers": ["control_plane"]},
        {"id": "kube-apiserver", "ports": "8443"},
        {"id": "kube-apiserver", "ports": "8443", "peers": ["control_plane"]},
        {"id": "kube-apiserver", "state": "absent"},
        {"id": "calico-typha", "peers": ["control_plane"]},
        {"id": "metallb-metrics", "ports": "7473"},
        {"id": "konnectivity", "ports": "8133", "peers": ["all_nodes"]},
        {"id": "etcd-metrics", "peers": ["control_plane"]},
    ],
)
def test_a_change_of_a_row_is_for_nodes_that_have_it(change: dict[str, Any]) -> None:
    """The same changes are given for all hosts; a worker has no API server, and no ports of another CNI or add-on."""
    assert plan_for("worker", CLUSTER, [change]) == plan_for("worker", CLUSTER)


def test_a_change_of_a_row_takes_what_it_does_not_say_from_the_matrix() -> None:
    changes: list[dict[str, Any]] = [
        {"id": "kube-apiserver", "peers": ["control_plane"]},
        {"id": "etcd-client", "state": "absent"},
        {"id": "etcd-metrics", "peers": ["monitoring"]},
    ]
    rules = {
        rule.id: rule for rule in plan_for("cp", replace(CLUSTER, peers={"monitoring": ["192.0.2.9"]}), changes).rules
    }
    assert (rules["kube-apiserver"].ports, rules["kube-apiserver"].peers) == ("6443", ("control_plane",))
    assert "etcd-client" not in rules
    # Only the node itself asks there, until somebody says who else may.
    assert (rules["etcd-metrics"].ports, rules["etcd-metrics"].peers) == ("2381", ("monitoring",))


def test_a_whole_rule_is_opened_though_the_matrix_would_have_it_for_an_add_on_alone() -> None:
    changes: list[dict[str, Any]] = [
        {"id": "node-exporter", "ports": "9101", "peers": ["all_nodes"]},
        {"id": "calico-vxlan", "ports": "4790", "peers": ["all_nodes"]},
        {"id": "calico-ipip", "peers": ["all_nodes"]},
    ]
    rules = {rule.id: rule for rule in plan_for("worker", CLUSTER, changes).rules}
    assert (rules["node-exporter"].protocol, rules["node-exporter"].ports) == ("tcp", "9101")
    assert (rules["calico-vxlan"].protocol, rules["calico-vxlan"].ports) == ("udp", "4790")
    assert rules["calico-ipip"].protocol == "ipip"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": "kube-apiserver", "ports": "https"}, "rule 'kube-apiserver': ports 'https'"),
        ({"id": "kube-apiserver", "peers": []}, "nobody may use it"),
        ({"id": "kube-apiserver", "port": "8443"}, "unknown fields port"),
        ({"id": "etcd-metrics", "ports": "2382"}, "nobody may use it"),
    ],
)
def test_a_wrong_change_is_refused_where_it_does_not_apply_too(change: dict[str, Any], message: str) -> None:
    with pytest.raises(PlanError, match=message):
        plan_for("worker", CLUSTER, [change])


@pytest.mark.parametrize("change", [{"peers": ["control_plane"]}, {"state": "absent"}])
def test_a_change_of_a_row_that_another_stands_in_for_is_not_lost(change: dict[str, Any]) -> None:
    with pytest.raises(PlanError, match="rule 'etcd-client-nodes' stands in for it"):
        plan_for("cp", replace(CLUSTER, add_ons=("etcd-datastore",)), [{"id": "etcd-client", **change}])


def test_a_set_that_nobody_filled_opens_nothing() -> None:
    rules = {rule.id: rule for rule in plan_for("worker", CLUSTER).rules}
    assert rules["kubelet"].peers == ("all_nodes", "pods")


def test_output_is_read_back() -> None:
    plan = plan_for("cp", CLUSTER)
    assert from_output(plan.to_output()) == plan


BAD_CLUSTERS: list[tuple[dict[str, Any], str]] = [
    ({"groups": {"kube_node": ["worker"]}}, "group 'kube_control_plane' is missing or empty"),
    ({"groups": {"kube_control_plane": []}}, "group 'kube_control_plane' is missing or empty"),
    ({"addresses": {"cp": ["192.0.2.1"]}}, "node 'worker': no address of it is known"),
    ({"addresses": {"cp": [], "worker": ["192.0.2.2"]}}, "node 'cp': no address of it is known"),
    ({"groups": {"kube_control_plane": ["cp"], "etcd": ["store"]}}, "node 'store': no address of it is known"),
    ({"addresses": {"cp": ["cp.example"], "worker": ["192.0.2.2"]}}, "'cp.example'"),
    ({"addresses": {"cp": ["192.0.2.300"], "worker": ["192.0.2.2"]}}, "'192.0.2.300'"),
    ({"pod_cidrs": ("2001:db8:244::/56",)}, "node 'worker': it has no IPv6 address, and the pods have one"),
    ({"addresses": {"cp": ["2001:db8::1"], "worker": ["192.0.2.2"]}}, "node 'cp': it has no IPv4 address"),
    ({"pod_cidrs": ("10.244.0.1/16",)}, "peer set 'pods': '10.244.0.1/16' has host bits set"),
    ({"pod_cidrs": ("nowhere",)}, "peer set 'pods': 'nowhere'"),
    ({"service_cidrs": ("10.96.0.1/16",)}, "peer set 'services': '10.96.0.1/16'"),
    ({"service_cidrs": ("10.96.0.0/33",)}, "peer set 'services': '10.96.0.0/33'"),
    (
        {"peers": {"admins": ["192.0.2.1/24"]}},
        "Write 192.0.2.0/24 for the whole network, or 192.0.2.1 for the one address",
    ),
    ({"peers": {"admins": ["office"]}}, "a network without host bits, or a host or group of the inventory"),
    ({"peers": {"admins": ["192.0.2.0/33"]}}, "peer set 'admins': '192.0.2.0/33'"),
    ({"peers": {"admins": ["192.0.2.1-192.0.2.9"]}}, "peer set 'admins': '192.0.2.1-192.0.2.9'"),
    ({"peers": {"admins": ["2001:db8::/129"]}}, "peer set 'admins': '2001:db8::/129'"),
    ({"peers": {"admins": [""]}}, "peer set 'admins': ''"),
    ({"peers": {"admins": []}}, "rule 'ssh': nobody may use it: admins is empty"),
    ({"peers": {"all_nodes": []}}, "nobody may use it: all_nodes is empty"),
    ({"nodeport_range": "32767-30000"}, "ports '32767-30000' run backwards; expected 30000-32767"),
    ({"nodeport_range": "30000:32767"}, "ports '30000:32767'; expected a port from 1 to 65535, or low-high"),
    ({"nodeport_range": "0-10"}, "ports '0-10'"),
    ({"nodeport_range": "60000-70000"}, "ports '60000-70000'"),
    ({"nodeport_range": ""}, "rule 'nodeport-tcp': ports ''"),
    ({"nodeport_range": "10000-32767"}, "tcp 10000-32767 is also what rule"),
    ({"ssh_port": 0}, "rule 'ssh': ports '0'"),
    ({"ssh_port": 70000}, "rule 'ssh': ports '70000'"),
    ({"ssh_port": 10250}, "tcp 10250 is also what rule 'ssh' is about"),
    ({"ports": {"flannel-vxlan": "vxlan"}}, "rule 'flannel-vxlan': ports 'vxlan'"),
    ({"ports": {"kubelet": "10256"}}, "is also what rule 'kubelet' is about"),
    ({"encapsulations": ("VXLAN",)}, "CNI 'flannel': encapsulation 'VXLAN'; expected one of vxlan"),
    ({"cni": "calico", "encapsulations": ()}, "CNI 'calico': encapsulation ''"),
    ({"cni": "cilium", "encapsulations": ("vxlan", "ipip")}, "CNI 'cilium': encapsulation 'ipip'; expected one of"),
    ({"load_balancer_cidrs": ("203.0.113.1/28",)}, "peer set 'load_balancers': '203.0.113.1/28' has host bits set"),
    ({"load_balancer_cidrs": ("192.0.2.0/28",)}, "network 192.0.2.0/28 of load balancers: it overlaps address"),
    ({"load_balancer_cidrs": ("2001:db8::/64",)}, "it overlaps address 2001:db8::1 of node 'cp'"),
    ({"load_balancer_cidrs": ("10.244.9.0/24",)}, "it overlaps the pod network 10.244.0.0/16"),
    ({"add_ons": ("hubbel",)}, "add-on 'hubbel': the port matrix does not know it; expected one of bgp"),
    ({"add_ons": ("",)}, "add-on ''"),
]
BAD_CHANGES: list[tuple[dict[str, Any], str]] = [
    ({"id": "a", "ports": "0", "peers": ["pods"]}, "rule 'a': ports '0'; expected a port from 1 to 65535"),
    ({"id": "a", "ports": "65536", "peers": ["pods"]}, "rule 'a': ports '65536'"),
    ({"id": "a", "ports": "-1", "peers": ["pods"]}, "rule 'a': ports '-1'"),
    ({"id": "a", "ports": "80-", "peers": ["pods"]}, "rule 'a': ports '80-'"),
    ({"id": "a", "ports": "80,443", "peers": ["pods"]}, "rule 'a': ports '80,443'"),
    ({"id": "a", "ports": "http", "peers": ["pods"]}, "rule 'a': ports 'http'"),
    ({"id": "a", "ports": "90-80", "peers": ["pods"]}, "ports '90-80' run backwards; expected 80-90"),
    (
        {"id": "a", "ports": "80", "peers": ["offices"]},
        "peer set 'offices' is unknown; expected one of admins",
    ),
    ({"id": "a", "ports": "80"}, "it is new and has no peers"),
    ({"id": "a", "peers": ["pods"]}, "it is new and has no ports"),
    ({"id": "a"}, "it is new and has no ports and no peers"),
    ({"id": "a", "protocol": "icmp", "peers": ["pods"]}, "it is new and has no ports"),
    ({"id": "a", "protocol": "esp"}, "it is new and has no peers"),
    ({"id": "a", "ports": "80", "peers": []}, "nobody may use it: peers is empty"),
    ({"id": "a", "ports": "80", "peers": ["monitoring"]}, "nobody may use it: monitoring is empty"),
    ({"id": "a", "ports": "80", "peers": ["monitoring", "bgp_peers"]}, "bgp_peers, monitoring are empty"),
    ({"id": "a", "ports": "80", "peers": "pods"}, "rule 'a': peers 'pods'; expected a list of names of peer sets"),
    ({"id": "a", "ports": "80", "peers": [1]}, "rule 'a': peers [1]"),
    ({"id": "a", "ports": "10250", "peers": ["pods"]}, "tcp 10250 is also what rule 'kubelet'"),
    ({"id": "a", "ports": "10000-11000", "peers": ["pods"]}, "tcp 10000-11000 is also what rule 'kubelet'"),
    ({"id": "a", "ports": "31000", "peers": ["pods"]}, "is also what rule 'nodeport-tcp' is about (30000-32767)"),
    ({"id": "a", "protocol": "udp", "ports": "8472", "peers": ["pods"]}, "udp 8472 is also what rule 'flannel-vxlan'"),
    ({"id": "a", "protocol": "icmp", "ports": "echo-request", "peers": ["pods"]}, "is also what rule 'icmp-echo'"),
    ({"id": "a", "port": "80"}, "unknown fields port"),
    ({"id": "a", "ports": "80", "from": ["pods"], "proto": "tcp"}, "unknown fields from, proto"),
    ({"ports": "80"}, "it has no id"),
    ({"id": "", "ports": "80"}, "it has no id"),
    ({"id": 'x" drop', "ports": "80", "peers": ["pods"]}, "its id cannot be a comment in every back-end"),
    ({"id": "7up", "ports": "80", "peers": ["pods"]}, "expected a letter, then at most 62 letters"),
    ({"id": "a" * 64, "ports": "80", "peers": ["pods"]}, "its id cannot be a comment"),
    ({"id": "a", "protocol": "esp", "ports": "50", "peers": ["pods"]}, "ports '50'; expected none: esp has no ports"),
    ({"id": "ssh", "protocol": "esp"}, "rule 'ssh': ports '22'; expected none: esp has no ports"),
    ({"id": "ssh", "protocol": "icmp"}, "rule 'ssh': icmp type '22'; expected any of echo-request"),
    ({"id": "a", "protocol": "icmp", "ports": "ping", "peers": ["pods"]}, "icmp type 'ping'; expected any of"),
    ({"id": "a", "protocol": "icmpv6", "ports": "", "peers": ["pods"]}, "icmpv6 types ''; expected any of"),
    (
        {"id": "a", "protocol": "quic", "ports": "80", "peers": ["pods"]},
        "protocol 'quic'; expected one of tcp, udp, sctp",
    ),
    ({"id": "a", "protocol": "ip:300", "peers": ["pods"]}, "protocol 'ip:300'"),
    ({"id": "a", "protocol": "TCP", "ports": "80", "peers": ["pods"]}, "protocol 'TCP'"),
    ({"id": "a", "state": "gone"}, "rule 'a': state 'gone'; expected present or absent"),
    ({"id": "nodeport", "state": "absent"}, "state absent, and there is no rule of that id; expected one of ssh"),
]


@pytest.mark.parametrize(
    ("cluster", "changes", "message"),
    [
        *((replace(CLUSTER, **change), [], message) for change, message in BAD_CLUSTERS),
        *((CLUSTER, [change], message) for change, message in BAD_CHANGES),
        (
            replace(CLUSTER, groups={**CLUSTER.groups, "office": ["pc"]}, peers={"admins": ["office"]}),
            [],
            "peer set 'admins': no address of 'office' is known",
        ),
        (
            replace(CLUSTER, peers={"My Office": ["192.0.2.0/24"]}),
            [{"id": "ssh", "peers": ["My Office"]}],
            "peer set 'My Office': its name cannot be one in every back-end",
        ),
    ],
)
def test_what_cannot_be_planned_is_named(cluster: Cluster, changes: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(PlanError) as refused:
        plan_for("worker", cluster, changes)
    assert message in str(refused.value)


@pytest.mark.parametrize("state", ["present", "absent"])
def test_two_changes_of_one_rule_are_refused(state: str) -> None:
    changes: list[dict[str, Any]] = [{"id": "kubelet", "peers": ["pods"]}, {"id": "kubelet", "state": state}]
    for order in (changes, changes[::-1]):
        with pytest.raises(PlanError, match="rule 'kubelet': it is in the list twice"):
            plan_for("worker", CLUSTER, order)


def test_rules_are_in_one_order() -> None:
    changes: list[dict[str, Any]] = [
        {"id": "z", "ports": "81", "peers": ["pods", "all_nodes"]},
        {"id": "a", "ports": "80", "peers": ["admins", "pods", "admins"]},
        {"id": "ssh", "peers": ["anywhere", "admins"]},
    ]
    rules = plan_for("worker", CLUSTER, changes).rules
    assert [rule.id for rule in rules] == [*ids("worker"), "a", "z"]
    peers = {rule.id: rule.peers for rule in rules}
    assert (peers["a"], peers["z"], peers["ssh"]) == (("admins", "pods"), ("all_nodes", "pods"), ("admins", "anywhere"))


@settings(max_examples=100, deadline=None)
@given(inputs(), st.randoms(use_true_random=False))
def test_the_order_of_what_is_given_makes_no_plan(
    given_: tuple[str, Cluster, list[dict[str, Any]]], chance: Random
) -> None:
    """Neither another plan, nor another text of it; lists and mappings in any order, at every depth."""
    name, cluster, changes = given_
    made = plan_for(name, cluster, changes)
    parts = {field.name: shuffled(getattr(cluster, field.name), chance) for field in fields(cluster)}
    again = plan_for(name, Cluster(**parts), shuffled(changes, chance))
    assert again == made
    assert json.dumps(again.to_output()) == json.dumps(made.to_output())
    assert (readable(again), markdown([again])) == (readable(made), markdown([made]))


def shuffled(value: Any, chance: Random) -> Any:
    if isinstance(value, dict):
        keys = list(value)
        chance.shuffle(keys)
        return {key: shuffled(value[key], chance) for key in keys}
    if isinstance(value, (list, tuple)):
        items = [shuffled(one, chance) for one in value]
        chance.shuffle(items)
        return type(value)(items)
    return value


def test_a_plan_that_is_none_is_refused() -> None:
    with pytest.raises(PlanError, match="port_plan"):
        from_output({"node_name": "a"})


@pytest.mark.parametrize(
    ("part", "value", "message"),
    [
        ("peers", {"pods": ["10.244.0.1/16"]}, "has host bits set"),
        ("peers", {}, "is unknown"),
        ("pod_cidrs", ["nowhere"], "peer set 'pods': 'nowhere'"),
        ("load_balancer_cidrs", ["nowhere"], "peer set 'load_balancers': 'nowhere'"),
    ],
)
def test_a_plan_that_was_edited_is_checked(part: str, value: Any, message: str) -> None:
    with pytest.raises(PlanError, match=message):
        from_output({**plan_for("cp", CLUSTER).to_output(), part: value})


def test_nobody_is_locked_out() -> None:
    plan = plan_for("worker", replace(CLUSTER, peers={"admins": ["198.51.100.0/24"]}))
    assert admits(plan, "198.51.100.9", 22)
    assert not admits(plan, "192.0.2.77", 22)
    require_admitted(plan, "198.51.100.9 40000 192.0.2.2 22")
    require_admitted(plan, "")
    with pytest.raises(PlanError, match=r"does not admit SSH from 192\.0\.2\.77 to port 22.*admins"):
        require_admitted(plan, "192.0.2.77 40000 192.0.2.2 22")
    with pytest.raises(PlanError, match="port 2222"):
        require_admitted(plan, "198.51.100.9 40000 192.0.2.2 2222")


def test_rendering_is_the_same_for_the_same_plan() -> None:
    plan = plan_for("cp", CLUSTER)
    again = plan_for("cp", replace(CLUSTER, addresses={name: CLUSTER.addresses[name] for name in ("worker", "cp")}))
    texts = {render(intended(one, Settings(), forwards=False)) for one in (plan, again)}
    assert len(texts) == 1


def test_a_person_can_read_it() -> None:
    text = readable(plan_for("worker", CLUSTER))
    assert "kubelet            tcp       10250         all_nodes, pods\n" in text
    assert "everything else: dropped\n" in text
    assert "all_nodes: 192.0.2.1/32, 192.0.2.2/32, 2001:db8::1/128\n" in text


def test_networks_of_load_balancers_are_shown() -> None:
    plan = plan_for("worker", replace(CLUSTER, load_balancer_cidrs=("203.0.113.0/29", "203.0.113.8/29")))
    assert from_output(plan.to_output()) == plan
    assert "left to kube-proxy: whatever is for 203.0.113.0/28\n" in readable(plan)
    assert "| load balancers of the cluster | 203.0.113.0/28 |" in markdown([plan])
    kept = {name: value for name, value in plan_for("worker", CLUSTER).to_output().items() if "balancer" not in name}
    assert from_output(kept) == plan_for("worker", CLUSTER)


def test_addresses_come_from_variables_and_default_routes() -> None:
    facts = {"default_ipv4": {"address": "192.0.2.1"}, "default_ipv6": {}, "all_ipv4_addresses": ["10.244.0.1"]}
    groups = {"kube_control_plane": ["cp"], "others": ["db"]}
    hostvars = {"cp": {"ip": "198.51.100.1", "access_ip": "192.0.2.1", "ansible_facts": facts}}
    assert addresses_of(groups, hostvars) == {"cp": ["198.51.100.1", "192.0.2.1"]}


def test_ipv6_addresses_and_hosts_of_peer_sets_are_found() -> None:
    groups = {"kube_control_plane": ["cp"], "prometheus": ["db"]}
    hostvars = {"cp": {"ip": "192.0.2.1", "ip6": "2001:db8::1"}, "db": {"ip": "192.0.2.7"}, "pc": {"ip": "192.0.2.8"}}
    peers = {"monitoring": ["prometheus"], "admins": ["pc", "198.51.100.0/24"]}
    addresses = addresses_of(groups, hostvars, peers)
    assert addresses == {"cp": ["192.0.2.1", "2001:db8::1"], "db": ["192.0.2.7"], "pc": ["192.0.2.8"]}
    plan = plan_for("cp", Cluster(groups, addresses, peers=peers))
    assert plan.peers["monitoring"] == ("192.0.2.7/32",)
    assert plan.peers["admins"] == ("192.0.2.8/32", "198.51.100.0/24")


def test_an_auditor_gets_a_document() -> None:
    text = markdown([plan_for(name, CLUSTER) for name in ("worker", "cp")])
    assert text.index("## cp") < text.index("## worker")
    assert "| kubelet | kubelet | tcp | 10250 | all_nodes, pods |" in text
    assert "| admins | everybody |" in text


def test_a_datastore_in_etcd_opens_it_to_all_nodes() -> None:
    rules = [rule.id for rule in plan_for("cp", replace(CLUSTER, add_ons=("etcd-datastore",))).rules]
    assert "etcd-client-nodes" in rules
    assert "etcd-client" not in rules


def test_other_ports_than_the_matrix_has() -> None:
    plan = plan_for("worker", replace(CLUSTER, ports={"flannel-vxlan": 4789, "kube-apiserver": 8443}))
    assert [rule.ports for rule in plan.rules if rule.id == "flannel-vxlan"] == ["4789"]
