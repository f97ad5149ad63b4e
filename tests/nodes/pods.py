# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods where a test wants them, and connections out of them as programs of the node open them.

A connection is opened in the pod's own network namespace, not through the API server: that one would have to be let in
by the policies that are under test.
"""

from __future__ import annotations

import os
import shlex
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._connectivity import checks, session
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.apply import apply_all
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import connect
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ObjectRef
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.waiting import wait_gone, wait_ready
from tests.testbed.bed import Bed
from tests.testbed.build import Store
from tests.testbed.settings import IMAGES, Node, cache_root

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient

PORT = 8080
ACCOUNT = "tester"
PATIENCE = 600.0
# A node that is asked for many more at once refuses some (sshd, MaxStartups).
SESSIONS = 8


@dataclass(frozen=True)
class Wanted:
    """A pod to make; its label ``app`` is its name."""

    name: str
    node: Node


@dataclass(frozen=True)
class Running:
    """A pod that runs.

    :param network_namespace: on its node, as ``ip netns`` names it.
    """

    name: str
    node: Node
    address: str
    network_namespace: str


@dataclass(frozen=True)
class Way:
    """From a pod to ``HOST:PORT``."""

    source: Running
    target: str


def running_bed() -> tuple[Bed, KubeClient]:
    """The test bed that ``NETOPS_TESTBED_NAME`` names, and its API."""
    bed = Bed(Store(cache_root()), os.environ.get("NETOPS_TESTBED_NAME", "default"))
    return bed, connect({"kubeconfig": str(bed.folder / "kubeconfig")})


@dataclass(frozen=True)
class Served:
    """A Service with a pod on every node behind it.

    :param cluster_ip: its address and port.
    :param node_port: what it has on every node's own addresses.
    """

    cluster_ip: str
    node_port: int
    pods: tuple[checks.Pod, ...]


def serve(client: KubeClient, patience: float = PATIENCE) -> Served:
    """Make the Service and its pods as connectivity_check does, and wait until they are ready."""
    wanted = checks.objects(IMAGES["agnhost"])
    wait_gone(client, [session.PLACE], time.monotonic() + patience)
    apply_all(client, wanted, force=True, check=False)
    wait_ready(client, wanted, patience)
    service = client.get(session.SERVICE)
    assert service
    [port] = service["spec"]["ports"]
    pods = checks.pods_of(list(client.list("v1", "Pod", checks.NAMESPACE)), checks.NAME)
    return Served(f"{service['spec']['clusterIP']}:{port['port']}", port["nodePort"], tuple(pods))


def pod(wanted: Wanted, namespace: str) -> dict[str, Any]:
    container = {
        "name": "agnhost",
        "image": IMAGES["agnhost"],
        "imagePullPolicy": "IfNotPresent",
        "args": ["netexec", f"--http-port={PORT}"],
        "readinessProbe": {
            "httpGet": {"path": "/healthz", "port": PORT},
            "periodSeconds": 2,
            # A second is not enough on a node that is slow; its Service would lose the pod, and refuse.
            "timeoutSeconds": 10,
        },
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": wanted.name, "namespace": namespace, "labels": {"app": wanted.name}},
        "spec": {
            "nodeName": wanted.node.name,
            # A namespace's own account appears some time after it.
            "serviceAccountName": ACCOUNT,
            "tolerations": [{"operator": "Exists"}],
            "terminationGracePeriodSeconds": 1,
            "containers": [container],
        },
    }


def start(
    bed: Bed, client: KubeClient, namespace: str, wanted: Iterable[Wanted], patience: float = PATIENCE
) -> dict[str, Running]:
    """Make a namespace with pods, each with a Service of its name, and wait until they are ready.

    :returns: the pods by name.
    """
    wanted = list(wanted)
    place = ObjectRef("v1", "Namespace", namespace)
    wait_gone(client, [place], time.monotonic() + patience)
    pods = [pod(one, namespace) for one in wanted]
    services = [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": one.name, "namespace": namespace},
            "spec": {"selector": {"app": one.name}, "ports": [{"port": 80, "targetPort": PORT}]},
        }
        for one in wanted
    ]
    around = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": ACCOUNT, "namespace": namespace}},
    ]
    apply_all(client, [*around, *services, *pods], force=True, check=False)
    wait_ready(client, pods, patience)
    return {one.name: running(bed, client, namespace, one) for one in wanted}


def running(bed: Bed, client: KubeClient, namespace: str, wanted: Wanted) -> Running:
    """Where a ready pod is."""
    live = client.get(ObjectRef("v1", "Pod", wanted.name, namespace))
    assert live
    address = live["status"]["podIP"]
    return Running(wanted.name, wanted.node, address, namespace_of(bed, wanted.node, address))


def namespace_of(bed: Bed, node: Node, address: str) -> str:
    """The network namespace of a node's pod with this address."""
    look = f"for name in $(ls /run/netns); do ip -n $name address | grep -q 'inet {address}/' && echo $name; done; true"
    return bed.must(node, look).split()[0]


def cluster_ip(client: KubeClient, namespace: str, name: str) -> str:
    """A Service's address and port."""
    live = client.get(ObjectRef("v1", "Service", name, namespace))
    assert live
    return f"{live['spec']['clusterIP']}:80"


def verdict(bed: Bed, way: Way, timeout: str = "1500ms") -> str:
    """One TCP connection: ``open``, ``refused`` or ``timeout``."""
    words = ["ip", "netns", "exec", way.source.network_namespace, "client", "tcp", way.target, timeout]
    return bed.ssh(way.source.node, shlex.join(words), timeout=60.0).stdout.strip()


def until(bed: Bed, expected: Mapping[Way, str], patience: float = 60.0) -> float:
    """Connect until all ways end as they should, twice in a row: once could be luck.

    :returns: seconds until the first time that they did.
    """
    begin = time.monotonic()
    ways: Sequence[Way] = list(expected)
    first = 0.0
    with ThreadPoolExecutor(min(len(ways), SESSIONS)) as pool:
        while True:
            seen = dict(zip(ways, pool.map(lambda way: verdict(bed, way), ways), strict=True))
            wrong = {way: seen[way] for way in ways if seen[way] != expected[way]}
            if not wrong and first:
                return first
            if not wrong:
                first = time.monotonic() - begin
                continue
            first = 0.0
            assert time.monotonic() < begin + patience, "; ".join(
                f"{way.source.name} to {way.target}: {said}, expected {expected[way]}" for way, said in wrong.items()
            )
