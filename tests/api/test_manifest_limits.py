# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module manifest where a real API server refuses, has no time, or does not know a kind yet."""

from __future__ import annotations

import json
import signal
import subprocess
import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeError, connect
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ObjectRef
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.together import each
from tests.api.test_manifest import config_map, crd, namespace
from tests.support.modules import Module, state_matrix

if TYPE_CHECKING:
    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient

Account = tuple[Module, str]


@pytest.fixture
def manifest(api: str) -> Module:
    return Module("manifest", {"kubeconfig": api})


# ---- what may not be done, and a server that is too busy ---------------------------------------------------------


@pytest.fixture
def restricted(api: str, client: KubeClient) -> Account:
    """The module as a service account without any permission, and its account's name."""
    name = f"account-{uuid.uuid4().hex[:8]}"
    client.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": "default"}})
    path = f"/api/v1/namespaces/default/serviceaccounts/{name}/token"
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    token = client.raw("POST", path, body=body)["status"]["token"]
    return Module("manifest", {"kubeconfig": api, "api_key": token}), name


def grant(client: KubeClient, account: str, *verbs: str) -> None:
    rbac = "rbac.authorization.k8s.io"
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": list(verbs)}]
    subject = {"kind": "ServiceAccount", "name": account, "namespace": "default"}
    role = {"apiVersion": f"{rbac}/v1", "kind": "ClusterRole", "metadata": {"name": account}, "rules": rules}
    binding = {
        "apiVersion": f"{rbac}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": account},
        "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": account},
        "subjects": [subject],
    }
    for obj in (role, binding):
        client.apply(obj)


def until(client: KubeClient, account: str, verb: str) -> None:
    """Wait until the server's own view of the permissions has caught up."""
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": f"system:serviceaccount:default:{account}",
            "resourceAttributes": {"verb": verb, "resource": "configmaps", "namespace": "default"},
        },
    }
    deadline = time.monotonic() + 60
    while not client.raw("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", body=review)["status"][
        "allowed"
    ]:
        assert time.monotonic() < deadline, f"{account} never gets the verb {verb}"
        time.sleep(0.1)


def test_a_missing_permission_is_named(restricted: Account, client: KubeClient) -> None:
    module, account = restricted
    wanted = config_map("default", "forbidden", a="1")
    for check in (True, False):
        message = module.fails(check=check, definitions=[wanted])
        assert f"system:serviceaccount:default:{account}" in message
        assert 'cannot get resource "configmaps"' in message
        assert "expected permission. Grant it" in message
    grant(client, account, "get")
    until(client, account, "get")
    message = module.fails(definitions=[wanted])
    assert message.startswith("ConfigMap 'default/forbidden': ")
    assert 'cannot patch resource "configmaps"' in message


def test_without_the_verb_list_objects_are_read_one_by_one(restricted: Account, client: KubeClient) -> None:
    module, account = restricted
    grant(client, account, "get", "create", "patch", "delete")
    until(client, account, "patch")
    wanted = [config_map("default", f"unlisted-{number}", a="1") for number in range(10)]
    first = state_matrix(module, definitions=wanted)
    assert [change["action"] for change in first["changes"]] == ["created"] * 10
    assert module.succeeds(definitions=wanted, state="absent")["changed"] is True
    assert module.succeeds(definitions=wanted, state="absent")["changed"] is False


def throttle(client: KubeClient, account: str, shares: int) -> None:
    """API Priority and Fairness: a level without shares refuses with 429 what the account asks side by side."""
    flow = "flowcontrol.apiserver.k8s.io/v1"
    limited = {"nominalConcurrencyShares": shares, "lendablePercent": 0, "limitResponse": {"type": "Reject"}}
    level = {"type": "Limited", "limited": {**limited, "borrowingLimitPercent": 0}}
    subject = {"kind": "ServiceAccount", "serviceAccount": {"name": account, "namespace": "default"}}
    rule = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "namespaces": ["*"], "clusterScope": True}
    spec = {
        "priorityLevelConfiguration": {"name": account},
        "matchingPrecedence": 2,
        "distinguisherMethod": {"type": "ByUser"},
        "rules": [{"subjects": [subject], "resourceRules": [rule]}],
    }
    for kind, content in (("PriorityLevelConfiguration", level), ("FlowSchema", spec)):
        client.apply({"apiVersion": flow, "kind": kind, "metadata": {"name": account}, "spec": content}, force=True)


def refusals(client: KubeClient, account: str) -> float:
    """How many requests the server has refused at the account's priority level."""
    lines = str(client.raw("GET", "/metrics")).splitlines()
    counted = [line for line in lines if line.startswith("apiserver_flowcontrol_rejected_requests_total")]
    return sum(float(line.rsplit(" ", 1)[1]) for line in counted if f'priority_level="{account}"' in line)


def started(module: Module, **options: Any) -> subprocess.Popen[str]:
    process = subprocess.Popen(module.command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin
    process.stdin.write(module.arguments(**options))
    process.stdin.close()
    process.stdin = None
    return process


def test_a_server_that_is_too_busy_is_asked_again(restricted: Account, client: KubeClient) -> None:
    module, account = restricted
    grant(client, account, "get", "create", "patch", "list")
    until(client, account, "list")
    throttle(client, account, 0)
    wanted = [config_map("default", f"throttled-{number}", a="1") for number in range(20)]
    process = started(module, definitions=wanted)
    deadline = time.monotonic() + 50
    while refusals(client, account) == 0:
        assert time.monotonic() < deadline, "the server never refused"
        # A new level may take the server a moment; a run that slipped through is made again.
        if process.poll() is not None:
            process.communicate()
            process = started(module, definitions=wanted)
        time.sleep(0.1)
    throttle(client, account, 100)
    printed = process.communicate()[0]
    result = json.loads(printed.strip().splitlines()[-1])
    assert not result.get("failed"), result
    assert len(list(client.list("v1", "ConfigMap", "default"))) >= 20


def test_a_server_that_stays_too_busy_is_named(restricted: Account, client: KubeClient) -> None:
    module, account = restricted
    throttle(client, account, 0)
    hasty = connect(module.options)
    hasty.patience = 0.0
    level = client.get(ObjectRef("flowcontrol.apiserver.k8s.io/v1", "PriorityLevelConfiguration", account))
    assert level
    message = ""
    deadline = time.monotonic() + 50
    while "too many requests" not in message:
        assert time.monotonic() < deadline, f"the server never refused: {message}"
        # The account may do nothing, so each is refused either way: by permission, or at once.
        with pytest.raises(KubeError) as refused:
            each([ObjectRef("v1", "ConfigMap", "any", "default")] * 64, hasty.get)
        message = str(refused.value)
    assert f"of its priority level {level['metadata']['uid']}" in message
    assert "priority level with more shares" in message


# ---- what cannot be tried yet --------------------------------------------------------------------------------------


def typed_crd(kind: str) -> dict[str, Any]:
    definition = crd(kind)
    definition["spec"]["scope"] = "Namespaced"
    spec = {
        "type": "object",
        "required": ["size"],
        "properties": {
            "size": {"type": "integer", "minimum": 1},
            "colour": {"type": "string", "enum": ["red", "blue"], "default": "red"},
        },
    }
    schema = {"type": "object", "properties": {"spec": spec}}
    definition["spec"]["versions"][0]["schema"] = {"openAPIV3Schema": schema}
    return definition


def typed(kind: str, place: str, **spec: Any) -> dict[str, Any]:
    metadata = {"name": "one", "namespace": place}
    return {"apiVersion": "test.example.com/v1", "kind": kind, "metadata": metadata, "spec": spec}


def test_check_mode_before_anything_is_there_foresees_what_then_happens(manifest: Module) -> None:
    pod = {"containers": [{"name": "a", "image": "example.com/a"}]}
    template = {"metadata": {"labels": {"a": "b"}}, "spec": pod}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "one", "namespace": "foreseen"},
        "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template},
    }
    definitions = [namespace("foreseen"), typed_crd("Widget"), typed("Widget", "foreseen", size=1), deployment]
    predicted = manifest.succeeds(check=True, diff=True, definitions=definitions)
    first = manifest.succeeds(diff=True, definitions=definitions)
    assert predicted["changes"] == first["changes"]
    by_name = [{entry["after_header"]: entry["after"] for entry in run["diff"]} for run in (predicted, first)]
    for name in ("Widget 'foreseen/one'", "Deployment 'foreseen/one'"):
        assert by_name[0][name] == by_name[1][name]
    assert "colour: red" in by_name[0]["Widget 'foreseen/one'"]
    assert "terminationGracePeriodSeconds: 30" in by_name[0]["Deployment 'foreseen/one'"]


@pytest.mark.parametrize(
    ("kind", "spec", "expected"),
    [
        ("Least", {"size": 0}, "spec.size is 0, less than 1"),
        ("Typed", {"size": "big"}, "spec.size is 'big', not of type integer"),
        ("Missing", {}, "spec.size is missing"),
        ("Unknown", {"size": 1, "color": "red"}, "spec.color is no field of this kind (is colour meant?)"),
        ("Listed", {"size": 1, "colour": "green"}, "spec.colour is 'green', not one of red, blue"),
    ],
)
def test_check_mode_and_the_server_refuse_the_same(
    manifest: Module, kind: str, spec: dict[str, Any], expected: str
) -> None:
    definitions = [typed_crd(kind), typed(kind, "default", **spec)]
    message = manifest.fails(check=True, definitions=definitions)
    assert f"{kind} 'default/one': {expected}; expected an object that fits" in message
    assert f"{kind} 'default/one': " in manifest.fails(definitions=definitions)


def test_check_mode_finds_a_typo_in_a_namespace_that_is_not_there_yet(manifest: Module) -> None:
    unknown = {**config_map("unborn", a="1"), "dada": {"b": "2"}}
    unfit = config_map("unborn", **{"no key!": "1"})
    for wrong, said in ((unknown, ".dada: field not declared in schema"), (unfit, "data[no key!]: Invalid value")):
        message = manifest.fails(check=True, definitions=[namespace("unborn"), wrong])
        assert "ConfigMap 'unborn/one': " in message
        assert said in message


def test_check_mode_judges_by_the_newer_definition_of_the_same_call(manifest: Module, client: KubeClient) -> None:
    old, new = typed_crd("Growing"), typed_crd("Growing")
    new["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["weight"] = {
        "type": "integer"
    }
    manifest.succeeds(definitions=[old, typed("Growing", "default", size=1)])
    upgrade = [new, typed("Growing", "default", size=1, weight=5)]
    predicted = manifest.succeeds(check=True, diff=True, definitions=upgrade)
    first = manifest.succeeds(diff=True, definitions=upgrade)
    assert predicted["changes"] == first["changes"]
    assert predicted["diff"][1] == first["diff"][1]
    live = client.get(ObjectRef("test.example.com/v1", "Growing", "one", "default"))
    assert live
    assert live["spec"]["weight"] == 5


# ---- many failures, and what holds an object -----------------------------------------------------------------------


def test_every_refused_object_is_named(manifest: Module, client: KubeClient) -> None:
    good, bad = config_map("default", "good", a="1"), [config_map("default", f"Bad_{n}", a="1") for n in range(3)]
    message = manifest.fails(definitions=[good, *bad])
    assert message.startswith("3 of 4 objects: ")
    for number in range(3):
        assert f"ConfigMap 'default/Bad_{number}': " in message
    assert client.get(ObjectRef("v1", "ConfigMap", "good", "default"))


def test_every_conflicting_field_is_named(manifest: Module, client: KubeClient) -> None:
    theirs = config_map("default", "contested", a="1", b="2")
    query = {"fieldManager": "somebody", "force": "true"}
    path = "/api/v1/namespaces/default/configmaps/contested"
    client.raw("PATCH", path, query=query, body=theirs, content_type="application/apply-patch+yaml")
    for check in (True, False):
        message = manifest.fails(check=check, definitions=[config_map("default", "contested", a="3", b="4")])
        assert '.data.a: conflict with "somebody"' in message
        assert '.data.b: conflict with "somebody"' in message


def test_a_definition_that_waits_for_its_objects_says_so(manifest: Module, client: KubeClient) -> None:
    kind = "Clinging"
    metadata = {"name": "one", "finalizers": ["example.com/nobody"]}
    held = {"apiVersion": "test.example.com/v1", "kind": kind, "metadata": metadata}
    manifest.succeeds(definitions=[crd(kind), held])
    message = manifest.fails(definitions=[crd(kind)], state="absent", wait_timeout=1)
    assert "kube-apiserver: every object of this kind goes first" in message
    assert "Terminating: " in message
    client.forget_kinds("test.example.com/v1")
    client.patch(ObjectRef("test.example.com/v1", kind, "one"), {"metadata": {"finalizers": None}})
    assert manifest.succeeds(definitions=[crd(kind), held], state="absent")["changes"]


def test_a_namespace_that_is_held_names_what_is_in_it(manifest: Module, client: KubeClient) -> None:
    held = config_map("clung", a="1")
    held["metadata"]["finalizers"] = ["example.com/nobody"]
    manifest.succeeds(definitions=[namespace("clung"), held])
    message = ""
    deadline = time.monotonic() + 60
    # The controller takes its time until it says what it found.
    while "example.com/nobody in 1 resource instances" not in message:
        assert time.monotonic() < deadline, message
        message = manifest.fails(definitions=[namespace("clung")], state="absent", wait_timeout=1)
    assert "Namespace 'clung': it is still being deleted" in message
    client.patch(ObjectRef("v1", "ConfigMap", "one", "clung"), {"metadata": {"finalizers": None}})


def test_killed_while_it_prunes_the_next_run_completes(manifest: Module, client: KubeClient) -> None:
    options: dict[str, Any] = {"owner": "mortal", "prune": True}
    everything = [namespace("mortal"), *(config_map("mortal", f"number-{i}", key="value") for i in range(100))]
    manifest.succeeds(definitions=everything, **options)
    process = started(manifest, definitions=everything[:1], **options)
    deadline = time.monotonic() + 60
    while not len(list(client.list("v1", "ConfigMap", "mortal", "netops.kubernetes/owner"))) < 100:
        assert time.monotonic() < deadline, "nothing was pruned"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    manifest.succeeds(definitions=everything[:1], **options)
    assert not list(client.list("v1", "ConfigMap", "mortal", "netops.kubernetes/owner"))
    assert manifest.succeeds(definitions=everything[:1], **options)["changed"] is False
    live = client.get(ObjectRef("v1", "ConfigMap", "netops-kubernetes-mortal", "kube-system"))
    assert live
    assert json.loads(live["data"]["objects.json"]) == [["v1", "Namespace", "", "mortal"]]
