# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A double of the controllers and nodes that run workloads: the API ring has none.

Through the real API server it says of every Deployment and DaemonSet, once it has seen it, that its pods are ready.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, TypeVar

from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient, KubeError, connect

if TYPE_CHECKING:
    from types import TracebackType

POLL_SECONDS = 0.2
COUNTS = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
Double = TypeVar("Double", bound="WorkloadsDouble")


class WorkloadsDouble:
    """Runs in a thread while the block lasts."""

    # Groups whose kinds are not there when it begins.
    kinds_to_come: tuple[str, ...] = ()

    def __init__(self, kubeconfig: str) -> None:
        # Names of those of which it has said so.
        self.seen: set[str] = set()
        self.client: KubeClient = connect({"kubeconfig": kubeconfig})
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self: Double) -> Double:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._end.wait(POLL_SECONDS):
            try:
                self.step()
            except KubeError:
                # Somebody else wrote in between, or a kind is not there yet: like a controller, it tries again.
                for api_version in self.kinds_to_come:
                    self.client.forget_kinds(api_version)

    def step(self) -> None:
        for kind in ("Deployment", "DaemonSet"):
            for obj in self.client.list("apps/v1", kind):
                self._make_ready(kind, obj)

    def _make_ready(self, kind: str, obj: dict[str, Any]) -> None:
        generation = obj["metadata"]["generation"]
        if (obj.get("status") or {}).get("observedGeneration") == generation:
            return
        counts = (
            dict.fromkeys(COUNTS, obj["spec"]["replicas"])
            if kind == "Deployment"
            else {"currentNumberScheduled": 0, "numberMisscheduled": 0, "desiredNumberScheduled": 0, "numberReady": 0}
        )
        metadata = obj["metadata"]
        self.seen.add(metadata["name"])
        path = f"/apis/apps/v1/namespaces/{metadata['namespace']}/{kind.lower()}s/{metadata['name']}/status"
        body = {"status": {"observedGeneration": generation, **counts}}
        self.client.raw("PATCH", path, body=body, content_type="application/merge-patch+json")
