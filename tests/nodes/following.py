# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections to and from pods that come back elsewhere, or with another address: followed, not lost.

On each node a client opens connections all the time, from the node's own network and from inside a pod, to where
somebody tells it at that moment. What counts for a user is how long no connection was good.
"""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._kube.apply import apply_all
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeError
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ObjectRef
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.waiting import wait_ready
from tests.nodes.connections import ROOM, Attempt, Pace, opened
from tests.testbed.bed import BedError
from tests.testbed.settings import IMAGES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient
    from tests.testbed.bed import Bed
    from tests.testbed.settings import Node

NAMESPACE = "netops-following"
PORT = 8080
# Beside its own loop, the client of a slow node must leave it time to switch.
STEP = 0.2
PATIENCE = 1.0
TARGETS, ENOUGH = "/run/following.json", "/run/following-enough"


def objects() -> list[dict[str, Any]]:
    """On every node one pod that draining leaves, and two that are evicted, behind a Service each."""
    container = {
        "name": "agnhost",
        "image": IMAGES["agnhost"],
        "imagePullPolicy": "IfNotPresent",
        "args": ["netexec", f"--http-port={PORT}"],
        # On a node that is slow, a second is not enough for an answer.
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": PORT}, "periodSeconds": 1, "timeoutSeconds": 10},
    }

    def template(name: str) -> dict[str, Any]:
        anywhere = [{"operator": "Exists", "effect": "NoSchedule", "key": "node-role.kubernetes.io/control-plane"}]
        pod = {"containers": [container], "tolerations": anywhere, "terminationGracePeriodSeconds": 1}
        return {"selector": {"matchLabels": {"app": name}}, "template": {"metadata": labels(name), "spec": pod}}

    def labels(name: str) -> dict[str, Any]:
        return {"labels": {"app": name}}

    def place(name: str) -> dict[str, str]:
        return {"name": name, "namespace": NAMESPACE}

    services = [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": place(name),
            "spec": {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": PORT}]},
        }
        for name in ("staying", "moving")
    ]
    budget = {"minAvailable": 1, "selector": {"matchLabels": {"app": "moving"}}}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        *services,
        {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": place("staying"), "spec": template("staying")},
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": place("moving"),
            "spec": {"replicas": 2, **template("moving")},
        },
        {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": place("moving"), "spec": budget},
    ]


@dataclass
class Followed:
    """What was seen of each flow: beginnings of connections in seconds, and whether they were good."""

    attempts: dict[str, list[tuple[float, bool]]] = field(default_factory=dict)

    def longest_gap(self, name: str) -> float:
        """The longest time without a good connection, in seconds."""
        good = [begin for begin, is_good in self.attempts[name] if is_good]
        return max((later - earlier for earlier, later in zip(good, good[1:])), default=float("inf"))

    def is_good_at_the_end(self, name: str) -> bool:
        return all(is_good for _begin, is_good in self.attempts[name][-3:])

    @property
    def figures(self) -> list[str]:
        lines: list[str] = []
        for name, attempts in sorted(self.attempts.items()):
            bad = sum(not is_good for _begin, is_good in attempts)
            gap = self.longest_gap(name)
            lines.append(f"{name}: {len(attempts)} connections, {bad} failed, none was good for {gap:.1f} s at most")
        return lines


class Following:
    """Tells each node's client where the pods are."""

    def __init__(self, bed: Bed, client: KubeClient) -> None:
        self._bed, self._client = bed, client
        self._told: dict[str, str] = {}
        self._last: dict[str, tuple[str, str]] = {}
        self._services = {
            name: str((client.get(ObjectRef("v1", "Service", name, NAMESPACE)) or {})["spec"]["clusterIP"])
            for name in ("staying", "moving")
        }

    def tell(self) -> None:
        """Write to each node what its client connects to; only what has changed."""
        for pod in self._client.list("v1", "Pod", NAMESPACE, "app=staying"):
            address = (pod.get("status") or {}).get("podIP")
            if address and not pod["metadata"].get("deletionTimestamp"):
                node = pod["spec"]["nodeName"]
                if self._last.get(node, ("", ""))[0] != address:
                    self._last[node] = (address, "")
        for node in self._bed.nodes:
            self._find_namespace(node)
        for node in self._bed.nodes:
            text = json.dumps(self._flows(node), sort_keys=True)
            if self._told.get(node.name) != text:
                # Whole, since the client reads it at any moment.
                self._bed.must(node, f"cat > {TARGETS}.new && mv {TARGETS}.new {TARGETS}", stdin=text)
                self._told[node.name] = text

    def _find_namespace(self, node: Node) -> None:
        address, namespace = self._last.get(node.name, ("", ""))
        if address and not namespace:
            look = (
                f"for name in $(ls /run/netns); do ip -n $name address 2>/dev/null | grep -q 'inet {address}/' "
                "&& echo $name; done; true"
            )
            found = self._bed.must(node, look).split()
            if found:
                self._last[node.name] = (address, found[0])

    def _flows(self, node: Node) -> dict[str, tuple[str, str, int]]:
        [other] = [one for one in self._bed.nodes if one.name != node.name]
        own, theirs = (self._last.get(one.name, ("", "")) for one in (node, other))
        inside = own[1]
        return {
            f"host {node.name} to its own pod": ("", own[0], PORT),
            f"host {node.name} to the pod of {other.name}": ("", theirs[0], PORT),
            f"host {node.name} to the Service": ("", self._services["moving"], 80),
            f"pod of {node.name} to the pod of {other.name}": (inside, theirs[0] if inside else "", PORT),
            f"pod of {node.name} to the Service": (inside, self._services["moving"] if inside else "", 80),
        }


@contextmanager
def following(bed: Bed, client: KubeClient) -> Iterator[Followed]:
    """Within: connections are opened on all nodes; afterwards, what they saw is in the result."""
    wanted = objects()
    apply_all(client, wanted, force=True, check=False)
    wait_ready(client, wanted, 180.0)
    teller, seen, end = Following(bed, client), Followed(), threading.Event()
    teller.tell()

    def keep_telling() -> None:
        while not end.wait(0.5):
            try:
                teller.tell()
            except (KubeError, BedError):
                # The next look is soon; a node that is switched may be slow to answer.
                time.sleep(0.5)

    def connect_on(node: Node) -> dict[str, list[Attempt]]:
        return opened(bed, node, TARGETS, ENOUGH, Pace(STEP, PATIENCE, 3600.0))

    for node in bed.nodes:
        bed.must(node, f"rm -f {ENOUGH}; {ROOM}")
    with ThreadPoolExecutor(len(bed.nodes) + 1) as pool:
        running = [pool.submit(connect_on, node) for node in bed.nodes]
        telling = pool.submit(keep_telling)
        try:
            yield seen
        finally:
            time.sleep(10 * STEP + PATIENCE)
            for node in bed.nodes:
                bed.must(node, f"touch {ENOUGH}")
            end.set()
            telling.result()
        for one in running:
            seen.attempts |= {
                name: [(attempt.begin, not attempt.failed) for attempt in made] for name, made in one.result().items()
            }
