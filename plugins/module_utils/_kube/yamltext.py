# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""YAML text edited in place: one value changes, every other character stays, comments and unknown fields too.

A place is a path of keys and list positions. The YAML parser says where a value stands (YAML 1.1, as PyYAML reads it);
the text between two values is never written anew. Each edit is read back: what does not say what was wanted is refused.
"""

from __future__ import annotations

import copy
import json
import re
from typing import TYPE_CHECKING, Any, Union

from ansible_collections.netops.kubernetes.plugins.module_utils._errors import NetopsError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Step = Union[str, int]
Place = tuple[Step, ...]
# Words that YAML reads as themselves, whatever its version: no number, no truth value, no null.
PLAIN = re.compile(
    r"(?!(?:true|false|yes|no|on|off|null|y|n)\Z)[a-z][a-z0-9.-]*[a-z0-9]|(?:[0-9]+(?:ns|us|ms|s|m|h))+", re.IGNORECASE
)
LAYOUT = "a value that stands in one place, in block or flow style, without anchors"


class YamlTextError(NetopsError):
    """Text that is no YAML, or whose layout hides the place of an edit."""


def read(text: str, subject: str) -> Any:
    """What a YAML text says.

    :param subject: what the text is, for the message.
    :raises YamlTextError: it does not parse, or PyYAML is not there.
    """
    yaml = _yaml(subject)
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise YamlTextError(subject, f"its YAML does not parse: {error}", remedy="Correct it by hand") from error


def at(content: Any, place: Place) -> Any:
    """The value at a place; nothing where there is none."""
    for step in place:
        if isinstance(step, int) and isinstance(content, list):
            content = content[step] if step < len(content) else None
        else:
            content = content.get(step) if isinstance(content, dict) else None
    return content


def put(text: str, place: Place, value: Any, subject: str) -> str:
    """The text with another value at a place; mappings on the way there are made. A list grows by its own length.

    :param value: text, number, truth value, or a list or mapping of such.
    :raises YamlTextError: the layout hides the place.
    """
    wanted = copy.deepcopy(read(text, subject))
    if at(wanted, place) == value and _is_there(wanted, place):
        return text
    return _verified(_put(text, place, value, subject), _with(wanted, place, value), place, subject)


def drop(text: str, place: Place, subject: str) -> str:
    """The text without the value at a place; the same text where there is none.

    :raises YamlTextError: the layout hides the place.
    """
    wanted = copy.deepcopy(read(text, subject))
    if not _is_there(wanted, place):
        return text
    parent = at(wanted, place[:-1])
    del parent[place[-1]]
    if not parent:
        return put(text, place[:-1], parent, subject)
    return _verified(_drop(text, place, subject), wanted, place, subject)


# ---- what is wanted ---------------------------------------------------------------------------------------------


def _is_there(content: Any, place: Place) -> bool:
    parent, step = at(content, place[:-1]), place[-1]
    if isinstance(parent, list):
        return isinstance(step, int) and step < len(parent)
    return isinstance(parent, dict) and step in parent


def _with(content: Any, place: Place, value: Any) -> Any:
    if not place:
        return value
    step = place[0]
    if isinstance(step, int):
        items = list(content or [])
        items[step : step + 1] = [_with(items[step] if step < len(items) else None, place[1:], value)]
        return items
    inner = dict(content) if isinstance(content, dict) else {}
    inner[step] = _with(inner.get(step), place[1:], value)
    return inner


def _verified(text: str, wanted: Any, place: Place, subject: str) -> str:
    try:
        if read(text, subject) == wanted:
            return text
    except YamlTextError:
        pass
    raise _hidden(place, subject)


def _hidden(place: Place, subject: str) -> YamlTextError:
    return YamlTextError(
        f"{subject}, field {'.'.join(map(str, place))}",
        "the text's layout hides it",
        LAYOUT,
        "Write the text out anew (kubectl get -o yaml does) and run again",
    )


# ---- where it stands --------------------------------------------------------------------------------------------


def _yaml(subject: str) -> Any:
    try:
        import yaml
    except ImportError as error:
        raise YamlTextError(
            subject,
            f"Python's library yaml is not there: {error}",
            remedy="Install PyYAML for the Python that runs this module (Debian: python3-yaml, EL: python3-pyyaml)",
        ) from error
    return yaml


def _compose(text: str, subject: str) -> Any:
    yaml = _yaml(subject)
    return yaml.compose(text, Loader=yaml.SafeLoader)


def _end(text: str, node: Any) -> int:
    """Behind the last character of a value. A block's own mark stands behind the comments that follow it."""
    if node.id != "scalar" and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(text, last[1] if isinstance(last, tuple) else last)
    if node.id == "scalar" and node.style in ("|", ">"):
        return len(text[: node.end_mark.index].rstrip())
    return int(node.end_mark.index)


def _line_end(text: str, position: int) -> int:
    found = text.find("\n", position)
    return len(text) if found < 0 else found


def _child(node: Any, step: Step) -> Any:
    """The key and the value of a step, or nothing; a list's items have no key."""
    if node.id == "mapping":
        return next(((key, value) for key, value in node.value if key.value == step), None)
    if node.id == "sequence" and isinstance(step, int) and step < len(node.value):
        return None, node.value[step]
    return None


def _is_null(node: Any) -> bool:
    return bool(node.id == "scalar" and node.tag == "tag:yaml.org,2002:null")


def _put(text: str, place: Place, value: Any, subject: str) -> str:
    node, key, is_flow = _compose(text, subject), None, False
    # Such a text may be JSON, whose readers take no bare words.
    write = _json if node.id != "scalar" and node.flow_style else _flow
    for number, step in enumerate(place):
        is_flow = is_flow or bool(node.id != "scalar" and node.flow_style)
        found = _child(node, step)
        if found is None:
            rest = _nested(place[number + 1 :], value)
            if _is_null(node) or not node.value:
                rest = [rest] if isinstance(step, int) else {step: rest}
                return _replace(text, key, node, rest, write, is_flow=is_flow)
            if node.id == "scalar" or (node.id == "mapping") is isinstance(step, int):
                raise _hidden(place, subject)
            return _insert(text, node, step, rest, write, is_flow=is_flow)
        key, node = found
    return _replace(text, key, node, value, write, is_flow=is_flow)


def _nested(place: Place, value: Any) -> Any:
    for step in reversed(place):
        value = [value] if isinstance(step, int) else {step: value}
    return value


def _replace(text: str, key: Any, node: Any, value: Any, write: Callable[[Any], str], *, is_flow: bool) -> str:
    start, end = int(node.start_mark.index), _end(text, node)
    line_end = _line_end(text, end)
    if node.id == "sequence" and not node.flow_style and isinstance(value, list) and value:
        margin = "\n" + " " * int(node.start_mark.column)
        return text[:start] + margin.join(f"- {_flow(one)}" for one in value) + text[end:]
    if isinstance(value, dict) and value and key is not None and not is_flow:
        # The rest of the key's line, a comment maybe, stays where it is.
        lines = _block(value, " " * (key.start_mark.column + 2))
        return text[:start].rstrip(" ") + text[end:line_end] + "\n" + "\n".join(lines) + text[line_end:]
    if key is not None:
        # What stands between a key and its value is a blank, or the line break before a block.
        start = text.index(":", int(key.end_mark.index)) + 1
        return text[:start] + " " + write(value) + text[end:]
    return text[:start] + write(value) + text[end:]


def _insert(text: str, node: Any, step: Step, value: Any, write: Callable[[Any], str], *, is_flow: bool) -> str:
    end = _end(text, node.value[-1][1] if node.id == "mapping" else node.value[-1])
    if is_flow or node.flow_style:
        new = write(value) if isinstance(step, int) else f"{json.dumps(step)}: {write(value)}"
        return f"{text[:end]}, {new}{text[end:]}"
    margin = " " * node.start_mark.column
    lines = [f"{margin}- {_flow(value)}"] if isinstance(step, int) else _block({step: value}, margin)
    line_end = _line_end(text, end)
    return text[:line_end] + "\n" + "\n".join(lines) + text[line_end:]


def _drop(text: str, place: Place, subject: str) -> str:
    node = _compose(text, subject)
    for step in place[:-1]:
        node = _child(node, step)[1]
    key, value = _child(node, place[-1])
    start, end = int((key or value).start_mark.index), _end(text, value)
    if node.flow_style:
        # With the comma behind it, or before it when it is the last.
        behind = re.compile(r"\s*,\s*").match(text, end)
        before = text[:start] if behind else text[:start].rstrip().rstrip(",")
        return before + text[behind.end() if behind else end :]
    start = text.rfind("\n", 0, start) + 1
    return text[:start] + text[_line_end(text, end) + 1 :]


# ---- how it is written ------------------------------------------------------------------------------------------


def _block(value: dict[str, Any], margin: str) -> list[str]:
    lines: list[str] = []
    for key, one in value.items():
        if isinstance(one, dict) and one:
            lines += [f"{margin}{_flow(key)}:", *_block(one, f"{margin}  ")]
        elif isinstance(one, list) and one:
            lines += [f"{margin}{_flow(key)}:", *(f"{margin}- {_flow(item)}" for item in one)]
        else:
            lines.append(f"{margin}{_flow(key)}: {_flow(one)}")
    return lines


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)}: {_flow(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(one) for one in value) + "]"
    if isinstance(value, str) and PLAIN.fullmatch(value):
        return value
    return _json(value)


def index_of(items: Sequence[Any], key: str, value: Any) -> int:
    """The position of the mapping whose ``key`` has a value; the list's length when there is none."""
    numbers = (number for number, item in enumerate(items) if isinstance(item, dict) and item.get(key) == value)
    return next(numbers, len(items))
