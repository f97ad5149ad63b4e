# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What back-ends write and read back, and what a probation leaves behind, without a node."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall import boot, confirmation, node
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.backends import (
    firewalld,
    iptables,
    nftables,
    ufw,
    xtables,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.plan import Cluster, plan_for
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.ruleset import Ruleset, Settings, intended
from ansible_collections.netops.kubernetes.plugins.module_utils._node import files, systemd

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


# ---- what boots while a back-end takes another one's place --------------------------------------------------------

OPTIONS = node.Options("auto", Settings(), True, 60, "", "", True)
UFW_FILE = "*filter\n:ufw-before-input - [0:0]\nCOMMIT\n"


@pytest.fixture
def next_boot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that boots, on a node that has ufw's files and whose kernel and systemd nobody asks."""
    monkeypatch.setattr(boot, "FOLDER", str(tmp_path))
    monkeypatch.setattr(boot, "CURRENT", str(tmp_path / "firewall"))
    monkeypatch.setattr(systemd, "require_running", lambda: None)
    monkeypatch.setattr(systemd, "install", lambda *_words, **_options: None)
    monkeypatch.setattr(xtables, "remove", lambda _layout: None)
    monkeypatch.setattr(xtables, "live", lambda: "\0")
    monkeypatch.setattr(ufw, "FOLDER", str(tmp_path / "ufw"))
    for name in ("before", "after", "before6", "after6"):
        files.write(f"{tmp_path}/ufw/{name}.rules", UFW_FILE)
    monkeypatch.setattr(ufw, "_versions", lambda: (4, 6))
    return tmp_path / "firewall"


def seen_at_each_write(next_boot: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """What the next boot loads at each moment at which a file of ufw's is about to change."""
    seen: list[dict[str, str]] = []
    replace = files.replace

    def watched(path: str, text: str) -> None:
        seen.append({one.name: one.read_text() for one in next_boot.iterdir()})
        replace(path, text)

    monkeypatch.setattr(files, "replace", watched)
    return seen


def test_from_ufw_to_nftables_every_boot_has_rules(next_boot: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The new ones boot before anything of the old goes; ufw's files never call chains that are not there."""
    wanted = ruleset("drop")
    ufw.persist(wanted)
    assert node._formers(nftables, OPTIONS) == [ufw]
    seen = seen_at_each_write(next_boot, monkeypatch)
    node._keep(nftables, wanted, OPTIONS)
    assert len(seen) == 4, "a block goes from each file of ufw's"
    for loaded in seen:
        assert loaded["rules.nft"] == nftables.boot_files(wanted)["rules.nft"]
        assert loaded["ufw.iptables"] == xtables.as_file(xtables.chains_for(ufw.SILENT, ufw.LAYOUT, 4))
        assert [line.split()[0] for line in loaded["load"].splitlines()[4:]] == [
            "iptables-restore",
            "ip6tables-restore",
            "nft",
        ]
        assert loaded["backend"].split() == ["nftables", "ufw"], "whoever comes after a power cut knows what is left"
    assert nftables.is_persisted(wanted) is False, "systemd's unit is not there"
    assert boot.current() == nftables.boot_files(wanted)
    assert not ufw.remains()


def test_from_nftables_to_ufw_every_boot_has_rules(next_boot: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = ruleset("drop")
    nftables.persist(wanted)
    seen = seen_at_each_write(next_boot, monkeypatch)
    monkeypatch.setattr(nftables, "remove", lambda: None)
    node._keep(ufw, wanted, OPTIONS)
    assert len(seen) == 4, "a block comes into each file of ufw's"
    for loaded in seen:
        assert loaded["rules.nft"] == nftables.boot_files(wanted)["rules.nft"], "the old rules boot until the new do"
        assert "ufw.iptables" in loaded
    assert boot.current() == ufw.boot_files(wanted)
    assert ufw._are_called()


def test_a_lost_block_comes_back_without_a_boot_without_rules(next_boot: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = ruleset("drop")
    ufw.persist(wanted)
    files.write(f"{next_boot.parent}/ufw/before.rules", UFW_FILE)
    seen = seen_at_each_write(next_boot, monkeypatch)
    ufw.persist(wanted)
    assert [loaded["ufw.iptables"] for loaded in seen] == [ufw.boot_files(wanted)["ufw.iptables"]]
    assert boot.current() == ufw.boot_files(wanted)
