# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Kubernetes objects as the API gives them: names, order, and what counts as a difference."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Optional

from ansible_collections.netops.kubernetes.plugins.module_utils._errors import NetopsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Object = dict[str, Any]

MANAGER = "netops.kubernetes"
MANAGED_BY = "app.kubernetes.io/managed-by"
DEFINITION = "CustomResourceDefinition"
# Types of values of JSON that hold no others.
JSON_WORDS = (str, int, type(None))


class ManifestError(NetopsError):
    """An object that is no Kubernetes object."""


@dataclass(frozen=True, order=True)
class ObjectRef:
    """Which object: what a user needs to find it."""

    api_version: str
    kind: str
    name: str
    namespace: str = ""

    def __str__(self) -> str:
        place = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"{self.kind} '{place}'"


def ref_of(obj: Mapping[str, Any]) -> ObjectRef:
    """The reference of an object.

    :raises ManifestError: it lacks ``apiVersion``, ``kind`` or ``metadata.name``.
    """
    metadata = obj.get("metadata") or {}
    if not isinstance(metadata, dict):
        kind = obj.get("kind") or _fields(obj)
        raise ManifestError(f"object {kind}", f"metadata is {metadata!r}", "a mapping with a name")
    for field, value in (
        ("apiVersion", obj.get("apiVersion")),
        ("kind", obj.get("kind")),
        ("metadata.name", metadata.get("name")),
    ):
        if not isinstance(value, str) or not value:
            raise ManifestError(
                f"object {metadata.get('name') or obj.get('kind') or _fields(obj)}",
                f"{field} is {value!r}",
                "a Kubernetes object with apiVersion, kind and metadata.name",
            )
    return ObjectRef(obj["apiVersion"], obj["kind"], metadata["name"], metadata.get("namespace") or "")


def _fields(obj: Mapping[str, Any]) -> str:
    """What names an object without a name; what stands in the fields may be secret."""
    return f"with the fields {', '.join(map(str, obj))}"


def flatten(documents: list[Any]) -> list[Object]:
    """Documents as single objects: Lists are opened, empty documents dropped.

    :raises ManifestError: a document is no mapping, an object is given twice, or holds what JSON does not have.
    """
    objects: list[Object] = []
    for document in documents:
        if document is None:
            continue
        if not isinstance(document, dict):
            raise ManifestError("manifest", f"a document is a {type(document).__name__}", "a mapping")
        kind = document.get("kind")
        if isinstance(kind, str) and kind.endswith("List") and "items" in document:
            objects.extend(flatten(list(document["items"] or [])))
        else:
            require_json(document)
            objects.append(document)
    seen: dict[ObjectRef, int] = {}
    for number, obj in enumerate(objects):
        ref = ref_of(obj)
        if ref in seen:
            raise ManifestError(str(ref), "it is given twice", "one definition an object", "Remove one of them")
        seen[ref] = number
        if ref.kind == DEFINITION:
            require_definition(obj)
    return objects


def require_json(obj: Mapping[str, Any]) -> None:
    """Require that an object can be written as JSON, which the API speaks: YAML has more.

    :raises ManifestError: it holds a value, or a key, that JSON does not have. Its place is told, of the value no more
        than what it is: it may be a Secret's.
    """
    try:
        found = _foreign(obj)
    except RecursionError as error:
        raise ManifestError(
            str(ref_of(obj)), "a value holds itself", "values that end", "Take the alias out of its own anchor"
        ) from error
    if found:
        places, seen = found
        raise ManifestError(
            str(ref_of(obj)),
            f"{'.'.join(reversed(places)) or 'the object'} {seen}",
            "what JSON has: text, numbers, true, false, null, lists, and mappings whose keys are text",
            "Write it as text: in quotes, and without a tag such as !!binary",
        )


def _foreign(value: Any) -> Optional[tuple[list[str], str]]:
    """What JSON does not have: the place, its last part first, and what is there; nothing when there is none."""
    if isinstance(value, dict):
        inner: Iterable[tuple[Any, Any]] = value.items()
    elif isinstance(value, list):
        inner = enumerate(value)
    elif isinstance(value, float):
        return None if math.isfinite(value) else ([], f"is {value}, which is no number")
    else:
        return None if isinstance(value, JSON_WORDS) else ([], f"is of type {type(value).__name__}")
    for key, one in inner:
        if not isinstance(key, (str, int)):
            return [], f"has a key of type {type(key).__name__}"
        # Most values are text; of those no more is asked, whatever the size of the object.
        found = None if isinstance(one, str) else _foreign(one)
        if found:
            return [*found[0], str(key)], found[1]
    return None


# What others stand on comes first. The rest keeps the order in which it was given.
RANKS = {
    "Namespace": 0,
    "CustomResourceDefinition": 1,
    "ServiceAccount": 2,
    "ClusterRole": 2,
    "Role": 2,
    "PriorityClass": 2,
    "ClusterRoleBinding": 3,
    "RoleBinding": 3,
    "ConfigMap": 3,
    "Secret": 3,
    "LimitRange": 3,
    "ResourceQuota": 3,
    # These stand in the way of every other request until what they point to runs.
    "APIService": 5,
    "MutatingWebhookConfiguration": 5,
    "ValidatingWebhookConfiguration": 5,
}
COMMON_RANK = 4
LAST_RANK = 5


def rank(obj: Mapping[str, Any]) -> int:
    """In which wave an object is applied: 0 first."""
    return RANKS.get(str(obj["kind"]), COMMON_RANK)


def waves(objects: list[Object]) -> list[list[Object]]:
    """Objects in waves; those of one wave do not depend on each other."""
    ordered = [[obj for obj in objects if rank(obj) == number] for number in range(LAST_RANK + 1)]
    return [wave for wave in ordered if wave]


def identity(ref: ObjectRef) -> tuple[str, str, str, str]:
    """What stays the same when an object is written in another version of its group: group, kind, namespace, name."""
    group = ref.api_version.rpartition("/")[0]
    return group, ref.kind, ref.namespace, ref.name


def definer_of(ref: ObjectRef, objects: Sequence[Object]) -> Object:
    """The CustomResourceDefinition among ``objects`` that defines the kind of ``ref``; empty when there is none."""
    group, _unused, version = ref.api_version.rpartition("/")
    for obj in objects:
        if obj.get("kind") == DEFINITION and obj["spec"]["group"] == group:
            spec = obj["spec"]
            if spec["names"]["kind"] == ref.kind and any(served["name"] == version for served in spec["versions"]):
                return obj
    return {}


def require_definition(obj: Mapping[str, Any]) -> None:
    """Require that a CustomResourceDefinition says what it defines.

    :raises ManifestError: its group, kind, scope or versions are missing.
    """
    spec = obj.get("spec")
    spec = spec if isinstance(spec, dict) else {}
    names, versions = spec.get("names"), spec.get("versions")
    for field, sound in (
        ("spec.group", isinstance(spec.get("group"), str)),
        ("spec.scope", spec.get("scope") in ("Namespaced", "Cluster")),
        ("spec.names.kind", isinstance(names, dict) and isinstance(names.get("kind"), str)),
        ("spec.versions", isinstance(versions, list) and all(isinstance(v, dict) and v.get("name") for v in versions)),
    ):
        if not sound:
            raise ManifestError(
                str(ref_of(obj)), f"{field} is missing or malformed", "a CustomResourceDefinition of apiextensions v1"
            )


def marked(obj: Object) -> Object:
    """The object with the collection's mark; it shares all but its labels with the one that is given."""
    metadata = obj.get("metadata") or {}
    return {**obj, "metadata": {**metadata, "labels": {**(metadata.get("labels") or {}), MANAGED_BY: MANAGER}}}


def is_marked(obj: Mapping[str, Any]) -> bool:
    """Whether the collection made this object."""
    return bool(labels_of(obj).get(MANAGED_BY) == MANAGER)


# Calico's client moves an object's labels in here when it writes the object (libcalico-go, backend/k8s/resources).
SET_ASIDE = "projectcalico.org/metadata"


def labels_of(obj: Mapping[str, Any]) -> dict[str, Any]:
    """An object's labels, with those that Calico has set aside in an annotation."""
    metadata = obj.get("metadata") or {}
    try:
        aside = json.loads((metadata.get("annotations") or {}).get(SET_ASIDE, "{}"))["labels"]
    except (ValueError, KeyError, TypeError):
        aside = None
    return {**(aside if isinstance(aside, dict) else {}), **(metadata.get("labels") or {})}


LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
NOISE = ("managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink")


def comparable(obj: Mapping[str, Any]) -> Object:
    """What a user would call the object's content; the values of a Secret are replaced by their length.

    :returns: it shares what it leaves as it is with the object.
    """
    result = {key: value for key, value in obj.items() if key != "status"}
    if "metadata" in result:
        result["metadata"] = {key: value for key, value in result["metadata"].items() if key not in NOISE}
    if result.get("kind") == "Secret":
        for field in ("data", "stringData"):
            if result.get(field):
                result[field] = {key: f"({len(str(value))} characters)" for key, value in result[field].items()}
        # kubectl apply keeps the whole Secret in this one.
        annotations = result["metadata"].get("annotations") or {}
        if LAST_APPLIED in annotations:
            result["metadata"]["annotations"] = {**annotations, LAST_APPLIED: HIDDEN}
    return result


def compared(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Object, Object]:
    """An object before and after as in :func:`comparable`, with what has changed in a Secret told as such.

    By its length alone a value that was rotated would look as it did.
    """
    shown = comparable(before), comparable(after)
    if before.get("kind") == after.get("kind") == "Secret":
        for field in ("data", "stringData"):
            values = (before.get(field) or {}, after.get(field) or {})
            for key in values[0].keys() & values[1].keys():
                if values[0][key] != values[1][key]:
                    shown[1][field][key] += ", others than before"
    return shown


# In a text: a Secret as YAML or JSON, a private key as PEM, or something under a name like those below.
SECRET = re.compile(
    r"""kind["']?\s*:\s*([&!]\S+\s+)*["']?Secret|PRIVATE KEY-----|(?i:key|password|secret|token)s?["']?\s*[:=]"""
)
SECRET_NAME = re.compile(r"(?i:key|password|secret|token)s?\Z")
SECRET_FIELDS = {"Secret": ("data", "stringData"), "SecretList": ("items",)}
HIDDEN = "(hidden)"


def without_secrets(value: Any) -> Any:
    """A copy of a module's options without secrets, for those who read what it was called with.

    Hidden are what a Secret holds, a text or number whose name ends in key, password, secret or token (the private keys
    among the values of Cilium's chart, a container's variables), and a text in which such a thing stands.

    :param value: mappings, lists and texts, which may hold Kubernetes objects, in YAML or JSON too.
    """
    if isinstance(value, str):
        return f"({len(value)} characters, hidden)" if SECRET.search(value) else value
    if isinstance(value, list):
        # Where a list is wanted, Ansible takes a text apart at its commas.
        is_torn = any(isinstance(one, str) and SECRET.search(one) for one in value)
        return [HIDDEN if is_torn and isinstance(one, str) else without_secrets(one) for one in value]
    if not isinstance(value, dict):
        return value
    hidden: tuple[str, ...] = SECRET_FIELDS.get(str(value.get("kind")), ())
    if SECRET_NAME.search(str(value.get("name"))):
        hidden = (*hidden, "value")
    return {
        key: HIDDEN if key in hidden or _is_secret(key, one) else without_secrets(one) for key, one in value.items()
    }


def _is_secret(name: str, value: Any) -> bool:
    return isinstance(value, (str, int, float)) and not isinstance(value, bool) and bool(SECRET_NAME.search(name))


def same(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether two readings of an object have the same content (the real values of a Secret count)."""
    ours = [{key: value for key, value in obj.items() if key != "status"} for obj in (before, after)]
    stripped = [
        {**obj, "metadata": {key: value for key, value in obj["metadata"].items() if key not in NOISE}} for obj in ours
    ]
    return stripped[0] == stripped[1]


def merged(before: Mapping[str, Any], wanted: Mapping[str, Any]) -> Object:
    """What an apply would make of an object, as far as that can be told without its schema: lists are replaced."""
    result = dict(before)
    for key, value in wanted.items():
        inner = result.get(key)
        result[key] = merged(inner, value) if isinstance(inner, dict) and isinstance(value, dict) else value
    return result
