# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Questions sent from this machine, over UDP and TCP."""

from __future__ import annotations

import random
import socket
import struct
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ansible_collections.netops.kubernetes.plugins.module_utils._dns.questions import QuestionError, objection
from ansible_collections.netops.kubernetes.plugins.module_utils._dns.wire import WireError, query, read

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._dns.questions import Asking
    from ansible_collections.netops.kubernetes.plugins.module_utils._dns.wire import Answer

WORKERS = 8
# CoreDNS gives up on its upstreams after five seconds (plugin forward, defaultTimeout) and says so.
ANSWER_SECONDS = 6.0
PAUSE_SECONDS = 0.5
_DATAGRAM = 65535


@dataclass(frozen=True)
class Outcome:
    """What became of one question.

    :param problem: what was wrong with the last answer; empty when it was right.
    :param seconds: how long the last answer took.
    """

    asking: Asking
    problem: str
    seconds: float


def ask_until_right(askings: Sequence[Asking], timeout: float) -> list[Outcome]:
    """Ask everything side by side; what is not answered rightly is asked again until the time is over.

    :param timeout: seconds for all questions together.
    :raises QuestionError: a name cannot be asked for.
    """
    deadline = time.monotonic() + timeout
    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(lambda asking: _ask_until_right(asking, deadline), askings))


def _ask_until_right(asking: Asking, deadline: float) -> Outcome:
    while True:
        begin = time.monotonic()
        try:
            problem = objection(asking, ask(asking))
        except OSError as error:
            problem = "no answer in time" if isinstance(error, TimeoutError) else error.strerror or str(error)
        except WireError as error:
            problem = str(error)
        now = time.monotonic()
        if not problem or now > deadline:
            return Outcome(asking, problem, now - begin)
        time.sleep(PAUSE_SECONDS)


def ask(asking: Asking) -> Answer:
    """Send one question and read its answer.

    :raises OSError: nobody answers.
    :raises WireError: what comes is no answer.
    :raises QuestionError: the name cannot be asked for.
    """
    number = random.randrange(65536)  # noqa: S311 - it tells answers apart, nobody is kept out by it
    try:
        message = query(number, asking.question.name, asking.question.type)
    except WireError as error:
        raise QuestionError(f"question {asking.question}", str(error)) from error
    family = socket.AF_INET6 if ":" in asking.server else socket.AF_INET
    if asking.protocol == "tcp":
        with socket.create_connection((asking.server, asking.port), ANSWER_SECONDS) as connection:
            connection.sendall(struct.pack(">H", len(message)) + message)
            [length] = struct.unpack(">H", _exactly(connection, 2))
            return read(_exactly(connection, length), number)
    with socket.socket(family, socket.SOCK_DGRAM) as datagrams:
        datagrams.settimeout(ANSWER_SECONDS)
        datagrams.connect((asking.server, asking.port))
        datagrams.send(message)
        return read(datagrams.recv(_DATAGRAM), number)


def _exactly(connection: socket.socket, length: int) -> bytes:
    received = b""
    while len(received) < length:
        more = connection.recv(length - len(received))
        if not more:
            raise WireError("the connection ended before the answer did")
        received += more
    return received
