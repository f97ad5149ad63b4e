# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""A Corefile's text as tokens that know where they stand.

The rules are those of the lexer in ``github.com/coredns/caddy/caddyfile/lexer.go``, its quirks included.
"""

from __future__ import annotations

from dataclasses import dataclass

BOM = "\ufeff"


@dataclass(frozen=True)
class Token:
    """One word.

    :param text: what it means, without quotes.
    :param line: where it begins, from 1.
    :param start: offset of its first character in the text, an opening quote included.
    :param end: offset behind its last character.
    """

    text: str
    line: int
    start: int
    end: int

    @property
    def last_line(self) -> int:
        return self.line + self.text.count("\n")


def tokenize(text: str) -> tuple[Token, ...]:
    """Every token of a text; any text has a tokenization."""
    reader = _Reader(text)
    tokens: list[Token] = []
    while True:
        token = reader.next()
        if token is None:
            return tuple(tokens)
        tokens.append(token)


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 1 if text.startswith(BOM) else 0
        self._line = 1

    def next(self) -> Token | None:
        """The next token.

        A comment ends with the line, or with the token that it stands in: ``a#b c`` is ``a`` and ``c``.
        """
        value: list[str] = []
        start, line, end, comment = 0, 0, 0, False
        while self._at < len(self._text):
            char = self._text[self._at]
            self._at += 1
            if char.isspace():
                if char == "\r":
                    continue
                if char == "\n":
                    self._line += 1
                    comment = False
                if value:
                    return Token("".join(value), line, start, end)
                continue
            if char == "#":
                comment = True
            if comment:
                continue
            if not value:
                start, line = self._at - 1, self._line
                if char == '"':
                    return self._quoted(start, line)
            value.append(char)
            end = self._at
        return Token("".join(value), line, start, end) if value else None

    def _quoted(self, start: int, line: int) -> Token | None:
        """The rest of a quoted token; only a quote can be escaped, and the end of the text closes it.

        A quote that the end of the text closes at once is no token.
        """
        value: list[str] = []
        escaped = False
        while self._at < len(self._text):
            char = self._text[self._at]
            self._at += 1
            if not escaped and char == "\\":
                escaped = True
                continue
            if not escaped and char == '"':
                return Token("".join(value), line, start, self._at)
            if char == "\n":
                self._line += 1
            if escaped and char != '"':
                value.append("\\")
            value.append(char)
            escaped = False
        return Token("".join(value), line, start, self._at) if value else None


def quote(value: str) -> str:
    """``value`` as a Corefile writes it: in quotes where the lexer would read something else without them.

    A value that ends in a backslash, or holds one before a quote, cannot be written in quotes at all; such values
    hold neither blanks nor ``#`` in practice and are written bare.
    """
    bare = value and not value.startswith('"') and not any(char.isspace() or char == "#" for char in value)
    if bare:
        return value
    escaped = value.replace('"', '\\"')
    return f'"{escaped}"'
