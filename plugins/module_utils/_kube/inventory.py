# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""The list of what an owner has applied, kept in a ConfigMap, so that what it no longer wants can be found."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import (
    ManifestError,
    Object,
    ObjectRef,
    is_marked,
    labels_of,
    marked,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

OWNER = "netops.kubernetes/owner"
PLACE = "kube-system"
ENTRY = "objects.json"


def inventory_ref(owner: str) -> ObjectRef:
    """Where the list of an owner is kept."""
    return ObjectRef("v1", "ConfigMap", f"netops-kubernetes-{owner}", PLACE)


def owned(obj: Object, owner: str) -> Object:
    """A copy that carries the collection's mark and its owner's name."""
    result = marked(obj)
    if owner:
        result["metadata"]["labels"][OWNER] = owner
    return result


def is_owned(obj: Mapping[str, Any], owner: str) -> bool:
    """Whether the collection made this object, for this owner when one is named."""
    return is_marked(obj) and (not owner or labels_of(obj).get(OWNER) == owner)


def write_inventory(owner: str, refs: Iterable[ObjectRef]) -> Object:
    """The ConfigMap that lists ``refs``."""
    ref = inventory_ref(owner)
    lines = sorted([one.api_version, one.kind, one.namespace, one.name] for one in set(refs))
    return owned(
        {
            "apiVersion": ref.api_version,
            "kind": ref.kind,
            "metadata": {"name": ref.name, "namespace": ref.namespace},
            "data": {ENTRY: json.dumps(lines)},
        },
        owner,
    )


def read_inventory(owner: str, live: Mapping[str, Any]) -> set[ObjectRef]:
    """What the ConfigMap lists.

    :raises ManifestError: it is not ours, or somebody has edited it into something else.
    """
    subject = str(inventory_ref(owner))
    if not is_owned(live, owner):
        raise ManifestError(
            subject,
            "it exists, but is no list of this owner's objects",
            remedy="Choose another owner, or remove the ConfigMap",
        )
    try:
        lines = json.loads((live.get("data") or {})[ENTRY])
        return {ObjectRef(version, kind, name, place) for version, kind, place, name in lines}
    except (KeyError, TypeError, ValueError) as error:
        raise ManifestError(
            subject,
            f"its entry {ENTRY} cannot be read: {error!r}",
            "a list of [apiVersion, kind, namespace, name]",
            "Correct the entry, or delete the ConfigMap: the next run writes it anew and prunes nothing older",
        ) from error
