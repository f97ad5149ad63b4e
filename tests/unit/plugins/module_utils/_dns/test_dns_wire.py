# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""DNS messages, against the letter of RFC 1035."""

from __future__ import annotations

import contextlib
import struct

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._dns.wire import (
    TYPES,
    Answer,
    Record,
    WireError,
    query,
    read,
)
from hypothesis import given
from hypothesis import strategies as st

NUMBER = 0x1234


def answered(*records: bytes, flags: int = 0x8180, name: str = "a.example") -> bytes:
    """An answer to a question for the name."""
    question = query(NUMBER, name, "A")[12:]
    return struct.pack(">6H", NUMBER, flags, 1, len(records), 0, 0) + question + b"".join(records)


def record(kind: str, content: bytes, owner: bytes = b"\xc0\x0c") -> bytes:
    return owner + struct.pack(">2HIH", TYPES[kind], 1, 30, len(content)) + content


def test_question() -> None:
    assert query(NUMBER, "a.example.", "AAAA") == bytes.fromhex(
        "1234 0100 0001 0000 0000 0000 0161 07 6578616d706c65 00 001c 0001".replace(" ", "")
    )
    assert query(NUMBER, ".", "SOA")[12:] == b"\0\0\6\0\1"


@pytest.mark.parametrize("name", ["a..b", "x" * 64, ".".join(["abcdefgh"] * 32)])
def test_no_name(name: str) -> None:
    with pytest.raises(WireError, match="is no domain name"):
        query(NUMBER, name, "A")


def test_answer() -> None:
    chain = answered(
        record("CNAME", b"\1b\xc0\x0e"),
        record("A", bytes([192, 0, 2, 1]), owner=b"\1b\xc0\x0e"),
        record("AAAA", bytes.fromhex("20010db8000000000000000000000001")),
    )
    assert read(chain, NUMBER) == Answer(
        "NOERROR",
        False,
        (
            Record("a.example", "CNAME", 30, "b.example"),
            Record("b.example", "A", 30, "192.0.2.1"),
            Record("a.example", "AAAA", 30, "2001:db8::1"),
        ),
    )
    assert read(answered(flags=0x8383), NUMBER) == Answer("NXDOMAIN", True, ())


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (b"", "ends in its middle"),
        (answered(record("A", b"\1\2\3")), "an address of 3 bytes"),
        (answered(record("A", bytes(4)))[:-1], "ends in its middle"),
        (answered(record("CNAME", b"\xc0\x26", owner=b"\0")), "never ends"),
        (answered()[:12] + b"\xc0\x0c" + answered()[14:], "never ends"),
        (answered(flags=0x0100), "another question"),
    ],
)
def test_no_answer(message: bytes, said: str) -> None:
    with pytest.raises(WireError, match=said):
        read(message, NUMBER)


def test_another_number() -> None:
    with pytest.raises(WireError, match="another question"):
        read(answered(), NUMBER + 1)


@given(st.binary(max_size=200))
def test_any_bytes_are_an_answer_or_none(noise: bytes) -> None:
    for message in (noise, answered()[:12] + noise):
        with contextlib.suppress(WireError):
            read(message, NUMBER)
