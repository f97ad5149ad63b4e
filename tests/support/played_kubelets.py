# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A double of the kubelets: nodes without machines, whose pods become ready, and go when they are deleted.

The API server, the DaemonSet and its controller are real; only what a kubelet writes is played. A pod is ready one
round after it was seen, and gone one round after its deletion was: both take time, as they do with real ones.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient, KubeError, connect
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ObjectRef

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

READY = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}


class PlayedKubelets:
    """Every kubelet of a namespace's pods.

    :param namespace: whose pods are played; those of no node are left alone.
    """

    def __init__(self, kubeconfig: str, namespace: str) -> None:
        self._client: KubeClient = connect({"kubeconfig": kubeconfig})
        self._namespace = namespace
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._play)
        # Pods on these nodes never become ready.
        self.broken: set[str] = set()
        # In their order, the nodes whose pods went.
        self.deleted: list[str] = []

    def __enter__(self) -> PlayedKubelets:
        self._thread.start()
        return self

    def __exit__(self, *_unused: object) -> None:
        self._end.set()
        self._thread.join()

    def _play(self) -> None:
        seen: set[str] = set()
        while not self._end.wait(0.1):
            pods = [pod for pod in self._client.list("v1", "Pod", self._namespace) if pod["spec"].get("nodeName")]
            for pod in pods:
                key = f"{pod['metadata']['uid']} {pod['metadata'].get('deletionTimestamp', '')}"
                if key in seen:
                    self._settle(pod)
                seen.add(key)

    def _settle(self, pod: dict[str, Any]) -> None:
        place, node = pod["metadata"], pod["spec"]["nodeName"]
        path = self._client.path("v1", "Pod", place["namespace"], place["name"])
        ready = any(one["type"] == "Ready" for one in pod["status"].get("conditions") or [])
        try:
            if place.get("deletionTimestamp"):
                self._client.raw("DELETE", path, body={"gracePeriodSeconds": 0, "preconditions": {"uid": place["uid"]}})
                self.deleted.append(node)
            elif not ready and node not in self.broken:
                self._client.raw(
                    "PATCH", f"{path}/status", body={"status": READY}, content_type="application/merge-patch+json"
                )
        except KubeError as error:
            # Gone, or another by that name: the next round sees it.
            if error.status not in (404, 409):
                raise


@contextmanager
def nodes(client: KubeClient, names: Sequence[str], labels: dict[str, str]) -> Iterator[None]:
    """Nodes as the API knows them, for as long as they are needed."""
    room = {"allocatable": {"cpu": "4", "memory": "8Gi", "pods": "110"}}
    for name in names:
        metadata = {"name": name, "labels": labels}
        client.create({"apiVersion": "v1", "kind": "Node", "metadata": metadata, "status": room})
    try:
        yield
    finally:
        for name in names:
            client.delete(ObjectRef("v1", "Node", name), propagation="Background")
