# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Many objects in one go: in waves, side by side within a wave, each compared before and after."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._kube.changes import diff_of
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeError, UnknownKindError
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.inventory import (
    inventory_ref,
    is_owned,
    owned,
    read_inventory,
    write_inventory,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import (
    MANAGED_BY,
    MANAGER,
    Object,
    ObjectRef,
    comparable,
    definer_of,
    identity,
    ref_of,
    same,
    waves,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.readiness import not_ready
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.settled import is_settled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient
    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.readiness import Condition

WORKERS = 8
POLL_SECONDS = 1.0
CRD_SECONDS = 60.0
# From so many objects of one kind in one namespace on, one list costs less than reading each.
LIST_FROM = 4


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


@dataclass(frozen=True)
class _Job:
    """What every object of one call needs to know.

    :param observed: what was there before, as far as lists have shown it.
    :param fresh: namespaces that this call has made: nothing can be in them.
    """

    objects: Sequence[Object]
    observed: dict[ObjectRef, Object]
    fresh: frozenset[str]
    force: bool
    check: bool


def apply_all(
    client: KubeClient, objects: Sequence[Object], *, force: bool, check: bool, owner: str = ""
) -> list[Change]:
    """Apply objects in waves under the collection's mark.

    :param check: ask the server what it would do; what it cannot judge yet, since the kind or the namespace comes
        with this very call, would be created.
    :param owner: marks the objects as this owner's.
    :raises KubeError: the server refused an object; those of earlier waves are applied.
    """
    changes: list[Change] = []
    wanted = [owned(obj, owner) for obj in placed(client, objects)]
    job = _Job(wanted, observe(client, wanted), frozenset(), force, check)
    for wave in waves(wanted):
        done = _each(wave, partial(_apply, client, job))
        changes += done
        if not check:
            _settle_kinds(client, wave, done, job.observed)
            made = {one.ref.name for one in done if one.ref.kind == "Namespace" and one.action == "created"}
            job = replace(job, fresh=job.fresh | made)
    return changes


def placed(client: KubeClient, objects: Sequence[Object]) -> list[Object]:
    """The objects, each of a namespaced kind with its namespace written out: ``default`` where it has none."""
    result: list[Object] = []
    for obj in objects:
        ref = ref_of(obj)
        definer = definer_of(ref, objects)
        if definer:
            namespaced = definer["spec"]["scope"] == "Namespaced"
        else:
            namespaced = client.is_namespaced(ref.api_version, ref.kind)
        if namespaced and not ref.namespace:
            obj = {**obj, "metadata": {**obj["metadata"], "namespace": "default"}}
        result.append(obj)
    return result


def observe(client: KubeClient, objects: Sequence[Object]) -> dict[ObjectRef, Object]:
    """What of the objects is there and carries the mark, read by one list for many of one kind and place.

    A list that is forbidden is no failure: the objects are then read one by one.
    """
    groups: dict[tuple[str, str, str], set[ObjectRef]] = {}
    for ref in map(ref_of, objects):
        groups.setdefault((ref.api_version, ref.kind, ref.namespace), set()).add(ref)
    found: dict[ObjectRef, Object] = {}
    for (api_version, kind, namespace), refs in groups.items():
        if len(refs) < LIST_FROM:
            continue
        try:
            for live in client.list(api_version, kind, namespace, f"{MANAGED_BY}={MANAGER}"):
                if ref_of(live) in refs:
                    found[ref_of(live)] = live
        except KubeError as error:
            if error.status not in {403, 404}:
                raise
    return found


def _settle_kinds(
    client: KubeClient, wave: Sequence[Object], done: Sequence[Change], observed: dict[ObjectRef, Object]
) -> None:
    """Wait until the wave's CRDs are served."""
    for obj, change in zip(wave, done):
        if obj["kind"] != "CustomResourceDefinition":
            continue
        if change.is_change or not_ready(observed.get(change.ref, {"kind": "CustomResourceDefinition"})):
            wait_ready(client, [obj], CRD_SECONDS)
            for version in obj["spec"]["versions"]:
                client.forget_kinds(f"{obj['spec']['group']}/{version['name']}")


def _each(objects: Sequence[Object], job: Callable[[Object], Change]) -> list[Change]:
    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(job, objects))


def _apply(client: KubeClient, job: _Job, obj: Object) -> Change:
    ref = ref_of(obj)
    before = job.observed.get(ref)
    if before is None and ref.namespace not in job.fresh:
        before = client.get(ref)
    if before is not None and is_settled(obj, before):
        return Change(ref, "unchanged", {}, {})
    try:
        after = _apply_patiently(client, obj, job)
    except KubeError as error:
        if job.check and error.status == 404 and _comes_with(ref, job.objects):
            return Change(ref, "created", {}, comparable(obj))
        raise
    if before is None:
        return Change(ref, "created", {}, comparable(after))
    if same(before, after):
        return Change(ref, "unchanged", {}, {})
    return Change(ref, "changed", comparable(before), comparable(after))


def _apply_patiently(client: KubeClient, obj: Object, job: _Job) -> Object:
    """Apply; a kind that this very call has defined may take the server a moment to serve."""
    deadline = time.monotonic() + CRD_SECONDS / 6
    while True:
        try:
            return client.apply(obj, force=job.force, dry_run=job.check)
        except KubeError as error:
            young = error.status == 404 and not job.check and definer_of(ref_of(obj), job.objects)
            if not young or time.monotonic() > deadline:
                raise
        client.forget_kinds(str(obj["apiVersion"]))
        time.sleep(POLL_SECONDS / 5)


def _comes_with(ref: ObjectRef, objects: Sequence[Object]) -> bool:
    """Whether what ``ref`` lacks, its namespace or its kind, is among the objects of the same call."""
    if definer_of(ref, objects):
        return True
    return any(obj["kind"] == "Namespace" and obj["metadata"]["name"] == ref.namespace for obj in objects)


# ---- what an owner no longer wants ----------------------------------------------------------------------------------


def converge(
    client: KubeClient, objects: Sequence[Object], *, owner: str, prune: bool, force: bool, check: bool, timeout: float
) -> list[Change]:
    """Apply an owner's objects, and delete what it applied before and no longer names.

    The list of its objects is written before anything is applied and shortened after the rest is gone: a run that is
    killed in between leaves a list that names too much, never too little.

    :param prune: whether anything is deleted.
    :param timeout: seconds for what is deleted to go away.
    """
    wanted = placed(client, objects)
    live = client.get(inventory_ref(owner))
    listed = read_inventory(owner, live) if live else set()
    refs = {ref_of(obj) for obj in wanted}
    kept = {identity(ref) for ref in refs}
    obsolete = {ref for ref in listed if identity(ref) not in kept}
    if not check and not refs <= listed:
        client.apply(write_inventory(owner, refs | listed), force=True)
    changes = apply_all(client, wanted, force=force, check=check, owner=owner)
    if not prune:
        return changes
    changes += delete_all(client, stubs(obsolete), check=check, timeout=timeout, owner=owner)
    if not check and obsolete | refs != refs:
        client.apply(write_inventory(owner, refs), force=True)
    return changes


def dissolve(client: KubeClient, *, owner: str, check: bool, timeout: float) -> list[Change]:
    """Delete all that an owner has applied, then the list of it."""
    live = client.get(inventory_ref(owner))
    if live is None:
        return []
    listed = read_inventory(owner, live)
    changes = delete_all(client, stubs(listed), check=check, timeout=timeout, owner=owner)
    if not check:
        client.delete(inventory_ref(owner))
    return changes


def stubs(refs: Iterable[ObjectRef]) -> list[Object]:
    """Objects that are no more than their references."""
    return [
        {
            "apiVersion": ref.api_version,
            "kind": ref.kind,
            "metadata": {"name": ref.name, **({"namespace": ref.namespace} if ref.namespace else {})},
        }
        for ref in sorted(refs)
    ]


def delete_all(
    client: KubeClient, objects: Sequence[Object], *, check: bool, timeout: float, owner: str = ""
) -> list[Change]:
    """Delete objects that carry the collection's mark, in the reverse order, and wait until they are gone.

    :param timeout: seconds to wait for all of them.
    :param owner: only objects of this owner, when one is named.
    :raises KubeError: an object does not go away; the text names the finalizers that hold it.
    """
    changes: list[Change] = []
    deadline = time.monotonic() + timeout
    for wave in reversed(waves(list(objects))):
        gone = _each(wave, lambda obj: _delete(client, ref_of(obj), check=check, owner=owner))
        changes += gone
        for change in gone:
            if change.action == "deleted" and not check:
                wait_gone(client, change.ref, deadline)
    return changes


def _delete(client: KubeClient, ref: ObjectRef, *, check: bool, owner: str) -> Change:
    try:
        before = client.get(ref)
    except UnknownKindError:
        before = None
    if before is None:
        return Change(ref, "absent", {}, {})
    if not is_owned(before, owner):
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


def wait_ready(
    client: KubeClient, objects: Sequence[Object], timeout: float, conditions: Sequence[Condition] = ()
) -> None:
    """Wait until every object is ready.

    :param timeout: seconds for all of them.
    :param conditions: what objects of some kinds must say of themselves, beyond the rules of their kind.
    :raises KubeError: one is not; the text says what it still lacks.
    """
    deadline = time.monotonic() + timeout
    for obj in objects:
        ref = ref_of(obj)
        while True:
            live = client.get(ref)
            reason = not_ready(live, conditions) if live else "it is not there"
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
        "changes": [{"object": str(change.ref), "action": change.action} for change in changes],
        "api_requests": client.requests,
        "diff": [
            diff_of(str(change.ref), change.before, change.after, render) for change in changes if change.is_change
        ],
    }
