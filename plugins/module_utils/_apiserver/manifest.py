# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Flags of kube-apiserver in its static pod's manifest, read and changed in place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._errors import NetopsError
from ansible_collections.netops.kubernetes.plugins.module_utils._kube import yamltext

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CONTAINER = "kube-apiserver"


class ApiServerError(NetopsError):
    """A manifest that is not kube-apiserver's, or an API server that does not come up."""


def flags_of(text: str, subject: str) -> dict[str, str]:
    """The flags in a manifest by name, without hyphens; of one that is there twice the last, which holds.

    :raises ApiServerError: it is not kube-apiserver's.
    """
    return {name: value for _place, name, value in _flags(text, subject)}


def flags_in(words: Sequence[str]) -> Iterator[tuple[int, str, str]]:
    """The flags of a command line, ``--name=value`` or ``--name value``: where the value stands, name and value."""
    for number, word in enumerate(words):
        name, mark, value = word[2:].partition("=")
        if not word.startswith("--"):
            continue
        if mark:
            yield number, name, value
        elif number + 1 < len(words) and not words[number + 1].startswith("--"):
            yield number + 1, name, words[number + 1]


def with_flag(text: str, name: str, value: str, subject: str) -> str:
    """A manifest with another value of a flag; empty takes the flag out.

    :raises ApiServerError: the manifest is not kube-apiserver's.
    :raises YamlTextError: the text's layout hides the flag.
    """
    found = [place for place, one, _value in _flags(text, subject) if one == name]
    if not value:
        for place in reversed(found):
            text = _without(text, place, subject)
        return text
    if not found:
        return yamltext.put(text, _end(text, subject), f"--{name}={value}", subject)
    place = found[-1]
    word = str(yamltext.at(yamltext.read(text, subject), place))
    return yamltext.put(text, place, f"--{name}={value}" if word.startswith("--") else value, subject)


def _without(text: str, place: yamltext.Place, subject: str) -> str:
    word = str(yamltext.at(yamltext.read(text, subject), place))
    text = yamltext.drop(text, place, subject)
    # A value of its own goes with the name before it.
    return text if word.startswith("--") else yamltext.drop(text, (*place[:-1], int(place[-1]) - 1), subject)


def _container(text: str, subject: str) -> tuple[yamltext.Place, dict[str, Any]]:
    content = yamltext.read(text, subject)
    containers = yamltext.at(content, ("spec", "containers")) or []
    number = yamltext.index_of(containers, "name", CONTAINER)
    if number == len(containers):
        raise ApiServerError(
            subject,
            f"it has no container {CONTAINER}",
            "the manifest of kube-apiserver's static pod",
            "Name the manifest's path, or change the range where this API server gets its flags",
        )
    return ("spec", "containers", number), containers[number]


def _flags(text: str, subject: str) -> Iterator[tuple[yamltext.Place, str, str]]:
    root, container = _container(text, subject)
    for part in ("command", "args"):
        for number, name, value in flags_in([str(word) for word in container.get(part) or []]):
            yield (*root, part, number), name, value


def _end(text: str, subject: str) -> yamltext.Place:
    """Where a new flag goes: behind the last one."""
    root, container = _container(text, subject)
    part = "args" if container.get("args") else "command"
    return (*root, part, len(container.get(part) or []))
