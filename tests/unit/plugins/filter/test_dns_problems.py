# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the nodes' answers say together: a node that could not ask is no node that is content."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.netops.kubernetes.plugins.filter.dns_problems import FilterModule

dns_problems = FilterModule().filters()["dns_problems"]
WELL = {"problems": [], "changed": False}


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({}, []),
        ({"a": WELL, "b": WELL}, []),
        ({"a": WELL, "b": {"skipped": True, "changed": False}}, []),
        (
            {"a": {"problems": ["from a, x"]}, "b": {"problems": ["from b, y", "from b, z"]}},
            ["from a, x", "from b, y", "from b, z"],
        ),
        (
            {"a": WELL, "b": {"failed": False, "msg": "No Python\nthere"}},
            ["from b, nothing was asked: No Python there"],
        ),
        ({"b": {"unreachable": True, "msg": "timed out"}}, ["from b, nothing was asked: timed out"]),
        ({"b": {"failed": True, "module_stderr": "Killed\n"}}, ["from b, nothing was asked: Killed"]),
        ({"b": {}}, ["from b, nothing was asked: no reason is told"]),
    ],
)
def test_every_node_answers_or_is_a_problem(answers: dict[str, Any], said: list[str]) -> None:
    assert dns_problems(answers) == said
