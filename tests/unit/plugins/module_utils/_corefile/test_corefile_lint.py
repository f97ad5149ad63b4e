# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What CoreDNS takes without a word and does otherwise than it reads."""

from __future__ import annotations

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.advice import advice
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.changes import OUTDATED
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.findings import NOTE, WARNING
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.lint import lint
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.tree import parse
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.validate import validate
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.versions import KNOWN
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.wishes import fulfil
from tests.support.corefiles import KUBEADM

BLOCK = ". {{\n  reload\n  {}\n}}\n"


def test_what_kubeadm_writes_is_as_it_reads() -> None:
    assert [finding.level for finding in lint(parse(KUBEADM))] == []


@pytest.mark.parametrize(
    ("text", "version", "said"),
    [
        (
            ". {\n  errors\n}\n",
            "1.14.7",
            "Corefile: plugin reload: no server block has plugin reload",
        ),
        (
            "a.example.com,b.example.com {\n  reload\n}\n",
            "1.14.7",
            "Corefile:1: key 'a.example.com,b.example.com' is one",
        ),
        (
            BLOCK.format("health\n  health :8081"),
            "1.14.7",
            "it stands on line 3 already, and this one counts",
        ),
        (
            BLOCK.format("reload 5s"),
            "1.14.7",
            "it stands on line 2 already, and that one counts",
        ),
        (
            BLOCK.format("forward . /etc/resolv.conf"),
            "1.14.7",
            "plugin forward: /etc/resolv.conf may lead back",
        ),
        (BLOCK.format("forward . 127.0.0.53:53"), "1.14.7", "127.0.0.53:53 may lead back to this server, and nothing"),
        (
            "a.example.com {\n reload\n forward b.example.com 192.0.2.1\n}\n",
            "1.14.7",
            "no question for b.example.com. comes",
        ),
        (
            BLOCK.format("forward . 192.0.2.1\n  forward . 192.0.2.2"),
            "1.14.7",
            "Corefile:4: plugin forward: line 3 forwards . already, and that one answers. Name all servers in one",
        ),
        (
            "tls://a {\n reload\n tls a.pem a.key\n}\ntls://b {\n tls b.pem b.key\n}\n",
            "1.14.7",
            "Corefile:6: plugin tls: the server block of line 3 has another certificate for the same port",
        ),
        (BLOCK.format("autopath @kubernetes\nkubernetes cluster.local"), "1.14.7", "expected pods verified. Set pods"),
        (BLOCK.format("kubernetes cluster.local in-addr.arpa"), "1.14.7", "Add fallthrough in-addr.arpa."),
        (BLOCK.format("cache\nautopath @kubernetes"), "1.14.6", "for pods of every namespace"),
        (BLOCK.format("proxy . 192.0.2.1"), "1.4.0", "plugin proxy: it goes with 1.5.0. Use plugin forward."),
        (BLOCK.format("etcd {\nstubzones\n}"), "1.14.7", "plugin etcd: option stubzones has no effect. Remove it."),
    ],
)
def test_a_trap_is_named(text: str, version: str, said: str) -> None:
    assert validate(text, version=version) == []
    (finding,) = [one for one in lint(parse(text), version=version) if one.level == WARNING]
    assert said in finding.text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (". {\n  reload \n}\n", "Corefile:2: a tab, or a blank at the end of the line"),
        (". {\n\treload\n}\n", "Corefile:2: a tab"),
        (
            BLOCK.format("cache 30\nkubernetes a {\nttl 5\n}"),
            "answers of the plugin kubernetes are kept 5 s",
        ),
    ],
)
def test_what_is_worth_knowing_is_a_note(text: str, said: str) -> None:
    (finding,) = lint(parse(text))
    assert finding.level == NOTE
    assert said in finding.text


@pytest.mark.parametrize(
    "text",
    [
        "import common.conf\n. {\n}\n",
        BLOCK.format("rewrite name a b\n  rewrite name c d"),
        BLOCK.format("loop\n  forward . /etc/resolv.conf"),
        BLOCK.format("forward a.example.com 192.0.2.1"),
        "tls://a {\n reload\n tls a.pem a.key\n}\ntls://b:8853 https://a {\n tls b.pem b.key\n}\n",
        BLOCK.format("kubernetes a in-addr.arpa {\nfallthrough\n}"),
        "in-addr.arpa cluster.local {\nreload\nkubernetes cluster.local in-addr.arpa\n}\n",
    ],
)
def test_what_is_well_is_left_alone(text: str) -> None:
    assert lint(parse(text)) == []


ADVICE = (
    ("loop", "    forward . 192.0.2.1", "1.2.1", "add-loop"),
    ("ready", "    kubernetes cluster.local", "1.5.0", "add-ready"),
    ("health", "    health", "1.6.5", "add-lameduck"),
    ("forward", "    forward . 192.0.2.1\n    loop", "1.7.0", "add-max-concurrent"),
    ("cache", "    cache 30\n    kubernetes cluster.local a.example\n    ready", "1.12.0", "add-cache-disable"),
)


@pytest.mark.parametrize(("plugin", "lines", "since", "identity"), ADVICE)
def test_what_newer_default_corefiles_have_is_advice(plugin: str, lines: str, since: str, identity: str) -> None:
    text = f". {{\n    reload\n{lines}\n}}\n"
    assert validate(text, version=since) == []
    (finding,) = advice(parse(text), version=since)
    assert (finding.level, finding.plugin, finding.id) == (NOTE, plugin, identity)
    assert finding.remedy
    earlier = KNOWN[KNOWN.index(since) - 1]
    assert [one for one in advice(parse(text), version=earlier) if one.id == identity] == []


def test_advice_is_such_that_coredns_takes_it() -> None:
    assert advice(parse(KUBEADM)) == []
    plugins = ("health", "kubernetes cluster.local", "forward . 192.0.2.1", "cache 30", "reload")
    bare = ".:53 {\n" + "".join(f"    {one}\n" for one in plugins) + "}\n"
    assert [one.id for one in advice(parse(bare))] == [
        *("add-lameduck", "add-ready", "add-loop", "add-max-concurrent", "add-cache-disable")
    ]
    wishes = [
        {"name": "loop"},
        {"name": "ready"},
        {"name": "health", "options": {"lameduck": "5s"}},
        {"name": "forward", "arguments": [".", "192.0.2.1"], "options": {"max_concurrent": "1000"}},
        {"name": "cache", "options": {"disable": [["success", "cluster.local"], ["denial", "cluster.local"]]}},
    ]
    followed = fulfil(parse(bare), {"plugins": wishes})
    assert validate(followed.text) == []
    assert advice(followed) == []
    # What a file of the pod may have is not asked for.
    assert advice(parse(bare.replace("    reload\n", "    import more\n"))) == []


def test_every_warning_has_a_name_of_its_own() -> None:
    text = "a.example,b.example {\n forward . /etc/resolv.conf\n forward . 192.0.2.1\n health\n health\n}\n"
    names = [one.id for one in lint(parse(text))]
    assert names == ["no-reload", "comma-in-key", "may-loop", "forwarded-twice", "used-twice"]
    assert all(one.id for one in lint(parse(text)))


COMMON = "(common) {\n  loop\n  reload\n}\n"


@pytest.mark.parametrize(
    "text",
    [
        f"{COMMON}. {{\n  import common\n  forward . /etc/resolv.conf\n}}\n",
        # Nobody knows what is in a file of the pod.
        ". {\n  import more.conf\n  forward . /etc/resolv.conf\n}\n",
        "(of) {\n  fallthrough\n}\n. {\n reload\n kubernetes a in-addr.arpa {\n  import of\n }\n}\n",
    ],
)
def test_what_is_imported_is_there(text: str) -> None:
    assert lint(parse(text)) == []


def test_what_is_imported_is_looked_at_once_where_it_stands() -> None:
    text = "(up) {\n  forward . /etc/resolv.conf\n}\na {\n  reload\n  import up\n}\nb {\n  import up\n}\n"
    (finding,) = lint(parse(text))
    assert finding.text.startswith("Corefile:2: plugin forward: /etc/resolv.conf may lead back")
    files = {"up.conf": "# top\nforward . 127.0.0.1\nforward . 192.0.2.1\n"}
    named = lint(
        parse(". {\n  reload\n  import up.conf\n}\n"),
        sources=lambda pattern, _importing: [(f"/etc/{pattern}", files[pattern])],
    )
    assert [(one.file, one.line) for one in named] == [("/etc/up.conf", 2), ("/etc/up.conf", 3)]
    assert "/etc/up.conf:2 forwards . already" in named[1].text
    gone = lint(parse(". {\n  import none\n}\n"), sources=lambda _pattern, _importing: None)
    assert gone == []


def test_everything_outdated_has_a_remedy() -> None:
    assert all(one.remedy and one.state for one in OUTDATED)
