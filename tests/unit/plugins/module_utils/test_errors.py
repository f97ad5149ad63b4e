# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a failure says: whole sentences, whoever has written their parts."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.findings import WARNING, Finding
from ansible_collections.netops.kubernetes.plugins.module_utils._errors import NetopsError, sentence

PLUGINS = Path(__file__).parents[4] / "plugins"
INNER = str(NetopsError("Deployment 'kube-system/coredns'", "after 60 s", "every CoreDNS with the Corefile"))


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        (("a", "b"), "a: b."),
        (("a", "b."), "a: b."),
        (("a", "b", "c"), "a: b; expected c."),
        (("a", "b.", "c."), "a: b; expected c."),
        (("a", "b.", "", "Do c"), "a: b. Do c."),
        (("a", "b", "c.", "Do d."), "a: b; expected c. Do d."),
        (("a", "b...", "c"), "a: b...; expected c."),
        (("a", "is it so?", "", "Do c"), "a: is it so? Do c."),
        (("ConfigMap", INNER, "", "Look at it"), f"ConfigMap: {INNER} Look at it."),
    ],
)
def test_parts_that_are_sentences_already_get_no_second_end(parts: tuple[str, ...], said: str) -> None:
    assert str(NetopsError(*parts)) == said


def test_a_text_becomes_a_sentence_once() -> None:
    assert sentence("a") == sentence(sentence("a")) == "a."
    found = Finding(WARNING, "Corefile", 3, "zone example.org.", remedy="Take it out")
    assert found.text == "Corefile:3: zone example.org. Take it out."


def _last_words(argument: ast.expr) -> str:
    while isinstance(argument, ast.BinOp):
        argument = argument.right
    if isinstance(argument, ast.JoinedStr) and argument.values:
        argument = argument.values[-1]
    return argument.value if isinstance(argument, ast.Constant) and isinstance(argument.value, str) else ""


def _failures_in(file: Path) -> list[ast.Call]:
    calls = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)]
    return [call for call in calls if ast.unparse(call.func).endswith("Error") and len(call.args) > 1]


def test_no_part_of_a_failure_brings_a_full_stop_of_its_own() -> None:
    parts = [
        (file.name, call.lineno, _last_words(argument))
        for file in sorted(PLUGINS.rglob("*.py"))
        for call in _failures_in(file)
        for argument in [*call.args, *(keyword.value for keyword in call.keywords)]
    ]
    assert len(parts) > 500, "the failures are not found any more"
    assert [part for part in parts if part[2].endswith(".")] == []
