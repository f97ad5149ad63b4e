# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""YAML text edited in place: the wanted value is there, and nothing else is another."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.yamltext import YamlTextError, at, drop, put, read
from hypothesis import given
from hypothesis import strategies as st

TEXT = """\
# head
kind: K # the kind
ipvs:   # about it
  list: null # none
  scheduler: ""
  # tail

cidrs:
- 192.0.2.0/24   # one
- 198.51.100.0/24
# the end
flow: {a: 1, b: [x, y]}
empty:
block: |
  two
  lines
last: z"""

PLACES = st.sampled_from(
    [
        *(("kind",), ("ipvs", "list"), ("ipvs", "scheduler"), ("ipvs", "new"), ("ipvs", "new", "deep"), ("cidrs",)),
        *(("cidrs", 0), ("cidrs", 1), ("cidrs", 2), ("flow", "a"), ("flow", "b"), ("flow", "b", 2), ("flow", "c", "d")),
        *(("empty",), ("empty", "x", "y"), ("empty", 0), ("block",), ("last",), ("more",), ("more", "inner", "most")),
    ]
)
WORDS = st.text(alphabet="abn09.:-#'\"{}[],&* \nyé", max_size=8)
SCALARS = st.one_of(WORDS, st.booleans(), st.integers(-9, 2**31), st.sampled_from(["null", "yes", "1m30s", "1e3", "~"]))
VALUES = st.one_of(SCALARS, st.lists(SCALARS, max_size=3), st.dictionaries(WORDS.filter(bool), SCALARS, max_size=2))


def placed(content: Any, place: tuple[Any, ...], value: Any) -> Any:
    """The same by hand, on the content."""
    if not place:
        return value
    inner: Any = copy.copy(content) if content is not None else ([] if isinstance(place[0], int) else {})
    if isinstance(place[0], int):
        inner[place[0] : place[0] + 1] = [placed(None, place[1:], value)]
    else:
        inner[place[0]] = placed(inner.get(place[0]), place[1:], value)
    return inner


@given(place=PLACES, value=VALUES)
def test_an_edit_changes_one_value_and_keeps_every_comment(place: tuple[Any, ...], value: Any) -> None:
    edited = put(TEXT, place, value, "text")
    assert yaml.safe_load(edited) == placed(yaml.safe_load(TEXT), place, value)
    assert put(edited, place, value, "text") == edited
    for comment in ("# head", "# the kind", "# about it", "# none", "# tail", "# the end"):
        assert comment in edited


@pytest.mark.parametrize(
    ("place", "gone"),
    [
        (("ipvs", "scheduler"), '  scheduler: ""\n'),
        (("cidrs", 0), "- 192.0.2.0/24   # one\n"),
        (("flow", "a"), "a: 1, "),
        (("flow", "b", 1), ", y"),
        (("block",), "block: |\n  two\n  lines\n"),
        (("nowhere", "at", "all"), ""),
    ],
)
def test_what_is_dropped_is_gone_and_nothing_else(place: tuple[Any, ...], gone: str) -> None:
    assert drop(TEXT, place, "text") == TEXT.replace(gone, "", 1) if gone else TEXT


def test_the_last_value_of_a_mapping_leaves_an_empty_one() -> None:
    assert drop("a:\n  b: 1\nc: 2\n", ("a", "b"), "text") == "a: {}\nc: 2\n"
    assert drop("a:\n- 1\n", ("a", 0), "text") == "a: []\n"


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("a: &x\n  b: 1\nc: *x\n", ("c", "b"), "text, field c.b: the text's layout hides it"),
        ("a: 1\n", ("a", "b"), "text, field a.b: the text's layout hides it"),
        ("a: [1]\n", ("a", "b"), "text, field a.b: the text's layout hides it"),
        ("a: [\n", ("a",), "text: its YAML does not parse"),
        ("a: 1\n---\nb: 2\n", ("a",), "text: its YAML does not parse"),
    ],
)
def test_a_hidden_place_is_named(text: str, place: tuple[Any, ...], message: str) -> None:
    with pytest.raises(YamlTextError) as error:
        put(text, place, 2, "text")
    assert message in str(error.value)


def test_a_place_is_found() -> None:
    content = read(TEXT, "text")
    assert at(content, ("cidrs", 1)) == "198.51.100.0/24"
    assert at(content, ("cidrs", 5)) is None
    assert at(content, ("flow", "b", 0)) == "x"
    assert at(content, ("kind", "of", "what")) is None
