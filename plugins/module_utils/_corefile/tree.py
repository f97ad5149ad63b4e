# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""A Corefile as a tree over its own text: what is not edited is never rewritten.

The grammar is that of ``github.com/coredns/caddy/caddyfile/parse.go``; messages are CoreDNS' own, so that a user
finds them where CoreDNS' are explained.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.lexer import Token, tokenize
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.plugins import PLUGINS
from ansible_collections.netops.kubernetes.plugins.module_utils._errors import NetopsError

if TYPE_CHECKING:
    from collections.abc import Collection


class CorefileError(NetopsError):
    """A text that CoreDNS refuses; the subject has the file's name and the line."""


@dataclass(frozen=True)
class Option:
    """One line inside a plugin's block."""

    tokens: tuple[Token, ...]

    @property
    def name(self) -> str:
        return self.tokens[0].text

    @property
    def words(self) -> tuple[str, ...]:
        return tuple(token.text for token in self.tokens)


@dataclass(frozen=True)
class Directive:
    """One plugin of a server block.

    :param head: its name and its arguments.
    :param options: the lines of its block.
    :param opening: the brace that opens its block, if it has one.
    :param closing: the brace that closes it.
    """

    head: tuple[Token, ...]
    options: tuple[Option, ...]
    opening: Token | None
    closing: Token | None

    @property
    def name(self) -> str:
        return self.head[0].text

    @property
    def arguments(self) -> tuple[str, ...]:
        return tuple(token.text for token in self.head[1:])

    @property
    def start(self) -> int:
        return self.head[0].start

    @property
    def end(self) -> int:
        return self.closing.end if self.closing else self.head[-1].end

    def option(self, name: str) -> Option | None:
        return next((option for option in self.options if option.name == name), None)


@dataclass(frozen=True)
class ServerBlock:
    """One server block, or a snippet: its name in parentheses, its content not read."""

    keys: tuple[Token, ...]
    directives: tuple[Directive, ...]
    opening: Token | None
    closing: Token | None

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(key.text.rstrip(",") for key in self.keys)

    @property
    def is_snippet(self) -> bool:
        return len(self.keys) == 1 and self.keys[0].text.startswith("(") and self.keys[0].text.endswith(")")

    def find(self, name: str, argument: str | None = None) -> Directive | None:
        """The first plugin of that name, with that first argument if one is given."""
        for directive in self.directives:
            if directive.name == name and (argument is None or directive.arguments[:1] == (argument,)):
                return directive
        return None


@dataclass(frozen=True)
class Corefile:
    """A text and its structure; ``text`` is always exactly what was parsed."""

    text: str
    blocks: tuple[ServerBlock, ...]

    def server(self, zone: str) -> ServerBlock | None:
        """The block that serves a zone on the plain DNS port."""
        wanted = zone_of(zone)
        for block in self.blocks:
            if not block.is_snippet and wanted in {zone_of(name) for name in block.names}:
                return block
        return None


def zone_of(key: str) -> str:
    """A key in one form: ``.``, ``.:53`` and ``dns://.:53`` are the same server."""
    scheme, _unused, rest = key.rpartition("://")
    name, _unused, port = rest.rpartition(":") if rest.rpartition(":")[2].isdecimal() else (rest, "", "53")
    zone = name.lower().rstrip(".") + "."
    return f"{scheme or 'dns'}://{zone}:{port}"


def parse(text: str, file: str = "Corefile", external_plugins: Collection[str] | None = ()) -> Corefile:
    """The structure of a Corefile.

    :param file: what errors call it.
    :param external_plugins: names beyond those that CoreDNS itself has; ``None`` accepts every name.
    :raises CorefileError: CoreDNS would refuse it.
    """
    known = None if external_plugins is None else PLUGINS.keys() | set(external_plugins)
    return _Parser(text, file, known).corefile()


class _Parser:
    def __init__(self, text: str, file: str, known: Collection[str] | None) -> None:
        self._text = text
        self._file = file
        self._known = known
        self._tokens = tokenize(text)
        self._at = -1

    # ---- moving ---------------------------------------------------------------------------------------------

    @property
    def _token(self) -> Token:
        return self._tokens[self._at]

    def _next(self) -> bool:
        if self._at < len(self._tokens) - 1:
            self._at += 1
            return True
        return False

    def _on_new_line(self) -> bool:
        return self._at < 1 or self._tokens[self._at - 1].last_line < self._token.line

    def _error(self, message: str) -> CorefileError:
        line = self._token.line if self._tokens else 1
        return CorefileError(f"{self._file}:{line}", f"Error during parsing: {message}")

    def _syntax_error(self, expected: str) -> CorefileError:
        line = self._token.line
        return CorefileError(
            f"{self._file}:{line}", f"Syntax error: Unexpected token '{self._token.text}', expecting '{expected}'"
        )

    # ---- grammar --------------------------------------------------------------------------------------------

    def corefile(self) -> Corefile:
        blocks: list[ServerBlock] = []
        while self._next():
            blocks.append(self._block())
        self._require_unique(blocks)
        return Corefile(self._text, tuple(blocks))

    def _require_unique(self, blocks: list[ServerBlock]) -> None:
        seen: set[str] = set()
        for block in blocks:
            if block.is_snippet:
                if block.names[0] in seen:
                    raise CorefileError(
                        f"{self._file}:{block.keys[0].line}",
                        f"Error during parsing: redeclaration of previously declared snippet {block.names[0][1:-1]}",
                    )
                seen.add(block.names[0])
                continue
            # Views and addresses of their own may share a zone.
            shared = block.find("view") or block.find("bind")
            for key in [] if shared else block.names:
                if zone_of(key) in seen:
                    raise CorefileError(
                        f"{self._file}:{block.keys[0].line}",
                        f"cannot serve {zone_of(key)} - it is already defined",
                        "one server block for each zone and port",
                    )
                seen.add(zone_of(key))

    def _block(self) -> ServerBlock:
        keys, ended = self._keys()
        block = ServerBlock(tuple(keys), (), None, None)
        if ended:
            return block
        if block.is_snippet:
            return self._snippet(tuple(keys))
        opening = self._token if self._token.text == "{" else None
        if opening is None:
            self._at -= 1
        directives = self._directives()
        closing = self._token if opening else None
        if closing is not None and (closing.text != "}" or closing is opening):
            raise self._syntax_error("}")
        return ServerBlock(tuple(keys), tuple(directives), opening, closing)

    def _keys(self) -> tuple[list[Token], bool]:
        keys: list[Token] = []
        another = False
        while True:
            token = self._token
            if token.text == "{":
                if another:
                    raise self._error("Expected another address but had '{' - check for extra comma")
                return keys, False
            if token.text:
                another = token.text.endswith(",")
                keys.append(token)
            if not self._next():
                if another:
                    raise self._error("Unexpected EOF")
                return keys, True
            if not another and self._on_new_line():
                return keys, False

    def _snippet(self, keys: tuple[Token, ...]) -> ServerBlock:
        if self._token.text != "{":
            raise self._syntax_error("{")
        opening, depth = self._token, 1
        while depth and self._next():
            depth += {"{": 1, "}": -1}.get(self._token.text, 0)
        if depth:
            raise self._syntax_error("}")
        return ServerBlock(keys, (), opening, self._token)

    def _directives(self) -> list[Directive]:
        directives: list[Directive] = []
        while self._next() and self._token.text != "}":
            directives.append(self._directive())
        return directives

    def _directive(self) -> Directive:
        name = self._token.text
        # A name out of the environment is known to CoreDNS alone.
        by_environment = name.startswith(("{$", "{%"))
        if self._known is not None and name not in self._known and name != "import" and not by_environment:
            raise self._error(f"Unknown directive '{name}'")
        head = [self._token]
        while self._next():
            token = self._token
            if token.text == "{":
                options, closing = self._options()
                return Directive(tuple(head), tuple(options), token, closing)
            if self._on_new_line():
                self._at -= 1
                break
            if token.text == "}":
                raise self._error("Unexpected '}' because no matching opening brace")
            head.append(token)
        if name == "import" and len(head) != 2:
            raise self._error(f"Wrong argument count or unexpected line ending after '{head[-1].text}'")
        return Directive(tuple(head), (), None, None)

    def _options(self) -> tuple[list[Option], Token]:
        lines: list[list[Token]] = []
        while self._next():
            token = self._token
            if token.text == "}":
                return [Option(tuple(line)) for line in lines], token
            if token.text == "{":
                raise self._error("Unexpected '{': a plugin's block holds no further block")
            if self._on_new_line() or not lines:
                lines.append([])
            lines[-1].append(token)
        raise self._error("Unexpected EOF")
