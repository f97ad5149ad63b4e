# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Regular expressions as Go reads them, told from those that only Python reads.

The syntax is that of ``golang.org/pkg/regexp/syntax``.
"""

from __future__ import annotations

import re

LONGEST = 10000
_MOST_REPEATS = 1000
_NAME = re.compile(r"\?P?<[A-Za-z_][A-Za-z0-9_]*>")
_FLAGS = re.compile(r"\?([imsU]*)(?:-([imsU]+))?([:)])")
_REPEAT = re.compile(r"\{([0-9]+)(?:(,)([0-9]*))?\}")
_CLASS_NAMES = frozenset("alnum alpha ascii blank cntrl digit graph lower print punct space upper word xdigit".split())
_ESCAPES = frozenset("AbBCzdDsSwWafnrtv")


class _FaultError(Exception):
    """The pattern ends, or goes on, in a way that Go refuses."""


def is_pattern(pattern: str) -> bool:
    """Whether Go compiles a pattern, and CoreDNS takes its length."""
    return groups_of(pattern) is not None


def groups_of(pattern: str) -> int | None:
    """How many groups of a pattern capture; nothing when Go refuses it."""
    if len(pattern.encode()) > LONGEST:
        return None
    reader = _Reader(pattern)
    try:
        reader.read()
    except _FaultError:
        return None
    return reader.groups


class _Reader:
    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0
        self.groups = 0

    def read(self) -> None:
        depth, repeatable, repeated = 0, False, False
        names: set[str] = set()
        while self._at < len(self._pattern):
            char = self._pattern[self._at]
            if char == "(":
                depth += 1 if self._group(names) else 0
                repeatable = repeated = False
                continue
            if char in "*+?" or (char == "{" and self._repeat_here()):
                if not repeatable or repeated:
                    raise _FaultError
                self._repetition(char)
                repeated = True
                continue
            if char == ")":
                depth -= 1
                if depth < 0:
                    raise _FaultError
            repeatable, repeated = char != "|", False
            self._atom(char)
        if depth:
            raise _FaultError

    def _atom(self, char: str) -> None:
        if char == "[":
            self._class()
        elif char == "\\":
            self._escape(in_class=False)
        else:
            self._at += 1

    def _repeat_here(self) -> re.Match[str] | None:
        return _REPEAT.match(self._pattern, self._at)

    def _repetition(self, char: str) -> None:
        if char != "{":
            self._at += 1
        else:
            found = self._repeat_here()
            if found is None:
                raise _FaultError
            low = int(found[1])
            high = int(found[3]) if found[3] else low
            if max(low, high) > _MOST_REPEATS or high < low:
                raise _FaultError
            self._at = found.end()
        if self._pattern.startswith("?", self._at):
            self._at += 1

    def _group(self, names: set[str]) -> bool:
        """Read what opens a group; ``False`` when it was flags alone, which open none."""
        self._at += 1
        if not self._pattern.startswith("?", self._at):
            self.groups += 1
            return True
        name = _NAME.match(self._pattern, self._at)
        if name is not None:
            if name[0].lstrip("?P") in names:
                raise _FaultError
            names.add(name[0].lstrip("?P"))
            self.groups += 1
            self._at = name.end()
            return True
        flags = _FLAGS.match(self._pattern, self._at)
        if flags is None or flags[0] == "?)":
            raise _FaultError
        self._at = flags.end()
        return flags[3] == ":"

    def _escape(self, *, in_class: bool) -> str:
        """Read an escape; returns the character that it stands for, empty for a set of several."""
        self._at += 1
        if self._at >= len(self._pattern):
            raise _FaultError
        char = self._pattern[self._at]
        self._at += 1
        if char in "pP":
            self._property()
            return ""
        if char == "x":
            return self._hexadecimal()
        if char in "01234567":
            return self._octal(char)
        if char == "Q" and not in_class:
            end = self._pattern.find("\\E", self._at)
            self._at = len(self._pattern) if end < 0 else end + 2
            return ""
        if char in "dDsSwW":
            return ""
        allowed = "afnrtv" if in_class else _ESCAPES
        if char in allowed or (not (char.isalnum() and char.isascii()) and (char.isascii())):
            return char
        raise _FaultError

    def _octal(self, char: str) -> str:
        more = re.compile("[0-7]{0,2}").match(self._pattern, self._at)
        digits = char + (more[0] if more else "")
        # A single digit that is not 0 would refer back to a group, which Go cannot.
        if char != "0" and len(digits) == 1:
            raise _FaultError
        self._at += len(digits) - 1
        return chr(int(digits, 8))

    def _hexadecimal(self) -> str:
        found = re.compile(r"([0-9A-Fa-f]{2})|\{([0-9A-Fa-f]+)\}").match(self._pattern, self._at)
        if found is None:
            raise _FaultError
        code = int(found[1] or found[2], 16)
        if code > 0x10FFFF:
            raise _FaultError
        self._at = found.end()
        return chr(code)

    def _property(self) -> None:
        found = re.compile(r"\{\^?([A-Za-z_]+)\}|([A-Z])").match(self._pattern, self._at)
        if found is None:
            raise _FaultError
        self._at = found.end()

    def _class(self) -> None:
        self._at += 1
        if self._pattern.startswith("^", self._at):
            self._at += 1
        first = True
        while first or not self._pattern.startswith("]", self._at):
            if self._at >= len(self._pattern):
                raise _FaultError
            self._class_member()
            first = False
        self._at += 1

    def _class_member(self) -> None:
        named = re.compile(r"\[:\^?(\w+):\]").match(self._pattern, self._at)
        if named is not None:
            if named[1] not in _CLASS_NAMES:
                raise _FaultError
            self._at = named.end()
            return
        low = self._class_char()
        if self._pattern.startswith("-", self._at) and not self._pattern.startswith("-]", self._at) and low:
            self._at += 1
            high = self._class_char()
            if not high or high < low:
                raise _FaultError

    def _class_char(self) -> str:
        if self._at >= len(self._pattern):
            raise _FaultError
        if self._pattern[self._at] == "\\":
            return self._escape(in_class=True)
        self._at += 1
        return self._pattern[self._at - 1]
