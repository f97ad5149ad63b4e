# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an answer is worth, and questions to a name server on loopback."""

from __future__ import annotations

import socket
import struct
import threading
from typing import TYPE_CHECKING

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._dns.client import ask_until_right
from ansible_collections.netops.kubernetes.plugins.module_utils._dns.questions import (
    WORD,
    Asking,
    Question,
    QuestionError,
    askings,
    objection,
    question_of,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._dns.wire import Answer, Record

if TYPE_CHECKING:
    from collections.abc import Iterator

ASKED = Question("a.example", "A", values=("192.0.2.1",))
RIGHT = Answer("NOERROR", False, (Record("a.example", "A", 30, "192.0.2.1"),))


@pytest.mark.parametrize(
    ("question", "protocol", "answer", "said"),
    [
        (ASKED, "udp", RIGHT, ""),
        (ASKED, "udp", Answer("SERVFAIL", False, ()), "SERVFAIL"),
        (ASKED, "udp", Answer("NOERROR", False, ()), "no record"),
        (ASKED, "udp", Answer("NOERROR", True, ()), ""),
        (ASKED, "tcp", Answer("NOERROR", True, ()), "no record"),
        (ASKED, "tcp", Answer("NOERROR", False, (Record("", "A", 1, "192.0.2.9"),)), "192.0.2.9 without 192.0.2.1"),
        (Question("example", "SOA", WORD), "udp", Answer("NXDOMAIN", False, ()), ""),
        (Question("example", "SOA", WORD), "udp", Answer("REFUSED", False, ()), "REFUSED"),
    ],
)
def test_objection(question: Question, protocol: str, answer: Answer, said: str) -> None:
    assert objection(Asking(question, "192.0.2.53", 53, protocol), answer) == said


def test_questions_that_cannot_be_asked() -> None:
    with pytest.raises(QuestionError, match="question 'a': type MX; expected one of A, "):
        question_of({"name": "a", "type": "mx", "wants": "records", "values": []})
    with pytest.raises(QuestionError, match=r"server 'ns\.example': it is no IP address"):
        askings([ASKED], ["ns.example"], 53)
    with pytest.raises(QuestionError, match=r"'a\.\.b' is no domain name"):
        ask_until_right([Asking(Question("a..b"), "127.0.0.1", 53, "udp")], 0.0)


class Server:
    """A name server whose first answer over each protocol is SERVFAIL, and whose others are right."""

    def __init__(self, udp: socket.socket, tcp: socket.socket) -> None:
        self.udp, self.tcp = udp, tcp
        self.replies = {"udp": 0, "tcp": 0}

    def reply(self, asked: bytes, protocol: str) -> bytes:
        self.replies[protocol] += 1
        if self.replies[protocol] == 1:
            return asked[:2] + struct.pack(">5H", 0x8182, 1, 0, 0, 0) + asked[12:]
        record = b"\xc0\x0c" + struct.pack(">2HIH", 1, 1, 30, 4) + bytes([192, 0, 2, 1])
        return asked[:2] + struct.pack(">5H", 0x8180, 1, 1, 0, 0) + asked[12:] + record

    def datagrams(self) -> None:
        asked, who = self.udp.recvfrom(512)
        while asked:
            self.udp.sendto(self.reply(asked, "udp"), who)
            asked, who = self.udp.recvfrom(512)

    def connections(self) -> None:
        asked = b"-"
        while asked:
            connection, _who = self.tcp.accept()
            with connection:
                asked = connection.recv(512)
                said = self.reply(asked[2:], "tcp") if asked else b""
                whole = struct.pack(">H", len(said)) + said
                # In pieces, as a network may deliver it.
                for piece in (whole[:1], whole[1:7], whole[7:]) if said else ():
                    connection.sendall(piece)


@pytest.fixture
def server() -> Iterator[int]:
    """Its port, the same for both protocols."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
        udp.bind(("127.0.0.1", 0))
        port: int = udp.getsockname()[1]
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        tcp.bind(("127.0.0.1", port))
        tcp.listen()
        both = Server(udp, tcp)
        threads = [threading.Thread(target=both.datagrams), threading.Thread(target=both.connections)]
        for thread in threads:
            thread.start()
        yield port
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
            end.sendto(b"", ("127.0.0.1", port))
        socket.create_connection(("127.0.0.1", port)).close()
        for thread in threads:
            thread.join()


def test_until_right(server: int) -> None:
    outcomes = ask_until_right(askings([ASKED], ["127.0.0.1"], server), 5.0)
    assert [(outcome.asking.protocol, outcome.problem) for outcome in outcomes] == [("udp", ""), ("tcp", "")]


def test_in_no_time(server: int) -> None:
    first, second = ask_until_right(askings([ASKED], ["127.0.0.1"], server), 0.0)
    assert (first.problem, second.problem) == ("SERVFAIL", "SERVFAIL")
    assert str(first.asking) == "a.example A at 127.0.0.1 over UDP"


def test_nobody_there() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        [one] = ask_until_right([Asking(ASKED, "127.0.0.1", taken.getsockname()[1], "tcp")], 0.0)
    assert one.problem == "Connection refused"
