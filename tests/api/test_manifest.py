# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module manifest against a real API server."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ObjectRef
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.removal import delete_all, stubs
from tests.support.modules import Module, state_matrix

MIRROR = Path(os.environ.get("NETOPS_MIRROR", str(Path(__file__).parents[2] / ".." / "shared" / "mirror")))


def namespace(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def config_map(place: str, name: str = "one", **entries: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": place}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": entries}


def crd(kind: str) -> dict[str, Any]:
    plural = f"{kind.lower()}s"
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.test.example.com"},
        "spec": {
            "group": "test.example.com",
            "scope": "Cluster",
            "names": {"kind": kind, "plural": plural},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
                }
            ],
        },
    }


@pytest.fixture
def manifest(api: str) -> Module:
    return Module("manifest", {"kubeconfig": api})


def test_state_matrix(manifest: Module, client: KubeClient) -> None:
    definitions = [config_map("matrix", key="value"), namespace("matrix")]
    first = state_matrix(manifest, definitions=definitions)
    assert {change["object"]: change["action"] for change in first["changes"]} == {
        "Namespace 'matrix'": "created",
        "ConfigMap 'matrix/one'": "created",
    }
    changed = manifest.succeeds(definitions=[config_map("matrix", key="other")], diff=True)
    assert "key: value" in changed["diff"][0]["before"]
    assert "key: other" in changed["diff"][0]["after"]
    absent: dict[str, Any] = {"definitions": [config_map("matrix")], "state": "absent"}
    assert manifest.succeeds(check=True, **absent)["changed"] is True
    assert client.get(ObjectRef("v1", "ConfigMap", "one", "matrix")) is not None
    assert manifest.succeeds(**absent)["changed"] is True
    assert client.get(ObjectRef("v1", "ConfigMap", "one", "matrix")) is None
    assert manifest.succeeds(**absent)["changed"] is False


def test_check_mode_knows_kinds_and_namespaces_of_the_same_call(manifest: Module) -> None:
    custom = {"apiVersion": "test.example.com/v1", "kind": "Gadget", "metadata": {"name": "one"}, "spec": {"a": 1}}
    first = state_matrix(manifest, definitions=[custom, crd("Gadget")])
    assert [change["action"] for change in first["changes"]] == ["created", "created"]


def test_an_unknown_kind_is_named(manifest: Module) -> None:
    lonely = {"apiVersion": "test.example.com/v1", "kind": "Nothing", "metadata": {"name": "one"}}
    for check in (True, False):
        message = manifest.fails(check=check, definitions=[lonely])
        assert "kind Nothing of test.example.com/v1" in message
        assert "CustomResourceDefinition" in message


def test_conflicts_name_the_other_manager_and_can_be_forced(manifest: Module, client: KubeClient) -> None:
    manifest.succeeds(definitions=[namespace("conflict"), config_map("conflict", key="ours")])
    path = "/api/v1/namespaces/conflict/configmaps/one"
    body = config_map("conflict", key="theirs")
    query = {"fieldManager": "somebody", "force": "true"}
    client.raw("PATCH", path, query=query, body=body, content_type="application/apply-patch+yaml")
    message = manifest.fails(definitions=[config_map("conflict", key="ours")])
    assert "ConfigMap 'conflict/one'" in message
    assert '"somebody"' in message
    assert "force_conflicts" in message
    assert manifest.succeeds(definitions=[config_map("conflict", key="ours")], force_conflicts=True)["changed"]


def test_what_we_did_not_make_is_kept(manifest: Module, client: KubeClient) -> None:
    client.raw("POST", "/api/v1/namespaces", body=namespace("foreign"))
    result = manifest.succeeds(definitions=[namespace("foreign")], state="absent")
    assert result["changed"] is False
    assert result["changes"] == [{"object": "Namespace 'foreign'", "action": "kept"}]


def test_secret_values_are_never_shown(manifest: Module) -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "one", "namespace": "default"},
        "stringData": {"password": "correct horse"},
    }
    for options in ({"check": True}, {"check": False}):
        result = manifest.succeeds(definitions=[secret], diff=True, **options)
        assert result["changed"]
        shown = str(result["diff"]) + str(result["changes"])
        assert "correct horse" not in shown
        assert "Y29ycmVjdCBob3JzZQ" not in shown
        assert "correct horse" not in str(result["invocation"])
        assert result["invocation"]["module_args"]["definitions"][0]["kind"] == "Secret"
    rotated = {**secret, "stringData": {"password": "correct mules"}}
    [change] = manifest.succeeds(definitions=[rotated], diff=True)["diff"]
    assert change["before"] != change["after"]
    assert "correct mules" not in str(manifest.fails(definitions=[rotated], src=["/nonexistent"]))


DATED = """
apiVersion: v1
kind: ConfigMap
metadata: {name: dated, namespace: default, annotations: {1: 2024-01-01}}
data: {day: 2024-01-01, moment: 2001-12-14t21:59:43.10-05:00}
"""


def test_a_date_without_quotes_is_text(manifest: Module, client: KubeClient) -> None:
    state_matrix(manifest, definitions=[DATED])
    live = client.get(ObjectRef("v1", "ConfigMap", "dated", "default"))
    assert live
    assert live["data"] == {"day": "2024-01-01", "moment": "2001-12-14t21:59:43.10-05:00"}
    assert live["metadata"]["annotations"] == {"1": "2024-01-01"}


def test_what_json_does_not_have_is_named(manifest: Module) -> None:
    for check in (True, False):
        message = manifest.fails(
            check=check, definitions=[DATED.replace("{day: 2024-01-01", "{day: !!binary aGVsbG8=")]
        )
        assert "ConfigMap 'default/dated': data.day is of type bytes" in message
        assert "in quotes" in message


def test_what_somebody_takes_over_meanwhile_is_kept(
    manifest: Module, client: KubeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest.succeeds(definitions=[config_map("default", "taken", key="value"), config_map("default", "busy", key="a")])
    delete = KubeClient.delete

    def late(self: KubeClient, ref: ObjectRef, **options: Any) -> bool:
        monkeypatch.undo()
        self.patch(taken, {"metadata": {"labels": {"app.kubernetes.io/managed-by": "somebody"}}})
        self.patch(busy, {"data": {"key": "b"}})
        return delete(self, ref, **options)

    taken, busy = (ObjectRef("v1", "ConfigMap", name, "default") for name in ("taken", "busy"))
    monkeypatch.setattr(KubeClient, "delete", late)
    changes = delete_all(client, stubs([taken]), check=False, timeout=30.0)
    assert [change.action for change in changes] == ["kept"]
    assert client.get(taken)
    monkeypatch.setattr(KubeClient, "delete", late)
    changes = delete_all(client, stubs([busy]), check=False, timeout=30.0)
    assert [change.action for change in changes] == ["deleted"]
    client.delete(taken, propagation="Background")


def test_killed_while_it_applies_the_next_run_completes(manifest: Module, client: KubeClient) -> None:
    definitions = [namespace("killed"), *(config_map("killed", f"number-{i}", key="value") for i in range(200))]
    process = subprocess.Popen(manifest.command(), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    assert process.stdin
    process.stdin.write(manifest.arguments(definitions=definitions).encode())
    process.stdin.close()
    deadline = time.monotonic() + 60
    while not 0 < len(list(client.list("v1", "ConfigMap", "killed"))) < 200:
        assert time.monotonic() < deadline, "never seen half-way"
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert len(list(client.list("v1", "ConfigMap", "killed"))) < 200
    assert manifest.succeeds(definitions=definitions)["changed"]
    assert len(list(client.list("v1", "ConfigMap", "killed"))) == 200
    assert manifest.succeeds(definitions=definitions)["changed"] is False


def test_objects_beyond_what_an_annotation_holds(manifest: Module) -> None:
    """Calico's CRDs: a client-side apply would not fit them into its annotation."""
    files = sorted(MIRROR.glob("calico/*/operator-crds.yaml"))
    assert files, f"no operator-crds.yaml below {MIRROR}; set NETOPS_MIRROR to a folder with the upstream manifests"
    assert manifest.succeeds(src=[str(files[-1])])["changed"]
    rerun = manifest.succeeds(src=[str(files[-1])])
    assert rerun["changed"] is False
    assert rerun["api_requests"] <= 5


def test_a_rerun_asks_once_for_many_objects(manifest: Module, client: KubeClient) -> None:
    definitions = [namespace("many"), *(config_map("many", f"number-{i}", key="value") for i in range(100))]
    manifest.succeeds(definitions=definitions)
    rerun = manifest.succeeds(definitions=definitions)
    assert rerun["changed"] is False
    assert rerun["api_requests"] <= 5
    # What somebody else changed in the meantime is still found.
    patch = {"data": {"key": "theirs"}}
    client.patch(ObjectRef("v1", "ConfigMap", "number-7", "many"), patch)
    repaired = manifest.succeeds(definitions=definitions, force_conflicts=True)
    assert [one["object"] for one in repaired["changes"] if one["action"] == "changed"] == ["ConfigMap 'many/number-7'"]


def test_an_owner_prunes_what_it_no_longer_names(manifest: Module, client: KubeClient) -> None:
    everything = [namespace("pruned"), config_map("pruned", "one", a="1"), config_map("pruned", "two", a="1")]
    options: dict[str, Any] = {"owner": "shop", "prune": True}
    manifest.succeeds(definitions=everything, **options)
    client.create(config_map("pruned", "foreign", a="1"))
    fewer: dict[str, Any] = {**options, "definitions": everything[:2]}
    for check in (True, False):
        result = manifest.succeeds(check=check, **fewer)
        assert {one["object"]: one["action"] for one in result["changes"]}["ConfigMap 'pruned/two'"] == "deleted"
        assert (client.get(ObjectRef("v1", "ConfigMap", "two", "pruned")) is None) is not check
    assert manifest.succeeds(**fewer)["changed"] is False
    assert client.get(ObjectRef("v1", "ConfigMap", "foreign", "pruned"))
    assert manifest.succeeds(state="absent", check=True, **options)["changed"] is True
    assert manifest.succeeds(state="absent", **options)["changed"] is True
    assert client.get(ObjectRef("v1", "Namespace", "pruned")) is None
    assert client.get(ObjectRef("v1", "ConfigMap", "netops-kubernetes-shop", "kube-system")) is None
    assert manifest.succeeds(state="absent", **options)["changed"] is False


def test_pruning_keeps_what_another_owner_has_taken_over(manifest: Module, client: KubeClient) -> None:
    mine = [namespace("taken"), config_map("taken", a="1")]
    manifest.succeeds(definitions=mine, owner="first", prune=True)
    manifest.succeeds(definitions=mine[1:], owner="second", prune=True)
    result = manifest.succeeds(definitions=mine[:1], owner="first", prune=True)
    assert {one["object"]: one["action"] for one in result["changes"]}["ConfigMap 'taken/one'"] == "kept"
    assert client.get(ObjectRef("v1", "ConfigMap", "one", "taken"))


def test_waiting_says_what_is_missing(manifest: Module) -> None:
    definitions = [crd("Waiter"), {"apiVersion": "test.example.com/v1", "kind": "Waiter", "metadata": {"name": "one"}}]
    conditions = [{"kind": "Waiter", "type": "Working"}]
    message = manifest.fails(definitions=definitions, wait=True, wait_timeout=1, conditions=conditions)
    assert "Waiter 'one': not ready after 1 s: condition Working is not there yet" in message


def test_a_finalizer_that_nobody_serves_is_named(manifest: Module, client: KubeClient) -> None:
    held = config_map("default", "held", a="1")
    held["metadata"]["finalizers"] = ["example.com/nobody"]
    manifest.succeeds(definitions=[held])
    message = manifest.fails(definitions=[held], state="absent", wait_timeout=1)
    assert "ConfigMap 'default/held': it is still being deleted" in message
    assert "example.com/nobody" in message
    client.patch(ObjectRef("v1", "ConfigMap", "held", "default"), {"metadata": {"finalizers": None}})


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"definitions": ["a: [1"]}, "definitions[1]: its YAML does not parse"),
        ({"definitions": ["- 1"]}, "a document is a list; expected a mapping"),
        ({"definitions": [{"kind": "ConfigMap"}]}, "apiVersion is None"),
        ({"definitions": [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}}]}, "metadata.name is None"),
        ({"definitions": [namespace("a"), namespace("a")]}, "Namespace 'a': it is given twice"),
        ({"src": ["/nonexistent"]}, "src '/nonexistent': it is neither a file nor a folder"),
        ({"definitions": [config_map("missing", a="b")]}, 'namespaces "missing" not found'),
        ({"definitions": [namespace("Bad_Name")]}, "Bad_Name"),
        ({}, "definitions and src name no object"),
        ({"prune": True}, "owner"),
        ({"prune": True, "owner": "No Name"}, "owner 'No Name': it is no name"),
        ({"prune": True, "owner": "a", "state": "absent", "definitions": [namespace("a")]}, "some are named"),
        ({"src": ["https://example.com/a.yml"]}, "src 'https://example.com/a.yml': it has no checksum"),
        ({"definitions": [namespace("a")], "context": "other"}, "kubeconfig"),
        ({"definitions": [namespace("a")], "kubeconfig": "/nonexistent"}, "kubeconfig '/nonexistent'"),
    ],
)
def test_bad_input_is_named(manifest: Module, options: dict[str, Any], expected: str) -> None:
    assert expected in manifest.fails(**options)


def test_an_api_service_that_nobody_serves_says_why(manifest: Module) -> None:
    spec = {
        "group": "nobody.example.com",
        "version": "v1",
        "groupPriorityMinimum": 100,
        "versionPriority": 100,
        "insecureSkipTLSVerify": True,
        "service": {"name": "nobody", "namespace": "default"},
    }
    metadata = {"name": "v1.nobody.example.com"}
    service = {"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": metadata, "spec": spec}
    message = manifest.fails(definitions=[service], wait=True, wait_timeout=2)
    assert "APIService 'v1.nobody.example.com': not ready after 2 s: condition Available is False" in message
    assert manifest.succeeds(definitions=[service], state="absent")["changed"] is True


def test_an_unreachable_server_is_named(manifest: Module) -> None:
    message = manifest.fails(definitions=[namespace("a")], host="https://127.0.0.1:9", validate_certs=False)
    assert "API server https://127.0.0.1:9" in message
    assert "Connection refused" in message


def test_wrong_credentials_are_named(manifest: Module) -> None:
    message = manifest.fails(definitions=[namespace("a")], api_key="wrong")
    assert "Unauthorized; expected known credentials" in message
