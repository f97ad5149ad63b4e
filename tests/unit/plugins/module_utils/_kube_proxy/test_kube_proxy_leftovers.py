# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a kube-proxy mode leaves behind."""

from __future__ import annotations

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.leftovers import (
    is_kube_set,
    stale_chains,
    stale_rules,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._node.packetfilter import parse_save, removal

SAVED = """\
*nat
:PREROUTING ACCEPT [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-SVC-NPX46M4PTMTKRN6Y - [0:0]
:KUBE-NODE-PORT - [0:0]
:DOCKER - [0:0]
-A PREROUTING -j KUBE-SERVICES
-A KUBE-SERVICES -d 10.96.0.1/32 -j KUBE-SVC-NPX46M4PTMTKRN6Y
-A KUBE-SVC-NPX46M4PTMTKRN6Y -j RETURN
-A DOCKER -j RETURN
COMMIT
*filter
:INPUT ACCEPT [0:0]
:KUBE-FIREWALL - [0:0]
:KUBE-PROXY-FIREWALL - [0:0]
-A INPUT -j KUBE-FIREWALL
-A INPUT -m comment --comment "kube-proxy firewall rules" -j KUBE-PROXY-FIREWALL
COMMIT
"""


def test_only_what_the_other_modes_made_goes() -> None:
    text, gone = removal(parse_save(SAVED), stale_chains("ipvs"), stale_rules("ipvs"))
    assert gone == ["nat KUBE-SVC-NPX46M4PTMTKRN6Y"]
    assert text == (
        "*nat\n:KUBE-SVC-NPX46M4PTMTKRN6Y - [0:0]\n"
        "-D KUBE-SERVICES -d 10.96.0.1/32 -j KUBE-SVC-NPX46M4PTMTKRN6Y\n"
        "-X KUBE-SVC-NPX46M4PTMTKRN6Y\nCOMMIT\n"
    )


def test_a_rule_of_ipvs_goes_and_its_chain_stays() -> None:
    text, gone = removal(parse_save(SAVED), stale_chains("iptables"), stale_rules("iptables"))
    assert gone == [
        "nat KUBE-NODE-PORT",
        'filter -A INPUT -m comment --comment "kube-proxy firewall rules" -j KUBE-PROXY-FIREWALL',
    ]
    assert "-X KUBE-PROXY-FIREWALL" not in text


@pytest.mark.parametrize("mode", ["iptables", "ipvs", "nftables", "none"])
@pytest.mark.parametrize(
    "chain", ["KUBE-FIREWALL", "KUBE-IPTABLES-HINT", "KUBE-KUBELET-CANARY", "DOCKER", "cali-INPUT"]
)
def test_the_chains_of_others_are_never_stale(mode: str, chain: str) -> None:
    assert not stale_chains(mode).fullmatch(chain)


@pytest.mark.parametrize(
    ("name", "kube"), [("KUBE-CLUSTER-IP", True), ("KUBE-6-CLUSTER-IP", True), ("cali40all", False), ("KUBEX", False)]
)
def test_sets(name: str, kube: bool) -> None:
    assert is_kube_set(name) is kube
