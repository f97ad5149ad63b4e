# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Edits of a Corefile: idempotent, and no larger than they must be."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.edit import (
    Wanted,
    find,
    move,
    move_block,
    put,
    put_block,
    remove,
    remove_block,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.migrate import migrate
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.tree import CorefileError, parse
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.validate import require_valid, validate
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.wishes import fulfil
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support import corefiles

if TYPE_CHECKING:
    from collections.abc import Mapping

KUBEADM = corefiles.KUBEADM.replace("    forward ", "    # what the site's people wrote\n    forward ")


def changed_lines(before: str, after: str) -> list[str]:
    lines = difflib.ndiff(before.splitlines(), after.splitlines())
    return [line for line in lines if line[0] in "+-"]


@pytest.mark.parametrize(
    ("params", "lines"),
    [
        ({"cache": {"ttl": 30}}, []),
        ({"cache": {"ttl": 300}}, ["-     cache 30 {", "+     cache 300 {"]),
        ({"kubernetes": {"ttl": 5}}, ["-        ttl 30", "+        ttl 5"]),
        (
            {"upstreams": {"servers": ["192.0.2.1", "192.0.2.2:5353"]}},
            ["-     forward . /etc/resolv.conf {", "+     forward . 192.0.2.1 192.0.2.2:5353 {"],
        ),
        ({"upstreams": {"policy": "sequential"}}, ["+        policy sequential"]),
        ({"log": True}, ["+     log"]),
        ({"kubernetes": {"pods": "verified"}}, ["-        pods insecure", "+        pods verified"]),
        (
            {"kubernetes": {"zones": ["cluster.local"], "fallthrough": []}},
            [
                "-     kubernetes cluster.local in-addr.arpa ip6.arpa {",
                "+     kubernetes cluster.local {",
                "-        fallthrough in-addr.arpa ip6.arpa",
                "+        fallthrough",
            ],
        ),
        (
            {"cache": {"success": "9984 30", "prefetch": "10 1m 10%", "serve_stale": "1h immediate", "servfail": "0"}},
            [
                "+        success 9984 30",
                "+        prefetch 10 1m 10%",
                "+        serve_stale 1h immediate",
                "+        servfail 0",
            ],
        ),
        (
            {"cache": {"state": "absent"}},
            [
                "-     cache 30 {",
                "-        disable success cluster.local",
                "-        disable denial cluster.local",
                "-     }",
            ],
        ),
        (
            {
                "upstreams": {
                    "servers": ["tls://192.0.2.1"],
                    "tls": ["/ca.pem"],
                    "tls_servername": "dns.example",
                    "health_check": "5s no_rec",
                }
            },
            [
                "-     forward . /etc/resolv.conf {",
                "+     forward . tls://192.0.2.1 {",
                "+        tls_servername dns.example",
                "+        tls /ca.pem",
                "+        health_check 5s no_rec",
            ],
        ),
        (
            {"upstreams": {"state": "absent"}},
            ["-     forward . /etc/resolv.conf {", "-        max_concurrent 1000", "-     }"],
        ),
        ({"errors": False, "log": False, "autopath": False}, ["-     errors"]),
        ({"errors": True, "hosts": [{"address": "192.0.2.1", "state": "absent"}]}, []),
        ({"dns64": {"state": "absent"}}, []),
        (
            {"autopath": True},
            ["-        pods insecure", "+        pods verified", "+     autopath @kubernetes"],
        ),
        (
            {"hosts": [{"address": "192.0.2.1", "names": ["a.example.com", "b"]}]},
            ["+     hosts {", "+         192.0.2.1 a.example.com b", "+         fallthrough", "+     }"],
        ),
        (
            {"plugins": [{"name": "rewrite", "arguments": ["name", "a.example.com", "b.example.com"]}]},
            ["+     rewrite name a.example.com b.example.com"],
        ),
        (
            {"plugins": [{"name": "health", "options": {"lameduck": "9s"}}]},
            ["-        lameduck 5s", "+        lameduck 9s"],
        ),
        ({"plugins": [{"name": "health", "options": {"lameduck": None}}]}, ["-        lameduck 5s"]),
        (
            {"plugins": [{"name": "cache", "lines": ["disable denial cluster.local", "servfail 0"]}]},
            ["-        disable success cluster.local", "+        servfail 0"],
        ),
        ({"plugins": [{"name": "loop", "state": "absent"}]}, ["-     loop"]),
        (
            {
                "plugins": [
                    {"name": "forward", "arguments": ["b.example.com", "192.0.2.9"], "options": {"force_tcp": ""}}
                ]
            },
            ["+     forward b.example.com 192.0.2.9 {", "+         force_tcp", "+     }"],
        ),
        (
            {"rewrites": [{"name": "a.example.com", "target": "b.example.com"}]},
            ["+     rewrite name a.example.com b.example.com"],
        ),
        (
            {"rewrites": [{"name": ".a.example", "target": ".b.example", "match": "suffix", "answer": True}]},
            ["+     rewrite name suffix .a.example .b.example answer auto"],
        ),
        ({"rewrites": [{"name": "a.example", "target": "b.example", "state": "absent"}]}, []),
        (
            {
                "templates": [
                    {
                        "type": "A",
                        "zones": ["lab.example"],
                        "match": [r"^ip-(?P<a>[0-9]*)[.]lab[.]example[.]$"],
                        "answers": ["{{ .Name }} 60 IN A 192.0.2.{{ .Group.a }}"],
                        "fallthrough": True,
                    }
                ]
            },
            [
                "+     template IN A lab.example {",
                "+         match ^ip-(?P<a>[0-9]*)[.]lab[.]example[.]$",
                '+         answer "{{ .Name }} 60 IN A 192.0.2.{{ .Group.a }}"',
                "+         fallthrough",
                "+     }",
            ],
        ),
        (
            {"acl": [{"action": "block", "types": ["ANY"], "networks": ["198.51.100.0/24"]}, {"action": "allow"}]},
            ["+     acl {", "+         block type ANY net 198.51.100.0/24", "+         allow", "+     }"],
        ),
        ({"acl": []}, []),
        (
            {"dns64": {"prefix": "64:ff9b::/96", "translate_all": True, "allow_ipv4": False}},
            ["+     dns64 {", "+         prefix 64:ff9b::/96", "+         translate_all", "+     }"],
        ),
        (
            {"zones": [{"zone": "tls://example.org", "plugins": [{"name": "whoami"}]}]},
            ["+ tls://example.org {", "+     whoami", "+ }"],
        ),
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
    after = fulfil(parse(before), params)
    assert changed_lines(before, after.text) == lines
    assert fulfil(parse(after.text), params).text == after.text


def test_a_stub_domain_goes_as_it_came() -> None:
    stub = {"domain": "corp.example.com", "servers": ["198.51.100.53"]}
    with_stub = fulfil(parse(KUBEADM), ({"stub_domains": [stub]}))
    without = fulfil(with_stub, ({"stub_domains": [{"domain": stub["domain"], "state": "absent"}]}))
    assert without.text == KUBEADM


def test_a_block_that_means_the_same_stays_as_it_is_written() -> None:
    text = 'corp.example.com {\n\terrors # kept\n\tforward . "192.0.2.1"\n}\n'
    assert (
        put_block(parse(text), "corp.example.com:53", (Wanted("errors"), Wanted("forward", (".", "192.0.2.1")))).text
        == text
    )


def test_one_of_several_forwards_is_found_by_its_zone() -> None:
    text = ". {\n  forward a.example.com 192.0.2.1\n  forward . 192.0.2.2\n}\n"
    wanted = Wanted("forward", (".", "192.0.2.3"))
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


def test_entries_of_hosts_are_found_by_their_address_and_stand_before_what_falls_through() -> None:
    text = ". {\n  hosts {\n    # the printer\n    192.0.2.1 a\n    fallthrough\n  }\n}\n"
    hosts = [{"address": "192.0.2.1", "names": ["b"]}, {"address": "192.0.2.2", "names": ["c"]}]
    expected = text.replace("192.0.2.1 a\n", "192.0.2.1 b\n    192.0.2.2 c\n")
    assert fulfil(parse(text), {"hosts": hosts}).text == expected
    without = [{"address": "192.0.2.1", "state": "absent"}]
    assert fulfil(parse(text), {"hosts": without}).text == text.replace("    192.0.2.1 a\n", "")


def test_a_block_given_as_a_whole_keeps_lines_that_are_equal() -> None:
    entries = [f"192.0.2.{number} name{number}" for number in range(20)]
    text = ". {\n  hosts {\n" + "".join(f"    {entry} # {entry[-2:]}\n" for entry in entries) + "  }\n}\n"
    less = {"plugins": [{"name": "hosts", "lines": entries[5:15]}]}
    once = fulfil(parse(text), less).text
    assert all(f"    {entry} # {entry[-2:]}\n" in once for entry in entries[5:15])
    assert fulfil(parse(once), less).text == once
    block = parse(once).servers[0].find("hosts")
    assert block
    assert [" ".join(option.words) for option in block.options] == entries[5:15]
    back = fulfil(parse(once), {"plugins": [{"name": "hosts", "lines": list(reversed(entries))}]})
    found = back.servers[0].find("hosts")
    assert found
    assert [" ".join(option.words) for option in found.options] == list(reversed(entries))


def test_a_plugin_moves_with_the_comment_above_it() -> None:
    text = ". {\n  errors\n  # one\n  # two\n  cache 30 # three\n  whoami\n}\n"
    expected = ". {\n  # one\n  # two\n  cache 30 # three\n  errors\n  whoami\n}\n"
    assert move(parse(text), ".", Wanted("cache"), ("errors",)).text == expected
    assert move(parse(expected), ".", Wanted("cache"), ("errors",)).text == expected
    assert move(parse(expected), ".", Wanted("errors"), ("cache",)).text.replace("  errors\n", "") == expected.replace(
        "  errors\n", ""
    )


def test_one_of_several_rules_moves_by_its_words_and_a_block_by_its_zone() -> None:
    text = "a {\n}\n# of b\nb {\n  rewrite name x y\n  # first\n  rewrite name x z\n}\n"
    rule = {"name": "rewrite", "arguments": ["name", "x", "z"], "before": "rewrite name x y"}
    wishes = {"zones": [{"zone": "b", "plugins": [rule], "before": "a"}]}
    expected = "# of b\nb {\n  # first\n  rewrite name x z\n  rewrite name x y\n}\na {\n}\n"
    assert fulfil(parse(text), wishes).text == expected
    assert fulfil(parse(expected), wishes).text == expected
    # New, and in its place at once.
    new = {"name": "rewrite", "arguments": ["name", "w", "z"], "before": "rewrite name x z"}
    assert fulfil(parse(expected), {"zone": "b", "plugins": [new]}).text == expected.replace(
        "  # first", "  rewrite name w z\n  # first"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (". {\n  errors\n}\n", "plugin cache is not in the block of '.'; expected both plugins there"),
        (". { cache\n  errors\n}\n", "plugin cache in the block of '.' shares its line with something else"),
    ],
)
def test_what_cannot_move_is_said(text: str, message: str) -> None:
    with pytest.raises(CorefileError) as refused:
        move(parse(text), ".", Wanted("cache"), ("errors",))
    assert message in str(refused.value)


def test_a_brace_that_coredns_does_not_miss_is_asked_for() -> None:
    text = ". {\n  hosts {\n  }\n"
    assert validate(text) == []
    for edit in (lambda: fulfil(parse(text), {"cache": {"ttl": 5}}), lambda: migrate(text, "1.14.2", "1.14.7")):
        with pytest.raises(CorefileError) as refused:
            edit()
        assert str(refused.value) == (
            "Corefile:1: the server block of . lacks its closing brace; expected a brace at its end. Add it."
        )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a.example.com b.example.com {\n}\n", "b.example.com {\n}\n"),
        ("b.example.com, a.example.com {\n}\n", "b.example.com {\n}\n"),
        (". {\n}\na.example.com {\n  errors\n}\n", ". {\n}\n"),
        (". {\n}\n", ". {\n}\n"),
    ],
)
def test_of_a_block_with_several_zones_one_goes(text: str, expected: str) -> None:
    assert remove_block(parse(text), "a.example.com").text == expected


def test_a_comment_in_an_empty_block_stays() -> None:
    assert put(parse(". {\n  # why\n}\n"), ".", Wanted("cache")).text == ". {\n  # why\n    cache\n}\n"


def written(params: Mapping[str, object], text: str = KUBEADM) -> list[str]:
    """The lines that come and go; a second run changes nothing."""
    after = fulfil(parse(text), params).text
    assert fulfil(parse(after), params).text == after
    return changed_lines(text, after)


TWO_TEMPLATES = {
    "templates": [
        {"type": "A", "match": ["^a"], "rcode": "NXDOMAIN", "fallthrough": True},
        {"type": "A", "match": ["^b"], "rcode": "REFUSED"},
    ]
}


def test_templates_of_one_type_are_told_apart_by_what_they_match() -> None:
    assert written(TWO_TEMPLATES) == [
        *(
            "+     template IN A {",
            "+         match ^a",
            "+         rcode NXDOMAIN",
            "+         fallthrough",
            "+     }",
        ),
        *("+     template IN A {", "+         match ^b", "+         rcode REFUSED", "+     }"),
    ]
    there = fulfil(parse(KUBEADM), TWO_TEMPLATES).text
    other = {"templates": [{"type": "A", "match": ["^b"], "rcode": "NXDOMAIN"}]}
    assert written(other, there) == ["-         rcode REFUSED", "+         rcode NXDOMAIN"]
    # Patterns on one line or on several are the same.
    lines = {"name": "template", "arguments": ["IN", "A"], "lines": ["match ^c ^d", "rcode NXDOMAIN"]}
    apart = {"name": "template", "arguments": ["IN", "A"], "lines": ["match ^c", "match ^d", "rcode REFUSED"]}
    more = fulfil(parse(there), {"plugins": [lines]}).text
    assert sorted(written({"plugins": [apart]}, more)) == [
        *("+         match ^c", "+         match ^d", "+         rcode REFUSED"),
        *("-         match ^c ^d", "-         rcode NXDOMAIN"),
    ]
    # In a block that is new with them, too.
    block = {"zones": [{"zone": "a.example", "plugins": [lines, {**lines, "lines": ["match ^e", "rcode REFUSED"]}]}]}
    assert len(written(block)) == 10


def test_a_template_goes_by_what_it_matches_or_by_its_type() -> None:
    there = fulfil(parse(KUBEADM), TWO_TEMPLATES).text
    one = fulfil(parse(there), {"templates": [{"type": "A", "match": ["^a"], "state": "absent"}]}).text
    assert one == fulfil(parse(KUBEADM), {"templates": TWO_TEMPLATES["templates"][1:]}).text
    assert fulfil(parse(there), {"templates": [{"type": "A", "state": "absent"}]}).text == KUBEADM
    moved = {"name": "template", "arguments": ["IN", "A"], "lines": ["match ^b"], "before": "template IN A"}
    swapped = fulfil(parse(there), {"plugins": [moved]}).text
    assert swapped.index("match ^b") < swapped.index("match ^a")


@pytest.mark.parametrize(
    ("present", "wish", "lines"),
    [
        ("name a b", {}, ["-     rewrite name a b", "+     rewrite name a c"]),
        ("name exact A. b", {}, ["-     rewrite name exact A. b", "+     rewrite name a c"]),
        ("stop name a c", {}, []),
        ("name exact a c", {}, []),
        ("name a c", {"answer": True}, ["-     rewrite name a c", "+     rewrite name exact a c answer auto"]),
        # A rule behind one that stops is never asked.
        ("name a b\n    rewrite name a c", {}, ["-     rewrite name a b"]),
        # These go on, or are about other names.
        ("continue name a b", {}, ["+     rewrite name a c"]),
        ("name suffix a b", {}, ["+     rewrite name a c"]),
        ("name suffix a b", {"match": "suffix"}, ["-     rewrite name suffix a b", "+     rewrite name suffix a c"]),
        ("name a b", {"state": "absent"}, []),
        ("name a c answer auto", {"state": "absent"}, ["-     rewrite name a c answer auto"]),
    ],
)
def test_a_rewrite_is_known_by_the_name_that_is_asked_for(
    present: str, wish: dict[str, object], lines: list[str]
) -> None:
    text = KUBEADM.replace("    loop\n", f"    loop\n    rewrite {present}\n")
    assert written({"rewrites": [{"name": "a", "target": "c", **wish}]}, text) == lines


def test_options_that_stand_several_times_are_meant_together() -> None:
    gone = ["-        disable success cluster.local", "-        disable denial cluster.local"]
    assert written({"plugins": [{"name": "cache", "options": {"disable": None}}]}) == gone
    assert written({"plugins": [{"name": "cache", "options": {"disable": "denial cluster.local"}}]}) == gone[:1]
    several = [["denial", "cluster.local"], ["denial", "a.example"]]
    assert written({"plugins": [{"name": "cache", "options": {"disable": several}}]}) == [
        gone[0],
        "+        disable denial a.example",
    ]
    new = {"plugins": [{"name": "acl", "options": {"allow": [["net", "192.0.2.1"], ["net", "192.0.2.2"]]}}]}
    assert written(new) == ["+     acl {", "+         allow net 192.0.2.1", "+         allow net 192.0.2.2", "+     }"]
    bare = KUBEADM.replace("    loop\n", "    loop\n    acl\n")
    assert written(new, bare)[-3:] == ["+         allow net 192.0.2.1", "+         allow net 192.0.2.2", "+     }"]


def test_every_line_of_an_address_in_hosts_is_meant() -> None:
    text = ". {\n  hosts {\n    192.0.2.1 a\n    192.0.2.2 x\n    192.0.2.1 b # kept\n    fallthrough\n  }\n}\n"
    address = {"address": "192.0.2.1"}
    assert written({"hosts": [{**address, "state": "absent"}]}, text) == [
        "-     192.0.2.1 a",
        "-     192.0.2.1 b # kept",
        "+     # kept",
    ]
    assert written({"hosts": [{**address, "names": ["b"]}]}, text) == ["-     192.0.2.1 a"]
    assert written({"hosts": [{**address, "names": ["a"]}, {**address, "names": ["b"]}]}, text) == []
    assert written({"hosts": [{**address, "names": ["b"]}, {**address, "names": ["c"]}]}, text) == [
        "-     192.0.2.1 a",
        "+     192.0.2.1 c",
    ]


def test_a_plugin_goes_with_all_of_its_uses() -> None:
    text = KUBEADM.replace("    loop\n", "    log a.example\n    loop\n    log b.example\n")
    assert fulfil(parse(text), {"plugins": [{"name": "log", "state": "absent"}]}).text == KUBEADM


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (
            {"rewrites": [{"name": "a", "target": "b"}, {"name": "a.", "target": "c"}]},
            "plugin rewrite: name a. c is asked for beside name a b, and only one of them can be; expected one",
        ),
        (
            {"templates": [{"type": "A", "rcode": "NXDOMAIN"}, {"type": "A", "rcode": "REFUSED"}]},
            "plugin template: IN A { rcode REFUSED } is asked for beside IN A { rcode NXDOMAIN }",
        ),
        (
            {"plugins": [{"name": "acl", "lines": ["allow"]}, {"name": "acl", "lines": ["block"]}]},
            "plugin acl: { block } is asked for beside { allow }",
        ),
    ],
)
def test_a_wish_that_would_undo_another_is_refused(params: dict[str, object], message: str) -> None:
    with pytest.raises(CorefileError) as refused:
        fulfil(parse(KUBEADM), params)
    assert message in str(refused.value)


NAMES = st.sampled_from(["cache", "errors", "forward", "health", "log", "whoami"])
COMMENTS = st.sampled_from(["", "  # why\n", "\n", "\t# tab\n"])


# The lines of a plugin's block; the same one may stand several times.
OPTIONS = st.lists(st.tuples(COMMENTS, st.sampled_from(["option", "option word", "option other", "more"])), max_size=5)
# What is asked of an option that may stand several times: no line, or so many.
ASKED = st.one_of(st.none(), st.lists(st.sampled_from([("word",), ("other",), ()]), min_size=1, max_size=3))


def block_of(options: list[tuple[str, str]]) -> str:
    return "" if not options else " {\n" + "".join(f"{comment}    {words}\n" for comment, words in options) + "  }"


@given(st.lists(st.tuples(COMMENTS, NAMES, OPTIONS), max_size=6), NAMES, ASKED, st.sampled_from(["\n", "\r\n"]))
@settings(max_examples=300)
def test_edits_are_idempotent_and_lose_no_comment(
    lines: list[tuple[str, str, list[tuple[str, str]]]],
    name: str,
    asked: list[tuple[str, ...]] | None,
    newline: str,
) -> None:
    plugins = "".join(f"{comment}  {plugin}{block_of(options)}\n" for comment, plugin, options in lines)
    text = f". {{\n{plugins}}}\n".replace("\n", newline)
    options = tuple(("option", words) for words in asked) if asked else (("option", None),)
    wanted = Wanted(name, ("x",), options)
    once = put(parse(text), ".", wanted)
    assert put(once, ".", wanted).text == once.text
    assert parse(once.text) == once
    assert once.text.count("#") == text.count("#")
    found = find(once.servers[0], Wanted(name, ("x",)))
    assert found
    assert [one.words[1:] for one in found.options if one.name == "option"] == (asked or [])
    removed = remove(once, ".", wanted)
    # Those inside a plugin's block go with it.
    assert removed.text.count("#") >= sum("#" in comment for comment, _plugin, _options in lines)
    assert parse(removed.text) == removed
    assert remove(removed, ".", wanted).text == removed.text


ZONES = st.sampled_from(["a.example", "b.example:53", "tls://c.example", "10.0.0.0/8"])


@given(st.lists(st.tuples(COMMENTS, ZONES), unique_by=lambda one: one[1], max_size=4), ZONES, ZONES)
@settings(max_examples=150)
def test_edits_of_blocks_commute_with_parsing(blocks: list[tuple[str, str]], zone: str, before: str) -> None:
    text = "".join(f"{comment}{key} {{\n  whoami\n}}\n" for comment, key in blocks)
    once = put_block(parse(text), zone, (Wanted("errors"), Wanted("cache", ("30",))))
    assert parse(once.text) == once
    assert put_block(once, zone, (Wanted("errors"), Wanted("cache", ("30",)))).text == once.text
    if once.server(before):
        moved = move_block(once, zone, before)
        assert parse(moved.text) == moved
        assert move_block(moved, zone, before).text == moved.text
        assert sorted(moved.text.splitlines()) == sorted(once.text.splitlines())
    removed = remove_block(once, zone)
    assert parse(removed.text) == removed
    assert removed.server(zone) is None
    assert removed.text.count("#") == text.count("#")


def test_removal_takes_the_line_along() -> None:
    assert remove(parse(KUBEADM), ".", Wanted("loop")).text == KUBEADM.replace("    loop\n", "")


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"cache": {"ttl": 0}}, "Corefile:17: plugin cache: time to live '0'; expected at least 1 second"),
        (
            {"kubernetes": {"ttl": 3601}},
            "Corefile:10: plugin kubernetes: option ttl: '3601'; expected a whole number from 0",
        ),
        (
            {"upstreams": {"servers": ["a b"]}},
            "server 'a b'; expected an address, a name or the path of a resolv.conf",
        ),
        ({"upstreams": {"servers": ["grpc://192.0.2.1"]}}, "expected one of the transports dns, tls, https"),
        ({"upstreams": {"servers": [f"192.0.2.{n}" for n in range(16)]}}, "16 servers; expected at most 15"),
        ({"upstreams": {"max_concurrent": -1}}, "option max_concurrent: '-1'; expected a whole number of at least 0"),
        ({"zone": "a.example.com", "upstreams": {"policy": "random"}}, "no server block serves 'a.example.com'"),
        ({"zone": "a.example.com", "hosts": [{"address": "192.0.2.1", "names": ["a"]}]}, "no server block serves"),
        ({"plugins": [{"name": "a b"}]}, "plugin 'a b': it is no name; expected one word"),
        ({"plugins": [{"name": "cache", "lines": [], "options": {"keepttl": ""}}]}, "lines and options together"),
        (
            {"plugins": [{"name": "cache", "options": {"keepttl": True}}]},
            "expected a text, a list of words, a list of such lists, or null",
        ),
        ({"plugins": [{"name": "cache", "lines": ["servfail {", "}"]}]}, "plugin 'cache': a brace among its words"),
        ({"plugins": [{"name": "cache", "arguments": ["{"]}]}, "a brace among its words"),
        ({"rewrites": [{"name": "(", "target": "b", "match": "regex"}]}, "plugin rewrite: "),
        ({"acl": [{"action": "block", "networks": ["198.51.100.0/33"]}]}, "plugin acl: "),
        ({"dns64": {"prefix": "192.0.2.0/24"}}, "plugin dns64: "),
        ({"templates": [{"type": "A", "answers": ["{{ .Nothing"]}]}, "plugin template: "),
        ({"plugins": [{"name": "nothing"}]}, "Unknown directive 'nothing'"),
        ({"zones": [{"zone": "a,b", "plugins": []}]}, "zone 'a,b': it is no domain name"),
        ({"stub_domains": [{"domain": "a b", "servers": ["192.0.2.1"]}]}, "it is no domain name"),
        ({"zone": "example.org", "cache": {"ttl": 5}}, "no server block serves 'example.org'; there are .:53"),
    ],
)
def test_wrong_wishes_are_named(params: dict[str, object], message: str) -> None:
    with pytest.raises(CorefileError) as refused:
        require_valid(validate(fulfil(parse(KUBEADM), params).text))
    assert message in str(refused.value)
