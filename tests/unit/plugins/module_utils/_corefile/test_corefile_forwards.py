# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which zones must be asked for after an edit, since their servers were named by it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.forwards import forwarded
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.tree import parse
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.wishes import fulfil
from tests.support.corefiles import KUBEADM

DEAD = "192.0.2.1"


def forward(zone: str, **more: Any) -> dict[str, Any]:
    return {"name": "forward", "arguments": [zone, DEAD], **more}


@pytest.mark.parametrize(
    ("params", "zones"),
    [
        ({}, []),
        ({"cache": {"ttl": 5}}, []),
        ({"upstreams": {"servers": [DEAD]}}, ["."]),
        ({"upstreams": {"policy": "random"}}, ["."]),
        ({"upstreams": {"state": "absent"}}, []),
        ({"stub_domains": [{"domain": "Corp.example", "servers": [DEAD]}]}, ["corp.example"]),
        ({"stub_domains": [{"domain": "corp.example", "state": "absent"}]}, []),
        ({"plugins": [forward(".")]}, ["."]),
        ({"plugins": [forward("a.example")]}, ["a.example"]),
        ({"plugins": [{"name": "forward", "options": {"max_fails": "0"}}]}, ["."]),
        ({"plugins": [forward(".", state="absent")]}, []),
        ({"plugins": [{"name": "log"}]}, []),
        ({"zones": [{"zone": "b.example", "plugins": [forward(".")]}]}, ["b.example"]),
        (
            {"zones": [{"zone": "b.example", "plugins": [forward("x.b.example"), forward("example")]}]},
            ["x.b.example", "b.example"],
        ),
        # No question comes to it.
        ({"zones": [{"zone": "b.example", "plugins": [forward("c.example")]}]}, []),
        ({"zones": [{"zone": "10.0.0.0/8", "plugins": [forward(".")]}]}, ["10.in-addr.arpa"]),
        # Nobody asks at these by plain DNS, or each asker gets an answer of his own.
        ({"zones": [{"zone": "tls://b.example", "plugins": [forward(".")]}]}, []),
        ({"zones": [{"zone": "b.example:5353", "plugins": [forward(".")]}]}, []),
        ({"zones": [{"zone": "b.example", "plugins": [{"name": "view", "arguments": ["a"]}, forward(".")]}]}, []),
        ({"zones": [{"zone": "b.example", "state": "absent"}]}, []),
        (
            {"zone": "b.example", "content": "a.example b.example {\n}\n", "plugins": [forward(".")]},
            ["a.example", "b.example"],
        ),
        ({"content": KUBEADM}, ["."]),
        ({"content": f"(up) {{\n  forward . {DEAD}\n}}\n. {{\n  import up\n}}\n"}, ["."]),
        (
            {"content": f". {{\n  grpc . {DEAD}\n  forward a.example {DEAD}\n  forward a.example 192.0.2.2\n}}\n"},
            [".", "a.example"],
        ),
    ],
)
def test_the_zones_whose_servers_are_named(params: dict[str, Any], zones: list[str]) -> None:
    assert forwarded(fulfil(parse(params.get("content", KUBEADM)), params), params) == zones


def test_a_snippet_that_is_imported_is_asked_for() -> None:
    text = f"(up) {{\n  forward . {DEAD}\n}}\na.example {{\n}}\n"
    params = {"zone": "a.example", "plugins": [{"name": "import", "arguments": ["up"]}]}
    assert forwarded(fulfil(parse(text), params), params) == ["a.example"]
