# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""New connections of every kind from a pod, 20 a second each, until somebody says that it is enough; none may fail.

``python3 -m tests.nodes.traffic FOLDER``: the file ``FOLDER/flows`` appears when all kinds work, and from then on every
failure counts; ``FOLDER/enough`` ends it. The test bed is the one that ``NETOPS_TESTBED_NAME`` names.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ansible_collections.netops.kubernetes.plugins.module_utils._connectivity import checks, session
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.apply import apply_all
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import connect
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.waiting import wait_gone, wait_ready
from tests.testbed.bed import Bed
from tests.testbed.build import Store
from tests.testbed.settings import Node, cache_root

if TYPE_CHECKING:
    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient

PATIENCE = 180.0
SOURCE, OTHER = Node(2), Node(1)
# Not the Service of the very pod that is connected to directly: IPVS changes no source port, so one of the pod's own
# that both ways use within two minutes clashes in conntrack and the second connection is lost, whatever the rules are.
API, DNS = "10.96.0.1:443", "10.96.0.10:53"
# The patience is for a machine that stands still while others use its processors; what is dropped for good still fails.
WATCH = """
import json, socket, sys, time
counts, slowest, end = {}, 0.0, time.monotonic() + float(sys.argv[3])
while time.monotonic() < end:
    begin, verdict = time.monotonic(), 'open'
    try:
        socket.create_connection((sys.argv[1], int(sys.argv[2])), 15).close()
    except OSError as error:
        verdict = str(error)
    counts[verdict] = counts.get(verdict, 0) + 1
    slowest = max(slowest, time.monotonic() - begin)
    time.sleep(0.05)
print(json.dumps([counts, slowest]))
"""
IMAGE = "registry.k8s.io/e2e-test-images/agnhost:2.63.0"


def targets(client: KubeClient, pods: list[checks.Pod]) -> dict[str, str]:
    """What a pod of the source node connects to, by the kind of the connection."""
    service = client.get(session.SERVICE)
    assert service
    [port] = service["spec"]["ports"]
    return {
        "pod": f"{address_on(pods, OTHER)}:{checks.HTTP_PORT}",
        "Service": API,
        "NodePort": f"{OTHER.address}:{port['nodePort']}",
        "DNS": DNS,
    }


def address_on(pods: list[checks.Pod], node: Node) -> str:
    return next(pod.address for pod in pods if pod.node_name == node.name)


def namespace_of(bed: Bed, address: str) -> str:
    """The network namespace of the source node's pod with this address."""
    look = f"for name in $(ls /run/netns); do ip -n $name address | grep -q 'inet {address}/' && echo $name; done; true"
    return bed.must(SOURCE, look).split()[0]


@dataclass(frozen=True)
class Flow:
    """How connections ended, how often, and how long the slowest took, in seconds."""

    counts: Counter[str]
    slowest: float

    @property
    def whole(self) -> bool:
        return set(self.counts) == {"open"}

    def __str__(self) -> str:
        return f"{dict(self.counts)}, the slowest in {self.slowest * 1000:.0f} ms"


def watch(bed: Bed, namespace: str, target: str, seconds: int) -> Flow:
    """Open a connection after the other."""
    host, port = target.split(":")
    words = ["ip", "netns", "exec", namespace, "python3", "-c", WATCH, host, port, str(seconds)]
    counts, slowest = json.loads(bed.must(SOURCE, shlex.join(words), timeout=seconds + 90.0))
    return Flow(Counter(counts), slowest)


def flow(bed: Bed, namespace: str, kind: str, target: str, folder: Path) -> tuple[str, Flow]:
    """Connect until it is enough."""
    total = Flow(Counter(), 0.0)
    while not (folder / "enough").exists():
        more = watch(bed, namespace, target, 5)
        total = Flow(total.counts + more.counts, max(total.slowest, more.slowest))
    return kind, total


def prove(bed: Bed, client: KubeClient, folder: Path) -> int:
    """Open connections until it is enough; 0 when none failed."""
    pods = checks.pods_of(list(client.list("v1", "Pod", checks.NAMESPACE)))
    wanted = targets(client, pods)
    namespace = namespace_of(bed, address_on(pods, SOURCE))
    deadline = time.monotonic() + PATIENCE
    while not all(watch(bed, namespace, target, 1).whole for target in wanted.values()):
        if time.monotonic() > deadline:
            print("not all kinds of connections work")
            return 1
    (folder / "flows").touch()
    with ThreadPoolExecutor(len(wanted)) as pool:
        flows = [pool.submit(flow, bed, namespace, kind, target, folder) for kind, target in wanted.items()]
        ended = dict(one.result() for one in flows)
    print(*(f"{kind}: {one}" for kind, one in ended.items()), sep="; ")
    return int(not all(one.whole for one in ended.values()))


def main() -> int:
    bed = Bed(Store(cache_root()), os.environ.get("NETOPS_TESTBED_NAME", "default"))
    client = connect({"kubeconfig": str(bed.folder / "kubeconfig")})
    wanted = checks.objects(IMAGE)
    wait_gone(client, [session.PLACE], time.monotonic() + PATIENCE)
    apply_all(client, wanted, force=True, check=False)
    try:
        wait_ready(client, wanted, PATIENCE)
        return prove(bed, client, Path(sys.argv[1]))
    finally:
        client.delete(session.PLACE, propagation="Background")


if __name__ == "__main__":
    sys.exit(main())
