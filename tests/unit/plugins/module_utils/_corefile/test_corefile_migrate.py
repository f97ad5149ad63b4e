# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Corefiles for other versions: what is done, what is said, what is never dropped in silence."""

from __future__ import annotations

import random

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.findings import REFUSED
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.lint import lint
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.migrate import (
    LOST,
    MANUAL,
    NOTED,
    Plan,
    migrate,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.tree import Corefile, parse
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.validate import validate
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.versions import KNOWN, VersionError
from tests.support.corefiles import KUBEADM, NODE_CACHE, composed, directives, written


def block(*lines: str) -> str:
    return ". {\n" + "".join(f"    {line}\n" for line in lines) + "}\n"


@pytest.mark.parametrize(
    ("old", "new", "before", "after"),
    [
        ("1.4.0", "1.5.0", ["proxy . 192.0.2.1 # mine"], ["forward . 192.0.2.1 # mine"]),
        (
            "1.4.0",
            "1.5.0",
            ["proxy . 192.0.2.1 {", "    policy first", "    protocol dns force_tcp", "    except a", "}"],
            ["forward . 192.0.2.1 {", "    policy sequential", "    force_tcp", "    except a", "}"],
        ),
        (
            "1.4.0",
            "1.5.0",
            ["proxy . 192.0.2.1 {", "    protocol force_tcp", "    protocol dns", "}"],
            ["forward . 192.0.2.1 {", "    force_tcp", "}"],
        ),
        ("1.0.6", "1.1.0", ["startup /bin/true a"], ["on startup /bin/true a"]),
        (
            "1.14.7",
            "1.0.4",
            ["forward . 192.0.2.1 {", "    force_tcp", "    policy sequential", "    except a", "}"],
            ["proxy . 192.0.2.1 {", "    protocol dns force_tcp", "    policy first", "    except a", "}"],
        ),
        ("1.5.0", "1.2.2", ["file db {", "    reload 0", "}"], ["file db {", "    no_reload", "}"]),
        ("1.1.0", "1.0.6", ["on shutdown /bin/true a"], ["shutdown /bin/true a"]),
        (
            "1.6.9",
            "1.7.0",
            ["kubernetes a {", "    upstream # no more", "    resyncperiod 5m", "    ttl 5", "}"],
            ["kubernetes a {", "    # no more", "    ttl 5", "}"],
        ),
        (
            "1.7.1",
            "1.8.0",
            ["kubernetes a b {", "    transfer to *", "    transfer to 192.0.2.1", "}"],
            ["kubernetes a b {", "}", "transfer a {", "    to * 192.0.2.1", "}"],
        ),
        (
            "1.8.0",
            "1.7.1",
            ["kubernetes a b {", "    ttl 5", "}", "transfer a {", "    to * 192.0.2.1", "}"],
            ["kubernetes a b {", "    ttl 5", "    transfer to * 192.0.2.1", "}"],
        ),
        ("1.4.0", "1.5.0", ["file db {", "    no_reload", "}"], ["file db {", "    reload 0", "}"]),
        (
            "1.4.0",
            "1.5.0",
            ["auto {", "    directory /z (.*) {1} 60", "}"],
            ["auto {", "    directory /z (.*) {1}", "    reload 60s", "}"],
        ),
        ("1.12.3", "1.12.4", ["header {", "    set aa", "}"], ["header {", "    response set aa", "}"]),
        ("1.9.4", "1.9.3", ["header {", "    response clear ra", "}"], ["header {", "    clear ra", "}"]),
        (
            "1.13.1",
            "1.13.2",
            ["forward . 192.0.2.1 {", "    failover SERVFAIL NOERROR", "}"],
            ["forward . 192.0.2.1 {", "    failover SERVFAIL", "}"],
        ),
        ("1.7.1", "1.8.0", ["secondary a {", "    upstream", "    transfer from 192.0.2.1", "}"], None),
    ],
)
def test_the_new_form_takes_the_place_of_the_old(
    old: str, new: str, before: list[str], after: list[str] | None
) -> None:
    after = after or [line for line in before if "upstream" not in line]
    plan = migrate(block(*before), old, new)
    assert plan.text == block(*after)
    assert plan.is_complete
    assert all(step.reason and step.source for step in plan.steps)
    assert migrate(plan.text, new, new).text == plan.text


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("1.4.0", "1.5.0", "proxy . 192.0.2.1 {\npolicy least_conn\n}", "take out option policy least_conn"),
        ("1.4.0", "1.5.0", "proxy . 192.0.2.1 {\nhealth_check /health:8080\n}", "take out option health_check"),
        ("1.14.7", "1.4.0", "ready", "take out plugin ready"),
        ("1.14.7", "1.0.4", "forward . 192.0.2.1 {\nexpire 5s\n}", "take out option expire 5s"),
        ("1.14.7", "1.0.4", "forward . tls://192.0.2.1", "take out plugin forward"),
        ("1.14.7", "1.6.7", "forward . 192.0.2.1 {\nmax_concurrent 5\n}", "take out option max_concurrent 5"),
    ],
)
def test_what_is_lost_is_said(old: str, new: str, line: str, said: str) -> None:
    plan = migrate(block(line), old, new)
    assert not plan.is_lossless
    assert plan.is_complete
    assert said in next(step.what for step in plan.steps if step.kind == LOST)


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("1.6.9", "1.14.7", "federation a", "it is an external plugin now"),
        ("1.1.3", "1.14.7", "reverse 10.0.0.0/24", "plugin template answers such names"),
        ("1.9.4", "1.9.3", "forward . 192.0.2.1\nforward a 192.0.2.2", "give each zone a server block of its own"),
        ("1.12.1", "1.12.2", "secondary a", "decide by hand"),
        ("1.14.2", "1.14.3", "cache 0", "decide by hand"),
    ],
)
def test_what_only_people_can_decide_stays_and_is_said(old: str, new: str, line: str, said: str) -> None:
    plan = migrate(block(line), old, new)
    assert plan.text == block(line)
    assert [said in step.what for step in plan.steps if step.kind == MANUAL] == [True]


@pytest.mark.parametrize(
    ("old", "new", "before", "after"),
    [
        # Going down leaves alone what the target itself brought.
        ("1.8.0", "1.5.0", ["forward . 192.0.2.1"], ["forward . 192.0.2.1"]),
        ("1.15.0", "1.8.0", ["transfer a {", "    to *", "}"], ["transfer a {", "    to *", "}"]),
        # An option stays where the version has it.
        ("1.6.7", "1.7.0", ["cache {", "    serve_stale 1h", "}"], ["cache {", "    serve_stale 1h", "}"]),
        ("1.7.0", "1.9.3", ["cache {", "    serve_stale", "}"], ["cache {", "    serve_stale", "}"]),
        # A plugin without a zone is one of the server block's.
        ("1.6.9", "1.8.0", ["kubernetes {", "    upstream", "}"], ["kubernetes {", "}"]),
        # Quotes, comments and depth stay as they are written.
        (
            "1.4.0",
            "1.5.0",
            ['log . "a#b" # why', "template IN A a {", '    answer ""', "}", "proxy . 192.0.2.1"],
            ['log . "a#b" # why', "template IN A a {", '    answer ""', "}", "forward . 192.0.2.1"],
        ),
    ],
)
def test_what_the_peer_gets_wrong_is_right(old: str, new: str, before: list[str], after: list[str]) -> None:
    plan = migrate(block(*before), old, new)
    assert plan.text == block(*after)
    assert plan.is_lossless


def test_an_empty_block_and_an_image_of_another_make_are_read() -> None:
    assert migrate(". {\n}\n", "v1.6.2-100", "v1.14.2-eksbuild.1") == migrate(". {\n}\n", "1.6.2", "1.14.2")
    assert migrate(". {\n}\n", "1.6.2", "1.14.2").text == ". {\n}\n"


def test_two_proxies_for_everything_are_not_made_two_forwards_in_silence() -> None:
    text = block("proxy . 192.0.2.1", "proxy . 192.0.2.2")
    assert not migrate(text, "1.4.0", "1.5.0").is_complete
    later = migrate(text, "1.4.0", "1.14.7").text
    assert any("that one answers" in finding.text for finding in lint(parse(later)))


def test_behaviour_that_changes_is_noted_where_the_plugin_is_used() -> None:
    plan = migrate(KUBEADM, "1.6.9", "1.9.0")
    noted = [(step.plugin, step.version) for step in plan.steps if step.kind == NOTED]
    assert ("prometheus", "1.7.0") in noted
    assert ("acl", "1.14.2") not in noted
    assert ("kubernetes", "1.11.0") not in noted


def test_behind_an_unknown_plugin_the_others_are_looked_at() -> None:
    plan = migrate(block("federation a", "cache 0"), "1.6.0", "1.14.7")
    assert [step.plugin for step in plan.steps if step.kind == MANUAL] == ["federation", "cache"]


def test_snippets_are_migrated_too() -> None:
    text = "(s) {\n  proxy . 192.0.2.1\n}\n. {\n  import s\n}\n"
    assert migrate(text, "1.4.0", "1.5.0").text == text.replace("proxy", "forward")


def meaning(corefile: Corefile) -> list[object]:
    return [
        (one.names, sorted((d.name, d.arguments, tuple(o.words for o in d.options)) for d in one.directives))
        for one in corefile.servers
    ]


@pytest.mark.parametrize("text", [KUBEADM, NODE_CACHE])
@pytest.mark.parametrize("new", ["1.11.3", "1.12.4", "1.14.2"])
def test_up_and_down_again_means_the_same(text: str, new: str) -> None:
    up = migrate(text, "1.10.1", new)
    assert up.is_lossless
    assert meaning(parse(migrate(up.text, new, "1.10.1").text)) == meaning(parse(text))


def test_transfer_goes_up_and_down_again() -> None:
    text = block("kubernetes a {", "    transfer to *", "}")
    up = migrate(text, "1.7.1", "1.14.7")
    assert migrate(up.text, "1.14.7", "1.7.1").text == text


# What older versions have, in forms that came later.
OLDER = [
    "proxy . 192.0.2.1|policy first|protocol dns force_tcp|except a.example",
    "proxy . /etc/resolv.conf|max_fails 2",
    "kubernetes cluster.local|upstream|resyncperiod 5m|transfer to *",
    "kubernetes cluster.local|transfer to 192.0.2.1 192.0.2.2|ttl 5",
    "file db example.com|no_reload|transfer to *",
    "file db example.com|upstream",
    "auto example.org|directory /zones (.*) {1} 60",
    "auto example.org|no_reload|transfer to 192.0.2.9",
    "header|set ra aa|clear rd",
    "forward . 192.0.2.1|failover REFUSED NOERROR",
    "startup /bin/true a",
    "secondary example.com|transfer from 192.0.2.1|upstream",
]


def written_for(version: str, chance: random.Random) -> str:
    """A Corefile that a version takes, of one to four plugins, each used once."""
    everything = [*directives(), *(line.split("|") for line in OLDER * 3)]
    chance.shuffle(everything)
    kept: list[str] = []
    names: set[str] = set()
    for lines in everything[:60]:
        # One is the older name of the other.
        name = lines[0].split()[0].replace("proxy", "forward")
        text = "".join([*kept, written(lines, chance)])
        whole = f"example.com {{\n{text}}}\n"
        # A version may pass over words that say something to a later one; the migration to itself takes them out.
        is_taken = not validate(whole, version=version) and not migrate(whole, version, version).steps
        if name not in names and len(names) < 4 and is_taken:
            kept.append(text.removeprefix("".join(kept)))
            names.add(name)
    return f"example.com {{\n{''.join(kept)}}}\n"


SEEDS = range(60)


def upward(seed: int) -> tuple[str, str, str, Plan]:
    """A Corefile, the version that it is written for, a later one, and the plan from one to the other."""
    chance = random.Random(seed)  # noqa: S311 - the same texts each time is what is wanted
    low, high = sorted(chance.sample(range(len(KNOWN)), 2))
    text = written_for(KNOWN[low], chance)
    return text, KNOWN[low], KNOWN[high], migrate(text, KNOWN[low], KNOWN[high])


def test_most_of_them_go_up_without_a_loss_and_many_are_changed() -> None:
    plans = [upward(seed) for seed in SEEDS]
    lossless = [(text, up) for text, _old, _new, up in plans if up.is_lossless]
    # Else the test below would say little.
    assert len(lossless) >= len(SEEDS) * 0.9
    assert sum(up.text != text for text, up in lossless) >= len(SEEDS) * 0.3


@pytest.mark.parametrize("seed", SEEDS)
def test_up_and_down_again_gives_the_meaning_back(seed: int) -> None:
    text, old, new, up = upward(seed)
    if not up.is_lossless:
        # What cannot go up is said, and cannot come back.
        assert any(step.kind in (LOST, MANUAL) and step.reason for step in up.steps)
        return
    down = migrate(up.text, new, old)
    assert down.is_lossless, (old, new, text, down)
    assert not [finding for finding in validate(down.text, version=old) if finding.level == REFUSED]
    # An older form may have more than one way to say a thing; in the newer one they are the same.
    assert meaning(parse(migrate(down.text, old, new).text)) == meaning(parse(up.text))


@pytest.mark.parametrize("seed", range(40))
def test_a_complete_migration_is_taken_by_its_version(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - the same texts each time is what is wanted
    text = composed(chance)
    old, new = chance.choice(KNOWN), chance.choice(KNOWN)
    plan = migrate(text, old, new)
    refused = [finding for finding in validate(plan.text, version=new) if finding.level == REFUSED]
    assert plan.is_complete == (refused == [])


def test_a_version_that_is_none_is_named() -> None:
    with pytest.raises(VersionError) as wrong:
        migrate(KUBEADM, "1.14", "1.14.7")
    assert "'1.14': it is no version; expected three numbers" in str(wrong.value)
