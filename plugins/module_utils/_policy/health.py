# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Whether pods are as ready after a change as before it: pure.

Pods are compared by what owns them: one that was replaced meanwhile has another name, and its successor may be the one
that never gets ready.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._kube.readiness import is_pod_ready

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

TEMPLATE_HASH = "pod-template-hash"


@dataclass(frozen=True)
class Health:
    """How many pods of one owner are ready, and how many are not.

    :param alone: whether it is a pod that nobody replaces.
    """

    ready: int = 0
    unready: int = 0
    alone: bool = False


def health_of(pods: Iterable[Mapping[str, Any]]) -> dict[str, Health]:
    """Pods by owner: those that are there to stay, so neither on their way out nor done."""
    found: dict[str, Health] = {}
    for pod in pods:
        status = pod.get("status") or {}
        if pod["metadata"].get("deletionTimestamp") or status.get("phase") == "Succeeded":
            continue
        name, alone = _owner(pod["metadata"])
        one = found.get(name, Health(alone=alone))
        is_ready = is_pod_ready(pod)
        found[name] = Health(one.ready + is_ready, one.unready + (not is_ready), alone)
    return found


def worse(before: Mapping[str, Health], after: Mapping[str, Health]) -> list[str]:
    """The owners with fewer ready pods and more that are not; fewer pods alone are a smaller scale."""
    found: list[str] = []
    for name, was in sorted(before.items()):
        now = after.get(name, Health())
        if now.ready < was.ready and now.unready > was.unready:
            count = f" ({now.ready} of {now.ready + now.unready} ready, {was.ready} before)"
            found.append(name if was.alone else name + count)
    return found


def _owner(metadata: Mapping[str, Any]) -> tuple[str, bool]:
    """Who replaces a pod, and whether nobody does: a Job's pods end by themselves, and are told apart."""
    namespace, own = metadata["namespace"], metadata["name"]
    for one in metadata.get("ownerReferences") or []:
        if one.get("controller") and one["kind"] not in {"Job", "Node"}:
            kind, name = one["kind"], one["name"]
            # Every change of a Deployment makes another ReplicaSet.
            suffix = f"-{(metadata.get('labels') or {}).get(TEMPLATE_HASH, '')}"
            if kind == "ReplicaSet" and len(suffix) > 1 and name.endswith(suffix):
                kind, name = "Deployment", name[: -len(suffix)]
            return f"{kind} {namespace}/{name}", False
    return f"{namespace}/{own}", True
