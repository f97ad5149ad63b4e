# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which interfaces of a node carry the packets between nodes."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.netops.kubernetes.plugins.filter.pod_network_plan import pod_network_plan
from tests.support.network_facts import LOOPBACK, facts, interface

NODES = [{"name": "a", "addresses": ["192.0.2.1", "2001:db8::1"], "pod_cidrs": []}]


@pytest.mark.parametrize(
    ("told", "mtu"),
    [
        # a card, with its address as the main one or beside another
        (facts(interface("eth0", 1460, "192.0.2.1"), default="eth0"), 1460),
        (facts(interface("eth0", 1460, "198.51.100.7", "192.0.2.1"), default="eth0"), 1460),
        # the cluster's network is not that of the default route, and may carry more or less
        (facts(interface("eth0", 1500, "203.0.113.1"), interface("eth1", 9000, "192.0.2.1"), default="eth0"), 9000),
        (facts(interface("eth0", 1500, "203.0.113.1"), interface("eth1", 1400, "192.0.2.1"), default="eth0"), 1400),
        # a VLAN, a bond and a bridge that bear the address; what they are made of does not count
        (
            facts(interface("eth0", 9000), interface("eth0.100", 1496, "192.0.2.1"), default="eth0.100"),
            1496,
        ),
        (
            facts(
                interface("eno1", 9000),
                interface("eno2", 9000),
                interface("bond0", 8000, "192.0.2.1", kind="bonding", slaves=["eno1", "eno2"]),
                default="bond0",
            ),
            8000,
        ),
        (
            facts(
                interface("ens3", 1500),
                interface("br-ex", 1442, "192.0.2.1", kind="bridge", interfaces=["ens3"]),
                default="br-ex",
            ),
            1442,
        ),
        # a bridge of a hypervisor's name that nevertheless is the node's way out
        (facts(interface("virbr1", 1480, "192.0.2.1", kind="bridge", interfaces=["eth0"]), default="virbr1"), 1480),
        # a tunnel between sites
        (facts(interface("eth0", 1500, "203.0.113.1"), interface("wg0", 1420, "192.0.2.1"), default="eth0"), 1420),
        # each family on an interface of its own: the smaller one
        (facts(interface("eth0", 1500, "192.0.2.1"), interface("eth1", 1400, "2001:db8::1"), default="eth0"), 1400),
        # no address of a node that is known: the default route's
        (facts(interface("eth0", 1500, "203.0.113.1"), interface("eth1", 9000, "203.0.113.9"), default="eth0"), 1500),
        (facts(interface("eth0", 1500), interface("eth1", 9000, "2001:db8:9::1"), default6="eth1"), 9000),
        # the address is one of the loopback device, announced by routers
        (
            facts({**LOOPBACK, "ipv4_secondaries": [{"address": "192.0.2.1"}]}, interface("eth0", 1500, "203.0.113.1")),
            None,
        ),
        # by names alone: what is none of the host's own does not count, unless nothing else is there
        ({"eth0": 1500, "docker0": 1400, "virbr0": 1400, "br-5f1c0d2e7a9b": 1400, "cni0": 1300, "vnet3": 1300}, 1500),
        ({"virbr0": 1400, "cni0": 1300}, 1400),
    ],
)
def test_the_interface_that_carries_the_nodes_address_counts(told: dict[str, Any], mtu: int | None) -> None:
    options: dict[str, Any] = {"cni": "calico", "nodes": NODES, "interfaces": {"a": told}}
    if mtu is None:
        with pytest.raises(AnsibleFilterError, match="node 'a': it has no interface of its own"):
            pod_network_plan(["10.244.0.0/16"], **options)
    else:
        assert pod_network_plan(["10.244.0.0/16"], **options)["mtu"]["underlay"] == mtu


def test_facts_without_an_mtu_are_said() -> None:
    told = facts(interface("eth0", 1500, "192.0.2.1"), default="eth0")
    del told["eth0"]["mtu"]
    with pytest.raises(AnsibleFilterError, match="node 'a', interface eth0: MTU None; expected a number"):
        pod_network_plan(["10.244.0.0/16"], nodes=NODES, interfaces={"a": told})


def test_an_mtu_that_somebody_has_set_is_no_oddity() -> None:
    interfaces = {"a": {"eth0": 1450}, "b": {"eth0": 9000}}
    assert len(pod_network_plan(["10.244.0.0/16"], interfaces=interfaces)["warnings"]) == 2
    assert pod_network_plan(["10.244.0.0/16"], interfaces=interfaces, mtu=1400)["warnings"] == []
