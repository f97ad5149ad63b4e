# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Many objects in one go: in waves, side by side within a wave, each compared before and after."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeError, UnknownKindError
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import (
    Object,
    ObjectRef,
    comparable,
    is_marked,
    marked,
    ref_of,
    same,
    waves,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.readiness import not_ready

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient

WORKERS = 8
POLL_SECONDS = 1.0


@dataclass(frozen=True)
class Change:
    """What happened to one object: ``created``, ``changed``, ``unchanged``, ``deleted``, ``absent`` or ``kept``."""

    ref: ObjectRef
    action: str
    before: Object
    after: Object

    @property
    def is_change(self) -> bool:
        return self.action in {"created", "changed", "deleted"}


def apply_all(client: KubeClient, objects: Sequence[Object], *, force: bool, check: bool) -> list[Change]:
    """Apply objects in waves under the collection's mark.

    :param check: ask the server what it would do; what it cannot judge yet, since the kind or the namespace comes
        with this very call, would be created.
    :raises KubeError: the server refused an object; those of earlier waves are applied.
    """
    changes: list[Change] = []
    wanted = [marked(obj) for obj in objects]
    for wave in waves(wanted):
        changes += _each(wave, lambda obj: _apply(client, obj, wanted, force=force, check=check))
        for obj in wave:
            if obj["kind"] == "CustomResourceDefinition" and not check:
                wait_ready(client, [obj], 60.0)
                client.forget_kinds(f"{obj['spec']['group']}/{obj['spec']['versions'][0]['name']}")
    return changes


def _each(objects: Sequence[Object], job: Callable[[Object], Change]) -> list[Change]:
    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(job, objects))


def _apply(client: KubeClient, obj: Object, all_objects: Sequence[Object], *, force: bool, check: bool) -> Change:
    ref = ref_of(obj)
    try:
        before = client.get(ref)
        after = client.apply(obj, force=force, dry_run=check)
    except KubeError as error:
        if check and error.status == 404 and _comes_with(ref, all_objects):
            return Change(ref, "created", {}, comparable(obj))
        raise
    if before is None:
        return Change(ref, "created", {}, comparable(after))
    action = "unchanged" if same(before, after) else "changed"
    return Change(ref, action, comparable(before), comparable(after))


def _comes_with(ref: ObjectRef, objects: Sequence[Object]) -> bool:
    """Whether what ``ref`` lacks, its namespace or its kind, is among the objects of the same call."""
    for obj in objects:
        if obj["kind"] == "Namespace" and obj["metadata"]["name"] == ref.namespace:
            return True
        if obj["kind"] == "CustomResourceDefinition" and obj["spec"]["names"]["kind"] == ref.kind:
            return True
    return False


def delete_all(client: KubeClient, objects: Sequence[Object], *, check: bool, timeout: float) -> list[Change]:
    """Delete objects that carry the collection's mark, in the reverse order, and wait until they are gone.

    :param timeout: seconds to wait for all of them.
    :raises KubeError: an object does not go away; the text names the finalizers that hold it.
    """
    changes: list[Change] = []
    deadline = time.monotonic() + timeout
    for wave in reversed(waves(list(objects))):
        gone = _each(wave, lambda obj: _delete(client, ref_of(obj), check=check))
        changes += gone
        for change in gone:
            if change.action == "deleted" and not check:
                wait_gone(client, change.ref, deadline)
    return changes


def _delete(client: KubeClient, ref: ObjectRef, *, check: bool) -> Change:
    try:
        before = client.get(ref)
    except UnknownKindError:
        before = None
    if before is None:
        return Change(ref, "absent", {}, {})
    if not is_marked(before):
        return Change(ref, "kept", {}, {})
    if not check:
        client.delete(ref)
    return Change(ref, "deleted", comparable(before), {})


def wait_gone(client: KubeClient, ref: ObjectRef, deadline: float) -> None:
    """Wait until an object is not there any more.

    :param deadline: on the monotonic clock, in seconds.
    :raises KubeError: it is still there.
    """
    while True:
        live = client.get(ref)
        if live is None:
            return
        if time.monotonic() > deadline:
            held = ", ".join(live["metadata"].get("finalizers") or []) or "none"
            raise KubeError(
                str(ref),
                f"it is still being deleted; its finalizers: {held}",
                "an object that goes away",
                "Start the controller that serves these finalizers, or delete what the object still owns",
            )
        time.sleep(POLL_SECONDS)


def wait_ready(client: KubeClient, objects: Sequence[Object], timeout: float) -> None:
    """Wait until every object is ready.

    :param timeout: seconds for all of them.
    :raises KubeError: one is not; the text says what it still lacks.
    """
    deadline = time.monotonic() + timeout
    for obj in objects:
        ref = ref_of(obj)
        while True:
            live = client.get(ref)
            reason = not_ready(live) if live else "it is not there"
            if not reason:
                break
            if time.monotonic() > deadline:
                raise KubeError(
                    str(ref),
                    f"not ready after {timeout:.0f} s: {reason}",
                    "a ready object",
                    "Look at its events and at the logs of its pods, or raise wait_timeout",
                )
            time.sleep(POLL_SECONDS)


def result_of(client: KubeClient, changes: Sequence[Change], render: Callable[[Any], str]) -> dict[str, Any]:
    """A module's result.

    :param render: makes readable text of an object, for the diff.
    """
    return {
        "changed": any(change.is_change for change in changes),
        "objects": [{"object": str(change.ref), "action": change.action} for change in changes],
        "api_requests": client.requests,
        "diff": [
            {
                "before_header": str(change.ref),
                "after_header": str(change.ref),
                "before": render(change.before) if change.before else "",
                "after": render(change.after) if change.after else "",
            }
            for change in changes
            if change.is_change
        ],
    }
