# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Nodes without pods on the pod network, for the time in which that network is taken away."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeError
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ObjectRef
from ansible_collections.netops.kubernetes.plugins.module_utils._progress import several, tell

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient

CORDONED = "netops.kubernetes/cordoned"
POLL_SECONDS = 1.0


def uses_pod_network(pod: Mapping[str, Any]) -> bool:
    """Whether a pod has an address of the pod network, or is about to get one."""
    spec, status = pod["spec"], pod.get("status") or {}
    finished = status.get("phase") in {"Succeeded", "Failed"}
    return bool(spec.get("nodeName")) and not spec.get("hostNetwork") and not finished


def is_evictable(pod: Mapping[str, Any]) -> bool:
    """Whether a pod comes back elsewhere, or later: it has an owner, and the owner is no DaemonSet.

    One that is already on its way out is only waited for.
    """
    if pod["metadata"].get("deletionTimestamp"):
        return True
    owners = pod["metadata"].get("ownerReferences") or []
    return any(owner.get("controller") and owner["kind"] != "DaemonSet" for owner in owners)


def pods_in_the_way(client: KubeClient) -> tuple[list[ObjectRef], list[ObjectRef]]:
    """Pods on the pod network: those that can be deleted, and those that must not be."""
    using = [pod for pod in client.list("v1", "Pod") if uses_pod_network(pod)]
    refs = [
        (ObjectRef("v1", "Pod", pod["metadata"]["name"], pod["metadata"]["namespace"]), is_evictable(pod))
        for pod in using
    ]
    return [ref for ref, evictable in refs if evictable], [ref for ref, evictable in refs if not evictable]


def drain(client: KubeClient, *, check: bool, timeout: float) -> list[str]:
    """Cordon every node and delete the pods that use the pod network; returns what was done, or would be.

    :raises KubeError: a pod would not come back, or does not go away in time.
    """
    evictable, others = pods_in_the_way(client)
    if others:
        raise KubeError(
            ", ".join(map(str, others[:10])),
            f"{len(others)} pods on the pod network are of a DaemonSet, or of nobody",
            "pods that can be deleted and come back",
            "Remove them first: they would lose their network",
        )
    open_nodes = [node for node in client.list("v1", "Node") if not node["spec"].get("unschedulable")]
    done = [f"Node '{node['metadata']['name']}' cordoned" for node in open_nodes]
    done += [f"{ref} deleted" for ref in evictable]
    if check:
        return done
    for node in open_nodes:
        body = {"metadata": {"annotations": {CORDONED: "true"}}, "spec": {"unschedulable": True}}
        client.patch(ObjectRef("v1", "Node", node["metadata"]["name"]), body)
    for ref in evictable:
        client.delete(ref, propagation="Background")
    _wait_until_gone(client, evictable, timeout)
    return done


def _wait_until_gone(client: KubeClient, refs: Sequence[ObjectRef], timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while True:
        left = [ref for ref in refs if client.get(ref) is not None]
        if not left:
            return
        if time.monotonic() > deadline:
            raise KubeError(
                ", ".join(map(str, left)), f"still there after {timeout:.0f} s", "an end", "Look at the kubelet's log"
            )
        tell(f"{len(left)} of {len(refs)} pods are still there: {several(map(str, left))}")
        time.sleep(POLL_SECONDS)


def release(client: KubeClient, *, check: bool) -> list[str]:
    """Uncordon the nodes that :func:`drain` cordoned; returns what was done, or would be."""
    ours = [node for node in client.list("v1", "Node") if CORDONED in (node["metadata"].get("annotations") or {})]
    for node in [] if check else ours:
        body = {"metadata": {"annotations": {CORDONED: None}}, "spec": {"unschedulable": None}}
        client.patch(ObjectRef("v1", "Node", node["metadata"]["name"]), body)
    return [f"Node '{node['metadata']['name']}' uncordoned" for node in ours]
