# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""A Corefile as CoreDNS has it after reading: imports and variables put in, words gathered by plugin.

What ``github.com/coredns/caddy/caddyfile/parse.go`` hands to the plugins.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Callable, Optional

from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.lexer import Token, tokenize
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.plugins import GONE, SINCE
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.tree import (
    IMPORT,
    Parser,
    ServerBlock,
    snippet_name,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.values import near_miss

# What the files are that a pattern names, seen from the importing file: path and text of each, no text for a folder.
# Nothing is returned when nobody can know, as with the files of a pod.
Sources = Callable[[str, str], Optional[Sequence[tuple[str, Optional[str]]]]]
# The words in double underscores are those that NodeLocal DNSCache replaces when it starts.
_VARIABLE = re.compile(r"\{%([^%]|%(?!\}))+%\}|\{\$[^}]+\}|__PILLAR__\w+__")
MOST_EXPANSIONS = 10000
# A snippet that imports itself is refused where it is defined; before that CoreDNS never ends when it is used.
GUARDS_CYCLES_SINCE = (1, 13, 0)
# What Go's filepath.Match cannot read: a class without its end, a backslash with nothing behind it.
_BAD_PATTERN = r"(?s)(?:[^\\[]|\\.)*(?:\[|\\\Z)"


@dataclass(frozen=True)
class LoadedBlock:
    """One server block.

    :param keys: the keys, commas taken off.
    :param plugins: the words by the plugin's name, of all its uses in the order of the text.
    """

    keys: tuple[Token, ...]
    plugins: Mapping[str, tuple[Token, ...]]


@dataclass(frozen=True)
class Loaded:
    """What CoreDNS goes on with.

    :param unseen: the imports whose files could not be looked into.
    :param servers: the same blocks as a tree, what they import in its place.
    """

    blocks: tuple[LoadedBlock, ...]
    unseen: tuple[Token, ...] = ()
    servers: tuple[ServerBlock, ...] = ()


def load(
    text: str,
    file: str = "Corefile",
    *,
    plugins: Collection[str] | None = None,
    sources: Sources | None = None,
    environment: Mapping[str, str] | None = None,
    guards_cycles: bool = True,
) -> Loaded:
    """Read a Corefile as CoreDNS does.

    :param plugins: the names of plugins that there are; ``None`` takes every name.
    :param sources: how to get at imported files; ``None`` leaves them out.
    :param environment: the variables of CoreDNS' process; ``None`` leaves references to them as they are written.
    :param guards_cycles: whether a snippet that imports itself is refused where it is defined; before 1.13.0 it is
        not, and CoreDNS never ends when it is used.
    :raises GrammarError: CoreDNS refuses the structure.
    """
    loader = _Loader(tokenize(text), file, plugins, sources, environment)
    loader.guards_cycles = guards_cycles
    blocks, servers = [], []
    for block in loader.blocks():
        if not block.keys or block.is_snippet:
            continue
        words: dict[str, list[Token]] = {}
        for directive in block.directives:
            words.setdefault(directive.name, []).extend(directive.tokens)
        keys = tuple(key._replace(text=name) for key, name in zip(block.keys, block.names))
        servers.append(block)
        blocks.append(LoadedBlock(keys, {name: tuple(tokens) for name, tokens in words.items()}))
    return Loaded(tuple(blocks), tuple(loader.unseen), tuple(servers))


def depends_on_environment(word: str) -> bool:
    """Whether a word names a variable that was not put in, or is to be replaced before CoreDNS reads it."""
    return _VARIABLE.search(word) is not None


def _remedy(name: str, known: Collection[str]) -> str:
    """What to do about a plugin that is not there."""
    if name in GONE:
        return f"CoreDNS has it before {GONE[name]} only; migrate"
    if name in SINCE:
        return f"CoreDNS has it from {SINCE[name]} on"
    return near_miss(name, known) or "Declare it in external_plugins if your CoreDNS has it"


class _Loader(Parser):
    def __init__(
        self,
        tokens: tuple[Token, ...],
        file: str,
        plugins: Collection[str] | None,
        sources: Sources | None,
        environment: Mapping[str, str] | None,
    ) -> None:
        super().__init__(tokens, file)
        self._plugins = plugins
        self._sources = sources
        self._environment = environment
        self._expansions = 0
        self.guards_cycles = True
        self.unseen: list[Token] = []

    def _meant(self, word: str) -> str:
        if self._environment is None or "{" not in word:
            return word
        for opening, closing in (("{%", "%}"), ("{$", "}")):
            word = _put_in(word, opening, closing, self._environment)
        return word

    def _require_known(self, name: str) -> None:
        if self._plugins is not None and name not in self._plugins and not depends_on_environment(name):
            raise self._error(f"Unknown directive '{name}'", _remedy(name, self._plugins))

    def _snippet(self, keys: tuple[Token, ...]) -> ServerBlock:
        block = super()._snippet(keys)
        if not self.guards_cycles:
            return block
        name = snippet_name(tuple(key.text for key in keys)) or ""
        previous = Token("", 0, 0, 0, 0)
        body = self._snippets[name]
        for token, following in zip(body, body[1:]):
            opens_line = previous.line == 0 or token.file != previous.file or token.line != previous.line
            if token.text == IMPORT and opens_line and self._meant(following.text) == name:
                raise self._error(f"maximum snippet import depth ({MOST_EXPANSIONS}) exceeded")
            previous = token
        return block

    _splices = True

    def _splice(self) -> None:
        argument = self._import_argument()
        imported = self._imported(argument)
        self._tokens[self._at - 1 : self._at + 1] = imported
        self._at -= 2

    def _imported(self, argument: Token) -> Sequence[Token]:
        pattern = self._meant(argument.text)
        self._expansions += 1
        if self._expansions > MOST_EXPANSIONS:
            raise self._error(f"maximum snippet import depth ({MOST_EXPANSIONS}) exceeded")
        if pattern in self._snippets:
            return self._snippets[pattern]
        if pattern.count("*") > 1 or pattern.count("?") > 1 or ("[" in pattern and "]" in pattern):
            raise self._error(f"Glob pattern may only contain one wildcard (*), but has others: {pattern}")
        if re.match(_BAD_PATTERN, pattern):
            raise self._error(f"Failed to use import pattern {pattern}: syntax error in pattern")
        found = None if self._sources is None else self._sources(pattern, argument.file or self._file)
        if found is None:
            self.unseen.append(argument)
            return ()
        if not found and not any(char in pattern for char in "*?[]"):
            raise self._error(f"File to import not found: {pattern}")
        tokens: list[Token] = []
        for path, text in found:
            if text is None:
                raise self._error(f"Could not import {path}: is a directory")
            tokens += tokenize(text, path)
        return tokens


def _put_in(word: str, opening: str, closing: str, environment: Mapping[str, str]) -> str:
    """Replace references to variables, and those that a variable's value holds, as CoreDNS does."""
    at = word.find(opening)
    while at >= 0:
        end = word.find(closing, at)
        if end <= at + len(opening):
            return word
        name = word[at + len(opening) : end]
        # A value that names itself would have no end.
        if opening + name + closing in environment.get(name, ""):
            return word
        word = word.replace(opening + name + closing, environment.get(name, ""))
        at = word.find(opening)
    return word
