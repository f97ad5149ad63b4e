# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Edits of a Corefile: idempotent, and no larger than they must be."""

from __future__ import annotations

import difflib

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.edit import Wanted, put, put_block, remove
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.tree import CorefileError, parse
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.wishes import fulfil, wishes_of

KUBEADM = """\
.:53 {
    errors
    health {
       lameduck 5s
    }
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }
    prometheus :9153
    # what the site's people wrote
    forward . /etc/resolv.conf {
       max_concurrent 1000
    }
    cache 30 {
       disable success cluster.local
       disable denial cluster.local
    }
    loop
    reload
    loadbalance
}
"""


def changed_lines(before: str, after: str) -> list[str]:
    lines = difflib.ndiff(before.splitlines(), after.splitlines())
    return [line for line in lines if line[0] in "+-"]


@pytest.mark.parametrize(
    ("params", "lines"),
    [
        ({"cache_ttl": 30}, []),
        ({"cache_ttl": 300}, ["-     cache 30 {", "+     cache 300 {"]),
        ({"kubernetes_ttl": 5}, ["-        ttl 30", "+        ttl 5"]),
        (
            {"upstreams": {"servers": ["192.0.2.1", "192.0.2.2:5353"]}},
            ["-     forward . /etc/resolv.conf {", "+     forward . 192.0.2.1 192.0.2.2:5353 {"],
        ),
        ({"upstreams": {"policy": "sequential"}}, ["+        policy sequential"]),
        ({"log": True}, ["+     log"]),
        (
            {"stub_domains": [{"domain": "corp.example.com", "servers": ["198.51.100.53"]}]},
            [
                "+ corp.example.com:53 {",
                "+     errors",
                "+     cache 30",
                "+     forward . 198.51.100.53",
                "+ }",
            ],
        ),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_wishes_change_only_their_lines(params: dict[str, object], lines: list[str], newline: str) -> None:
    before = KUBEADM.replace("\n", newline)
    wishes = wishes_of(params)
    after = fulfil(parse(before), wishes)
    assert changed_lines(before, after.text) == lines
    assert fulfil(parse(after.text), wishes).text == after.text


def test_a_stub_domain_goes_as_it_came() -> None:
    stub = {"domain": "corp.example.com", "servers": ["198.51.100.53"]}
    with_stub = fulfil(parse(KUBEADM), wishes_of({"stub_domains": [stub]}))
    without = fulfil(with_stub, wishes_of({"stub_domains": [{**stub, "servers": []}]}))
    assert without.text == KUBEADM


def test_a_block_that_means_the_same_stays_as_it_is_written() -> None:
    text = 'corp.example.com {\n\terrors # kept\n\tforward . "192.0.2.1"\n}\n'
    assert put_block(parse(text), "corp.example.com:53", ("errors", "forward . 192.0.2.1")).text == text


def test_one_of_several_forwards_is_found_by_its_zone() -> None:
    text = ". {\n  forward a.example.com 192.0.2.1\n  forward . 192.0.2.2\n}\n"
    wanted = Wanted("forward", (".", "192.0.2.3"), identity=1)
    assert put(parse(text), ".", wanted).text == text.replace("192.0.2.2", "192.0.2.3")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (". {\n}\n", ". {\n    cache 5\n}\n"),
        (".:53", ".:53 {\n    cache 5\n}"),
        (". {\n\terrors\n}\n", ". {\n\terrors\n\tcache 5\n}\n"),
        (".\nerrors\n", ".\nerrors\n    cache 5\n"),
    ],
)
def test_a_plugin_is_added_where_there_is_room(text: str, expected: str) -> None:
    assert put(parse(text), ".", Wanted("cache", ("5",))).text == expected


def test_removal_takes_the_line_along() -> None:
    assert remove(parse(KUBEADM), ".", "loop").text == KUBEADM.replace("    loop\n", "")


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"cache_ttl": 0}, "cache_ttl: 0; expected a number from 1 to 86400"),
        ({"kubernetes_ttl": 3601}, "kubernetes_ttl: 3601; expected a number from 0 to 3600"),
        ({"upstreams": {"servers": ["resolver.example.com"]}}, "'resolver.example.com': it is no address"),
        ({"upstreams": {"servers": ["192.0.2.1:0"]}}, "it is no address"),
        ({"upstreams": {"servers": [f"192.0.2.{n}" for n in range(16)]}}, "16 servers; expected at most 15"),
        ({"stub_domains": [{"domain": "a b", "servers": ["192.0.2.1"]}]}, "it is no domain name"),
        ({"zone": "example.org", "cache_ttl": 5}, "no server block serves 'example.org'; there are .:53"),
    ],
)
def test_wrong_wishes_are_named(params: dict[str, object], message: str) -> None:
    with pytest.raises(CorefileError) as refused:
        fulfil(parse(KUBEADM), wishes_of(params))
    assert message in str(refused.value)
