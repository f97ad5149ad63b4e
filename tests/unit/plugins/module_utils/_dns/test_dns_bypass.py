# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cache's rules, as iptables-save tells them."""

from __future__ import annotations

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._dns.bypass import is_complete

HEAD = "*raw\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n"
LAST = "-A OUTPUT -s {} -p tcp -m tcp --sport 8080 -j {}\n"


@pytest.mark.parametrize(
    ("rules", "address", "complete"),
    [
        (LAST.format("10.96.0.10/32", "CT --notrack"), "10.96.0.10", True),
        (LAST.format("10.96.0.10/32", "NOTRACK"), "10.96.0.10", True),
        (LAST.format("fd00::a/128", "CT --notrack"), "fd00::a", True),
        ("", "10.96.0.10", False),
        # Of another address, of questions, of another port, of another chain.
        (LAST.format("10.96.0.1/32", "CT --notrack"), "10.96.0.10", False),
        ("-A OUTPUT -d 10.96.0.10/32 -p tcp -m tcp --dport 8080 -j CT --notrack\n", "10.96.0.10", False),
        ("-A OUTPUT -s 10.96.0.10/32 -p tcp -m tcp --sport 53 -j CT --notrack\n", "10.96.0.10", False),
        ("-A PREROUTING -s 10.96.0.10/32 -p tcp -m tcp --sport 8080 -j CT --notrack\n", "10.96.0.10", False),
    ],
)
def test_is_complete(rules: str, address: str, complete: bool) -> None:
    assert is_complete(HEAD + rules + "COMMIT\n", address) is complete
