# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects: names, order, masking."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.changes import (
    TEXT_LIMIT,
    TOTAL_LIMIT,
    bounded,
    diff_of,
    differences,
    diffs_of,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import conflicts_of
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.documents import dump, verify
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.inventory import (
    is_owned,
    owned,
    read_inventory,
    write_inventory,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import (
    ManifestError,
    ObjectRef,
    comparable,
    compared,
    definer_of,
    flatten,
    identity,
    ref_of,
    waves,
    without_secrets,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.readiness import (
    Condition,
    hopeless,
    is_judged,
    not_ready,
    why_held,
)

SEEN = {"observedGeneration": 1}
UPDATED = {"desiredNumberScheduled": 2, "updatedNumberScheduled": 2}
ONE = {"readyReplicas": 1, "currentRevision": "a"}


def said(reason: str = "because", **conditions: str) -> dict[str, Any]:
    """A status with these conditions."""
    common = {"reason": reason, "message": "why"}
    return {"conditions": [{"type": name, "status": status, **common} for name, status in conditions.items()]}


def thing(kind: str, name: str = "a", **more: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, **more}


def test_waves_put_first_what_others_stand_on() -> None:
    kinds = ["ValidatingWebhookConfiguration", "DaemonSet", "ClusterRoleBinding", "ServiceAccount"]
    kinds += ["CustomResourceDefinition", "Namespace"]
    assert [obj["kind"] for wave in waves([thing(kind) for kind in kinds]) for obj in wave] == [
        "Namespace",
        "CustomResourceDefinition",
        "ServiceAccount",
        "ClusterRoleBinding",
        "DaemonSet",
        "ValidatingWebhookConfiguration",
    ]


def test_lists_are_opened_and_empty_documents_dropped() -> None:
    inner = {"apiVersion": "v1", "kind": "List", "items": [thing("Pod"), thing("Node")]}
    assert [obj["kind"] for obj in flatten([None, inner, thing("Secret")])] == ["Pod", "Node", "Secret"]


def test_identity_outlives_a_version() -> None:
    assert identity(ObjectRef("g/v1beta1", "K", "a")) == identity(ObjectRef("g/v1", "K", "a"))
    assert identity(ObjectRef("g/v1", "K", "a")) != identity(ObjectRef("h/v1", "K", "a"))


def test_a_definition_is_found_by_group_kind_and_version() -> None:
    spec = {"group": "g", "names": {"kind": "K"}, "versions": [{"name": "v1"}]}
    crd = thing("CustomResourceDefinition", spec=spec)
    assert definer_of(ObjectRef("g/v1", "K", "a"), [crd]) == crd
    for ref in (ObjectRef("g/v2", "K", "a"), ObjectRef("h/v1", "K", "a"), ObjectRef("g/v1", "L", "a")):
        assert definer_of(ref, [crd]) == {}


def test_secrets_are_masked_in_annotations_too() -> None:
    secret = thing("Secret", data={"key": "aHVudGVy"})
    secret["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": "aHVudGVy"}
    assert "aHVudGVy" not in str(comparable(secret))


def test_a_rotated_secret_differs_and_shows_no_value() -> None:
    secrets = [thing("Secret", data={"key": value, "other": "b"}) for value in ("aHVudGVy", "aHVudGVz")]
    before, after = compared(*secrets)
    assert list(differences(before, after)) == [("data.key", "(8 characters)", "(8 characters), others than before")]
    assert compared(secrets[0], secrets[0]) == (comparable(secrets[0]), comparable(secrets[0]))


def test_what_a_module_was_called_with_shows_no_secret() -> None:
    secret = thing("Secret", data={"key": "aHVudGVy"})
    texts = ["kind: Secret\nstringData:\n  key: aHVudGVy\n", '{"kind": "Secret", "data": {"key": "aHVudGVy"}}']
    texts += ["kind: &kind Secret\ndata: {key: aHVudGVy}", "-----BEGIN PRIVATE KEY-----\naHVudGVy"]
    pod = thing("Pod", spec={"volumes": [{"secret": {"secretName": "one"}}]})
    given: dict[str, Any] = {
        "definitions": [secret, {"kind": "List", "items": [secret]}, *texts, pod],
        "src": None,
        "wait": True,
    }
    shown = without_secrets(given)
    assert "aHVudGVy" not in str(shown)
    assert shown["definitions"][0] == {**secret, "data": "(hidden)"}
    assert (shown["definitions"][-1], shown["wait"]) == (pod, True)
    assert given["definitions"][0] is secret
    assert secret["data"] == {"key": "aHVudGVy"}


def test_secrets_are_known_by_their_names() -> None:
    given = {
        "tls": {"ca": {"key": "one", "cert": "shown"}, "caBundle": {"useSecret": True}},
        "azure": {"clientSecret": "two", "clientID": "shown"},
        "env": [{"name": "DB_PASSWORD", "value": "three"}, {"name": "ZONE", "value": "shown"}],
        "pin": {"token": 4},
    }
    assert without_secrets(given) == {
        "tls": {"ca": {"key": "(hidden)", "cert": "shown"}, "caBundle": {"useSecret": True}},
        "azure": {"clientSecret": "(hidden)", "clientID": "shown"},
        "env": [{"name": "DB_PASSWORD", "value": "(hidden)"}, {"name": "ZONE", "value": "shown"}],
        "pin": {"token": "(hidden)"},
    }


def test_a_text_that_was_taken_apart_shows_no_piece() -> None:
    assert without_secrets(["kind: Secret\ndata: {a: b", " c: aHVudGVy}"]) == ["(hidden)", "(hidden)"]


def test_the_inventory_reads_back_and_is_nobody_elses() -> None:
    refs = {ObjectRef("v1", "ConfigMap", "a", "b"), ObjectRef("v1", "Namespace", "b")}
    written = write_inventory("shop", refs)
    assert read_inventory("shop", written) == refs
    with pytest.raises(ManifestError, match="no list of this owner's objects"):
        read_inventory("other", written)
    broken = {**written, "data": {"objects.json": "[1]"}}
    with pytest.raises(ManifestError, match="cannot be read"):
        read_inventory("shop", broken)


def test_ownership() -> None:
    assert is_owned(owned(thing("Pod"), "shop"), "shop")
    assert not is_owned(owned(thing("Pod"), "shop"), "other")
    assert not is_owned(thing("Pod"), "")


@pytest.mark.parametrize(
    ("aside", "ours"),
    [
        ('{"labels": {"app.kubernetes.io/managed-by": "netops.kubernetes", "netops.kubernetes/owner": "one"}}', True),
        ('{"labels": {"app.kubernetes.io/managed-by": "somebody"}}', False),
        ('{"labels": null}', False),
        ("{}", False),
        ("{", False),
        ("[]", False),
    ],
)
def test_a_mark_that_calico_has_set_aside_still_counts(aside: str, ours: bool) -> None:
    written = thing("IPPool")
    written["metadata"]["annotations"] = {"projectcalico.org/metadata": aside}
    assert is_owned(written, "one") == ours


def test_a_large_object_shows_only_what_differs() -> None:
    long = {f"key-{number}": "x" * 80 for number in range(1000)}
    shown = diff_of("a", {"data": {**long, "one": "1"}}, {"data": {**long, "one": "2"}}, dump)
    assert (shown["before"], shown["after"]) == ("data.one: '1'\n", "data.one: '2'\n")
    assert len(bounded("line\n" * TEXT_LIMIT)) < TEXT_LIMIT + 100


@pytest.mark.parametrize(("checksum", "expected"), [("md5:00", "is unknown"), ("sha256:00", "its checksum is sha256:")])
def test_checksums(checksum: str, expected: str) -> None:
    verify(b"", "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "a")
    with pytest.raises(ManifestError, match=expected):
        verify(b"", checksum, "a")


@pytest.mark.parametrize(
    ("kind", "generation", "status", "expected"),
    [
        ("ConfigMap", 1, {}, ""),
        ("DaemonSet", 1, {}, "its controller has not seen it yet"),
        ("DaemonSet", 2, {"observedGeneration": 1}, "its controller has not seen the change yet"),
        ("DaemonSet", 1, {"observedGeneration": 1, "desiredNumberScheduled": 2}, "0 of 2 pods are updated"),
        ("Namespace", 1, {"phase": "Active"}, ""),
        ("Pod", 1, {"conditions": [{"type": "Ready", "status": "True"}]}, ""),
        ("DaemonSet", 1, {**SEEN, **UPDATED}, "0 of 2 pods are available"),
        ("StatefulSet", 1, {}, "its controller has not seen it yet"),
        ("StatefulSet", 1, SEEN, "0 of 1 pods are ready"),
        ("StatefulSet", 1, {**SEEN, **ONE, "updateRevision": "b"}, "0 of 1 pods are updated"),
        ("StatefulSet", 1, {**SEEN, **ONE, "updateRevision": "a"}, ""),
        ("ReplicaSet", 1, SEEN, "0 of 1 pods are ready"),
        ("PersistentVolumeClaim", 1, {"phase": "Pending"}, "phase Pending"),
        ("CustomResourceDefinition", 1, said(NamesAccepted="False"), "its names are taken: why"),
        ("APIService", 1, said(Available="False"), "condition Available is False: why"),
        ("TigeraStatus", 1, said(Available="True", Progressing="True"), "condition Progressing is True: why"),
        ("TigeraStatus", 1, said(Available="True", Progressing="False", Degraded="False"), ""),
        ("Job", 1, {}, "condition Complete is not there yet"),
    ],
)
def test_readiness(kind: str, generation: int, status: dict[str, Any], expected: str) -> None:
    obj = thing(kind, status=status)
    obj["metadata"]["generation"] = generation
    assert not_ready(obj) == expected


def test_what_ended_before_the_last_change_may_go_on() -> None:
    status = {**SEEN, **said("ProgressDeadlineExceeded", Progressing="False")}
    repaired = thing("Deployment", status=status)
    assert hopeless(repaired)
    repaired["metadata"]["generation"] = 2
    assert hopeless(repaired) == ""
    assert not_ready(repaired) == "its controller has not seen the change yet"


def test_a_daemon_set_that_is_updated_by_hand_need_not_be_new() -> None:
    counts = {"observedGeneration": 1, "desiredNumberScheduled": 2, "numberAvailable": 2}
    by_hand = thing("DaemonSet", spec={"updateStrategy": {"type": "OnDelete"}}, status=counts)
    assert not_ready(by_hand) == ""
    assert not_ready(thing("DaemonSet", status=counts)) == "0 of 2 pods are updated"


@pytest.mark.parametrize(
    ("kind", "status", "expected"),
    [
        ("Job", said("BackoffLimitExceeded", Failed="True"), "BackoffLimitExceeded: why"),
        ("Deployment", said("ProgressDeadlineExceeded", Progressing="False"), "ProgressDeadlineExceeded: why"),
        ("Deployment", said("Other", Progressing="False"), ""),
        ("Pod", said(Failed="True"), ""),
    ],
)
def test_what_waiting_does_not_heal(kind: str, status: dict[str, Any], expected: str) -> None:
    assert hopeless(thing(kind, status=status)) == expected


def test_what_holds_an_object_is_told_with_who_serves_it() -> None:
    claim = thing("PersistentVolumeClaim")
    claim["metadata"] |= {"finalizers": ["kubernetes.io/pvc-protection", "a/b"], "deletionTimestamp": "T"}
    held = "its finalizers: kubernetes.io/pvc-protection (kube-controller-manager: a pod still uses the claim), a/b"
    assert why_held(claim) == f"{held}; marked for deletion at T"


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        (None, "spec.group"),
        ({"group": "g"}, "spec.scope"),
        ({"group": "g", "scope": "Cluster"}, "spec.names.kind"),
        ({"group": "g", "scope": "Cluster", "names": {"kind": "K"}, "versions": [{}]}, "spec.versions"),
    ],
)
def test_a_definition_that_defines_nothing_is_named(spec: Any, field: str) -> None:
    with pytest.raises(ManifestError, match=f"CustomResourceDefinition 'a': {field} is missing or malformed"):
        flatten([thing("CustomResourceDefinition", spec=spec)])


def test_metadata_that_is_no_mapping_is_named() -> None:
    with pytest.raises(ManifestError, match="metadata is 'x'; expected a mapping with a name"):
        ref_of({"apiVersion": "v1", "kind": "Pod", "metadata": "x"})


def test_conflicts_name_each_field_up_to_a_bound() -> None:
    causes = [{"reason": "FieldManagerConflict", "field": f".a{n}", "message": 'conflict with "x"'} for n in range(25)]
    told = conflicts_of({"details": {"causes": causes}})
    assert told.startswith('.a0: conflict with "x"; .a1: ')
    assert told.endswith("and 5 more fields")
    assert conflicts_of({"details": {"causes": [{"reason": "Other"}]}}) == ""


def test_a_long_diff_ends_in_names() -> None:
    long = {"data": {f"key-{number}": "x" for number in range(5000)}}
    shown = diffs_of([(str(number), {}, long) for number in range(200)], dump)
    assert sum(len(entry["after"]) for entry in shown) < TOTAL_LIMIT + 2 * TEXT_LIMIT + 200 * 100
    assert shown[-1]["after"].startswith("(not shown")


def test_conditions_take_the_place_of_a_kinds_rule() -> None:
    asked = [Condition("Namespace", "Clean")]
    assert not_ready(thing("Namespace", status={"phase": "Active"}), asked) == "condition Clean is not there yet"
    assert is_judged("Certificate", [Condition("Certificate", "Ready")])
    assert not is_judged("Certificate")


def test_a_reference_reads_well() -> None:
    assert str(ref_of(thing("Node"))) == "Node 'a'"
