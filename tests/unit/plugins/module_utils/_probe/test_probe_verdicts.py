# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What errors and counters say."""

from __future__ import annotations

import errno
import socket
import struct

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._probe.model import Target
from ansible_collections.netops.kubernetes.plugins.module_utils._probe.probes import Report, conclude, parse_report
from ansible_collections.netops.kubernetes.plugins.module_utils._probe.server import judge

OWN, PEER, ROUTER = "192.0.2.2", "192.0.2.1", "192.0.2.254"
HERE, ICMP, ICMPV6 = 1, 2, 3


@pytest.mark.parametrize(
    ("protocol", "report", "verdict"),
    [
        ("tcp", Report(errno.ECONNREFUSED, ICMP, 3, 3, PEER), "rejected"),
        ("udp", Report(errno.ECONNREFUSED, ICMP, 3, 3, PEER), "refused"),
        ("udp", Report(errno.ECONNREFUSED, ICMPV6, 1, 4, PEER), "refused"),
        ("tcp", Report(errno.EHOSTUNREACH, ICMP, 3, 10, ROUTER), "rejected"),
        ("tcp", Report(errno.EHOSTUNREACH, ICMP, 3, 13, PEER), "rejected"),
        ("tcp", Report(errno.EACCES, ICMPV6, 1, 1, ROUTER), "rejected"),
        ("tcp", Report(errno.EHOSTUNREACH, ICMP, 3, 1, PEER), "rejected"),
        ("tcp", Report(errno.EHOSTUNREACH, ICMP, 3, 1, ROUTER), "no_route"),
        ("udp", Report(errno.ENETUNREACH, ICMPV6, 1, 0, ROUTER), "no_route"),
        ("udp", Report(errno.EHOSTUNREACH, ICMP, 3, 1, OWN), "no_route"),
        ("udp", Report(errno.EHOSTUNREACH, HERE, 0, 0, ""), "no_route"),
        ("tcp", Report(errno.ECONNREFUSED, ICMP, 3, 3, OWN), "rejected"),
        ("udp", Report(errno.EPERM, HERE, 0, 0, ""), "rejected"),
        ("udp", Report(errno.EHOSTUNREACH, ICMP, 11, 0, ROUTER), "unknown"),
    ],
)
def test_who_says_what(protocol: str, report: Report, verdict: str) -> None:
    assert conclude(report, Target("node", PEER, protocol, 1), OWN).verdict == verdict


@pytest.mark.parametrize("address", [PEER, "2001:db8::1"])
def test_reports_of_the_kernel(address: str) -> None:
    head = struct.pack("=IBBBBII", errno.ECONNREFUSED, ICMP, 3, 3, 0, 0, 0)
    if ":" in address:
        offender = struct.pack("=HHI", socket.AF_INET6, 0, 0) + socket.inet_pton(socket.AF_INET6, address) + bytes(4)
    else:
        offender = struct.pack("=HH", socket.AF_INET, 0) + socket.inet_aton(address) + bytes(8)
    assert parse_report(head + offender) == Report(errno.ECONNREFUSED, ICMP, 3, 3, address)
    assert parse_report(head) == Report(errno.ECONNREFUSED, ICMP, 3, 3, "")


@pytest.mark.parametrize(
    ("arrived", "verdict"),
    [(40, "open"), (31, "open"), (20, "unknown"), (10, "dropped"), (0, "dropped"), (-7, "dropped")],
)
def test_bursts(arrived: float, verdict: str) -> None:
    assert judge(arrived, 40) == verdict
