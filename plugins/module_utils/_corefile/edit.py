# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Edits of a Corefile that change what they must and nothing beside it."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.lexer import quote
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.tree import (
    Corefile,
    CorefileError,
    Directive,
    ServerBlock,
    parse,
)

STEP = "    "


@dataclass(frozen=True)
class Wanted:
    """A plugin as it shall be in a server block.

    :param name: the plugin.
    :param arguments: what stands behind its name; ``None`` leaves what is there.
    :param options: words by option name; an empty value removes the option, others stay as they are.
    :param identity: how many of the arguments tell one use of the plugin from another: ``forward`` by its zone.
    """

    name: str
    arguments: tuple[str, ...] | None = None
    options: tuple[tuple[str, tuple[str, ...] | None], ...] = ()
    identity: int = 0


def put(corefile: Corefile, zone: str, wanted: Wanted) -> Corefile:
    """The Corefile with a plugin as wanted in the server block of a zone.

    :raises CorefileError: there is no such block.
    """
    block = corefile.server(zone)
    if block is None:
        raise CorefileError(
            "Corefile",
            f"no server block serves {zone!r}; there are {', '.join(n for one in corefile.blocks for n in one.names)}",
            "a server block for the zone",
            "Add the block, or correct the zone",
        )
    identity = wanted.arguments[0] if wanted.identity and wanted.arguments else None
    found = block.find(wanted.name, identity)
    if found is None:
        return _insert(corefile, block, wanted)
    text = _set_arguments(corefile.text, found, wanted)
    edited = parse(text)
    for name, words in wanted.options:
        block_now = edited.server(zone)
        found_now = block_now.find(wanted.name, identity) if block_now else None
        if found_now is not None:
            edited = parse(_set_option(edited.text, found_now, name, words))
    return edited


def remove(corefile: Corefile, zone: str, name: str, argument: str | None = None) -> Corefile:
    """The Corefile without a plugin of a zone's block, and without the line that it leaves empty."""
    block = corefile.server(zone)
    found = block.find(name, argument) if block else None
    if found is None:
        return corefile
    return parse(_without(corefile.text, found.start, found.end))


def put_block(corefile: Corefile, zone: str, lines: tuple[str, ...]) -> Corefile:
    """The Corefile with a server block of exactly these plugins; the block of a zone is added at the end.

    A block that is there and means the same stays as it is written.
    """
    indent = _indent_of(corefile)
    text = f"{zone} {{\n" + "".join(f"{indent}{line}\n" for line in lines) + "}\n"
    block = corefile.server(zone)
    if block is None:
        joint = "" if not corefile.text or corefile.text.endswith("\n") else "\n"
        return parse(corefile.text + joint + text)
    if _meaning(block) == _meaning(parse(text).blocks[0]):
        return corefile
    start, end = _span(block)
    return parse(corefile.text[:start] + text.rstrip("\n") + corefile.text[end:])


def remove_block(corefile: Corefile, zone: str) -> Corefile:
    """The Corefile without the server block of a zone."""
    block = corefile.server(zone)
    if block is None:
        return corefile
    return parse(_without(corefile.text, *_span(block)))


def _meaning(block: ServerBlock) -> list[object]:
    return [(one.name, one.arguments, tuple(option.words for option in one.options)) for one in block.directives]


def _span(block: ServerBlock) -> tuple[int, int]:
    last = block.closing or (block.directives[-1].head[-1] if block.directives else block.keys[-1])
    end = last.end if block.closing or not block.directives else block.directives[-1].end
    return block.keys[0].start, end


def _line_indent(text: str, offset: int) -> str:
    """The blanks before what stands at ``offset``, if nothing else does."""
    start = text.rfind("\n", 0, offset) + 1
    before = text[start:offset]
    return before[: len(before) - len(before.lstrip())]


def _indent_of(corefile: Corefile) -> str:
    for block in corefile.blocks:
        for directive in block.directives:
            indent = _line_indent(corefile.text, directive.start)
            if indent:
                return indent
    return STEP


def _without(text: str, start: int, end: int) -> str:
    line_start = text.rfind("\n", 0, start) + 1
    line_end = text.find("\n", end)
    rest = text[end:] if line_end < 0 else text[end:line_end]
    if not text[line_start:start].strip() and not rest.strip() and line_end >= 0:
        return text[:line_start] + text[line_end + 1 :]
    return text[:start] + text[end:]


def _written(wanted: Wanted, indent: str, newline: str) -> str:
    head = " ".join([wanted.name, *(quote(word) for word in wanted.arguments or ())])
    options = [(name, words) for name, words in wanted.options if words is not None]
    if not options:
        return head
    lines = [" ".join([name, *(quote(word) for word in words)]) for name, words in options]
    step = indent or STEP
    return f"{head} {{{newline}" + "".join(f"{indent}{step}{line}{newline}" for line in lines) + f"{indent}}}"


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _insert(corefile: Corefile, block: ServerBlock, wanted: Wanted) -> Corefile:
    text, newline = corefile.text, _newline(corefile.text)
    if block.directives:
        last = block.directives[-1]
        indent = _line_indent(text, last.start) or STEP
        line_end = text.find("\n", last.end)
        at = len(text) if line_end < 0 else line_end + 1
        addition = f"{indent}{_written(wanted, indent, newline)}{newline}"
        return parse(text[:at] + ("" if line_end >= 0 else newline) + addition + text[at:])
    if block.opening is None or block.closing is None:
        addition = f" {{{newline}{STEP}{_written(wanted, STEP, newline)}{newline}}}"
        return parse(text[: block.keys[-1].end] + addition + text[block.keys[-1].end :])
    between = f"{newline}{STEP}{_written(wanted, STEP, newline)}{newline}"
    return parse(text[: block.opening.end] + between + text[block.closing.start :])


def _set_arguments(text: str, found: Directive, wanted: Wanted) -> str:
    if wanted.arguments is None or found.arguments == wanted.arguments:
        return text
    words = "".join(f" {quote(word)}" for word in wanted.arguments)
    return text[: found.head[0].end] + words + text[found.head[-1].end :]


def _set_option(text: str, found: Directive, name: str, words: tuple[str, ...] | None) -> str:
    present = found.option(name)
    if words is None:
        return _without(text, present.tokens[0].start, present.tokens[-1].end) if present else text
    if present is not None:
        if present.words[1:] == words:
            return text
        written = "".join(f" {quote(word)}" for word in words)
        return text[: present.tokens[0].end] + written + text[present.tokens[-1].end :]
    newline = _newline(text)
    indent = _line_indent(text, found.start)
    line = " ".join([name, *(quote(word) for word in words)])
    if found.closing is None:
        return text[: found.end] + f" {{{newline}{indent}{indent or STEP}{line}{newline}{indent}}}" + text[found.end :]
    if found.options:
        inner = _line_indent(text, found.options[-1].tokens[0].start)
        at = text.rfind("\n", 0, found.closing.start) + 1
        if not text[at : found.closing.start].strip():
            return text[:at] + f"{inner}{line}{newline}" + text[at:]
    return (
        text[: found.closing.start].rstrip(" \t")
        + f"{newline}{indent}{indent or STEP}{line}{newline}{indent}"
        + text[found.closing.start :]
    )
