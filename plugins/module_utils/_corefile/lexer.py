# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""A Corefile's text as tokens that know where they stand.

The rules are those of the lexer in ``github.com/coredns/caddy/caddyfile/lexer.go``, its quirks included.
"""

from __future__ import annotations

import re
from typing import NamedTuple

BOM = "\ufeff"
# What Go's unicode.IsSpace says, but for the carriage return, which separates nothing.
_BLANK = "\t\n\v\f \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_TOKEN = re.compile(
    rf'"(?P<quoted>(?:\\[\s\S]|[^"\\])*)(?:"|\\?\Z)'
    # A comment in the middle of a word ends with the word: ``a#b c`` is ``a`` and ``c``.
    rf"|(?P<bare>[^{_BLANK}\r#\"][^{_BLANK}\r#]*(?:\r+[^{_BLANK}\r#]+)*)(?:\r*\#[^{_BLANK}]*)?"
    rf"|\#[^\n]*"
)
_ESCAPE = re.compile(r"\\([\s\S])")


class Token(NamedTuple):
    """One word.

    :param text: what it means, without quotes.
    :param line: where it begins, from 1.
    :param start: offset of its first character in the text, an opening quote included.
    :param end: offset behind its last character.
    :param last_line: where it ends.
    :param file: the imported file that it comes from; empty in the Corefile itself.
    """

    text: str
    line: int
    start: int
    end: int
    last_line: int
    file: str = ""

    def opens_line_after(self, previous: Token) -> bool:
        """Whether it stands on a later line than the token before it, or in another file."""
        return self.file != previous.file or previous.last_line < self.line

    def continues_line_of(self, previous: Token) -> bool:
        """Whether it stands on the line on which the token before it ends."""
        return self.file == previous.file and previous.last_line == self.line


def tokenize(text: str, file: str = "") -> tuple[Token, ...]:
    """Every token of a text; any text has a tokenization.

    :param file: what the tokens say where they come from.
    """
    tokens: list[Token] = []
    line, counted = 1, 0
    for match in _TOKEN.finditer(text, 1 if text.startswith(BOM) else 0):
        if match.lastgroup is None:
            continue
        start = match.start()
        line += text.count("\n", counted, start)
        counted = start
        if match.lastgroup == "bare":
            bare = match["bare"]
            if "\r" in bare:
                bare = bare.replace("\r", "")
            tokens.append(Token(bare, line, start, match.end("bare"), line, file))
            continue
        value = _ESCAPE.sub(_unescaped, match["quoted"])
        # A quote that the end of the text closes at once is no token.
        if value or (match[0].endswith('"') and len(match[0]) > 1):
            tokens.append(Token(value, line, start, match.end(), line + value.count("\n"), file))
    return tuple(tokens)


def _unescaped(match: re.Match[str]) -> str:
    """Only a quote can be escaped."""
    return '"' if match[1] == '"' else match[0]


def quote(value: str) -> str:
    """``value`` as a Corefile writes it: in quotes where the lexer would read something else without them.

    A value that ends in a backslash, or holds one before a quote, cannot be written in quotes at all; such values
    hold neither blanks nor ``#`` in practice and are written bare.
    """
    bare = value and not value.startswith('"') and not re.search(rf"[{_BLANK}\r#]", value)
    if bare:
        return value
    escaped = value.replace('"', '\\"')
    return f'"{escaped}"'
