# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Questions that prove a name server, and what their answers mean."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._dns.wire import TYPES
from ansible_collections.netops.kubernetes.plugins.module_utils._errors import NetopsError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._dns.wire import Answer

# What an answer must be: records, or word from a server that knows the zone, even if only that there is no such name.
RECORDS, WORD = "records", "word"
WANTS = (RECORDS, WORD)
PROTOCOLS = ("udp", "tcp")


class QuestionError(NetopsError):
    """A question that cannot be asked, or answers that are not as they must be."""


@dataclass(frozen=True)
class Question:
    """What to ask, and what must come.

    :param values: what must be among the answer's values; addresses, or names without the last dot.
    """

    name: str
    type: str = "A"
    wants: str = RECORDS
    values: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name} {self.type}"


@dataclass(frozen=True)
class Asking:
    """A question to one server."""

    question: Question
    server: str
    port: int
    protocol: str

    def __str__(self) -> str:
        return f"{self.question} at {self.server} over {self.protocol.upper()}"


def question_of(given: Mapping[str, Any]) -> Question:
    """A question as the module takes it.

    :raises QuestionError: its type is none that is asked for here.
    """
    question = Question(given["name"], given["type"].upper(), given["wants"], tuple(given["values"] or ()))
    if question.type not in TYPES:
        raise QuestionError(f"question {question.name!r}", f"type {question.type}", f"one of {', '.join(TYPES)}")
    return question


def askings(questions: Sequence[Question], servers: Sequence[str], port: int) -> list[Asking]:
    """Every question to every server over every protocol.

    :raises QuestionError: a server is no address.
    """
    for server in servers:
        try:
            ipaddress.ip_address(server)
        except ValueError as error:
            raise QuestionError(f"server {server!r}", "it is no IP address", "an address such as 10.96.0.10") from error
    return [
        Asking(question, server, port, protocol)
        for server in servers
        for question in questions
        for protocol in PROTOCOLS
    ]


def objection(asking: Asking, answer: Answer) -> str:
    """What is wrong with an answer; empty when nothing is.

    An answer over UDP that does not fit a datagram is right as far as it goes: resolvers then ask over TCP.
    """
    question = asking.question
    if question.wants == WORD:
        return "" if answer.rcode in ("NOERROR", "NXDOMAIN") else answer.rcode
    if answer.rcode != "NOERROR":
        return answer.rcode
    if answer.truncated and asking.protocol == "udp":
        return ""
    values = [record.value.lower() for record in answer.records]
    if not values:
        return "no record"
    missing = [value for value in question.values if value.lower() not in values]
    return f"{', '.join(values)} without {', '.join(missing)}" if missing else ""


def problems_of(answers: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What many hosts found, and which of them could not ask.

    :param answers: what module ``dns_check`` returned, by the host's name; ``skipped`` where it was not to ask.
    """
    problems: list[str] = []
    for host, result in answers.items():
        if "problems" in result:
            problems += result["problems"]
        elif not result.get("skipped"):
            told = (result.get(key) for key in ("msg", "exception", "module_stderr"))
            reason = next((" ".join(str(one).split()) for one in told if one), "no reason is told")
            problems.append(f"from {host}, nothing was asked: {reason}")
    return problems
