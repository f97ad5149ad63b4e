# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Many objects read at once: one list for many of one kind and place instead of a request for each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeError
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import (
    MANAGED_BY,
    MANAGER,
    Object,
    ObjectRef,
    ref_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient

# From so many objects of one kind in one namespace on, one list costs less than reading each.
LIST_FROM = 4


class Observed:
    """What is there, as far as lists have told it; the rest is read one by one.

    :param found: objects that carry the collection's mark.
    :param absent: what no list has.
    """

    def __init__(self, found: dict[ObjectRef, Object], absent: set[ObjectRef]) -> None:
        self.found = found
        self.absent = absent

    def read(self, client: KubeClient, ref: ObjectRef) -> Optional[Object]:
        """One of the objects; nothing when it is not there."""
        if ref in self.absent:
            return None
        return self.found.get(ref) or client.get(ref)


def observe(client: KubeClient, refs: Iterable[ObjectRef]) -> Observed:
    """Read what of many objects is there: by their mark, then by the names of all, where these fit on a page.

    A list that is forbidden is no failure: the objects are then read one by one.
    """
    found: dict[ObjectRef, Object] = {}
    absent: set[ObjectRef] = set()
    for group in _groups(refs):
        some = next(iter(group))
        try:
            found |= {
                ref_of(live): live
                for live in client.list(some.api_version, some.kind, some.namespace, f"{MANAGED_BY}={MANAGER}")
                if ref_of(live) in group
            }
            missing = group - found.keys()
            names = client.names(some.api_version, some.kind, some.namespace) if len(missing) >= LIST_FROM else None
        except KubeError as error:
            if error.status not in {403, 404}:
                raise
            continue
        if names is not None:
            absent |= {ref for ref in missing if ref.name not in names}
    return Observed(found, absent)


def _groups(refs: Iterable[ObjectRef]) -> Iterator[set[ObjectRef]]:
    """Those of one kind and place, where they are many."""
    groups: dict[tuple[str, str, str], set[ObjectRef]] = {}
    for ref in refs:
        groups.setdefault((ref.api_version, ref.kind, ref.namespace), set()).add(ref)
    return (group for group in groups.values() if len(group) >= LIST_FROM)
