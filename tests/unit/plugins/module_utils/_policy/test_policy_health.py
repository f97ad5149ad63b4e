# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods before and after a change: what counts as worse."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.health import health_of, worse


def pod(name: str, owner: str = "", *, ready: bool = True, **more: Any) -> dict[str, Any]:
    """A pod; its owner is ``KIND/NAME``, for a ReplicaSet with the hash of its template behind a dash."""
    kind, _slash, own = owner.partition("/")
    metadata: dict[str, Any] = {"namespace": "shop", "name": name, **more}
    if owner:
        metadata["ownerReferences"] = [{"kind": "Other", "name": "x"}, {"kind": kind, "name": own, "controller": True}]
    if kind == "ReplicaSet":
        metadata["labels"] = {"pod-template-hash": own.rpartition("-")[2]}
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    return {"metadata": metadata, "status": {"phase": "Running", "conditions": conditions}}


SET = "StatefulSet/db"
OLD, NEW = "ReplicaSet/web-1a", "ReplicaSet/web-2b"
LEAVING: dict[str, Any] = {"deletionTimestamp": "2026-01-01T00:00:00Z"}
DONE = {**pod("a", "Job/once", ready=False), "status": {"phase": "Succeeded"}}
FAILED = {**pod("a", "Job/once", ready=False), "status": {"phase": "Failed"}}


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ([pod("a")], [pod("a", ready=False)], ["shop/a"]),
        ([pod("a")], [pod("a")], []),
        ([pod("a", ready=False)], [pod("a", ready=False)], []),
        ([pod("a")], [], []),
        # The same name again, as a StatefulSet gives it.
        ([pod("db-0", SET)], [pod("db-0", SET, ready=False)], ["StatefulSet shop/db (0 of 1 ready, 1 before)"]),
        # Replaced meanwhile under another name, by the same ReplicaSet and by another of the same Deployment.
        ([pod("a", OLD)], [pod("b", OLD, ready=False)], ["Deployment shop/web (0 of 1 ready, 1 before)"]),
        (
            [pod("a", OLD), pod("b", OLD)],
            [pod("a", OLD), pod("b", OLD, **LEAVING), pod("c", NEW, ready=False)],
            ["Deployment shop/web (1 of 2 ready, 2 before)"],
        ),
        ([pod("a", OLD), pod("b", OLD)], [pod("c", NEW), pod("d", NEW)], []),
        (
            [pod("a", "ReplicationController/c")],
            [pod("b", "ReplicationController/c", ready=False)],
            ["ReplicationController shop/c (0 of 1 ready, 1 before)"],
        ),
        # Another scale.
        ([pod("a", OLD), pod("b", OLD)], [pod("a", OLD)], []),
        ([pod("a", OLD)], [pod("a", OLD), pod("b", OLD, ready=False)], []),
        ([pod("a", OLD), pod("b", OLD, ready=False)], [pod("b", OLD, ready=False)], []),
        # A Job's pods end.
        ([pod("a", "Job/once")], [DONE], []),
        ([pod("a", "Job/once")], [FAILED], ["shop/a"]),
        ([pod("a", "Job/once")], [pod("b", "Job/once", ready=False)], []),
    ],
)
def test_what_is_worse(before: list[Any], after: list[Any], told: list[str]) -> None:
    assert worse(health_of(before), health_of(after)) == told
