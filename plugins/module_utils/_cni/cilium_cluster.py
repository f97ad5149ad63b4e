# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Cilium in a cluster: its chart applied and waited for, certificates kept, all of it taken away."""

from __future__ import annotations

import copy
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._cni.certificates import is_ending
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.cilium_agents import wait_for_programs
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.cilium_chart import NAMESPACE
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.cluster import clean_definitions
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.images import parsed
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.marks import MARKS
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.apply import converge
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.changes import Change
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.inventory import inventory_ref, read_inventory
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ObjectRef, comparable, ref_of
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.readiness import is_judged
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.removal import delete_all, dissolve, stubs
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.waiting import wait_ready
from ansible_collections.netops.kubernetes.plugins.module_utils._progress import tell

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient
    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import Object

OWNER = "cilium"
REHEARSAL = "cilium-preflight"
AGENTS = ObjectRef("apps/v1", "DaemonSet", "cilium", NAMESPACE)
AUTHORITY = ObjectRef("v1", "Secret", "cilium-ca", NAMESPACE)
DEFINITION_API, DEFINITION = "apiextensions.k8s.io/v1", "CustomResourceDefinition"
# What the chart makes anew whenever it is rendered.
GENERATED = ("tls.crt", "ca.key")


def version_that_runs(client: KubeClient) -> str:
    """The version of the agents, by their image's tag; empty when there are none, or a digest alone names the image."""
    live = client.get(AGENTS)
    return parsed(live["spec"]["template"]["spec"]["containers"][0]["image"]).tag if live else ""


def authority(client: KubeClient) -> dict[str, Any]:
    """Values that let the chart sign with the authority that is there; empty when there is none, or it ends soon."""
    content = _data(client.get(AUTHORITY))
    if not content.get("ca.crt") or not content.get("ca.key") or is_ending(content["ca.crt"], _now()):
        return {}
    return {"tls": {"ca": {"cert": content["ca.crt"], "key": content["ca.key"]}}}


def provide(client: KubeClient, objects: Sequence[Object], *, force: bool, check: bool, timeout: float) -> list[Change]:
    """Apply the chart's objects, and wait: until what they run is ready, then until pods can have a network.

    :param timeout: seconds for each of the two.
    :raises NetopsError: the cluster stands in the way.
    """
    wanted = with_kept_certificates(objects, client.get, _now())
    changes = converge(client, wanted, owner=OWNER, prune=True, force=force, check=check, timeout=timeout)
    if not check:
        wait_ready(client, [obj for obj in wanted if is_judged(obj["kind"])], timeout)
        wait_for_programs(client, timeout)
    return changes


def rehearse(client: KubeClient, objects: Sequence[Object], timeout: float) -> None:
    """What Cilium's project asks for before another minor version comes: all nodes pull its images, and it reads every
    policy that there is (docs.cilium.io, upgrade guide, "Running pre-flight check").

    :param objects: the chart's own, which go again however it ends.
    :raises NetopsError: a node or a policy is not ready for that version; the one that runs goes on.
    """
    tell("the version that comes pulls its images and reads all policies, before anything changes")
    try:
        converge(client, objects, owner=REHEARSAL, prune=True, force=False, check=False, timeout=timeout)
        wait_ready(client, [obj for obj in objects if is_judged(obj["kind"])], timeout)
    finally:
        dissolve(client, owner=REHEARSAL, check=False, timeout=timeout)


def with_kept_certificates(
    objects: Sequence[Object], live: Callable[[ObjectRef], Object | None], now: datetime
) -> list[Object]:
    """The objects with the certificates that are there, so that a rerun changes nothing.

    A certificate that ends soon goes, and so does one of another authority than that which is there, or comes: a run
    that was killed between the two has left the certificate, and no one would believe it.

    :param live: reads an object.
    :returns: copies where something is kept.
    """
    secrets = {ref_of(obj): obj for obj in objects if _is_generated(obj)}
    there = {ref: _data(live(ref)) for ref in secrets}
    signer = _kept(_data(secrets.get(AUTHORITY)), there.get(AUTHORITY, {}), now).get("ca.crt", "")
    result: list[Object] = []
    for obj in objects:
        if _is_generated(obj):
            kept = _kept(_data(obj), there[ref_of(obj)], now)
            if kept.get("ca.crt", signer) == signer or not signer:
                result.append({**copy.deepcopy(obj), "data": kept})
                continue
        result.append(obj)
    return result


def _is_generated(obj: Object) -> bool:
    return obj["kind"] == "Secret" and any(name in _data(obj) for name in GENERATED)


def _kept(wanted: dict[str, Any], there: dict[str, Any], now: datetime) -> dict[str, Any]:
    """What is there, unless it is not the same kind of thing or ends soon."""
    return there if there.keys() == wanted.keys() and not _is_ending(there, now) else wanted


def _is_ending(content: dict[str, Any], now: datetime) -> bool:
    return any(is_ending(content[name], now) for name in ("tls.crt", "ca.crt") if content.get(name))


def _data(obj: Object | None) -> dict[str, Any]:
    content: dict[str, Any] = (obj or {}).get("data") or {}
    return content


def _now() -> datetime:
    return datetime.now(timezone.utc)


def remove(client: KubeClient, *, check: bool, timeout: float) -> list[Change]:
    """Take Cilium away, then the definitions that its operator has made: one that still runs would make them again.

    Nothing is removed where this collection did not install it.

    :param timeout: seconds for each of the two steps.
    """
    # Of a rehearsal that was killed.
    rehearsed = dissolve(client, owner=REHEARSAL, check=check, timeout=timeout)
    live = client.get(inventory_ref(OWNER))
    if live is None:
        return rehearsed
    listed = stubs(read_inventory(OWNER, live))
    changes = rehearsed + delete_all(client, listed, check=check, timeout=timeout, owner=OWNER)
    made = [one for one in client.list(DEFINITION_API, DEFINITION) if MARKS["cilium"].defines(one["metadata"]["name"])]
    changes += [Change(ref_of(one), "deleted", comparable(one), {}) for one in made]
    if not check:
        clean_definitions(client, MARKS["cilium"], check=False, timeout=timeout)
        # Last: a run that is killed before still finds what was installed.
        client.delete(inventory_ref(OWNER))
    return changes
