# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What back-ends write and read back, and what a probation leaves behind, without a node."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from ipaddress import IPv4Network, collapse_addresses, ip_network
from typing import TYPE_CHECKING

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall import boot, confirmation, node
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.backends import (
    firewalld,
    firewalld_runtime,
    iptables,
    nftables,
    ufw,
    xtables,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.backends.firewalld_runtime import Held, Step
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.plan import Cluster, plan_for
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.ruleset import Ruleset, Settings, intended
from ansible_collections.netops.kubernetes.plugins.module_utils._node import files, systemd
from hypothesis import given
from hypothesis import strategies as st

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
    assert [rule.verdict for rule in rules if rule.priority == firewalld_runtime.LAST] == last
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


# ---- firewalld from one state to another --------------------------------------------------------------------------

LAST_WORDS = {"drop": 'rule priority="32767" drop', "reject": 'rule priority="32767" reject', "": ""}


def admitted(found: Held) -> set[tuple[str, str]]:
    """Whom a policy lets in, and to what: every rule of these tests is about one port, and names a set or a network."""
    pairs: set[tuple[str, str]] = set()
    for rule in found.rules["p"]:
        source = re.search(r'(ipset|address)="([^"]+)"', rule)
        if source:
            entries = found.sets.get(source[2], ()) if source[1] == "ipset" else [source[2]]
            pairs |= {(str(one), rule.rpartition(" ")[2]) for entry in entries for one in ip_network(entry)}
    return pairs


def closed(found: Held) -> bool:
    return any(f'priority="{firewalld_runtime.LAST}"' in rule for rule in found.rules["p"])


def after(found: Held, step: Step) -> Held:
    """What firewalld makes of a step; it refuses an entry that overlaps another one."""
    if step.kind == firewalld_runtime.RULES:
        return Held({step.name: step.items}, found.sets)
    entries = list(found.sets.get(step.name, ()))
    for entry in step.items:
        if step.kind == firewalld_runtime.ADD:
            assert not any(ip_network(entry).overlaps(ip_network(other)) for other in entries)
            entries.append(entry)
        else:
            entries.remove(entry)
    return Held(found.rules, {**found.sets, step.name: entries})


@st.composite
def states(draw: st.DrawFn) -> Held:
    sets = {}
    for name in ("one", "two"):
        addresses = draw(st.sets(st.integers(0, 15)))
        sets[name] = [str(one) for one in collapse_addresses(IPv4Network(f"192.0.2.{one}/32") for one in addresses)]
    ports = [f'rule source ipset="{name}" port {port}' for name in sets for port in (22, 80)]
    rules = draw(st.lists(st.sampled_from(ports), unique=True))
    last = LAST_WORDS[draw(st.sampled_from(sorted(LAST_WORDS)))]
    return Held(
        {"p": [*rules, *([last] if last else [])]}, {name: entries for name, entries in sets.items() if entries}
    )


def plain(found: Held) -> tuple[set[str], dict[str, set[str]]]:
    return set(found.rules["p"]), {name: set(entries) for name, entries in found.sets.items() if entries}


EVERY_PAIR = {(f"192.0.2.{number}", port) for number in range(16) for port in ("22", "80")}


def may_pass(found: Held) -> set[tuple[str, str]]:
    """Who gets in for all that we know: where no rule of ours has the last word, others' rules may let in anybody."""
    return admitted(found) if closed(found) else EVERY_PAIR


@given(old=states(), new=states())
def test_whoever_is_admitted_before_and_after_is_admitted_between(old: Held, new: Held) -> None:
    """In whatever order firewalld takes the rules of one step: all that go may be gone before one comes."""
    always = may_pass(old) & may_pass(new)
    now = old
    for step in firewalld_runtime.steps(old, new):
        then = after(now, step)
        if closed(now) or closed(then):
            kept = Held({"p": [rule for rule in now.rules["p"] if rule in then.rules["p"]]}, now.sets)
            assert always <= admitted(kept if step.kind == firewalld_runtime.RULES else then)
        now = then
    assert plain(now) == plain(new)


@given(old=states(), new=states(), data=st.data())
def test_an_undoing_ends_where_it_began_from_anywhere(old: Held, new: Held, data: st.DataObject) -> None:
    """The steps back are taken whatever was done of those forth; what is not there to be changed is passed over."""
    forth = firewalld_runtime.steps(old, new)
    now = old
    for step in forth[: data.draw(st.integers(0, len(forth)))]:
        now = after(now, step)
    for step in firewalld_runtime.steps(old=new, new=old):
        there = now.sets.get(step.name, ())
        items = step.items
        if step.kind != firewalld_runtime.RULES:
            items = tuple(one for one in items if (one in there) != (step.kind == firewalld_runtime.ADD))
        if step.kind == firewalld_runtime.EMPTY:
            items = tuple(there)
        now = after(now, Step(step.kind, step.name, items))
    assert plain(now) == plain(old)


def test_an_undoing_that_no_command_line_holds_takes_the_files(tmp_path: Path) -> None:
    """firewalld's refusal, of a policy that is not there yet, is none of the cases for a reload."""
    (tmp_path / "firewall-cmd").write_text(f"#!/bin/sh\necho $2 >> {tmp_path}/said\n")
    (tmp_path / "busctl").write_text("#!/bin/sh\nexit 1\n")
    for program in ("firewall-cmd", "busctl"):
        (tmp_path / program).chmod(0o755)
    for count, said in ((1, False), (40_000, True)):
        rules = tuple(f'rule source ipset="one" port port="{number}" protocol="tcp" accept' for number in range(count))
        (tmp_path / "undo").write_text("\n".join(firewalld_runtime.commands([Step("rules", "p", rules)])))
        subprocess.run(
            ["/bin/sh", str(tmp_path / "undo")], env={"PATH": str(tmp_path)}, capture_output=True, check=False
        )
        assert (tmp_path / "said").exists() is said


def test_an_undoing_is_programs_work() -> None:
    steps = [
        Step(firewalld_runtime.RULES, "p", ('rule source ipset="one" accept', "it's")),
        Step(firewalld_runtime.REMOVE, "one", ("192.0.2.0/31", "192.0.2.4")),
        Step(firewalld_runtime.EMPTY, "two", ("192.0.2.9",)),
    ]
    words = [shlex.split(command) for command in firewalld_runtime.commands(steps)]
    begin = words[0].index("sa{sv}")
    assert words[0][begin : begin + 8] == ["sa{sv}", "p", "1", "rich_rules", "as", "2", *steps[0].items]
    assert words[1][2:] == ["--ipset=one", "--remove-entry=192.0.2.0/31", "--remove-entry=192.0.2.4"]
    assert words[2][-4:] == ["setEntries", "sas", "two", "0"]
