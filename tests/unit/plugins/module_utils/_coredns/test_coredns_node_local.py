# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""NodeLocal DNSCache's Corefile and what stands in its way."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._coredns.node_local import (
    NodeLocal,
    NodeLocalError,
    corefile,
    objects,
    require_sound,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._coredns.node_local_task import (
    _require_nobody_left,
    advice_on,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.tree import parse
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.validate import validate

SELECTOR = {"k8s-app": "kube-dns"}


def wish(**more: Any) -> NodeLocal:
    return NodeLocal(**{"mode": "iptables", "dns_address": "10.96.0.10", "selector": SELECTOR, **more})


@pytest.mark.parametrize("outside", ["coredns", "node"])
@pytest.mark.parametrize("version", ["1.7.0", "1.11.3", "1.14.7"])
def test_every_coredns_takes_the_corefile(outside: str, version: str) -> None:
    assert validate(corefile(wish(outside=outside)), version) == []


def test_who_answers_for_what() -> None:
    for outside, server in (("coredns", "__PILLAR__CLUSTER__DNS__"), ("node", "__PILLAR__UPSTREAM__SERVERS__")):
        blocks = parse(corefile(wish(domain="example.internal", outside=outside))).servers
        asked = {
            block.keys[0].text: one.arguments[1]
            for block in blocks
            for one in block.directives
            if one.name == "forward"
        }
        cluster = "__PILLAR__CLUSTER__DNS__"
        zones = ("example.internal:53", "in-addr.arpa:53", "ip6.arpa:53")
        assert asked == {**dict.fromkeys(zones, cluster), ".:53": server}


def test_an_ipv6_address_is_bracketed_before_a_port() -> None:
    text = corefile(wish(address="fd00::10", dns_address="fd00:96::a"))
    assert "health [fd00::10]:8080\n" in text
    assert validate(text, "1.14.7") == []


def test_ipv6_link_local() -> None:
    with pytest.raises(NodeLocalError, match="needs a link beside it") as error:
        require_sound(wish(address="fe80::10", dns_address="fd00:96::a"))
    assert "fd00::10" in str(error.value)


def test_services_come_before_pods_learn_their_environment() -> None:
    kinds = [one["kind"] for one in objects(wish())]
    assert kinds.index("Service") < kinds.index("DaemonSet")


@pytest.mark.parametrize(
    ("mode", "named", "nodes"),
    [
        ("iptables", ("10.96.0.10",), ""),
        ("nftables", None, ""),
        ("ipvs", ("169.254.20.10",), ""),
        ("ipvs", ("169.254.20.10", "10.96.0.10"), ""),
        ("ipvs", ("10.96.0.10",), "pods of node1."),
        ("ipvs", (), "pods of node1."),
        ("ipvs", None, "pods of node1."),
    ],
)
def test_advice(mode: str, named: tuple[str, ...] | None, nodes: str) -> None:
    said = advice_on(wish(mode=mode), {"node1": named, "node2": ("169.254.20.10",)})
    assert nodes in said
    assert bool(said) is bool(nodes)
    assert "node2" not in said


def test_many_nodes_are_not_all_named() -> None:
    said = advice_on(wish(mode="ipvs"), {f"node{number:02}": None for number in range(12)})
    assert "node08, node09 and 2 more." in said


def test_removal_under_kubelets_that_name_it() -> None:
    with pytest.raises(NodeLocalError) as error:
        _require_nobody_left(wish(), {"node1": ("169.254.20.10",), "node2": None, "node3": ("10.96.0.10",)})
    assert str(error.value).startswith(
        "kubelet's clusterDNS on node1: it is 169.254.20.10; without the cache nobody would answer its pods; "
        "expected 10.96.0.10. Set it in /var/lib/kubelet/config.yaml"
    )
