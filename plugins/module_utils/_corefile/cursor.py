# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""How a plugin reads its words: one after the other, by line and by block.

The movements are those of ``github.com/coredns/caddy/caddyfile/dispenser.go``. They decide what CoreDNS makes of a
text that is not quite right, so they are kept to the letter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.lexer import Token


class RefusalError(Exception):
    """What a plugin does not take.

    :param line: where it stopped reading; 0 before the first word.
    :param file: the imported file; empty for the Corefile itself.
    """

    def __init__(self, file: str, line: int, seen: str, expected: str = "", remedy: str = "") -> None:
        super().__init__(seen)
        self.file, self.line = file, line
        self.seen, self.expected, self.remedy = seen, expected, remedy


class Cursor:
    """A place in the words of one plugin of one server block, all its uses in a row.

    :param nests: whether a block may open within a block, as since CoreDNS 1.15.0; its end then ends the reading.
    :param notices_end: whether words that end within a block end it, as since CoreDNS 1.13.0; before, the last one is
        read again. A brace that a variable of the environment puts in may have nothing behind it.
    """

    def __init__(self, tokens: Sequence[Token], *, nests: bool = True, notices_end: bool = True) -> None:
        self._tokens = tokens
        self._nests = nests
        self._notices_end = notices_end
        self._at = -1
        self._depth = 0

    @property
    def word(self) -> str:
        return self._tokens[self._at].text if 0 <= self._at < len(self._tokens) else ""

    def refuse(self, seen: str, expected: str = "", remedy: str = "") -> RefusalError:
        """A refusal of what was read last, to be raised."""
        token = self._tokens[min(max(self._at, 0), len(self._tokens) - 1)]
        return RefusalError(token.file, token.line, seen, expected, remedy)

    def next(self) -> bool:
        """Move to the next word, wherever it stands."""
        if self._at >= len(self._tokens) - 1:
            return False
        self._at += 1
        return True

    def next_argument(self) -> bool:
        """Move to the next word if it stands on the same line, a brace included."""
        following = self._at + 1
        if following >= len(self._tokens) or not self._tokens[following].continues_line_of(self._tokens[self._at]):
            return False
        self._at = following
        return True

    def next_in_block(self) -> bool:
        """Move to the next word of the block, which must open on the line that was read; ``False`` at its end."""
        if self._depth:
            has_more = self.next()
            if not has_more and self._notices_end:
                return False
            if not has_more and self.word != "}":
                # CoreDNS would read this word for ever.
                raise self.refuse("the block has no end", "}")
            if self.word == "{" and self._nests:
                self._at -= 1
            else:
                is_end = self.word == "}"
                self._depth -= is_end
                return not is_end
        if not self.next_argument():
            return False
        if self.word != "{":
            self._at -= 1
            return False
        if (not self.next() and self._notices_end) or self.word == "}":
            return False
        self._depth += 1
        return True

    def arguments(self) -> tuple[str, ...]:
        """Read what is left of the line, up to a brace that opens a block."""
        words: list[str] = []
        while self.next_argument():
            if self.word == "{":
                self._at -= 1
                break
            words.append(self.word)
        return tuple(words)
