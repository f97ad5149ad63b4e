# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cache's rules, as iptables-save tells them."""

from __future__ import annotations

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._dns.bypass import rules_of

HEAD = "*raw\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n"
LAST = "-A OUTPUT -s {} -p tcp -m tcp --sport 8080 -j {}\n"


@pytest.mark.parametrize(
    ("rules", "address", "is_one"),
    [
        (LAST.format("10.96.0.10/32", "CT --notrack"), "10.96.0.10", True),
        (LAST.format("10.96.0.10/32", "NOTRACK"), "10.96.0.10", True),
        (LAST.format("fd00::a/128", "CT --notrack"), "fd00::a", True),
        ("", "10.96.0.10", False),
        ("-A PREROUTING -d 10.96.0.10/32 -p udp -m udp --dport 53 -j CT --notrack\n", "10.96.0.10", True),
        ("-A INPUT -d 10.96.0.10/32 -p tcp -m tcp --dport 53 -j ACCEPT\n", "10.96.0.10", True),
        # Of another address, of another port, of somebody else.
        (LAST.format("10.96.0.1/32", "CT --notrack"), "10.96.0.10", False),
        ("-A OUTPUT -s 10.96.0.10/32 -p tcp -m tcp --sport 853 -j CT --notrack\n", "10.96.0.10", False),
        ("-A KUBE-SERVICES -d 10.96.0.10/32 -p udp -m udp --dport 53 -j KUBE-SVC-1\n", "10.96.0.10", False),
        ("-A OUTPUT -d 10.96.0.10/32 -p udp -m udp --dport 53 -j DROP\n", "10.96.0.10", False),
    ],
)
def test_rules_of_the_cache(rules: str, address: str, is_one: bool) -> None:
    assert rules_of(HEAD + rules + "COMMIT\n", address) == ([rules.strip()] if is_one else [])
