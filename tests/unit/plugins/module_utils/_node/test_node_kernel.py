# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sysctls that two parts of the network set: the last one gives back what was there before the first."""

from __future__ import annotations

from ansible_collections.netops.kubernetes.plugins.module_utils._node.kernel import (
    KernelState,
    plan,
    previous_values,
)

FORWARD = "net.ipv4.ip_forward"
WANTED = {FORWARD: "1"}


def state(value: str, text: str | None = None, replaced: str = "") -> KernelState:
    """A node whose sysctl has a value, with the own file's text, and what another part replaced."""
    return KernelState(frozenset(), {FORWARD: value}, None, text, {FORWARD: replaced} if replaced else {})


def test_one_part_alone_gives_back_what_it_found() -> None:
    made = plan(state("0"), [], WANTED, present=True)
    assert made.set_values == ((FORWARD, "1"),)
    gone = plan(state("1", made.sysctls_file), [], {}, present=False)
    assert (gone.set_values, gone.sysctls_file) == (((FORWARD, "0"),), None)


def test_the_second_part_knows_what_was_there_before_the_first() -> None:
    first = plan(state("0"), [], WANTED, present=True)
    before = previous_values(first.sysctls_file)[FORWARD]
    second = plan(state("1", replaced=before), [], WANTED, present=True)
    assert second.set_values == ()
    # The first one goes: the second still needs the value.
    gone = plan(state("1", first.sysctls_file, replaced="0"), [], {}, present=False)
    assert gone.set_values == ()
    last = plan(state("1", second.sysctls_file), [], {}, present=False)
    assert last.set_values == ((FORWARD, "0"),)
