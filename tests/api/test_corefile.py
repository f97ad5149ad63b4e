# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module corefile against a real API server."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ObjectRef
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
