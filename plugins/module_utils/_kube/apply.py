# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Many objects in one go: in waves, side by side within a wave, each compared before and after."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from ansible_collections.netops.kubernetes.plugins.module_utils._kube.changes import Change
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeError
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.inventory import (
    inventory_ref,
    owned,
    read_inventory,
    write_inventory,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import (
    DEFINITION,
    Object,
    ObjectRef,
    comparable,
    compared,
    definer_of,
    identity,
    merged,
    ref_of,
    same,
    waves,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.readiness import not_ready
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.reading import Observed, observe
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.removal import delete_all, stubs
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.schema import judged
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.settled import is_settled
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.together import each
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.waiting import wait_served

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Optional

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient

CRD_SECONDS = 60.0
YOUNG_KIND_SECONDS = 10.0
YOUNG_FIELD_SECONDS = 2.0
YOUNG_POLL_SECONDS = 0.2
# structured-merge-diff, typed: what the server says of a field that its schema does not have.
UNKNOWN_FIELD = "field not declared in schema"
# Judges what belongs into a namespace that is not there yet; every cluster has it.
REHEARSAL = "default"


@dataclass(frozen=True)
class _Job:
    """What every object of one call needs to know.

    :param observed: what was there before, as far as lists have shown it.
    :param fresh: namespaces that this call makes: nothing can be in them.
    :param young: definitions that this call makes or changes.
    :param taken: objects whose fields are ours whoever manages them, beyond ``force``.
    """

    observed: Observed
    fresh: frozenset[str]
    young: tuple[Object, ...]
    force: bool
    check: bool
    taken: frozenset[ObjectRef]


def apply_all(
    client: KubeClient,
    objects: Sequence[Object],
    *,
    force: bool,
    check: bool,
    owner: str = "",
    taken: frozenset[ObjectRef] = frozenset(),
) -> list[Change]:
    """Apply objects in waves under the collection's mark.

    :param check: ask the server what it would do. What it cannot judge yet, since the kind comes with this very call,
        is judged by the definition's schema; what goes into a namespace of this call is judged in another namespace.
    :param owner: marks the objects as this owner's.
    :param taken: objects whose fields are taken over without ``force``.
    :raises NetopsError: the server refused objects, all are named; those of earlier waves are applied.
    """
    changes: list[Change] = []
    wanted = [owned(obj, owner) for obj in placed(client, objects)]
    job = _Job(observe(client, map(ref_of, wanted)), frozenset(), (), force, check, taken)
    for wave in waves(wanted):
        done = each(wave, partial(_apply, client, job))
        changes += done
        if not check:
            _settle_kinds(client, wave, done, job.observed)
        made = {one.ref.name for one in done if one.ref.kind == "Namespace" and one.action == "created"}
        young = tuple(obj for obj, one in zip(wave, done) if obj["kind"] == DEFINITION and one.is_change)
        job = replace(job, fresh=job.fresh | made, young=job.young + young)
    return changes


def placed(client: KubeClient, objects: Sequence[Object]) -> list[Object]:
    """The objects, each of a namespaced kind with its namespace written out: ``default`` where it has none."""
    result: list[Object] = []
    definitions = [obj for obj in objects if obj["kind"] == DEFINITION]
    for obj in objects:
        ref = ref_of(obj)
        definer = definer_of(ref, definitions)
        if definer:
            namespaced = definer["spec"]["scope"] == "Namespaced"
        else:
            namespaced = client.is_namespaced(ref.api_version, ref.kind)
        if namespaced and not ref.namespace:
            obj = {**obj, "metadata": {**obj["metadata"], "namespace": "default"}}
        result.append(obj)
    return result


def _settle_kinds(client: KubeClient, wave: Sequence[Object], done: Sequence[Change], observed: Observed) -> None:
    """Wait until the wave's CRDs are served."""
    unsettled = [
        obj
        for obj, change in zip(wave, done)
        if obj["kind"] == DEFINITION
        and (change.is_change or not_ready(observed.found.get(change.ref, {"kind": DEFINITION})))
    ]
    for obj in unsettled:
        for version in obj["spec"]["versions"]:
            client.forget_kinds(f"{obj['spec']['group']}/{version['name']}")
    wait_served(client, unsettled, CRD_SECONDS)


def _apply(client: KubeClient, job: _Job, obj: Object) -> Change:
    ref = ref_of(obj)
    before = None if ref.namespace in job.fresh else job.observed.read(client, ref)
    if before is not None and is_settled(obj, before):
        return Change(ref, "unchanged", {}, {})
    try:
        after = _apply_patiently(client, obj, job)
    except KubeError as error:
        if not job.check:
            raise
        after = _foreseen(client, job, obj, before, error)
    if before is None:
        return Change(ref, "created", {}, comparable(after))
    if same(before, after):
        return Change(ref, "unchanged", {}, {})
    return Change(ref, "changed", *compared(before, after))


def _apply_patiently(client: KubeClient, obj: Object, job: _Job) -> Object:
    """Apply; a kind that this very call has defined, or a field of it, may take the server a moment."""
    begin = time.monotonic()
    while True:
        try:
            return client.apply(obj, force=job.force or ref_of(obj) in job.taken, dry_run=job.check)
        except KubeError as error:
            if job.check or not definer_of(ref_of(obj), job.young):
                raise
            patience = YOUNG_KIND_SECONDS if error.status == 404 else YOUNG_FIELD_SECONDS
            young = error.status == 404 or UNKNOWN_FIELD in error.seen
            if not young or time.monotonic() - begin > patience:
                raise
        client.forget_kinds(str(obj["apiVersion"]))
        time.sleep(YOUNG_POLL_SECONDS)


def _foreseen(client: KubeClient, job: _Job, obj: Object, before: Optional[Object], error: KubeError) -> Object:
    """What the object would be once what it lacks is there; the server's refusal where it lacks nothing of this call.

    :raises NetopsError: the object will not be taken then either.
    """
    ref = ref_of(obj)
    definer = definer_of(ref, job.young)
    if definer and error.status not in {401, 403, 409, 429}:
        return merged(before or {}, judged(obj, definer))
    if error.status == 404 and ref.namespace in job.fresh:
        return _rehearsed(client, obj)
    raise error


def _rehearsed(client: KubeClient, obj: Object) -> Object:
    try:
        return client.rehearse(obj, REHEARSAL)
    except KubeError as error:
        if error.status in {400, 422}:
            raise KubeError(str(ref_of(obj)), error.seen) from error
    # Whoever may not write there, or is kept from it by rules of that namespace, learns it from the run.
    return obj


# ---- what an owner no longer wants ----------------------------------------------------------------------------------


def converge(
    client: KubeClient,
    objects: Sequence[Object],
    *,
    owner: str,
    prune: bool,
    force: bool,
    check: bool,
    timeout: float,
    taken: frozenset[ObjectRef] = frozenset(),
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
    changes = apply_all(client, wanted, force=force, check=check, owner=owner, taken=taken)
    if not prune:
        return changes
    changes += delete_all(client, stubs(obsolete), check=check, timeout=timeout, owner=owner)
    if not check and obsolete | refs != refs:
        client.apply(write_inventory(owner, refs), force=True)
    return changes


def prune(
    client: KubeClient, objects: Sequence[Object], *, owner: str, kinds: frozenset[str], check: bool, timeout: float
) -> list[Change]:
    """Delete what an owner applied before and no longer names, of some kinds alone; the rest stays on its list.

    :param objects: all that the owner names now.
    :param timeout: seconds for what is deleted to go away.
    :raises KubeError: an object does not go away; the text names what holds it.
    """
    live = client.get(inventory_ref(owner))
    listed = read_inventory(owner, live) if live else set()
    named = {identity(ref_of(obj)) for obj in placed(client, objects)}
    obsolete = {ref for ref in listed if ref.kind in kinds and identity(ref) not in named}
    changes = delete_all(client, stubs(obsolete), check=check, timeout=timeout, owner=owner)
    if obsolete and not check:
        client.apply(write_inventory(owner, listed - obsolete), force=True)
    return changes
