# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""What every part of the collection raises; the edge turns it into a failed task once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


class NetopsError(Exception):
    """A failure that a user can act on.

    :param subject: the object that the failure is about, named so that a user finds it
        (``node 'worker-1'``, ``ConfigMap 'kube-system/coredns'``).
    :param seen: what was observed.
    :param expected: what would have been right.
    :param remedy: what to do now, as an imperative sentence without its full stop.

    ``details`` are values that the failed task returns beside its message; none by default.
    """

    def __init__(self, subject: str, seen: str, expected: str = "", remedy: str = "") -> None:
        self.subject = subject
        self.seen = seen
        self.expected = expected
        self.remedy = remedy
        self.details: dict[str, Any] = {}
        super().__init__(self._sentence())

    def _sentence(self) -> str:
        text = f"{self.subject}: {self.seen}"
        if self.expected:
            text = f"{_unended(text)}; expected {self.expected}"
        if self.remedy:
            text = f"{sentence(text)} {self.remedy}"
        return sentence(text)


def sentence(text: str) -> str:
    """A text with the end of a sentence: its own, or a full stop.

    What others say, an API server or another error, has an end or has none; whoever goes on after it asks here.
    """
    return text if text.endswith((".", "!", "?")) else f"{text}."


def listed(names: Iterable[str], most: int = 10) -> str:
    """Names for a message: the first ones, and how many more there are."""
    every = list(names)
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(every[:most]) + more


def _unended(text: str) -> str:
    """A text that goes on; an ellipsis is no end."""
    return text[:-1] if text.endswith(".") and not text.endswith("..") else text
