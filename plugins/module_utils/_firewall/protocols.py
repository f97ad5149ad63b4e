# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""How a rule says its protocol and its ports, ICMP types included: read, checked, brought to one form."""

from __future__ import annotations

import re

from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.errors import PlanError
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.ports import IP_PROTOCOLS

WITH_PORTS = ("tcp", "udp", "sctp")
# By the names that nft(8) prints; numbers of RFC 792, RFC 4443, RFC 4861, RFC 2710.
ICMP_TYPES = {
    "icmp": {
        "echo-request": 8,
        "destination-unreachable": 3,
        "time-exceeded": 11,
        "parameter-problem": 12,
        "echo-reply": 0,
        "timestamp-request": 13,
        "router-advertisement": 9,
        "router-solicitation": 10,
    },
    "icmpv6": {
        "echo-request": 128,
        "echo-reply": 129,
        "destination-unreachable": 1,
        "packet-too-big": 2,
        "time-exceeded": 3,
        "parameter-problem": 4,
        "mld-listener-query": 130,
        "mld-listener-report": 131,
        "mld-listener-done": 132,
        "mld2-listener-report": 143,
        "nd-router-solicit": 133,
        "nd-router-advert": 134,
        "nd-neighbor-solicit": 135,
        "nd-neighbor-advert": 136,
        "nd-redirect": 137,
    },
}
PROTOCOLS = (*WITH_PORTS, *ICMP_TYPES, *IP_PROTOCOLS)


def protocol_of(rule: str, text: str) -> str:
    """The protocol's name: ``tcp``, ``icmpv6``, ``esp``, or ``ip:N`` for a number without a name here.

    :raises PlanError: there is no such protocol.
    """
    found = re.fullmatch(r"ip:(\d{1,3})", text)
    if found and 0 < int(found[1]) < 256:
        by_number = {number: name for name, number in IP_PROTOCOLS.items()}
        return by_number.get(int(found[1]), f"ip:{int(found[1])}")
    if text in PROTOCOLS:
        return text
    raise PlanError(f"rule {rule!r}", f"protocol {text!r}", f"one of {', '.join(PROTOCOLS)}, or ip:NUMBER")


def protocol_number(protocol: str) -> int:
    """The IP protocol number of a protocol that has neither ports nor types."""
    return IP_PROTOCOLS[protocol] if protocol in IP_PROTOCOLS else int(protocol.partition(":")[2])


def ports_of(rule: str, text: str, protocol: str) -> str:
    """The ports as ``10250`` or ``30000-32767``, ICMP types sorted, nothing for other protocols.

    :raises PlanError: no port, a range backwards, an unknown type, or ports where there are none.
    """
    if protocol in WITH_PORTS:
        return _range(rule, text)
    if protocol in ICMP_TYPES:
        return _types(rule, text, protocol)
    if text:
        raise PlanError(f"rule {rule!r}", f"ports {text!r}", f"none: {protocol} has no ports", "Leave ports out")
    return ""


def _range(rule: str, text: str) -> str:
    found = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?", text)
    low, high = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
    if low > high:
        raise PlanError(
            f"rule {rule!r}", f"ports {text!r} run backwards", f"{high}-{low}", "Write the lower port first"
        )
    if not 0 < low <= high < 65536:
        raise PlanError(f"rule {rule!r}", f"ports {text!r}", "a port from 1 to 65535, or low-high")
    return str(low) if low == high else f"{low}-{high}"


def _types(rule: str, text: str, protocol: str) -> str:
    words = sorted({word.strip() for word in text.split(",") if word.strip()})
    unknown = [word for word in words if word not in ICMP_TYPES[protocol]]
    if unknown or not words:
        raise PlanError(
            f"rule {rule!r}",
            f"{protocol} types {text!r}" if not unknown else f"{protocol} type {unknown[0]!r}",
            f"any of {', '.join(ICMP_TYPES[protocol])}, separated by commas",
            "Name them in ports",
        )
    return ",".join(words)


def span(ports: str) -> tuple[int, int]:
    """The first and the last port; 0 for both where there are none."""
    low, _unused, high = ports.partition("-")
    return int(low or 0), int(high or low or 0)


def overlap(protocol: str, ports: str, other: str) -> bool:
    """Whether two rules of one protocol are about the same port, type or whole protocol."""
    if protocol in ICMP_TYPES:
        return bool(set(ports.split(",")) & set(other.split(",")))
    if protocol not in WITH_PORTS:
        return True
    (low, high), (other_low, other_high) = span(ports), span(other)
    return low <= other_high and other_low <= high
