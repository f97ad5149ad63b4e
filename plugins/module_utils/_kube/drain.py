# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Nodes without pods on the pod network, for the time in which that network is taken away."""

from __future__ import annotations

import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import ConflictError, KubeError
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ObjectRef
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.waiting import answered
from ansible_collections.netops.kubernetes.plugins.module_utils._progress import several, tell

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient

CORDONED = "netops.kubernetes/cordoned"
POLL_SECONDS = 1.0


def uses_pod_network(pod: Mapping[str, Any]) -> bool:
    """Whether a pod has an address of the pod network, or is about to get one."""
    spec, status = pod["spec"], pod.get("status") or {}
    finished = status.get("phase") in {"Succeeded", "Failed"}
    return bool(spec.get("nodeName")) and not spec.get("hostNetwork") and not finished


def is_evictable(pod: Mapping[str, Any]) -> bool:
    """Whether a pod comes back elsewhere, or later: it has an owner, and that is neither a DaemonSet nor a node.

    A node owns the images of its static pods at the API: deleted, they come back at once, and the pods have run on all
    the time. Any other pod that is already on its way out is only waited for.
    """
    kinds = {owner["kind"] for owner in pod["metadata"].get("ownerReferences") or [] if owner.get("controller")}
    if "Node" in kinds:
        return False
    return bool(pod["metadata"].get("deletionTimestamp")) or bool(kinds - {"DaemonSet"})


def pods_in_the_way(client: KubeClient) -> tuple[dict[str, ObjectRef], list[ObjectRef]]:
    """Pods on the pod network: those that can be deleted, by their uids, and those that must not be."""
    evictable: dict[str, ObjectRef] = {}
    others: list[ObjectRef] = []
    for pod in client.list("v1", "Pod"):
        ref = ObjectRef("v1", "Pod", pod["metadata"]["name"], pod["metadata"]["namespace"])
        if uses_pod_network(pod) and is_evictable(pod):
            evictable[pod["metadata"]["uid"]] = ref
        elif uses_pod_network(pod):
            others.append(ref)
    return evictable, others


def drain(client: KubeClient, *, check: bool, timeout: float) -> list[str]:
    """Cordon every node and delete the pods that use the pod network; returns what was done, or would be.

    :raises KubeError: a pod would not come back, or does not go away in time.
    """
    evictable = _movable(client)
    open_nodes = [node for node in client.list("v1", "Node") if not node["spec"].get("unschedulable")]
    done = [f"Node '{node['metadata']['name']}' cordoned" for node in open_nodes]
    if check:
        return done + [f"{ref} deleted" for ref in evictable.values()]
    for node in open_nodes:
        body = {"metadata": {"annotations": {CORDONED: "true"}}, "spec": {"unschedulable": True}}
        client.patch(ObjectRef("v1", "Node", node["metadata"]["name"]), body)
    if open_nodes:
        # A pod may have come to a node before that was cordoned.
        evictable = _movable(client)
    for uid, ref in evictable.items():
        # One that has gone by itself may have a follower of its name already, which waits for a node.
        with suppress(ConflictError):
            client.delete(ref, propagation="Background", uid=uid)
    _wait_until_gone(client, evictable, timeout)
    return done + [f"{ref} deleted" for ref in evictable.values()]


def _movable(client: KubeClient) -> dict[str, ObjectRef]:
    evictable, others = pods_in_the_way(client)
    if others:
        raise KubeError(
            ", ".join(map(str, others[:10])),
            f"{len(others)} pods on the pod network are of a DaemonSet, of a file on a node, or of nobody",
            "pods that can be deleted and come back",
            "Remove them first: they would lose their network",
        )
    return evictable


def _wait_until_gone(client: KubeClient, pods: Mapping[str, ObjectRef], timeout: float) -> None:
    """Wait until these very pods are gone: a StatefulSet makes another of the same name at once, for a node to come."""
    deadline = time.monotonic() + timeout
    left = dict(pods)
    while left := answered(partial(_still_there, client, left), deadline):
        if time.monotonic() > deadline:
            raise KubeError(
                ", ".join(map(str, left.values())),
                f"still there after {timeout:.0f} s",
                "an end",
                "Look at the kubelet's log",
            )
        tell(f"{len(left)} of {len(pods)} pods are still there: {several(map(str, left.values()))}")
        time.sleep(POLL_SECONDS)


def _still_there(client: KubeClient, pods: Mapping[str, ObjectRef]) -> dict[str, ObjectRef]:
    read = {uid: client.get(ref) for uid, ref in pods.items()}
    return {uid: pods[uid] for uid, live in read.items() if live is not None and live["metadata"]["uid"] == uid}


def release(client: KubeClient, *, check: bool) -> list[str]:
    """Uncordon the nodes that :func:`drain` cordoned; returns what was done, or would be."""
    ours = [node for node in client.list("v1", "Node") if CORDONED in (node["metadata"].get("annotations") or {})]
    for node in [] if check else ours:
        body = {"metadata": {"annotations": {CORDONED: None}}, "spec": {"unschedulable": None}}
        client.patch(ObjectRef("v1", "Node", node["metadata"]["name"]), body)
    return [f"Node '{node['metadata']['name']}' uncordoned" for node in ours]
