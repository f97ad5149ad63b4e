# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""DNS messages: a question's bytes, and what an answer's bytes say (RFC 1035, section 4)."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "TXT": 16, "AAAA": 28, "SRV": 33}
_NAMES = {number: name for name, number in TYPES.items()}
_IN = 1
_RECURSION_DESIRED = 0x0100
_RESPONSE = 0x8000
_TRUNCATED = 0x0200
RCODES = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}
# A name is a chain of at most so many labels; a pointer that leads back would else never end.
_MOST_LABELS = 128


class WireError(ValueError):
    """Bytes that are no answer to the question."""


@dataclass(frozen=True)
class Record:
    """One record of the answer.

    :param value: an address, a name without its last dot, or hexadecimal digits of what is not read further.
    """

    name: str
    type: str
    ttl: int
    value: str


@dataclass(frozen=True)
class Answer:
    """What a server said.

    :param truncated: there is more than one datagram holds.
    """

    rcode: str
    truncated: bool
    records: tuple[Record, ...]


def query(number: int, name: str, kind: str) -> bytes:
    """A question with recursion desired.

    :param number: by which the answer is known, below 65536.
    :param kind: one of ``TYPES``.
    :raises WireError: the name cannot be asked for.
    """
    header = struct.pack(">6H", number, _RECURSION_DESIRED, 1, 0, 0, 0)
    return header + _packed(name) + struct.pack(">2H", TYPES[kind], _IN)


def _packed(name: str) -> bytes:
    labels = [label.encode("ascii", "replace") for label in name.rstrip(".").split(".")] if name.rstrip(".") else []
    if any(not 0 < len(label) < 64 for label in labels) or sum(map(len, labels)) + len(labels) > 254:
        raise WireError(f"{name!r} is no domain name")
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def read(message: bytes, number: int) -> Answer:
    """What an answer says.

    :raises WireError: it is none, or one to another question.
    """
    try:
        return _read(message, number)
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise WireError("the answer ends in its middle or cannot be read") from error


def _read(message: bytes, number: int) -> Answer:
    found, flags, questions, answers = struct.unpack_from(">4H", message)
    if found != number or not flags & _RESPONSE:
        raise WireError("the answer is one to another question")
    at = 12
    for _unused in range(questions):
        at = _name(message, at)[1] + 4
    records = []
    for _unused in range(answers):
        name, at = _name(message, at)
        kind, _class, ttl, length = struct.unpack_from(">2HIH", message, at)
        at += 10
        if at + length > len(message):
            raise WireError("the answer ends in its middle")
        records.append(Record(name, _NAMES.get(kind, f"TYPE{kind}"), ttl, _value(message, kind, at, length)))
        at += length
    rcode = flags & 0xF
    return Answer(RCODES.get(rcode, f"RCODE{rcode}"), bool(flags & _TRUNCATED), tuple(records))


def _value(message: bytes, kind: int, at: int, length: int) -> str:
    content = message[at : at + length]
    if kind == TYPES["A"]:
        return socket.inet_ntop(socket.AF_INET, _sized(content, 4))
    if kind == TYPES["AAAA"]:
        return socket.inet_ntop(socket.AF_INET6, _sized(content, 16))
    if kind in (TYPES["CNAME"], TYPES["NS"], TYPES["PTR"]):
        return _name(message, at)[0]
    return content.hex()


def _sized(content: bytes, length: int) -> bytes:
    if len(content) != length:
        raise WireError(f"an address of {len(content)} bytes")
    return content


def _name(message: bytes, at: int) -> tuple[str, int]:
    """A name, followed through its pointers, and where what comes after it begins."""
    labels: list[str] = []
    end = 0
    for _unused in range(_MOST_LABELS):
        length = message[at]
        if length >= 0xC0:
            end = end or at + 2
            at = (length & 0x3F) << 8 | message[at + 1]
        elif length == 0:
            return ".".join(labels), end or at + 1
        else:
            labels.append(message[at + 1 : at + 1 + length].decode("ascii"))
            at += 1 + length
    raise WireError("a name that never ends")
