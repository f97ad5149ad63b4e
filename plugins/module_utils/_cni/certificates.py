# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""When a certificate ends: as much of X.509 as that needs, since Python's own library tells it of no file of ours.

Certificate, tbsCertificate and Validity are sequences within each other (RFC 5280, 4.1), in DER (X.690).
"""

from __future__ import annotations

import base64
import binascii
import ssl
from datetime import datetime, timedelta, timezone

# What is near its end is made anew: roles are not run every day.
RENEWED_BEFORE = timedelta(days=30)
LONG_FORM, EXPLICIT_VERSION, UTC_TIME = 0x80, 0xA0, 0x17
# Serial number, algorithm and issuer stand before the validity.
BEFORE_VALIDITY = 3


def ends(encoded: str) -> datetime | None:
    """When a certificate ends; nothing where the text is no certificate.

    :param encoded: the certificate in PEM, in base64 as a Secret has it.
    """
    try:
        content = ssl.PEM_cert_to_DER_cert(base64.b64decode(encoded, validate=True).decode("ascii"))
        validity = _validity(content)
        _begin, rest = _element(validity)[1:]
        tag, until, _unused = _element(rest)
        shape = "%y%m%d%H%M%SZ" if tag == UTC_TIME else "%Y%m%d%H%M%SZ"
        return datetime.strptime(until.decode("ascii"), shape).replace(tzinfo=timezone.utc)
    except (binascii.Error, IndexError, ValueError):
        return None


def is_ending(encoded: str, now: datetime) -> bool:
    """Whether a certificate has ended, or will so soon that it is made anew."""
    until = ends(encoded)
    return until is not None and until - now < RENEWED_BEFORE


def _validity(certificate: bytes) -> bytes:
    signed = _element(_element(certificate)[1])[1]
    tag, _content, rest = _element(signed)
    # A version stands first, but in certificates of version 1.
    fields = rest if tag == EXPLICIT_VERSION else signed
    for _number in range(BEFORE_VALIDITY):
        fields = _element(fields)[2]
    return _element(fields)[1]


def _element(content: bytes) -> tuple[int, bytes, bytes]:
    """The first element: its tag, its content, and what follows it."""
    length, start = content[1], 2
    if length & LONG_FORM:
        start += length - LONG_FORM
        length = int.from_bytes(content[2:start], "big")
    return content[0], content[start : start + length], content[start + length :]
