# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hundreds of Corefiles, broken ones too, through every part at once: what must hold for all of them."""

from __future__ import annotations

import random

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.edit import Wanted, put
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.findings import REFUSED
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.lint import lint
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.migrate import migrate
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.tree import (
    Corefile,
    GrammarError,
    parse,
    render,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.validate import validate
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.versions import KNOWN
from tests.support.corefiles import corefiles

TEXTS = list(corefiles(7, 600))


def readable() -> list[Corefile]:
    found = []
    for text in TEXTS:
        try:
            found.append(parse(text))
        except GrammarError:
            assert validate(text)[0].level == REFUSED
    assert len(found) > len(TEXTS) / 2
    return found


def test_reading_and_rendering_gives_every_byte_back() -> None:
    assert [render(corefile) for corefile in readable()] == [corefile.text for corefile in readable()]


def test_a_finding_names_a_line_of_the_text() -> None:
    for corefile in readable():
        for finding in [*validate(corefile.text), *lint(corefile)]:
            assert 0 <= finding.line <= corefile.text.count("\n") + 1
            assert finding.seen


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_an_edit_made_twice_is_made_once_and_touches_its_own_lines(newline: str) -> None:
    wanted = Wanted("cache", ("77",), (("keepttl", ()),))
    edits = 0
    for corefile in readable():
        text = corefile.text.replace("\r\n", "\n").replace("\n", newline)
        for block in parse(text).servers:
            once = put(parse(text), block.names[0], wanted)
            assert put(once, block.names[0], wanted).text == once.text
            assert once.text.count("#") == text.count("#")
            edits += 1
            break
    assert edits > len(TEXTS) / 4


def test_migrations_say_whether_the_version_takes_the_result() -> None:
    chance = random.Random(3)  # noqa: S311 - the same versions each time is what is wanted
    for corefile in readable()[:200]:
        if any(block.shares_its_end for block in corefile.servers):
            continue
        old, new = chance.choice(KNOWN), chance.choice(KNOWN)
        plan = migrate(corefile.text, old, new)
        refused = [finding for finding in validate(plan.text, version=new) if finding.level == REFUSED]
        assert plan.is_complete == (refused == [])
        assert migrate(plan.text, new, new).text == plan.text
