# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter port_plan as Ansible loads and calls it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.netops.kubernetes.plugins.filter.port_plan import FilterModule
from hypothesis import given, settings
from hypothesis import strategies as st

GROUPS = {"kube_control_plane": ["cp"], "kube_node": ["cp", "worker"]}
FLANNEL = {"cni": "flannel", "encapsulation": "vxlan"}


def facts(address: str, *others: str) -> dict[str, Any]:
    return {"ansible_facts": {"default_ipv4": {"address": address}, "all_ipv4_addresses": [address, *others]}}


HOSTVARS = {"cp": facts("192.0.2.1"), "worker": facts("192.0.2.2")}


def port_plan(*arguments: Any, **options: Any) -> dict[str, Any]:
    plan: dict[str, Any] = FilterModule().filters()["port_plan"](*arguments, **options)
    return plan


def test_a_plan_from_groups_and_facts() -> None:
    plan = port_plan(GROUPS, HOSTVARS, "worker", pod_cidrs=["10.244.0.0/16"], **FLANNEL)
    assert plan["peers"]["all_nodes"] == ["192.0.2.1/32", "192.0.2.2/32"]
    assert [rule["id"] for rule in plan["rules"]] == [
        *(
            "ssh",
            "dhcp4-client",
            "dhcp6-client",
            "icmp-errors",
            "icmp-echo",
            "icmpv6-errors",
            "icmpv6-nd",
            "icmpv6-echo",
        ),
        *("kubelet", "kube-proxy-health", "nodeport-tcp", "nodeport-udp", "flannel-vxlan"),
    ]


def test_the_plan_is_the_same_after_the_cni_brought_its_addresses() -> None:
    after = {"cp": facts("192.0.2.1", "10.244.0.0", "10.244.0.1"), "worker": facts("192.0.2.2", "169.254.20.10")}
    assert port_plan(GROUPS, after, "worker", **FLANNEL) == port_plan(GROUPS, HOSTVARS, "worker", **FLANNEL)


@pytest.mark.parametrize(
    ("groups", "options", "message"),
    [
        ({"kube_node": ["worker"]}, {}, "group 'kube_control_plane' is missing or empty"),
        (GROUPS, {"cni": "flannel"}, "CNI 'flannel': encapsulation ''"),
        (GROUPS, {"add_ons": ["istio"]}, "add-on 'istio'"),
    ],
)
def test_what_cannot_be_planned_fails_the_task_in_words(
    groups: dict[str, list[str]], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(AnsibleFilterError, match=message):
        port_plan(groups, HOSTVARS, "worker", **options)


def test_a_node_that_was_left_out_does_not_lose_its_second_address_in_silence() -> None:
    both = {"default_ipv4": {"address": "192.0.2.1"}, "default_ipv6": {"address": "2001:db8::1"}}
    cp = {"ip": "192.0.2.1", "ansible_facts": both}
    with pytest.raises(AnsibleFilterError, match=r"host 'worker': only 192\.0\.2\.2 is known.*host variable ip6"):
        port_plan(GROUPS, {"cp": cp, "worker": {"ip": "192.0.2.2"}}, "cp", **FLANNEL)
    told = port_plan(GROUPS, {"cp": cp, "worker": {"ip": "192.0.2.2", "ip6": "2001:db8::2"}}, "cp", **FLANNEL)
    assert "2001:db8::2/128" in told["peers"]["all_nodes"]
    # Facts tell that a node has no second address; then there is nothing to lose.
    looked_at = {"ip": "192.0.2.2", "ansible_facts": {"default_ipv4": {"address": "192.0.2.2"}, "default_ipv6": {}}}
    plan = port_plan(GROUPS, {"cp": cp, "worker": looked_at}, "cp", **FLANNEL)
    assert plan["peers"]["all_nodes"] == ["192.0.2.1/32", "192.0.2.2/32", "2001:db8::1/128"]


@settings(max_examples=25)
@given(st.permutations(["cp", "worker"]), st.permutations(["192.0.2.0/25", "198.51.100.7", "2001:db8::/64"]))
def test_the_order_of_the_inventory_does_not_matter(hosts: list[str], admins: list[str]) -> None:
    groups = {"kube_node": hosts, "kube_control_plane": ["cp"]}
    hostvars = {host: HOSTVARS[host] for host in hosts}
    plan = port_plan(groups, hostvars, "worker", peers={"admins": admins}, **FLANNEL)
    assert plan == port_plan(GROUPS, HOSTVARS, "worker", peers={"admins": sorted(admins)}, **FLANNEL)
