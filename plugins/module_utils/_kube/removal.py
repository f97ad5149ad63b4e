# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Objects deleted: those that the collection made, in the reverse order, until they are gone."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from ansible_collections.netops.kubernetes.plugins.module_utils._kube.changes import Change
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import ConflictError, UnknownKindError
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.inventory import (
    inventory_ref,
    is_owned,
    read_inventory,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import comparable, ref_of, waves
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.reading import observe
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.together import each
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.update import ATTEMPTS
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.waiting import wait_gone

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient
    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import Object, ObjectRef
    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.reading import Observed


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
    :raises KubeError: an object does not go away; the text names what holds it.
    """
    changes: list[Change] = []
    deadline = time.monotonic() + timeout
    for wave in reversed(waves(list(objects))):
        refs = [ref_of(obj) for obj in wave]
        gone = each(refs, partial(_delete, client, observe(client, refs), check=check, owner=owner))
        changes += gone
        if not check:
            wait_gone(client, [change.ref for change in gone if change.action == "deleted"], deadline)
    return changes


def _delete(client: KubeClient, observed: Observed, ref: ObjectRef, *, check: bool, owner: str) -> Change:
    try:
        before = observed.read(client, ref)
    except UnknownKindError:
        before = None
    attempt = 0
    while before is not None and is_owned(before, owner):
        try:
            if not check:
                # What was judged and nothing else: somebody may take it over, or make another of its name, meanwhile.
                metadata = before["metadata"]
                client.delete(ref, version=metadata["resourceVersion"], uid=metadata["uid"])
        except ConflictError:
            attempt += 1
            if attempt == ATTEMPTS:
                raise
            before = client.get(ref)
        else:
            return Change(ref, "deleted", comparable(before), {})
    return Change(ref, "absent" if before is None else "kept", {}, {})
