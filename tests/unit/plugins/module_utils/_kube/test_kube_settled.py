# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""When an apply need not be sent."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.settled import is_settled

WANTED: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "a", "namespace": "b", "labels": {"x": "y"}},
    "spec": {"on": False, "ports": [{"port": 80, "name": "web"}], "tags": ["p", "q"], "atomic": {"k": 1}},
}
FIELDS: dict[str, Any] = {
    "f:metadata": {"f:labels": {"f:x": {}}},
    "f:spec": {
        "f:on": {},
        "f:ports": {'k:{"port":80}': {".": {}, "f:port": {}, "f:name": {}}},
        "f:tags": {'v:"p"': {}, 'v:"q"': {}},
        "f:atomic": {},
    },
}


def live(fields: Any = None, manager: str = "netops.kubernetes", **spec: Any) -> dict[str, Any]:
    entry = {
        "manager": manager,
        "operation": "Apply",
        "apiVersion": "v1",
        "fieldsV1": FIELDS if fields is None else fields,
    }
    metadata = {"name": "a", "namespace": "b", "labels": {"x": "y", "other": "z"}, "managedFields": [entry]}
    served = {
        "ports": [{"port": 80, "name": "web", "protocol": "TCP"}],
        "tags": ["p", "q", "theirs"],
        "atomic": {"k": 1},
        "defaulted": 1,
    }
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {**served, **spec}}


def test_what_others_and_the_server_added_does_not_count() -> None:
    assert is_settled(WANTED, live())


@pytest.mark.parametrize(
    "other",
    [
        live(manager="somebody"),
        live(on=True),
        live(ports=[{"port": 80, "name": "other"}]),
        live(ports=[{"port": 81, "name": "web"}]),
        live(tags=["q", "p"]),
        live(tags=["p"]),
        live(atomic={"k": 1, "l": 2}),
        live(atomic={"k": True}),
        live(fields={**FIELDS, "f:data": {"f:gone": {}}}),
        live(fields={"f:metadata": FIELDS["f:metadata"]}),
    ],
)
def test_in_doubt_the_server_decides(other: dict[str, Any]) -> None:
    assert not is_settled(WANTED, other)


def test_an_object_that_is_being_deleted_is_not_settled() -> None:
    going = live()
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert not is_settled(WANTED, going)
