# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects against the schema of a definition that no server knows yet."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ManifestError, merged
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.schema import judged

TEXT = {"type": "string"}
SPEC: dict[str, Any] = {
    "type": "object",
    "required": ["size"],
    "properties": {
        "size": {"type": "integer", "minimum": 1, "maximum": 9, "multipleOf": 1},
        "ratio": {"type": "number", "exclusiveMaximum": True, "maximum": 1},
        "mode": {"type": "string", "enum": ["a", "b"], "default": "a"},
        "name": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 4, "minLength": 2},
        "odd": {"type": "string", "pattern": "(?z)"},
        "port": {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, TEXT]},
        "on": {"type": "boolean"},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "labels": {"type": "object", "additionalProperties": TEXT, "maxProperties": 1},
        "pod": {"type": "object", "x-kubernetes-embedded-resource": True, "properties": {}},
        "inner": {"type": "object", "default": {}, "properties": {"deep": {"type": "integer", "default": 7}}},
        "items": {
            "type": "array",
            "minItems": 1,
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            "items": {"type": "object", "properties": {"name": TEXT, "kind": {"type": "string", "default": "x"}}},
        },
        "one": {
            "type": "object",
            "properties": {"a": TEXT, "b": TEXT},
            "oneOf": [{"required": ["a"]}, {"required": ["b"]}],
        },
        "no": {"type": "string", "not": {"enum": ["never"]}},
        "both": {"type": "integer", "allOf": [{"minimum": 3}]},
    },
}
DEFINITION: dict[str, Any] = {
    "metadata": {"name": "things.example.com"},
    "spec": {
        "versions": [
            {"name": "v1", "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": SPEC}}}},
            {"name": "v2"},
        ]
    },
}


def thing(version: str = "v1", **spec: Any) -> dict[str, Any]:
    metadata = {"name": "one", "labels": {"x": "y"}}
    return {"apiVersion": f"example.com/{version}", "kind": "Thing", "metadata": metadata, "spec": spec}


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({}, "spec.size is missing"),
        ({"size": True}, "spec.size is True, not of type integer"),
        ({"size": 1.5}, "spec.size is 1.5, not of type integer"),
        ({"size": 0}, "spec.size is 0, less than 1"),
        ({"size": 10}, "spec.size is 10, more than 9"),
        ({"size": 1, "ratio": 1}, "spec.ratio is 1, more than 1"),
        ({"size": 1, "mode": "c"}, "spec.mode is 'c', not one of a, b"),
        ({"size": 1, "name": "ABC"}, "spec.name is 'ABC', which does not match ^[a-z]+$"),
        ({"size": 1, "name": "abcde"}, "spec.name has 5 characters, more than 4"),
        ({"size": 1, "name": "a"}, "spec.name has 1 characters, fewer than 2"),
        ({"size": 1, "port": []}, "spec.port is [], not a number or a text"),
        ({"size": 1, "on": "yes"}, "spec.on is 'yes', not of type boolean"),
        ({"size": 1, "labels": {"a": 1}}, "spec.labels.a is 1, not of type string"),
        ({"size": 1, "labels": {"a": "1", "b": "2"}}, "spec.labels has 2 entries, more than 1"),
        ({"size": 1, "pod": {"spec": {}}}, "spec.pod.spec is no field of this kind"),
        ({"size": 1, "items": []}, "spec.items has 0 entries, fewer than 1"),
        ({"size": 1, "items": {}}, "spec.items is {}, not of type array"),
        ({"size": 1, "items": [{"name": "a"}, {"name": "a"}]}, "spec.items has two items with name 'a'"),
        ({"size": 1, "items": [{"nam": "a"}]}, "spec.items[0].nam is no field of this kind (is name meant?)"),
        ({"size": 1, "one": {"a": "", "b": ""}}, "which fits 2 of its 2 alternatives (oneOf)"),
        ({"size": 1, "no": "never"}, "spec.no is 'never', which its schema rules out"),
        ({"size": 1, "both": 2}, "spec.both is 2, less than 3"),
        ({"siez": 1}, "spec.siez is no field of this kind (is size meant?)"),
    ],
)
def test_what_does_not_fit_is_named(spec: dict[str, Any], said: str) -> None:
    with pytest.raises(ManifestError) as refused:
        judged(thing(**spec), DEFINITION)
    assert str(refused.value).startswith("Thing 'one': ")
    assert said in str(refused.value)


def test_what_fits_gets_its_defaults() -> None:
    wanted = thing(
        size=2, odd="x", port="http", free={"a": {"b": 1}}, pod={"kind": "Pod", "metadata": {}}, items=[{"name": "a"}]
    )
    kept = judged(wanted, DEFINITION)
    assert kept["spec"]["mode"] == "a"
    assert kept["spec"]["inner"] == {"deep": 7}
    assert kept["spec"]["items"] == [{"name": "a", "kind": "x"}]
    assert kept["metadata"] == wanted["metadata"]
    assert "mode" not in wanted["spec"]


def test_a_version_without_a_schema_takes_everything() -> None:
    assert judged(thing("v2", anything=1), DEFINITION) == thing("v2", anything=1)


def test_many_problems_are_counted() -> None:
    with pytest.raises(ManifestError, match="and 3 more"):
        judged(thing(size=1, a=1, b=1, c=1, d=1, e=1, f=1, g=1, h=1), DEFINITION)


def test_merging_keeps_what_is_not_named() -> None:
    before = {"a": {"b": 1, "c": [1]}, "d": 1}
    assert merged(before, {"a": {"c": [2]}, "e": 1}) == {"a": {"b": 1, "c": [2]}, "d": 1, "e": 1}
