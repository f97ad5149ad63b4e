# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What back-ends write and read back, and what a probation leaves behind, without a node."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall import confirmation
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.backends import (
    firewalld,
    iptables,
    ufw,
    xtables,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.plan import Cluster, plan_for
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.ruleset import Ruleset, Settings, intended

if TYPE_CHECKING:
    from pathlib import Path

    from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.backends.xtables import Layout

CLUSTER = Cluster(
    groups={"kube_control_plane": ["cp"], "kube_node": ["cp", "worker"]},
    addresses={"cp": ["192.0.2.1", "2001:db8::1"], "worker": ["192.0.2.2", "2001:db8::2"]},
    pod_cidrs=("10.244.0.0/16",),
    service_cidrs=("10.96.0.0/16",),
)


def ruleset(default: str) -> Ruleset:
    return intended(plan_for("cp", CLUSTER), Settings(default, log=True), forwards=True)


def as_firewalld_says(wanted: Ruleset) -> str:
    rules = {name: [rule.words() for rule in rules] for name, rules in firewalld.rules_for(wanted).items()}
    return json.dumps({"rules": rules, "sets": firewalld.sets_for(wanted), "table": ""})


@pytest.mark.parametrize(("default", "last"), [("drop", ["drop"]), ("reject", ["reject"]), ("accept", [])])
def test_in_mode_accept_the_zones_of_firewalld_decide(default: str, last: list[str]) -> None:
    wanted = ruleset(default)
    rules = firewalld.rules_for(wanted)[firewalld.INPUT]
    assert [rule.verdict for rule in rules if rule.priority == firewalld.LAST] == last
    assert any(rule.verdict == "log" for rule in rules)
    assert firewalld.is_live(wanted, as_firewalld_says(wanted))
    others = {"drop", "reject", "accept"} - {default}
    assert not any(firewalld.is_live(ruleset(other), as_firewalld_says(wanted)) for other in others)


def test_a_policy_that_accepts_all_is_found() -> None:
    """As it was written once: it stands before the zones."""
    wanted = ruleset("accept")
    observed = json.loads(as_firewalld_says(wanted))
    observed["rules"][firewalld.INPUT].append('rule priority="32767" accept')
    assert not firewalld.is_live(wanted, json.dumps(observed))


@pytest.mark.parametrize("layout", [iptables.LAYOUT, ufw.LAYOUT])
def test_in_mode_accept_the_rules_behind_ours_decide(layout: Layout) -> None:
    end = xtables.chains_for(ruleset("accept"), layout, 4)["filter", layout.names.end]
    assert end == [xtables.LOG, "-j RETURN"]


def test_only_what_a_probation_wrote_is_cleared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others keep files there too: the lock, and the record of a listener that answers probes."""
    monkeypatch.setattr(confirmation, "FOLDER", str(tmp_path))
    over, waits = "0123456789ab", "ba9876543210"
    names = [f"{over}.sh", f"{over}.0", f"{over}.undone", f"{over}.confirmed", f".{over}.pending.x1y2_z3"]
    kept = ["firewall.lock", "probe.json", ".probe.json.abcd1234", f"{waits}.sh", f"{waits}.10", f"{waits}.pending"]
    for name in (*names, *kept):
        (tmp_path / name).touch()
    confirmation._clear()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(kept)
