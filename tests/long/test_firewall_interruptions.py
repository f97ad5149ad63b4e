# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""node_firewall ended half-way: killed, or its machine's power cut, before every act on the system."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.plan import Cluster, Plan, plan_for
from hypothesis import HealthCheck, given, settings
from tests.nodes.conftest import NODE, PREPARE
from tests.support.node_modules import NodeModules, install
from tests.support.plans import plans

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.testbed.bed import Bed

CUTS = 20


def plan(*changes: dict[str, Any], **cluster: Any) -> dict[str, Any]:
    groups = {"kube_control_plane": ["node1"], "kube_node": ["node1", "node2"]}
    addresses = {"node1": ["198.18.0.11", "2001:db8:18::11"], "node2": ["198.18.0.12", "2001:db8:18::12"]}
    made = plan_for("node1", Cluster(groups=groups, addresses=addresses, **cluster), changes)
    return made.to_output()


PLANS = (plan(pod_cidrs=("10.244.0.0/16",)), plan(pod_cidrs=("10.245.0.0/16",), nodeport_range="31000-31999"))
# For this one, firewalld needs a table beside its policies.
RESTRICTED = plan({"id": "nodeport-tcp", "peers": ["all_nodes"]})


@pytest.fixture
def firewall(prepared: Bed) -> Iterator[NodeModules]:
    with firewall_on(prepared) as modules:
        yield modules


@contextmanager
def firewall_on(bed: Bed) -> Iterator[NodeModules]:
    install(bed, NODE)
    modules = NodeModules(bed, NODE, "node_firewall")
    try:
        yield modules
    finally:
        modules.stop()


def settle(firewall: NodeModules, wanted: dict[str, Any], **options: Any) -> None:
    """Bring a plan to the node, confirmed."""
    token = firewall.succeeds(plan=wanted, confirm_timeout=100, **options)["token"]
    firewall.succeeds(plan=wanted, token=token, **options)
    firewall.bed.must(NODE, "sync")


def cut_and_boot(firewall: NodeModules) -> None:
    firewall.bed.cut(NODE)
    firewall.stop()
    firewall.bed.boot(NODE)
    firewall.bed.wait_for_ssh(NODE)
    firewall.start()


def held(firewall: NodeModules) -> list[int]:
    """Which of the plans the node holds, now and at its next boot."""
    return [number for number, one in enumerate(PLANS) if not firewall.succeeds(plan=one, check=True)["changed"]]


def spread(points: list[tuple[str, int]], number: int) -> list[tuple[str, int]]:
    """So many of them, evenly; some of them again where there are fewer."""
    return [points[index * len(points) // number] for index in range(number)]


def test_few_programs_do_it(bare: Bed) -> None:
    """nftables: four for a first run, confirmation and boot included, and for a change; one for a rerun."""
    with firewall_on(bare) as firewall:
        for wanted in PLANS:
            applying, result = firewall.programs(plan=wanted, confirm_timeout=100)
            keeping, _result = firewall.programs(plan=wanted, token=result["token"])
            assert applying + keeping == 4
            assert firewall.programs(plan=wanted, confirm_timeout=100)[0] == 1


def test_without_power_at_any_act_a_node_boots_with_the_old_rules_or_the_new(firewall: NodeModules) -> None:
    for wanted in PLANS:
        settle(firewall, wanted)
    cut_and_boot(firewall)
    before, result = firewall.acts(plan=PLANS[0], confirm_timeout=100)
    after, _result = firewall.acts(plan=PLANS[0], token=result["token"])
    firewall.bed.must(NODE, "sync")
    points = [("apply", step) for step in range(1, before + 1)] + [("confirm", step) for step in range(1, after + 1)]
    current, outcomes = 0, []
    for phase, step in spread(points, CUTS):
        wanted = PLANS[1 - current]
        if phase == "apply":
            firewall.stands_still_at(step, plan=wanted, confirm_timeout=100)
        else:
            token = firewall.succeeds(plan=wanted, confirm_timeout=100)["token"]
            firewall.stands_still_at(step, plan=wanted, token=token)
        cut_and_boot(firewall)
        found = held(firewall)
        assert len(found) == 1, f"cut before act {step} of {phase}, the node has neither the old rules nor the new"
        assert phase == "confirm" or found == [current], f"cut before act {step} of {phase}: not the old rules"
        current = found[0]
        outcomes.append(current)
    assert len(outcomes) == CUTS


# The others are killed more often, without systemd, on this machine's own kernel.
@pytest.mark.parametrize("backend", ["firewalld", "ufw"])
def test_killed_at_any_act_a_node_goes_back_by_itself(firewall: NodeModules) -> None:
    settle(firewall, PLANS[0])
    acts, _result = firewall.acts(plan=PLANS[1], confirm_timeout=1)
    wait_until_undone(firewall.bed)
    assert held(firewall) == [0]
    for step in range(1, acts + 1):
        assert firewall.dies_at(step, plan=PLANS[1], confirm_timeout=1)
        wait_until_undone(firewall.bed)
        assert held(firewall) == [0], f"killed before act {step} of {acts}, the node did not go back"


def test_killed_while_it_persists_a_rerun_settles(firewall: NodeModules) -> None:
    for wanted in PLANS:
        settle(firewall, wanted)
    token = firewall.succeeds(plan=PLANS[0], confirm_timeout=100)["token"]
    acts, _result = firewall.acts(plan=PLANS[0], token=token)
    for step in range(1, acts + 1, 3):
        wanted = PLANS[step % 2]
        token = firewall.succeeds(plan=wanted, confirm_timeout=20)["token"]
        # What the kill before left may need more acts or fewer; so the last ones may not be reached.
        firewall.dies_at(step, plan=wanted, token=token)
        wait_until_undone(firewall.bed)
        again = firewall.succeeds(plan=wanted, confirm_timeout=100)
        if again.get("token"):
            firewall.succeeds(plan=wanted, token=again["token"])
        assert held(firewall) == [step % 2], f"killed before act {step} of {acts}, a rerun did not settle it"


# The node is made once for all examples: each applies over what the one before left, which is the harder case.
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(made=plans())
@pytest.mark.parametrize("backend", ["firewalld", "ufw"])
def test_what_a_service_reports_gives_any_plan_back(firewall: NodeModules, made: Plan) -> None:
    """The others are asked on this machine's own kernel. The connection of the test was there before the rules."""
    options: dict[str, Any] = {
        "plan": made.to_output(),
        "persist": False,
        "confirm_timeout": 0,
        "refuse_lockout": False,
    }
    firewall.succeeds(**options)
    again = firewall.succeeds(check=True, **options)
    assert again["changed"] is False, again["diff"]


# What shows that there is something of ours in each back-end.
TRACES = {
    "nftables": "nft list table inet netops_kubernetes",
    "iptables": "iptables-save | grep -q 'NETOPS-IN'",
    "ufw": "grep -q NETOPS /etc/ufw/before.rules",
    "firewalld": "ls /etc/firewalld/policies | grep -q netops",
}


def test_moving_to_another_backend_leaves_nothing_in_the_former(bare: Bed) -> None:
    with firewall_on(bare) as firewall:
        for backend in ("nftables", "iptables", "ufw", "firewalld", "nftables"):
            bare.must(NODE, "ufw --force disable" if backend == "firewalld" else "true")
            bare.must(NODE, "systemctl disable --now firewalld" if backend == "nftables" else PREPARE[backend])
            settle(firewall, RESTRICTED, backend=backend)
            again = firewall.succeeds(plan=RESTRICTED, backend=backend, check=True)
            assert again["changed"] is False, (backend, again["diff"])
            held_by = [name for name, trace in TRACES.items() if bare.ssh(NODE, trace).returncode == 0]
            assert held_by == [backend]


# What shows that a back-end's rules, and no empty chains of it, are in the kernel.
LOADED = {
    "nftables": "nft list chain inet netops_kubernetes input",
    "ufw": "iptables -S NETOPS_U-INPUT | grep -q -- --dport",
}
PLAN_OF = dict(zip(LOADED, PLANS))


@pytest.mark.parametrize("backend", ["ufw"])
def test_without_power_on_the_way_to_another_backend_a_node_boots_with_rules(firewall: NodeModules) -> None:
    """There and back; ufw goes on all the time, and must not stumble over chains that its files call."""
    for name, wanted in PLAN_OF.items():
        settle(firewall, wanted, backend=name)
    former, name = "ufw", "nftables"
    for number in range(8):
        wanted = PLAN_OF[name]
        token = firewall.succeeds(plan=wanted, backend=name, confirm_timeout=100)["token"]
        acts, _result = firewall.acts(plan=wanted, backend=name, token=token)
        settle(firewall, PLAN_OF[former], backend=former)
        token = firewall.succeeds(plan=wanted, backend=name, confirm_timeout=100)["token"]
        step = 1 + number * (acts - 1) // 7
        firewall.stands_still_at(step, plan=wanted, backend=name, token=token)
        cut_and_boot(firewall)
        loaded = [one for one, trace in LOADED.items() if firewall.bed.ssh(NODE, trace).returncode == 0]
        assert len(loaded) == 1, f"cut before act {step} of {acts} on the way to {name}: {loaded}"
        firewall.bed.must(NODE, "ufw status | grep -q 'Status: active' && iptables -S ufw-user-input")
        again = firewall.succeeds(plan=wanted, backend=name, confirm_timeout=100)
        if again.get("token"):
            firewall.succeeds(plan=wanted, backend=name, token=again["token"])
        held_by = [one for one, trace in TRACES.items() if firewall.bed.ssh(NODE, trace).returncode == 0]
        assert held_by == [name], f"cut before act {step} of {acts}, a rerun did not settle it"
        assert firewall.succeeds(plan=wanted, backend=name, check=True)["changed"] is False
        former, name = name, former


def wait_until_undone(bed: Bed) -> None:
    """Wait until no rules are on probation and none are just being undone."""
    pending = "ls /run/netops-kubernetes/*.pending"
    undoing = "systemctl is-active --quiet 'netops-kubernetes-undo-*.service'"
    for _attempt in range(300):
        if bed.ssh(NODE, f"{pending} || {undoing}").returncode != 0:
            return
        time.sleep(0.2)
    pytest.fail("rules are still on probation")
