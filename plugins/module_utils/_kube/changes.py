# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""How changes are shown: one diff an object, none of them endless."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient
    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import Object, ObjectRef

# A terminal's patience, not a limit of the API.
TEXT_LIMIT = 20_000
TOTAL_LIMIT = 1_000_000
ABSENT = object()


@dataclass(frozen=True)
class Change:
    """What happened to one object: ``created``, ``changed``, ``unchanged``, ``deleted``, ``absent`` or ``kept``."""

    ref: ObjectRef
    action: str
    before: Object
    after: Object

    @property
    def is_change(self) -> bool:
        return self.action in {"created", "changed", "deleted"}


def diff_of(
    name: str, before: Mapping[str, Any], after: Mapping[str, Any], render: Callable[[Any], str]
) -> dict[str, str]:
    """One entry of a module's ``diff``.

    :param before: the object as it was; empty when it was not there.
    :param after: the object as it is; empty when it is gone.
    :param render: makes readable text of an object.
    """
    texts = [render(obj) if obj else "" for obj in (before, after)]
    if before and after and max(map(len, texts)) > TEXT_LIMIT:
        # Of a large object only the fields that differ.
        pairs = list(differences(before, after))
        texts = ["".join(f"{path}: {_short(pair[side])}\n" for path, *pair in pairs) for side in (0, 1)]
    return {
        "before_header": name,
        "after_header": name,
        "before": bounded(texts[0]),
        "after": bounded(texts[1]),
    }


def diffs_of(
    changes: Iterable[tuple[str, Mapping[str, Any], Mapping[str, Any]]], render: Callable[[Any], str]
) -> list[dict[str, str]]:
    """A module's ``diff`` of many objects; once it is long, the names alone.

    :param changes: name, object as it was, object as it is.
    """
    entries: list[dict[str, str]] = []
    left = TOTAL_LIMIT
    for name, before, after in changes:
        if left <= 0:
            texts = ["(not shown: the difference is long already)\n" if obj else "" for obj in (before, after)]
            entry = {"before_header": name, "after_header": name, "before": texts[0], "after": texts[1]}
        else:
            entry = diff_of(name, before, after, render)
        left -= len(entry["before"]) + len(entry["after"])
        entries.append(entry)
    return entries


def bounded(text: str) -> str:
    """The text, or its beginning and how much is left out."""
    if len(text) <= TEXT_LIMIT:
        return text
    kept = text[:TEXT_LIMIT].rsplit("\n", 1)[0]
    return f"{kept}\n({len(text) - len(kept)} more characters)\n"


def _short(value: Any) -> str:
    return "(absent)" if value is ABSENT else repr(value)


def differences(before: Any, after: Any, path: str = "") -> Iterable[tuple[str, Any, Any]]:
    """The paths at which two values differ, each with both values."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted(before.keys() | after.keys(), key=str):
            inner = f"{path}.{key}" if path else str(key)
            yield from differences(before.get(key, ABSENT), after.get(key, ABSENT), inner)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, pair in enumerate(zip(before, after)):
            yield from differences(*pair, f"{path}[{number}]")
    elif before is not after and before != after:
        yield path, before, after


def result_of(
    client: KubeClient, changes: Sequence[Change], render: Callable[[Any], str], *, diff: bool
) -> dict[str, Any]:
    """A module's result.

    :param render: makes readable text of an object, for the diff.
    :param diff: whether anybody asks for one: texts of many large objects take their time.
    """
    shown = [(str(change.ref), change.before, change.after) for change in changes if diff and change.is_change]
    return {
        "changed": any(change.is_change for change in changes),
        "changes": [{"object": str(change.ref), "action": change.action} for change in changes],
        "api_requests": client.requests,
        **({"diff": diffs_of(shown, render)} if diff else {}),
    }
