# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of a node's ports, and its nftables rendering."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.backends.nftables import render
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.inventory import addresses_of
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.node import require_admitted
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.plan import (
    Cluster,
    PlanError,
    admits,
    from_output,
    plan_for,
    readable,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.ports import ENCAPSULATIONS, MATRIX

CLUSTER = Cluster(
    groups={"kube_control_plane": ["cp"], "kube_node": ["cp", "worker"]},
    addresses={"cp": ["192.0.2.1", "2001:db8::1"], "worker": ["192.0.2.2"]},
    pod_cidrs=("10.244.0.0/16",),
    service_cidrs=("10.96.0.0/16",),
    cni="flannel",
    encapsulation="vxlan",
)


TYPHA = "calico-typha tcp 5473"


def ids(node: str, cluster: Cluster = CLUSTER) -> list[str]:
    return [rule.id for rule in plan_for(node, cluster).rules]


def test_every_row_has_a_source_and_its_own_id() -> None:
    assert len({row.id for row in MATRIX}) == len(MATRIX)
    assert all(row.source for row in MATRIX)


def test_a_control_plane_node_and_a_worker() -> None:
    assert ids("cp") == [
        *("ssh", "kube-apiserver", "etcd-client", "etcd-peer", "kubelet", "kube-controller-manager", "kube-scheduler"),
        *("kube-proxy-health", "nodeport-tcp", "nodeport-udp", "flannel-vxlan"),
    ]
    assert ids("worker") == ["ssh", "kubelet", "kube-proxy-health", "nodeport-tcp", "nodeport-udp", "flannel-vxlan"]


@pytest.mark.parametrize(
    ("encapsulation", "port"), [("vxlan", "8472"), ("udp", "8285"), ("wireguard", "51820-51821"), ("host-gw", None)]
)
def test_the_ports_of_flannel_follow_its_encapsulation(encapsulation: str, port: str | None) -> None:
    plan = plan_for("worker", replace(CLUSTER, encapsulation=encapsulation))
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
        ("weave", "", (), []),
    ],
)
def test_the_ports_of_a_cni_and_of_add_ons(
    cni: str, encapsulation: str, add_ons: tuple[str, ...], expected: list[str]
) -> None:
    base = set(ids("worker", replace(CLUSTER, cni="", encapsulation="")))
    plan = plan_for("worker", replace(CLUSTER, cni=cni, encapsulation=encapsulation, add_ons=add_ons))
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


def test_a_set_that_nobody_filled_opens_nothing() -> None:
    rules = {rule.id: rule for rule in plan_for("worker", CLUSTER).rules}
    assert rules["kubelet"].peers == ("all_nodes", "pods")


def test_output_is_read_back() -> None:
    plan = plan_for("cp", CLUSTER)
    assert from_output(plan.to_output()) == plan


@pytest.mark.parametrize(
    ("cluster", "changes", "message"),
    [
        (replace(CLUSTER, groups={"kube_node": ["worker"]}), [], "group 'kube_control_plane' is missing or empty"),
        (replace(CLUSTER, addresses={"cp": ["192.0.2.1"]}), [], "node 'worker': no address of it is known"),
        (replace(CLUSTER, peers={"admins": ["192.0.2.1/24"]}), [], "has host bits set"),
        (replace(CLUSTER, peers={"admins": ["office"]}), [], "peer set 'admins': 'office'"),
        (replace(CLUSTER, nodeport_range="32767-30000"), [], "ports '32767-30000'; expected a port from 1 to 65535"),
        (CLUSTER, [{"id": "a", "ports": "0", "peers": ["pods"]}], "rule 'a': ports '0'"),
        (CLUSTER, [{"id": "a", "ports": "80", "peers": ["offices"]}], "peer set 'offices' is unknown"),
        (CLUSTER, [{"id": "a", "ports": "80"}], "it is new and has no peers"),
        (CLUSTER, [{"id": "a", "ports": "80", "peers": []}], "nobody may use it: peers is empty"),
        (CLUSTER, [{"id": "a", "ports": "10250", "peers": ["pods"]}], "tcp 10250 is also what rule 'kubelet'"),
        (CLUSTER, [{"id": "a", "port": "80"}], "unknown fields port"),
        (CLUSTER, [{"ports": "80"}], "it has no id"),
        (CLUSTER, [{"id": 'x" drop', "ports": "80", "peers": ["pods"]}], "its name cannot be one in nftables"),
        (CLUSTER, [{"id": "a", "protocol": "esp", "ports": "50", "peers": ["pods"]}], "none: esp has no ports"),
        (CLUSTER, [{"id": "ssh", "protocol": "esp"}], "rule 'ssh': ports '22'; expected none: esp has no ports"),
        (replace(CLUSTER, encapsulation="VXLAN"), [], "CNI 'flannel': encapsulation 'VXLAN'; expected one of vxlan"),
        (replace(CLUSTER, cni="calico", encapsulation=""), [], "CNI 'calico': encapsulation ''"),
        (replace(CLUSTER, add_ons=("hubbel",)), [], "add-on 'hubbel': the port matrix does not know it"),
        (CLUSTER, [{"id": "ssh", "protocol": "icmp"}], "protocol 'icmp'; expected one of tcp, udp, sctp, ipip, esp"),
    ],
)
def test_what_cannot_be_planned_is_named(cluster: Cluster, changes: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(PlanError) as refused:
        plan_for("worker", cluster, changes)
    assert message in str(refused.value)


def test_a_plan_that_is_none_is_refused() -> None:
    with pytest.raises(PlanError, match="port_plan"):
        from_output({"node_name": "a"})


@pytest.mark.parametrize(
    ("part", "value", "message"),
    [
        ("peers", {"pods": ["10.244.0.1/16"]}, "has host bits set"),
        ("peers", {}, "is unknown"),
        ("pod_cidrs", ["nowhere"], "peer set 'pods': 'nowhere'"),
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
    assert render(plan, default="drop", log=False) == render(again, default="drop", log=False)


def test_a_person_can_read_it() -> None:
    text = readable(plan_for("worker", CLUSTER))
    assert "kubelet            tcp       10250        all_nodes, pods\n" in text
    assert "everything else: dropped\n" in text
    assert "all_nodes: 192.0.2.1/32, 192.0.2.2/32, 2001:db8::1/128\n" in text


def test_addresses_come_from_variables_and_default_routes() -> None:
    facts = {"default_ipv4": {"address": "192.0.2.1"}, "default_ipv6": {}, "all_ipv4_addresses": ["10.244.0.1"]}
    groups = {"kube_control_plane": ["cp"], "others": ["db"]}
    hostvars = {"cp": {"ip": "198.51.100.1", "access_ip": "192.0.2.1", "ansible_facts": facts}}
    assert addresses_of(groups, hostvars) == {"cp": ["198.51.100.1", "192.0.2.1"]}
