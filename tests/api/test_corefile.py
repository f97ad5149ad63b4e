# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module corefile against a real API server, and the parser against the real CoreDNS."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.tree import CorefileError, parse
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ObjectRef
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.modules import Module, state_matrix

if TYPE_CHECKING:
    from pathlib import Path

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient

COREFILE = """\
.:53 {
    errors   # kept
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        ttl 30
    }
    forward . /etc/resolv.conf
    cache 30
    reload
}
"""
REF = ObjectRef("v1", "ConfigMap", "coredns", "kube-system")
STUB = {"domain": "corp.example.com", "servers": ["198.51.100.53"]}


@pytest.fixture
def corefile(api: str, client: KubeClient) -> Module:
    metadata = {"name": REF.name, "namespace": REF.namespace}
    client.delete(REF, propagation="Background")
    body: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata,
        "data": {"Corefile": COREFILE},
    }
    client.raw("POST", "/api/v1/namespaces/kube-system/configmaps", body=body)
    return Module("corefile", {"kubeconfig": api})


def live(client: KubeClient) -> str:
    found = client.get(REF)
    assert found is not None
    return str(found["data"]["Corefile"])


def test_state_matrix(corefile: Module, client: KubeClient) -> None:
    first = state_matrix(corefile, cache_ttl=300, upstreams={"servers": ["192.0.2.53"]}, stub_domains=[STUB])
    assert "cache 300" in first["diff"]["after"]
    assert "errors   # kept" in live(client)
    assert live(client) == first["corefile"]
    corefile.succeeds(cache_ttl=60)
    assert corefile.succeeds(state="absent", check=True)["changed"] is True
    assert corefile.succeeds(state="absent")["changed"] is True
    assert live(client) == COREFILE
    assert corefile.succeeds(state="absent")["changed"] is False


def test_two_editors_at_once_lose_nothing(corefile: Module, client: KubeClient) -> None:
    domains = [f"site{number}.example.com" for number in range(6)]
    threads = [
        threading.Thread(
            target=corefile.succeeds, kwargs={"stub_domains": [{"domain": domain, "servers": ["192.0.2.1"]}]}
        )
        for domain in domains
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [domain for domain in domains if f"{domain}:53 {{" in live(client)] == domains


def test_what_does_not_parse_is_not_written(corefile: Module, client: KubeClient) -> None:
    message = corefile.fails(content=". {\n    nothing\n}\n")
    assert "ConfigMap 'kube-system/coredns':2: Error during parsing: Unknown directive 'nothing'" in message
    assert live(client) == COREFILE


def test_a_missing_config_map_is_named(corefile: Module) -> None:
    assert "ConfigMap 'kube-system/other': it is not there" in corefile.fails(name="other", cache_ttl=5)


def test_a_file_is_edited_and_keeps_its_mode(corefile: Module, tmp_path: Path) -> None:
    file = tmp_path / "Corefile"
    file.write_bytes(COREFILE.replace("\n", "\r\n").encode())
    file.chmod(0o640)
    state_matrix(corefile, path=str(file), cache_ttl=300)
    assert file.read_bytes().decode() == COREFILE.replace("\n", "\r\n").replace("cache 30", "cache 300")
    assert file.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [file]
    assert "state=absent with a path" in corefile.fails(path=str(file), state="absent")


def test_a_missing_reload_is_said(corefile: Module) -> None:
    result = corefile.succeeds(content=COREFILE.replace("    reload\n", ""))
    assert any("no plugin reload" in str(warning) for warning in result["warnings"])


def accepts(programs: Path, text: str, folder: Path) -> tuple[bool, str]:
    """Whether the real CoreDNS takes a Corefile, and what it says.

    A text that parses makes it start servers, on a port of the text's own choice, and run until it is ended.
    """
    file = folder / "Corefile"
    file.write_bytes(text.encode())
    process = subprocess.Popen(
        [str(programs / "coredns"), "-conf", str(file), "-dns.port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={"PATH": os.environ["PATH"]},
    )
    assert process.stdout
    said = ""
    # It prints its version when everything has started, and ends after an error.
    for line in process.stdout:
        said += line
        if line.startswith("CoreDNS-"):
            process.send_signal(signal.SIGKILL)
            break
    process.stdout.close()
    return process.wait() == -signal.SIGKILL, said


SYNTAX = ("Error during parsing", "Syntax error", "already defined", "Unexpected")


@pytest.mark.parametrize(
    "text",
    [
        ".:0 {\n  whoami\n}\n",
        ".:0\nwhoami\n",
        '".:0" {\n  whoami # "{\n}\n',
        ".:0, a.example.com:0 {\n whoami\n}\n",
        "(s) {\n whoami\n}\n.:0 {\n import s\n}\n",
        ".:0 {\r\n whoami\r\n}\r\n",
        "\ufeff.:0 {\n whoami\n}\n",
        ".:0 { }\n",
        ".:0 { whoami }\n",
        ".:0 {\n nothing\n}\n",
        ".:0 {\n whoami\n",
        ".:0 {\n hosts {\n",
        "a:0, {\n}\n",
        ".:0 {\n import\n}\n",
        "(s) {\n}\n(s) {\n}\n.:0 {\n whoami\n}\n",
        ".:0 {\n whoami\n}\n}\n",
        "",
        "# nothing\n",
    ],
)
def test_coredns_agrees(programs: Path, tmp_path: Path, text: str) -> None:
    agree(programs, tmp_path, text)


WORDS = st.sampled_from(
    [".:0", "a.example.com:0", "{", "}", "\n", "\n", "whoami", "errors", "cache", "30", "#x", '"', ","]
)


@given(st.lists(WORDS, max_size=14).map(" ".join))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_coredns_agrees_about_random_texts(programs: Path, tmp_path: Path, text: str) -> None:
    agree(programs, tmp_path, text)


def refusal_of(text: str) -> str:
    """Why our parser refuses a text; empty when it takes it."""
    try:
        parse(text)
    except CorefileError as refusal:
        return str(refusal)
    return ""


def agree(programs: Path, folder: Path, text: str) -> None:
    taken, said = accepts(programs, text, folder)
    refusal = refusal_of(text)
    # A plugin's own complaint about its arguments is not the grammar's.
    by_plugin = "plugin/" in said
    if not refusal:
        assert taken or by_plugin or not any(word in said for word in SYNTAX), said
        return
    assert not taken, f"CoreDNS takes what we refuse with: {refusal}"
    ours = re.search(r":(\d+): ", refusal)
    theirs = re.search(r"Corefile:(\d+) - ", said)
    if ours and theirs and not by_plugin:
        assert ours[1] == theirs[1], (refusal, said)
