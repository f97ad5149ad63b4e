# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A change of kube-proxy's mode over many nodes: what keeping its books costs.

``python3 -m tests.bench.rollout [NODES ...]``: a real API server with every controller, nodes that kwok plays; batches
of ``BATCH`` nodes. Prints of each step the requests, the seconds, and the seconds of a processor that our processes
took; most of a batch's seconds are the API server's, the controllers' and kwok's, until its pods are new.
"""

from __future__ import annotations

import resource
import sys
import time
from typing import Any

from ansible_collections.netops.kubernetes.plugins.module_utils._kube.apply import apply_all
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import connect
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.waiting import wait_ready
from tests.support.kube_proxy_objects import objects
from tests.support.modules import Module
from tests.support.played_cluster import played_cluster

BATCH = 50


def measure(count: int) -> None:
    with played_cluster(count) as kubeconfig:
        client = connect({"kubeconfig": kubeconfig})
        wanted = objects()
        apply_all(client, wanted, force=True, check=False)
        wait_ready(client, wanted, 600.0)
        config = Module("kube_proxy_config", {"kubeconfig": kubeconfig, "restart": "held"})
        rollout = Module("kube_proxy_rollout", {"kubeconfig": kubeconfig})

        def step(what: str, module: Module, **options: Any) -> int:
            begin, worked = time.monotonic(), processor_seconds()
            result = module.succeeds(**options)
            seconds, worked = time.monotonic() - begin, processor_seconds() - worked
            requests = int(result["api_requests"])
            print(
                f"{count} nodes, {what}: {seconds:.2f} s, {worked:.2f} s of a processor, {requests} requests",
                flush=True,
            )
            return requests

        step("held back", config, mode="nftables")
        names = [f"kwok-{number}" for number in range(count)]
        begin, worked, requests = time.monotonic(), processor_seconds(), 0
        for first in range(0, count, BATCH):
            batch = names[first : first + BATCH]
            what = f"restarted {first} to {first + len(batch) - 1}"
            requests += step(what, rollout, state="restarted", nodes=batch, wait_timeout=600)
        seconds, worked = time.monotonic() - begin, processor_seconds() - worked
        print(
            f"{count} nodes, all restarted: {seconds / count:.3f} s, {worked / count:.4f} s of a processor and "
            f"{requests / count:.2f} requests a node"
        )
        step("finished", rollout, state="finished")
        step("rerun", config, mode="nftables")


def processor_seconds() -> float:
    """What the processes that ended have used; the cluster's own are still there."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> int:
    for count in map(int, sys.argv[1:] or ["100", "300", "1000"]):
        measure(count)
    return 0


if __name__ == "__main__":
    sys.exit(main())
