# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Fields of an object that somebody wrote by hand, each required to be of the shape that the API gives it."""

from __future__ import annotations

import ipaddress
import re
from functools import cache
from typing import TYPE_CHECKING, Any, Optional

from ansible_collections.netops.kubernetes.plugins.module_utils._policy.model import (
    EVERYTHING,
    PolicyError,
    Requirement,
    Selector,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")
# k8s.io/apimachinery/pkg/util/validation: IsQualifiedName without its prefix, and IsValidLabelValue.
LABEL = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
LONGEST_LABEL = 63


@cache
def _network(text: str) -> str:
    """A network without host bits; the same few are named again and again."""
    return str(ipaddress.ip_network(text, strict=False))


class Fields:
    """Reads one object; every error names it.

    :param subject: the object, as a user finds it.
    """

    def __init__(self, subject: str) -> None:
        self.subject = subject

    def wrong(self, path: str, seen: str, expected: str, remedy: str = "") -> PolicyError:
        """An error about one field."""
        return PolicyError(self.subject, f"{path} {seen}", expected, remedy)

    def mapping(self, value: Any, path: str) -> dict[str, Any]:
        """A mapping; nothing is an empty one.

        :raises PolicyError: it is something else.
        """
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise self.wrong(path, f"is {value!r}", "a mapping")
        return value

    def items(self, value: Any, path: str) -> list[Any]:
        """A list; nothing is an empty one.

        :raises PolicyError: it is something else.
        """
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.wrong(path, f"is {value!r}", "a list")
        return value

    def text(self, value: Any, path: str, choices: Sequence[str] = ()) -> str:
        """A text, one of ``choices`` where there are some.

        :raises PolicyError: it is something else.
        """
        if not isinstance(value, str) or (choices and value not in choices):
            raise self.wrong(path, f"is {value!r}", f"one of {', '.join(choices)}" if choices else "a text")
        return value

    def number(self, value: Any, path: str, low: int, high: int) -> int:
        """A whole number within bounds.

        :raises PolicyError: it is something else.
        """
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise self.wrong(path, f"is {value!r}", f"a number from {low} to {high}")
        return value

    def network(self, value: Any, path: str) -> str:
        """A network in CIDR notation.

        :raises PolicyError: it is none.
        """
        try:
            if not isinstance(value, str) or "/" not in value:
                raise ValueError("it has no prefix length")
            return _network(value)
        except ValueError as error:
            raise self.wrong(path, f"is {value!r}", "a network such as 192.0.2.0/24 or 2001:db8::/32") from error

    def labels(self, value: Any, path: str) -> dict[str, str]:
        """Labels.

        :raises PolicyError: a value is no text, or no label value.
        """
        found = self.mapping(value, path)
        for key, label in found.items():
            if not isinstance(label, str):
                raise self.wrong(f"{path}.{key}", f"is {label!r}", "a text", "Put it in quotes")
            if label and (len(label) > LONGEST_LABEL or not LABEL.fullmatch(label)):
                raise self.wrong(f"{path}.{key}", f"is {label!r}", "up to 63 letters, digits, '-', '_' and '.'")
        return found

    def selector(self, value: Any, path: str) -> Selector:
        """A label selector; nothing and an empty one select everything.

        :raises PolicyError: an operator or its values are wrong.
        """
        found = self.mapping(value, path)
        unknown = sorted(set(found) - {"matchLabels", "matchExpressions"})
        if unknown:
            raise self.wrong(
                path, f"has {unknown[0]!r}", "matchLabels and matchExpressions", "Put labels below matchLabels"
            )
        exact = self.labels(found.get("matchLabels"), f"{path}.matchLabels")
        requirements = [Requirement(key, "In", (label,)) for key, label in sorted(exact.items())]
        for number, one in enumerate(self.items(found.get("matchExpressions"), f"{path}.matchExpressions")):
            requirements.append(self._requirement(one, f"{path}.matchExpressions[{number}]"))
        return Selector(tuple(requirements)) if requirements else EVERYTHING

    def _requirement(self, value: Any, path: str) -> Requirement:
        found = self.mapping(value, path)
        key = self.text(found.get("key"), f"{path}.key")
        operator = self.text(found.get("operator"), f"{path}.operator", OPERATORS)
        values = [self.text(one, f"{path}.values") for one in self.items(found.get("values"), f"{path}.values")]
        if operator in {"In", "NotIn"} and not values:
            raise self.wrong(f"{path}.values", "is empty", f"values, since operator is {operator}")
        if operator in {"Exists", "DoesNotExist"} and values:
            raise self.wrong(f"{path}.values", f"is {values!r}", f"none, since operator is {operator}")
        return Requirement(key, operator, tuple(sorted(set(values))))

    def only(self, value: dict[str, Any], path: str, known: Sequence[str]) -> Optional[str]:
        """The one field of a union that is set; ``None`` when it is one that is not known here, or none is.

        :raises PolicyError: two are set.
        """
        present = [key for key in known if value.get(key) is not None]
        if len(present) > 1:
            raise self.wrong(path, f"has {' and '.join(present)}", "exactly one of them", "Make two entries of it")
        return present[0] if present else None
