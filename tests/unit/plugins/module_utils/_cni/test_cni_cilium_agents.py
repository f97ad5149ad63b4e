# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an agent's answer says about its node's pods."""

from __future__ import annotations

import json

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.cilium_agents import why_not


def endpoint(state: str) -> dict[str, object]:
    return {"id": 1209, "status": {"state": state, "identity": {"labels": ["reserved:host"]}}}


def test_the_hosts_endpoint_is_ready_when_its_programs_are() -> None:
    assert why_not(0, json.dumps([endpoint("ready")])) == ""
    assert why_not(0, f"\n{json.dumps([endpoint('ready')], indent=2)}\nlevel=warning msg=aside\n") == ""


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (json.dumps([endpoint("waiting-to-regenerate")]), "not compiled yet (waiting-to-regenerate)"),
        (json.dumps([endpoint("regenerating")]), "not compiled yet (regenerating)"),
        (json.dumps([{"id": 1}]), "not compiled yet (unknown)"),
        ("[]", "the host has no endpoint"),
    ],
)
def test_until_then_it_says_how_far_they_are(said: str, told: str) -> None:
    assert told in why_not(0, said)


@pytest.mark.parametrize(
    ("code", "said", "told"),
    [
        (1, "Error: Cannot get endpoints:\n  connection refused\n", "Error: Cannot get endpoints: connection refused"),
        (1, "", "cilium-dbg ended with 1"),
        (0, "not JSON", "not JSON"),
        (0, "{}", "{}"),
        (0, "", "cilium-dbg ended with 0"),
    ],
)
def test_what_is_no_answer_is_told_as_it_is(code: int, said: str, told: str) -> None:
    assert why_not(code, said) == told
