# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A hundred applies of node_firewall under new connections, with the back-ends that need a service of their own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.plan import Cluster, plan_for
from tests.nodes.conftest import NODE, bare, prepared
from tests.support.knocking import ACCEPT, PORT, knocking
from tests.support.node_modules import NodeModules, install
from tests.testbed.settings import BRIDGE_V4

if TYPE_CHECKING:
    from tests.testbed.bed import Bed

__all__ = ["bare", "prepared"]

APPLIES = 100
CLUSTER = Cluster(
    groups={"kube_control_plane": [NODE.name], "kube_node": [NODE.name]},
    addresses={NODE.name: [NODE.address]},
    pod_cidrs=("10.244.0.0/16",),
    peers={"monitoring": [BRIDGE_V4]},
)
PLANS = [
    plan_for(NODE.name, CLUSTER, changes).to_output()
    for changes in ([], [{"id": "more", "ports": "9100-9200", "peers": ["all_nodes"]}])
]
# Before and behind all rules of a back-end: what comes to the one and not to the other was dropped or refused.
WITNESS = f"""
table inet witness {{
  chain before {{ type filter hook prerouting priority -500; tcp dport {PORT} tcp flags & (syn | ack) == syn counter; }}
  chain behind {{ type filter hook input priority 500; tcp dport {PORT} tcp flags & (syn | ack) == syn counter; }}
}}
"""


def witnessed(bed: Bed) -> list[int]:
    """How many first segments came to the node, and how many of them past its rules."""
    listed = json.loads(bed.must(NODE, "nft -j list table inet witness"))["nftables"]
    rules = {one["rule"]["chain"]: one["rule"]["expr"] for one in listed if "rule" in one}
    return [
        next(part["counter"]["packets"] for part in rules[chain] if "counter" in part) for chain in ("before", "behind")
    ]


@pytest.mark.parametrize("backend", ["firewalld", "ufw"])
def test_a_hundred_applies_lose_no_new_connection(prepared: Bed) -> None:
    install(prepared, NODE)
    wait = f"until ss -Hltn | grep -q :{PORT}; do sleep 0.1; done"
    prepared.must(NODE, f"cat > /run/serve.py && systemd-run --quiet python3 /run/serve.py && {wait}", stdin=ACCEPT)
    firewall = NodeModules(prepared, NODE, "node_firewall", {"persist": False, "confirm_timeout": 0})
    try:
        # firewalld makes its policies by a reload, once; that is no change of rules.
        firewall.succeeds(plan=PLANS[1])
        prepared.must(NODE, "nft -f -", stdin=WITNESS)
        with knocking(("ip", "netns", "exec", prepared.netns), NODE.address, 0.01, resent=None):
            for number in range(APPLIES):
                assert firewall.succeeds(plan=PLANS[number % 2])["changed"] is True
        came, passed = witnessed(prepared)
        assert came > 100
        assert passed == came
    finally:
        firewall.stop()
