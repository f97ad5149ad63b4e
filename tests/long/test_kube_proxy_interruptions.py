# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role kube_proxy where it does not go as planned: run twice, killed half-way, with a mode that cannot start."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from tests.long.proxies import PLAYBOOK, api, configuration, evidence, has_ended, modes, play, strategy, uids
from tests.nodes.outage import connecting, of_services, wait_until_all_connect
from tests.nodes.plays import killed_at
from tests.nodes.pods import serve
from tests.testbed.settings import Node

if TYPE_CHECKING:
    from tests.testbed.bed import Bed

# One cluster serves them all, in this order.
pytestmark = pytest.mark.xdist_group("kube_proxy_interruptions")

FIRST, LAST = Node(1), Node(2)
# Takes IPVS away for good as soon as the role has loaded it: after the look for what stands in the way.
VANISHING = """
lsmod | grep -o '^ip_vs_[a-z]*' | xargs --no-run-if-empty rmmod
systemd-run --quiet sh -c '
  until lsmod | grep -q ^ip_vs_lc; do sleep 0.1; done
  mkdir -p /root/gone
  cd /lib/modules/$(uname -r)
  find . -name "ip_vs*.ko*" -exec cp --parents {} /root/gone \\; -exec rm {} \\;
  for module in $(lsmod | grep -o "^ip_vs_[a-z]*") ip_vs; do rmmod $module; done'
"""
BACK = "cp -r /root/gone/. /lib/modules/$(uname -r)/ && depmod"
IPVS = {"kube_proxy_mode": "ipvs", "kube_proxy_ipvs_scheduler": "lc"}
# What writes, on the cluster or on a node, and what comes after the last of it.
STEPS = (
    "Load and persist the kernel modules",
    "Configure kube-proxy, and hold every node back",
    "Let the nodes take it",
    "Serve them while kube-proxy has no rules",
    "Restart kube-proxy on this node",
    "Wait until it serves in the mode",
    "Remove the bridge, and what the mode before left",
    "Compare them with this node's data plane",
    "End the roll-out",
    "Require the mode on this node",
)


def requests(said: str) -> int:
    """How many requests the role's own tasks sent, of the output of a play with -v."""
    own = [part for part in said.split("TASK [") if part.startswith("netops.kubernetes.kube_proxy :")]
    return sum(int(count) for part in own for count in re.findall(r'"api_requests": (\d+)', part))


def test_a_rerun_changes_nothing_restarts_nothing_and_asks_little(serving: Bed) -> None:
    assert play(serving, kube_proxy_mode="nftables").status == 0
    before = uids(serving)
    again = play(serving, "-v", kube_proxy_mode="nftables")
    assert again.status == 0, again.said
    assert set(again.changed.values()) == {0}, again.said
    assert uids(serving) == before
    asked = requests(again.said)
    print(f"rerun: {asked} requests")
    assert 0 < asked <= 3 + len(serving.nodes)


def only_predicts(bed: Bed, **variables: Any) -> None:
    """Play in check mode what would restart kube-proxy; nothing but a prediction must come of it."""
    before = (uids(bed), configuration(bed), strategy(bed), modes(bed))
    predicted = play(bed, "--check", "--diff", **variables)
    assert predicted.status == 0, predicted.said
    assert all(predicted.changed.values()), predicted.said
    assert (uids(bed), configuration(bed), strategy(bed), modes(bed)) == before
    assert has_ended(bed)


def test_check_mode_of_another_mode_and_of_another_scheduler(serving: Bed) -> None:
    assert play(serving, kube_proxy_mode="iptables").status == 0
    only_predicts(serving, **IPVS)
    assert play(serving, **IPVS).status == 0
    only_predicts(serving, kube_proxy_mode="ipvs", kube_proxy_ipvs_scheduler="rr")


def test_killed_at_every_step_and_run_again(serving: Bed) -> None:
    for number, step in enumerate(STEPS):
        mode = ("iptables", "nftables")[number % 2]
        killed_at(serving.folder / "inventory", PLAYBOOK, step, kube_proxy_mode=mode)
        again = play(serving, kube_proxy_mode=mode)
        assert again.status == 0, f"killed at {step!r}:\n{again.said}"
        assert modes(serving) == [mode, mode], f"killed at {step!r}"
        assert has_ended(serving), f"killed at {step!r}"


def breaks(bed: Bed, rollback: str) -> str:
    """Play a switch to IPVS that the last node's kube-proxy cannot make; what Ansible said."""
    bed.must(LAST, VANISHING)
    done = play(bed, **IPVS, kube_proxy_rollback=rollback, kube_proxy_wait_timeout=90)
    assert done.status != 0, done.said
    assert f"kube-proxy on node {LAST.name} did not come to serve" in done.said, done.said
    # What its log says of the cause.
    assert "ipvs" in done.said.partition("Its log said:")[2].lower(), done.said
    return done.said


def test_where_the_mode_cannot_start_as_much_goes_back_as_is_wanted(serving: Bed) -> None:
    assert play(serving, kube_proxy_mode="iptables").status == 0

    said = breaks(serving, "none")
    assert "Nothing was given back, and nodes are held back." in said
    assert modes(serving)[0] == "ipvs"
    assert modes(serving)[1] != "iptables"
    assert "mode: ipvs" in configuration(serving)
    assert strategy(serving) == "OnDelete"
    # The same play with the cause removed goes on where it was.
    serving.must(LAST, BACK)
    done = play(serving, **IPVS)
    assert done.status == 0, done.said
    assert modes(serving) == ["ipvs", "ipvs"]
    assert has_ended(serving)

    assert play(serving, kube_proxy_mode="iptables").status == 0
    said = breaks(serving, "node")
    assert "This node has the configuration from before again" in said
    assert modes(serving) == ["ipvs", "iptables"]
    assert "mode: iptables" in configuration(serving)
    assert strategy(serving) == "OnDelete"

    served = serve(api(serving))
    serving.must(LAST, BACK)
    wait_until_all_connect(serving, of_services(served))
    with connecting(serving, of_services(served)) as flows:
        said = breaks(serving, "all")
    assert "Every node has the configuration from before again" in said
    assert modes(serving) == ["iptables", "iptables"]
    assert "mode: iptables" in configuration(serving)
    assert has_ended(serving)
    if any(flow.failed for flow in flows.values()):
        print(*evidence(serving), sep="\n")
    for target, flow in flows.items():
        print(f"there and back, {target}: {flow}")
        for attempt in flow.failed:
            print(f"  begun at {attempt.begin:.3f}, after {attempt.seconds:.3f} s: {attempt.verdict}")
    assert not [target for target, flow in flows.items() if flow.failed]

    serving.must(LAST, BACK)
    done = play(serving, **IPVS)
    assert done.status == 0, done.said
    assert modes(serving) == ["ipvs", "ipvs"]
    assert has_ended(serving)
