# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Calico in a cluster: applied and waited for, taken away in an order that ends."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._cni.calico import (
    CALICO_API,
    OPERATOR_API,
    Calico,
    configuration,
    endpoint,
    image_sets,
    installation,
    ip_pools,
    kept,
    require_kept,
    require_sound,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.calico_manifest import edited
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.cluster import agents_of
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.apply import apply_all, converge, prune
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeError
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.inventory import inventory_ref, read_inventory
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import MANAGER, ObjectRef, flatten
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.readiness import not_ready
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.removal import delete_all, dissolve, stubs
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.waiting import POLL_SECONDS, answered, wait_ready
from ansible_collections.netops.kubernetes.plugins.module_utils._progress import several, tell

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.changes import Change
    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient
    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import Object

OWNER = "calico"
NAMESPACES = {"operator": "tigera-operator", "manifest": "kube-system"}
INSTALLATION = ObjectRef(OPERATOR_API, "Installation", "default")
MANIFESTS_AGENT = ObjectRef("apps/v1", "DaemonSet", "calico-node", NAMESPACES["manifest"])
# What the operator says of calico-node, kube-controllers and Typha.
STATUS = "calico"
# What goes when the settings name it no more. Whatever else an older version or other settings had stays.
PRUNED = frozenset({"BGPPeer", "ImageSet"})
# The field manager of the operator: its program's name.
OPERATOR_MANAGER = "operator"


def objects_of(calico: Calico, upstream: Sequence[Object]) -> list[Object]:
    """Every object of a Calico with these settings.

    :param upstream: the objects of upstream's manifests.
    :raises NetopsError: the settings are not sound, or the manifests are others.
    """
    require_sound(calico)
    own = [*image_sets(calico), installation(calico)] if calico.mode == "operator" else ip_pools(calico)
    return flatten(
        [
            *edited(calico, upstream),
            *endpoint(calico, NAMESPACES[calico.mode]),
            *own,
            *configuration(calico),
        ]
    )


def provide(
    client: KubeClient, calico: Calico, objects: Sequence[Object], *, force: bool, check: bool, timeout: float
) -> list[Change]:
    """Apply Calico and wait until it works.

    What an older version had stays: a definition that goes takes what users have said in it along. Peers and digests
    that are not named any more go at the end: while the operator of before runs, it still needs its own digests.

    :param objects: all of Calico's, see :func:`objects_of`.
    :param timeout: seconds to wait.
    :raises NetopsError: the cluster stands in the way; a pool would be replaced.
    """
    _require_same_mode(client, calico)
    if client.serves(CALICO_API, "IPPool"):
        require_kept(calico.pools, client.list(CALICO_API, "IPPool"))
    objects, taken = _beside_the_operator(client, objects)
    changes = converge(
        client, objects, owner=OWNER, prune=False, force=force, check=check, timeout=timeout, taken=taken
    )
    if not check:
        deadline = time.monotonic() + timeout
        wait_ready(client, [obj for obj in objects if obj["kind"] in {"DaemonSet", "Deployment"}], timeout)
        if calico.mode == "operator":
            _wait_for_operator(client, deadline)
        # calico-node has filled in defaults when it started, and has taken our mark off with it.
        apply_all(
            client, [obj for obj in objects if obj["apiVersion"] == CALICO_API], force=force, check=False, owner=OWNER
        )
    return changes + prune(client, objects, owner=OWNER, kinds=PRUNED, check=check, timeout=timeout)


def _beside_the_operator(client: KubeClient, objects: Sequence[Object]) -> tuple[list[Object], frozenset[ObjectRef]]:
    """The objects with what the operator has filled in, and what may be taken over from it.

    It manages fields of the Installation as soon as it fills in defaults; anybody else who does is named.
    """
    live = client.get(INSTALLATION)
    if live is None:
        return list(objects), frozenset()
    managers = {entry.get("manager") for entry in live["metadata"].get("managedFields") or []}
    result = [kept(obj, live) if obj["kind"] == INSTALLATION.kind else obj for obj in objects]
    return result, frozenset({INSTALLATION} if managers <= {MANAGER, OPERATOR_MANAGER} else ())


def _require_same_mode(client: KubeClient, calico: Calico) -> None:
    """The two modes lay down the same names in other places: the one that is there goes first, whoever installed it.

    The operator takes over what a manifest has installed (docs.tigera.io, Migrate to an operator-managed installation);
    the other way round there would be two agents on each node.
    """
    live = client.get(inventory_ref(OWNER))
    if live is None:
        found = [str(INSTALLATION)] if client.get(INSTALLATION) else []
        found += [agent for agent in agents_of(client, "calico") if agent != str(MANIFESTS_AGENT)]
        if found and calico.mode == "manifest":
            raise KubeError(
                "mode",
                f"{', '.join(found)} is there, of a Calico that this collection has not installed",
                f"no Calico, or {MANIFESTS_AGENT}, which is taken over",
                "Keep an operator's Calico with calico_mode: operator, or remove that one as it was installed",
            )
        return
    listed = read_inventory(OWNER, live)
    there = "operator" if any(ref.kind == INSTALLATION.kind for ref in listed) else "manifest"
    if there != calico.mode:
        raise KubeError(
            "mode",
            f"Calico is installed in mode {there}, wanted is {calico.mode}",
            f"mode {there}",
            "Remove it first, or keep its mode",
        )


def _wait_for_operator(client: KubeClient, deadline: float) -> None:
    """Every TigeraStatus that is there is ready, that of Calico itself is, and for the Installation of now."""
    while True:
        reasons = answered(partial(_unready, client), deadline)
        if not reasons:
            return
        if time.monotonic() > deadline:
            raise KubeError(
                "TigeraStatus",
                "; ".join(reasons),
                "every part Available, and neither Progressing nor Degraded",
                "Look at the log of tigera-operator and at the pods in calico-system, or raise wait_timeout",
            )
        tell(several(reasons))
        time.sleep(POLL_SECONDS)


def _unready(client: KubeClient) -> list[str]:
    return unready(list(client.list(OPERATOR_API, "TigeraStatus")), client.get(INSTALLATION) or {})


def unready(statuses: Sequence[Mapping[str, Any]], wanted: Mapping[str, Any]) -> list[str]:
    """Why Calico is not ready yet, by its parts.

    :param statuses: the TigeraStatuses.
    :param wanted: the Installation.
    """
    reasons: list[str] = []
    if all(one["metadata"]["name"] != STATUS for one in statuses):
        reasons.append(f"TigeraStatus '{STATUS}' is not there yet")
    for one in statuses:
        reason = not_ready(one)
        if not reason and one["metadata"]["name"] == STATUS and _is_of_before(one, wanted):
            reason = "it does not speak of the Installation's last change yet"
        if reason:
            reasons.append(f"TigeraStatus '{one['metadata']['name']}': {reason}")
    return reasons


def _is_of_before(status: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    generation = (wanted.get("metadata") or {}).get("generation") or 0
    seen = [one["observedGeneration"] for one in status["status"]["conditions"] if one.get("observedGeneration")]
    return bool(seen) and max(seen) < generation


def pool_cidrs(client: KubeClient) -> list[str]:
    """The networks of all pools, those that users have made too: nodes have routes into each."""
    if not client.serves(CALICO_API, "IPPool"):
        return []
    return sorted({pool["spec"]["cidr"] for pool in client.list(CALICO_API, "IPPool")})


def remove(client: KubeClient, *, check: bool, timeout: float) -> list[Change]:
    """Take Calico away: first what the operator serves, while it still runs; then the rest.

    The other way round the operator's finalizers would hold its resources for good.

    :param timeout: seconds for each of the two steps.
    """
    live = client.get(inventory_ref(OWNER))
    if live is None:
        return []
    listed = read_inventory(OWNER, live)
    served = [ref for ref in listed if ref.api_version == OPERATOR_API]
    first = delete_all(client, stubs(served), check=check, timeout=timeout, owner=OWNER)
    gone = {change.ref for change in first if change.action == "deleted"}
    rest = dissolve(client, owner=OWNER, check=check, timeout=timeout)
    return first + [change for change in rest if change.ref not in gone and change.ref not in served]
