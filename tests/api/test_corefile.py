# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module corefile against a real API server."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.storage import edit_config_map
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.tree import parse
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.wishes import fulfil
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import connect
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
    first = state_matrix(corefile, cache={"ttl": 300}, upstreams={"servers": ["192.0.2.53"]}, stub_domains=[STUB])
    assert "cache 300" in first["diff"]["after"]
    assert "errors   # kept" in live(client)
    assert live(client) == first["corefile"]
    corefile.succeeds(cache={"ttl": 60})
    assert corefile.succeeds(state="absent", check=True)["changed"] is True
    assert corefile.succeeds(state="absent")["changed"] is True
    assert live(client) == COREFILE
    assert corefile.succeeds(state="absent")["changed"] is False


def both(element: dict[str, Any]) -> tuple[Any, Any]:
    return [element], [{**element, "state": "absent"}]


# Each element, and what takes it out again.
WAYS_BACK: dict[str, tuple[Any, Any]] = {
    "stub_domains": ([STUB], [{"domain": STUB["domain"], "state": "absent"}]),
    "log": (True, False),
    "autopath": (True, False),
    "rewrites": both({"name": "a.example", "target": "b.example"}),
    "templates": both({"type": "A", "rcode": "NXDOMAIN"}),
    "acl": ([{"action": "allow"}], []),
    "dns64": ({"prefix": "64:ff9b::/96"}, {"state": "absent"}),
    "plugins": both({"name": "whoami"}),
    "zones": both({"zone": "a.example:53", "plugins": [{"name": "whoami"}]}),
}


def test_each_element_has_a_way_back(corefile: Module, client: KubeClient) -> None:
    there = corefile.succeeds(**{name: there for name, (there, _gone) in WAYS_BACK.items()})
    assert there["forwarded"] == ["corp.example.com"]
    gone = {name: gone for name, (_there, gone) in WAYS_BACK.items()}
    corefile.succeeds(**gone, kubernetes={"pods": "insecure"})
    assert live(client) == COREFILE.replace("ttl 30\n", "ttl 30\n        pods insecure\n")
    assert corefile.succeeds(**gone)["changed"] is False
    # What only goes whole.
    corefile.succeeds(upstreams={"state": "absent"}, cache={"state": "absent"}, errors=False)
    assert [one.name for one in parse(live(client)).servers[0].directives] == ["kubernetes", "reload"]


def test_an_entry_without_its_words_is_refused(corefile: Module) -> None:
    assert "missing: servers" in corefile.fails(stub_domains=[{"domain": "a.example"}])
    assert "missing: names" in corefile.fails(hosts=[{"address": "192.0.2.1"}])


def fulfilled(wanted: dict[str, Any], text: str) -> str:
    return fulfil(parse(text), wanted).text


def test_two_editors_at_once_lose_nothing_in_fifty_rounds(api: str, corefile: Module, client: KubeClient) -> None:
    # Both in this process and in step, or starting Python would keep them apart.
    start = threading.Barrier(2)

    def edit(zone: str, numbers: range) -> None:
        own = connect({"kubeconfig": api})
        for number in numbers:
            wanted = {"zones": [{"zone": f"{zone}{number}.example.com", "plugins": [{"name": "whoami"}]}]}
            start.wait(timeout=100)
            edit_config_map(own, REF, partial(fulfilled, wanted), check=False)

    threads = [threading.Thread(target=edit, args=(name, range(50))) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    served = {name for block in parse(live(client)).servers for name in block.names}
    assert served == {".:53", *(f"{name}{number}.example.com" for name in ("one", "two") for number in range(50))}
    assert corefile.succeeds(state="absent")["corefile"] == COREFILE


def test_two_plays_at_once_lose_nothing(corefile: Module, client: KubeClient) -> None:
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
    assert "ConfigMap 'kube-system/other': it is not there" in corefile.fails(name="other", cache={"ttl": 5})


def test_a_file_is_edited_and_keeps_its_mode(corefile: Module, tmp_path: Path) -> None:
    file = tmp_path / "Corefile"
    file.write_bytes(COREFILE.replace("\n", "\r\n").encode())
    file.chmod(0o640)
    state_matrix(corefile, path=str(file), cache={"ttl": 300})
    assert file.read_bytes().decode() == COREFILE.replace("\n", "\r\n").replace("cache 30", "cache 300")
    assert file.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [file]
    assert corefile.succeeds(path=str(file), state="absent")["changed"] is False


def test_a_file_keeps_its_first_text_beside_it(corefile: Module, tmp_path: Path) -> None:
    file = tmp_path / "Corefile"
    file.write_text(COREFILE)
    corefile.succeeds(path=str(file), backup=True, cache={"ttl": 300})
    corefile.succeeds(path=str(file), backup=True, cache={"ttl": 301})
    assert corefile.succeeds(path=str(file), state="absent", check=True)["changed"] is True
    assert corefile.succeeds(path=str(file), state="absent")["corefile"] == COREFILE
    assert file.read_text() == COREFILE
    assert list(tmp_path.iterdir()) == [file]
    assert corefile.succeeds(path=str(file), state="absent")["changed"] is False


def test_killed_anywhere_a_file_is_old_or_new_and_the_next_run_ends_the_work(corefile: Module, tmp_path: Path) -> None:
    wishes: dict[str, Any] = {"backup": True, "cache": {"ttl": 300}}

    def fresh(name: str) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "Corefile").write_text(COREFILE)
        return folder / "Corefile"

    acts = corefile.acts(path=str(fresh("counted")), **wishes)
    new = (tmp_path / "counted" / "Corefile").read_text()
    assert acts > 3
    for step in range(1, acts + 1):
        file = fresh(str(step))
        corefile.dies_at(step, path=str(file), **wishes)
        assert file.read_text() in (COREFILE, new)
        corefile.succeeds(path=str(file), **wishes)
        assert file.read_text() == new
        corefile.succeeds(path=str(file), state="absent")
        assert file.read_text() == COREFILE


def test_imported_files_are_looked_at(corefile: Module, tmp_path: Path) -> None:
    file = tmp_path / "Corefile"
    file.write_text(". {\n    import *.conf\n    reload\n}\n")
    (tmp_path / "a.conf").write_text("whoami\ncache x 0\nhealth 8080\n")
    message = corefile.fails(path=str(file), errors=True)
    assert f"{tmp_path}/a.conf:3: plugin health: '8080'; expected host:port, or :port" in message
    (tmp_path / "a.conf").write_text("whoami\n")
    assert corefile.succeeds(path=str(file), errors=True)["changed"] is True


def test_what_the_running_version_refuses_is_not_written(corefile: Module, client: KubeClient) -> None:
    wish: dict[str, Any] = {"plugins": [{"name": "cache", "options": {"serve_stale": "1h verify"}}]}
    labels = {"app": "coredns"}
    container = {"name": "coredns", "image": "registry.example.com/coredns/coredns:v1.8.6-custom.1"}
    volume = {"name": "config", "configMap": {"name": "coredns"}}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container], "volumes": [volume]}}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "coredns", "namespace": "kube-system"},
        "spec": {"selector": {"matchLabels": labels}, "template": template},
    }
    client.create(deployment)
    try:
        message = corefile.fails(**wish)
        assert "plugin cache: option serve_stale: 2 arguments; expected at most 1 before CoreDNS 1.9.2" in message
        assert live(client) == COREFILE
        assert corefile.succeeds(cache={"ttl": 31})["version"] == "1.8.6"
        assert corefile.succeeds(version="1.14.2", **wish)["version"] == "1.14.2"
    finally:
        client.delete(ObjectRef("apps/v1", "Deployment", "coredns", "kube-system"), propagation="Background")


def test_a_migration_that_loses_something_wants_consent(corefile: Module, client: KubeClient) -> None:
    wish: dict[str, Any] = {"migrate_from": "1.14.7", "version": "1.4.0", "plugins": [{"name": "errors"}]}
    content = COREFILE.replace("    reload\n", "    ready\n    reload\n")
    message = corefile.fails(content=content, **wish)
    assert "CoreDNS 1.4.0 cannot do what it says: line 8, plugin ready: take out plugin ready" in message
    assert "Set accept_loss if you can do without them" in message
    result = corefile.succeeds(content=content, accept_loss=True, cache={"ttl": 31}, **wish)
    assert [step["what"] for step in result["migration"]] == ["take out plugin ready"]
    assert "cache 31" in live(client)
    manual = corefile.fails(content=". {\n    federation a\n}\n", migrate_from="1.6.0", version="1.14.7")
    assert "line 2, plugin federation: decide by hand" in manual
    assert "Change these by hand" in manual


def test_another_key_is_edited(corefile: Module, client: KubeClient) -> None:
    assert "there is no key 'Corefile.base', there are: Corefile" in corefile.fails(
        key="Corefile.base", cache={"ttl": 5}
    )
    body = {"data": {"Corefile.base": COREFILE}}
    client.patch(REF, body)
    assert "cache 31" in corefile.succeeds(key="Corefile.base", cache={"ttl": 31})["corefile"]
    assert live(client) == COREFILE
    corefile.succeeds(cache={"ttl": 32})
    assert corefile.succeeds(key="Corefile.base", state="absent")["corefile"] == COREFILE
    assert "cache 32" in live(client)


def test_what_it_says_is_told(corefile: Module, tmp_path: Path) -> None:
    facts = Module("corefile_info", corefile.options)
    found = facts.succeeds(target_version="1.4.0")
    assert found["changed"] is False
    assert found["valid"] is True
    (block,) = found["server_blocks"]
    assert block["zones"] == [".:53"]
    assert [plugin["name"] for plugin in block["plugins"]][:2] == ["errors", "kubernetes"]
    assert block["plugins"][1]["options"] == [["ttl", "30"]]
    assert [finding["id"] for finding in found["findings"]] == [
        *("no-fallthrough", "may-loop", "add-ready", "add-loop", "add-max-concurrent", "add-cache-disable"),
        "version-unknown",
    ]
    assert "nothing would notice" in found["findings"][1]["text"]
    assert found["migration"]["lossless"] is True
    file = tmp_path / "Corefile"
    file.write_text(". {\n    cache 0\n")
    file.write_text("a.example.com {\n    whoami\n}\n. {\n    cache 0\n")
    assert [one["zones"] for one in facts.succeeds(path=str(file))["server_blocks"]] == [["a.example.com"]]
    file.write_text(". {\n    cache 0\n")
    broken = facts.succeeds(path=str(file))
    assert (broken["valid"], broken["server_blocks"], broken["migration"]) == (False, [], None)
    assert "Syntax error" in broken["findings"][0]["text"]
    assert "is not there" in facts.fails(path=str(tmp_path / "none"))
    assert "it is no version" in facts.fails(version="newest")
    assert facts.succeeds(target_kubernetes_version="v1.36.3")["migration"]["to"] == "1.14.2"
    assert "expected 1.9 to 1.36" in facts.fails(target_kubernetes_version="1.8")


def test_a_missing_reload_is_said(corefile: Module) -> None:
    result = corefile.succeeds(content=COREFILE.replace("    reload\n", ""))
    assert any("no server block has plugin reload" in str(warning) for warning in result["warnings"])
