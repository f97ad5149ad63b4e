# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Edits of a Corefile that change what they must and nothing beside it."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.lexer import quote
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.tree import (
    Corefile,
    CorefileError,
    Directive,
    Option,
    ServerBlock,
    parse,
    zone_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

STEP = "    "
Words = tuple[str, ...]
# From an offset to another, what stands there instead.
Edit = tuple[int, int, str]
# How many arguments tell one use of a plugin from another where several may stand in a block; ``None``: all of them.
# Of the other plugins one use is what is meant.
_IDENTITY = {
    "forward": 1,
    "grpc": 1,
    "file": 1,
    "dnstap": 1,
    **dict.fromkeys(("acl", "auto", "import", "log", "on", "rewrite", "secondary", "template", "transfer")),
}


# How the name of a rule of ``rewrite name`` is compared; the first one needs not be said.
REWRITE_MATCHES = ("exact", "prefix", "suffix", "substring", "regex")


@dataclass(frozen=True)
class Wanted:
    """A plugin as it shall be in a server block.

    :param name: the plugin.
    :param arguments: what stands behind its name; ``None`` leaves what is there.
    :param options: words by option name, a name with several lines once for each; ``None`` removes the option. Lines
        of other names stay as they are.
    :param body: all lines of its block, when it is meant as a whole; ``None`` leaves what ``options`` do not name.
    :param is_rule: whether it is a rule of ``rewrite name`` that is known by the name that is asked for, whatever
        takes its place.
    """

    name: str
    arguments: Words | None = None
    options: tuple[tuple[str, Words | None], ...] = ()
    body: tuple[Words, ...] | None = None
    is_rule: bool = False

    @property
    def patterns(self) -> Words | None:
        """What tells one template from another of its class, type and zones; ``None`` where that is not said."""
        if self.name != "template":
            return None
        if self.body is not None:
            return _patterns(self.body)
        matches = [(name, *words) for name, words in self.options if name == _MATCH and words is not None]
        return _patterns(matches) if matches else None

    @property
    def said(self) -> str:
        """It in words, as it would stand in one line."""
        body = "; ".join(map(_line, self.body)) if self.body is not None else ""
        return " ".join(filter(None, [_line(self.arguments or ()), f"{{ {body} }}" if body else ""]))


_MATCH = "match"


def _patterns(lines: Iterable[Words]) -> Words:
    """The patterns of a template; without one it is about every name."""
    return tuple(word for line in lines if line[0] == _MATCH for word in line[1:]) or (".*",)


def identity_of(name: str, arguments: Words) -> Words:
    """What tells a use of a plugin from its other uses in the same block."""
    count = _IDENTITY.get(name, 0)
    return arguments if count is None else arguments[:count]


def rule_of(arguments: Words) -> Words:
    """A rule of ``rewrite`` in one form: ``stop name exact A. b`` and ``name a b`` are the same.

    :returns: of a rule about names: ``name``, how it is compared, the name, and what is left; else the words.
    """
    words = arguments[1:] if arguments[:1] == ("stop",) else arguments
    if words[:1] != ("name",):
        return words
    kind, rest = (words[1], words[2:]) if words[1:2] and words[1] in REWRITE_MATCHES else ("exact", words[1:])
    if kind == "exact":
        rest = (*(_name(word) for word in rest[:1]), *rest[1:])
    return ("name", kind, *rest)


def _name(word: str) -> str:
    return word.lower().rstrip(".") or word


_RULE_IDENTITY = 3


def find(block: ServerBlock, meant: Wanted) -> Directive | None:
    """The use of a plugin that is meant; the first one where its arguments are not given."""
    return next((use for use in block.directives if _is_meant(use, meant)), None)


def _is_meant(use: Directive, wanted: Wanted) -> bool:
    if use.name != wanted.name:
        return False
    if wanted.arguments is None:
        return True
    if wanted.is_rule:
        return rule_of(use.arguments)[:_RULE_IDENTITY] == rule_of(wanted.arguments)[:_RULE_IDENTITY]
    if identity_of(use.name, use.arguments) != identity_of(wanted.name, wanted.arguments):
        return False
    return wanted.patterns is None or wanted.patterns == _patterns(option.words for option in use.options)


def _places(block: ServerBlock, wanted: Wanted) -> list[int]:
    """Where in a block the uses stand that are meant."""
    return [place for place, use in enumerate(block.directives) if _is_meant(use, wanted)]


def require_agreeing(wishes: Iterable[Wanted]) -> None:
    """Refuse wishes for one server block of which one would undo another.

    :raises CorefileError: two are about the same use of a plugin, and each says all of it.
    """
    said: dict[tuple[object, ...], Wanted] = {}
    for wanted in wishes:
        if wanted.body is None and not wanted.is_rule:
            continue
        arguments = wanted.arguments or ()
        identity = rule_of(arguments)[:_RULE_IDENTITY] if wanted.is_rule else identity_of(wanted.name, arguments)
        other = said.setdefault((wanted.name, wanted.is_rule, identity, wanted.patterns), wanted)
        if (other.arguments, other.body) != (wanted.arguments, wanted.body):
            raise CorefileError(
                f"plugin {wanted.name}",
                f"{wanted.said} is asked for beside {other.said}, and only one of them can be",
                "one of the two",
                "Take one of them out",
            )


def require_block(corefile: Corefile, zone: str) -> ServerBlock:
    """The server block of a zone.

    :raises CorefileError: there is none.
    """
    block = corefile.server(zone)
    if block is None:
        names = ", ".join(name for one in corefile.servers for name in one.names) or "none"
        raise CorefileError(
            "Corefile",
            f"no server block serves {zone!r}; there are {names}",
            "a server block for the zone",
            "Add the block, or correct the zone",
        )
    return block


# ---- plugins ---------------------------------------------------------------------------------------------------------


def put(corefile: Corefile, zone: str, wanted: Wanted) -> Corefile:
    """The Corefile with a plugin as wanted in the server block of a zone.

    :raises CorefileError: there is no such block, or a word cannot be written.
    """
    block = require_block(corefile, zone)
    places = _places(block, wanted)
    if not places:
        return _insert(corefile, block, wanted)
    place = places[0]
    if wanted.is_rule:
        # The first one stops, so what is behind it under the same name has no effect.
        corefile = _without(corefile, zone, places[1:])
    # Edits inside a plugin leave its place among the others as it is.
    found = require_block(corefile, zone).directives[place]
    if not wanted.is_rule or rule_of(found.arguments) != rule_of(wanted.arguments or ()):
        text = _set_arguments(corefile.text, found, wanted.arguments)
        corefile = corefile if text == corefile.text else parse(text)
    if wanted.body is not None:
        return _put_lines(corefile, (zone, place), wanted.body)
    for name in dict.fromkeys(name for name, _words in wanted.options):
        lines = tuple((name, *words) for one, words in wanted.options if one == name and words is not None)
        corefile = _put_lines(corefile, (zone, place), lines, name)
    return corefile


def remove(corefile: Corefile, zone: str, unwanted: Wanted) -> Corefile:
    """The Corefile without the uses of a plugin in a zone's block that are meant, and without lines left empty.

    Comments beside them stay: only people know what they say.

    :param unwanted: its name, and what tells which uses are meant; all of them where nothing does.
    """
    block = corefile.server(zone)
    if block is None:
        return corefile
    places = _places(block, unwanted)
    if unwanted.is_rule:
        # Only where that name is rewritten to this one.
        count, rule = _RULE_IDENTITY + 1, rule_of(unwanted.arguments or ())
        places = [place for place in places if rule_of(block.directives[place].arguments)[:count] == rule[:count]]
    return _without(corefile, zone, places)


def _without(corefile: Corefile, zone: str, places: Sequence[int]) -> Corefile:
    uses = require_block(corefile, zone).directives
    for place in reversed(places):
        corefile = parse(without_lines(corefile.text, uses[place].start, uses[place].end))
    return corefile


def move(corefile: Corefile, zone: str, moved: Wanted, before: Words) -> Corefile:
    """The Corefile with a plugin, and the comment above it, right before another plugin of the same block.

    :param moved: its name, and what tells which use is meant.
    :param before: the name of the other, and its arguments where they tell which use is meant.
    :raises CorefileError: one of the two is not there, or shares a line with something else.
    """
    block = require_block(corefile, zone)
    one, other = (_require_use(block, zone, use) for use in (moved, Wanted(before[0], before[1:] or None)))
    name = f"the block of {zone!r}"
    spans = [_lines_of(corefile.text, use.start, use.end, f"plugin {use.name} in {name}") for use in (one, other)]
    return corefile if one is other else _moved(corefile, *spans)


def _require_use(block: ServerBlock, zone: str, meant: Wanted) -> Directive:
    found = find(block, meant)
    if found is not None:
        return found
    words = _line((meant.name, *(meant.arguments or ())))
    raise CorefileError("Corefile", f"plugin {words} is not in the block of {zone!r}", "both plugins there")


def _moved(corefile: Corefile, lines: tuple[int, int], target: tuple[int, int]) -> Corefile:
    """The Corefile with some lines right before others."""
    text, (start, end), at = corefile.text, lines, target[0]
    if end == at:
        return corefile
    without = text[:start] + text[end:]
    at -= end - start if at > start else 0
    return parse(without[:at] + text[start:end] + without[at:])


def _lines_of(text: str, first: int, last: int, what: str) -> tuple[int, int]:
    """The whole lines of what stands between two offsets, with the comment right above it."""
    start = text.rfind("\n", 0, first) + 1
    end = text.find("\n", last) + 1
    behind = text[last:end].strip()
    if text[start:first].strip() or end == 0 or (behind and not behind.startswith("#")):
        raise CorefileError(
            "Corefile", f"{what} shares its line with something else", "a line of its own", "Give it one"
        )
    while start:
        above = text.rfind("\n", 0, start - 1) + 1
        if not text[above:start].strip().startswith("#"):
            break
        start = above
    return start, end


# ---- server blocks ---------------------------------------------------------------------------------------------------


def put_block(corefile: Corefile, zone: str, plugins: tuple[Wanted, ...]) -> Corefile:
    """The Corefile with a server block that has these plugins; a block that is not there is added at the end.

    What else a block has stays.
    """
    if corefile.server(zone) is None:
        newline = _newline(corefile.text)
        joint = "" if not corefile.text or corefile.text.endswith("\n") else newline
        corefile = parse(f"{corefile.text}{joint}{quote(zone)} {{{newline}}}{newline}")
    for wanted in plugins:
        corefile = put(corefile, zone, wanted)
    return corefile


def move_block(corefile: Corefile, zone: str, before: str) -> Corefile:
    """The Corefile with a zone's server block, and the comment above it, right before that of another zone.

    :raises CorefileError: one of the two is not there, or shares a line with something else.
    """
    one, other = (require_block(corefile, name) for name in (zone, before))
    spans = [_lines_of(corefile.text, *_span(block), f"the block of {block.names[0]!r}") for block in (one, other)]
    return corefile if one is other else _moved(corefile, *spans)


def remove_block(corefile: Corefile, zone: str) -> Corefile:
    """The Corefile without the server block of a zone; of a block with several keys only the key goes."""
    block = corefile.server(zone)
    if block is None:
        return corefile
    if len(block.keys) > 1:
        return parse(_without_key(corefile.text, block, zone))
    return parse(without_lines(corefile.text, *_span(block)))


def _without_key(text: str, block: ServerBlock, zone: str) -> str:
    names = [zone_of(name) for name in block.names]
    at = names.index(zone_of(zone))
    if at + 1 < len(names):
        return text[: block.keys[at].start] + text[block.keys[at + 1].start :]
    # A comma behind the last key would ask for another.
    before = block.keys[at - 1]
    return text[: before.end - (1 if before.text.endswith(",") else 0)] + text[block.keys[at].end :]


def _span(block: ServerBlock) -> tuple[int, int]:
    return block.keys[0].start, block.end


# ---- text ------------------------------------------------------------------------------------------------------------


def _line_indent(text: str, offset: int) -> str:
    """The blanks at the beginning of the line of ``offset``."""
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


def _inner_indent(corefile_text: str, directive: Directive) -> str:
    """The indentation of the lines in a plugin's block: that of its lines, or one step more than its own."""
    if directive.options:
        return _line_indent(corefile_text, directive.options[0].tokens[0].start)
    indent = _line_indent(corefile_text, directive.start)
    return indent + (indent or STEP)


def taken_out(text: str, start: int, end: int) -> Edit:
    """The edit that removes what is between two offsets, and the lines that this leaves empty."""
    line_start = text.rfind("\n", 0, start) + 1
    line_end = text.find("\n", end)
    rest = text[end:] if line_end < 0 else text[end:line_end]
    if not text[line_start:start].strip() and not rest.strip() and line_end >= 0:
        return (line_start, line_end + 1, "")
    # A comment behind it takes its place.
    blanks = len(rest) - len(rest.lstrip(" \t")) if rest.strip().startswith("#") else 0
    return (start, end + blanks, "")


def applied(text: str, edits: Sequence[Edit]) -> str:
    """A text after edits that do not overlap; of two at one place the first comes first."""
    parts: list[str] = []
    at = 0
    for start, end, words in sorted(edits, key=lambda edit: edit[:2]):
        parts += [text[at:start], words]
        at = end
    return "".join([*parts, text[at:]])


def without_lines(text: str, start: int, end: int) -> str:
    """A text without what is between two offsets, and without the lines that this leaves empty."""
    return applied(text, [taken_out(text, start, end)])


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _line(words: Words) -> str:
    return " ".join(quote(word) for word in words)


def _written(wanted: Wanted, indent: str, newline: str, step: str) -> str:
    head = _line((wanted.name, *(wanted.arguments or ())))
    lines = wanted.body or tuple((name, *words) for name, words in wanted.options if words is not None)
    if not lines:
        return head
    inner = "".join(f"{indent}{step}{_line(words)}{newline}" for words in lines)
    return f"{head} {{{newline}{inner}{indent}}}"


def _insert(corefile: Corefile, block: ServerBlock, wanted: Wanted) -> Corefile:
    text, newline, step = corefile.text, _newline(corefile.text), _indent_of(corefile)
    if block.directives:
        # Beside its like, or else at the end.
        like = [one for one in block.directives if one.name == wanted.name]
        last = (like or list(block.directives))[-1]
        indent = _line_indent(text, last.start) or STEP
        line_end = text.find("\n", last.end)
        at = len(text) if line_end < 0 else line_end + 1
        addition = f"{indent}{_written(wanted, indent, newline, step)}{newline}"
        return parse(text[:at] + ("" if line_end >= 0 else newline) + addition + text[at:])
    written = f"{newline}{step}{_written(wanted, step, newline, step)}{newline}"
    if block.opening is None or block.closing is None:
        return parse(f"{text[: block.keys[-1].end]} {{{written}}}{text[block.keys[-1].end :]}")
    between = text[block.opening.end : block.closing.start]
    if between.strip():
        # There are comments.
        kept = between.rstrip(" \t").removesuffix(newline)
        return parse(text[: block.opening.end] + kept + written + text[block.closing.start :])
    return parse(text[: block.opening.end] + written + text[block.closing.start :])


def _set_arguments(text: str, found: Directive, arguments: Words | None) -> str:
    if arguments is None or found.arguments == arguments:
        return text
    words = "".join(f" {quote(word)}" for word in arguments)
    return text[: found.head[0].end] + words + text[found.head[-1].end :]


def _set_words(text: str, present: Option, words: Words) -> str:
    if present.words[1:] == words:
        return text
    written = "".join(f" {quote(word)}" for word in words)
    return text[: present.tokens[0].end] + written + text[present.tokens[-1].end :]


def _add_line(text: str, found: Directive, words: Words, before: Option | None = None) -> str:
    """A line more in a plugin's block, before another line or at the end; the block is opened if there is none."""
    newline, inner, outer = _newline(text), _inner_indent(text, found), _line_indent(text, found.start)
    if found.closing is None:
        return f"{text[: found.end]} {{{newline}{inner}{_line(words)}{newline}{outer}}}{text[found.end :]}"
    anchor = before.tokens[0].start if before else found.closing.start
    at = text.rfind("\n", 0, anchor) + 1
    if not text[at:anchor].strip() and at > found.start:
        return f"{text[:at]}{inner}{_line(words)}{newline}{text[at:]}"
    return f"{text[:anchor].rstrip(' ')}{newline}{inner}{_line(words)}{newline}{outer}{text[anchor:]}"


def _put_lines(corefile: Corefile, at: tuple[str, int], lines: tuple[Words, ...], name: str = "") -> Corefile:
    """The lines of a plugin's block made to mean ``lines``: what is equal stays as it is written.

    :param at: the plugin: the zone of its server block, and its place in it.
    :param name: the option that is meant; the lines of others stay. Without it the whole block is meant.
    :raises CorefileError: a word of it cannot be written.
    """
    zone, place = at
    found = require_block(corefile, zone).directives[place]
    # Each line goes, comes or is written anew once.
    for _change in range(len(lines) + len(found.options) + 1):
        found = require_block(corefile, zone).directives[place]
        present = [option for option in found.options if name in ("", option.name)]
        words = [option.words for option in present]
        matcher = difflib.SequenceMatcher(None, words, list(lines), autojunk=False)
        changes = [change for change in matcher.get_opcodes() if change[0] != "equal"]
        if not changes:
            return corefile
        # One change, then again: offsets are true for one only.
        kind, first, last, low, _high = changes[-1]
        if kind == "delete":
            option = present[last - 1]
            corefile = parse(without_lines(corefile.text, option.tokens[0].start, option.tokens[-1].end))
        elif kind == "replace" and words[first][0] == lines[low][0]:
            corefile = parse(_set_words(corefile.text, present[first], lines[low][1:]))
        elif kind == "replace":
            option, text = present[first], corefile.text
            corefile = parse(text[: option.tokens[0].start] + _line(lines[low]) + text[option.tokens[-1].end :])
        else:
            before = present[first] if first < len(present) else _behind(found, present, name)
            corefile = parse(_add_line(corefile.text, found, lines[low], before))
    said = "; ".join(map(_line, lines))
    raise CorefileError(f"plugin {found.name}", f"these lines cannot be written: {said}", "other words")


def _behind(found: Directive, present: Sequence[Option], name: str) -> Option | None:
    """The line before which one more line of an option stands; nothing for the end of the block."""
    if name and present:
        at = [option is present[-1] for option in found.options].index(True) + 1
        return found.options[at] if at < len(found.options) else None
    # Entries of hosts come before what falls through.
    return found.option("fallthrough") if name and found.name == "hosts" and name != "fallthrough" else None
