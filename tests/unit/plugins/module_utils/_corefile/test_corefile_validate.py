# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused, in which words, and for which version."""

from __future__ import annotations

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.findings import NOTE, REFUSED
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.plugins import (
    GONE,
    SINCE,
    order_of,
    plugins_of,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.rules import RULES
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.tree import CorefileError
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.validate import require_valid, validate
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.values import reverse_zones, seconds
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.versions import (
    KNOWN,
    NEWEST,
    OF_KUBERNETES,
    VersionError,
    version_of,
    version_of_image,
    version_with_kubernetes,
)
from tests.support.corefiles import KUBEADM, NODE_CACHE
from tests.support.refused import refused


@pytest.mark.parametrize(("text", "said"), refused())
def test_a_bad_plugin_is_named_with_line_and_remedy(text: str, said: str) -> None:
    assert validate(text)[0].text == said


@pytest.mark.parametrize("text", [KUBEADM, NODE_CACHE])
def test_what_people_run_is_taken(text: str) -> None:
    assert validate(text, version="1.14.2") == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            ". {\n  nothing\n}\n",
            "Corefile:2: Error during parsing: Unknown directive 'nothing'. Declare it in external",
        ),
        (". {\n  forwrad . 192.0.2.1\n}\n", "Unknown directive 'forwrad'. Did you mean forward?"),
        ("a..b {\n}\n", "Corefile:1: key 'a..b': the zone 'a..b' is no domain name."),
        ("a: {\n}\n", "Corefile:1: key 'a:': nothing follows the last colon of 'a:'."),
        (
            ".:53 {\n}\n. {\n}\n",
            "Corefile:3: cannot serve . - it is already defined at Corefile:1; expected one server block for a zone,",
        ),
        ("https3://. {\n}\n", "Corefile:1: https3://. has no certificate; expected plugin tls in its server block."),
        ("(s) {\n  import s\n}\n", "Corefile:3: Error during parsing: maximum snippet import depth (10000) exceeded."),
        (
            ". {\n  import a b\n}\n",
            "Corefile:2: Error during parsing: Import takes only one argument",
        ),
        (". {\n  import [ab]\n}\n", "may only contain one wildcard (*), but has others: [ab]"),
        (". {\n  hosts {\n    a {\n    }\n  }\n}\n", "Corefile:5: plugin hosts: it is used twice in a server block"),
        (". {\n  cache {\n    prefech 10\n  }\n}\n", "option 'prefech' is unknown; expected one of denial, disable,"),
    ],
)
def test_a_bad_structure_is_named(text: str, said: str) -> None:
    assert said in validate(text)[0].text


@pytest.mark.parametrize(
    ("lines", "remedy"),
    [
        ("bufsize 100", "The nearest one is 512."),
        ("bufsize 5000", "The nearest one is 4096."),
        ("multisocket 0", "The nearest one is 1."),
        ("quic {\nmax_streams 0\n}", "The nearest one is 1."),
        ("hosts {\nreload 5\n}", "Add a unit, as in 5s."),
        ("health {\nlameduck 10\n}", "Add a unit, as in 10s."),
        ("cancel 5", "Add a unit, as in 5s."),
        ("cancel 0", ""),
        ("ready 8181", "Put a colon before it, as in :8181."),
        ("loop now", "Take it out."),
        ("ready a b", "Take out b."),
        ("reload 1s 2s 3s 4s", "Take out 3s 4s."),
        ("metadata a {\nb\n}", ""),
        ("root", ""),
        ("ready\nready", "Merge the two."),
        ("acl {\nallow net 192.0.2.1/33\n}", ""),
        ("proxyproto {\nallow 192.0.2.1\n}", "Write 192.0.2.1/32."),
        ("proxyproto {\nallow 2001:db8::1\n}", "Write 2001:db8::1/128."),
        ("kubernetes a {\npods verifed\n}", "Did you mean verified?"),
        ("cache {\nprefech 10\n}", "Did you mean prefetch?"),
        ("forwrad . 192.0.2.1", "Did you mean forward?"),
        ("ours", "Declare it in external_plugins if your CoreDNS has it."),
        ("proxy . 192.0.2.1", "CoreDNS has it before 1.5.0 only; migrate."),
    ],
)
def test_a_common_slip_has_a_remedy(lines: str, remedy: str) -> None:
    first = validate(f". {{\n{lines}\n}}\n")[0]
    assert first.text.endswith(f" {remedy}" if remedy else f"{first.expected}.")


def test_a_plugin_of_later_versions_is_named_with_the_first() -> None:
    assert validate(". {\nsiit\n}\n", version="1.14.7")[0].text.endswith("CoreDNS has it from 1.15.0 on.")


@pytest.mark.parametrize(
    ("lines", "old", "said", "new"),
    [
        (
            "forward . 192.0.2.1 {\nmax_concurrent 5\n}",
            "1.6.7",
            "exist in CoreDNS 1.6.7; expected CoreDNS 1.6.8",
            "1.6.8",
        ),
        ("forward . 192.0.2.1\nforward a.example.com 192.0.2.2", "1.9.3", "it is used twice", "1.9.4"),
        ("forward . dns.example.com", "1.14.3", "an address or the path of a resolv.conf", "1.14.4"),
        ("cache {\nservfail 5s\n}", "1.9.3", "option 'servfail' does not exist in CoreDNS 1.9.3", "1.9.4"),
        ("errors {\nconsolidate 5m a info\n}", "1.8.4", "at most 2 before CoreDNS 1.8.5", "1.8.5"),
        ("multisocket 1025", "1.13.2", "a whole number from 1 to 1024", "1.13.1"),
        ("kubernetes cluster.local {\nupstream\n}", "1.7.0", "gone since CoreDNS 1.7.0", "1.6.9"),
        ("secondary a.example.com", "1.12.2", "transfer from", "1.12.1"),
        ("view a", "1.9.4", "Unknown directive 'view'", "1.10.0"),
        ("reload 10s 0s", "1.14.1", "a duration of at least 1s", "1.14.2"),
    ],
)
def test_versions_differ(lines: str, old: str, said: str, new: str) -> None:
    text = f". {{\n{lines}\n}}\n"
    assert said in validate(text, version=old)[0].text
    assert validate(text, version=new) == []


def test_an_external_plugin_is_allowed_by_its_name() -> None:
    text = ". {\n  fanout . 192.0.2.1\n  cache 0\n}\n"
    assert "Unknown directive 'fanout'" in validate(text)[0].text
    assert [finding.plugin for finding in validate(text, external_plugins=["fanout"])] == ["cache"]


def test_words_out_of_the_environment_may_be_anything_until_they_are_known() -> None:
    text = "{$ZONE} {\n  cache {$TTL}\n  forward . {%DNS%}\n  reload {$EVERY}\n}\n"
    assert validate(text) == []
    known = {"ZONE": "example.com", "TTL": "0", "DNS": "192.0.2.1", "EVERY": "1s"}
    assert [finding.plugin for finding in validate(text, environment=known)] == ["reload", "cache"]
    assert validate(text, environment=known | {"TTL": "5", "EVERY": "5s"}) == []


def test_words_of_node_local_dns_are_kept_open() -> None:
    text = "__PILLAR__DNS__DOMAIN__:53 {\n  bind __PILLAR__LOCAL__DNS__\n  forward . __PILLAR__CLUSTER__DNS__\n}\n"
    assert validate(text) == []


def test_imports_are_followed_where_files_can_be_read() -> None:
    files = {"a.conf": ". {\n  import b.conf\n}\n", "b.conf": "whoami\ncache 0\n"}
    findings = validate("import a.conf\n", sources=lambda pattern, _from: [(pattern, files[pattern])])
    assert [(finding.file, finding.line) for finding in findings] == [("b.conf", 2)]
    (note,) = validate("import a.conf\n")
    assert (note.level, note.line) == (NOTE, 1)
    assert "File to import not found: a.conf" in validate("import a.conf\n", sources=lambda _pattern, _from: [])[0].text
    assert validate("import *.conf\n", sources=lambda _pattern, _from: []) == []


def test_every_plugin_is_looked_at_and_the_first_refusal_is_coredns_own() -> None:
    text = ". {\n  whoami x\n  cache 0\n  errors x\n}\n"
    findings = validate(text)
    assert [(finding.plugin, finding.line) for finding in findings] == [("errors", 4), ("cache", 3), ("whoami", 2)]
    with pytest.raises(CorefileError) as stopped:
        require_valid(findings)
    assert str(stopped.value) == "Corefile:4: plugin errors: 'x' (2 more); expected stdout."


def test_a_view_may_share_a_zone() -> None:
    text = ". {\n  view a {\n    expr true\n  }\n}\n. {\n}\n"
    assert validate(text) == []
    assert validate(text.replace("expr", "wrong"))[0].level == REFUSED


def test_the_tables_agree_with_each_other() -> None:
    known = plugins_of(version_of(NEWEST))
    assert known == set(RULES)
    assert not set(GONE) & known
    for version in KNOWN:
        number = version_of(version)
        assert plugins_of(number) <= set(order_of(number))
    for name, rule in RULES.items():
        for option in (rule.options or {}).values():
            for since in (option.since, option.gone):
                assert not since or since in KNOWN
            assert not option.since or version_of(option.since) > version_of(SINCE.get(name, "1.0.0")) or name == "tls"
    assert {*SINCE.values(), *GONE.values(), *OF_KUBERNETES.values()} <= set(KNOWN)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("1.11.3", (1, 11, 3)), ("v1.14.2", (1, 14, 2)), ("v1.6.2-100", (1, 6, 2)), ("v1.11.1-eksbuild.4", (1, 11, 1))],
)
def test_versions_are_read(text: str, numbers: tuple[int, int, int]) -> None:
    assert version_of(text) == numbers


@pytest.mark.parametrize(
    ("text", "said"),
    [("latest", "'latest': it is no version"), ("1.11", "three numbers such as"), ("0.9.9", "it is older than 1.0.0")],
)
def test_what_is_no_version_is_named(text: str, said: str) -> None:
    with pytest.raises(VersionError) as wrong:
        version_of(text)
    assert said in str(wrong.value)


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("registry.k8s.io/coredns/coredns:v1.14.2", "1.14.2"),
        ("registry.example.com:5000/coredns:1.11.3@sha256:00", "1.11.3"),
        ("coredns@sha256:00", None),
        ("registry.example.com:5000/coredns", None),
        ("coredns:latest", None),
    ],
)
def test_an_image_tells_its_version(image: str, version: str | None) -> None:
    assert version_of_image(image) == version


def test_kubernetes_names_its_coredns() -> None:
    assert version_with_kubernetes("v1.36.3") == "1.14.2"
    with pytest.raises(VersionError) as wrong:
        version_with_kubernetes("1.8")
    assert "expected 1.9 to 1.36" in str(wrong.value)


@pytest.mark.parametrize(
    ("word", "length"),
    [
        ("5s", 5),
        ("1m30s", 90),
        ("1.5h", 5400),
        ("-5s", -5),
        ("0", 0),
        ("5", None),
        ("s", None),
        ("", None),
        ("9e9h", None),
    ],
)
def test_durations(word: str, length: float | None) -> None:
    assert seconds(word) == length


@pytest.mark.parametrize(
    ("network", "zones"),
    [
        ("10.0.0.0/16", ("0.10.in-addr.arpa.",)),
        ("192.168.1.1/23", ("0.168.192.in-addr.arpa.", "1.168.192.in-addr.arpa.")),
        ("2001:db8::/31", ("8.b.d.0.1.0.0.2.ip6.arpa.", "9.b.d.0.1.0.0.2.ip6.arpa.")),
    ],
)
def test_reverse_zones(network: str, zones: tuple[str, ...]) -> None:
    assert reverse_zones(network) == zones
