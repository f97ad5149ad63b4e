# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A change of kube-proxy's mode over many nodes: what keeping its books costs.

``python3 -m tests.bench.rollout [NODES ...]``: a real API server with every controller, nodes that kwok plays; batches
of ``BATCH`` nodes. Prints of each step the requests, the seconds, and the seconds of a processor that our processes
took; most of a batch's seconds are the API server's, the controllers' and kwok's, until its pods are new.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._kube.apply import apply_all
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import connect
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.waiting import wait_ready
from tests.support.modules import Module

if TYPE_CHECKING:
    from collections.abc import Iterator

BATCH = 50
LABELS = {"k8s-app": "kube-proxy"}
PLACE = {"name": "kube-proxy", "namespace": "kube-system"}
CONFIGURATION = "kind: KubeProxyConfiguration\nmode: iptables\n"


def kube_proxy() -> list[dict[str, Any]]:
    """kube-proxy as kubeadm installs it, as far as the API goes."""
    pod = {
        "containers": [{"name": "kube-proxy", "image": "registry.k8s.io/kube-proxy:v1.36.3"}],
        "tolerations": [{"operator": "Exists"}],
    }
    template = {"metadata": {"labels": LABELS}, "spec": pod}
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": PLACE, "data": {"config.conf": CONFIGURATION}},
        {
            "apiVersion": "apps/v1",
            "kind": "DaemonSet",
            "metadata": PLACE,
            "spec": {"selector": {"matchLabels": LABELS}, "template": template},
        },
    ]


@contextmanager
def cluster(count: int) -> Iterator[str]:
    """Within: an API server and nodes that are played; its kubeconfig."""
    command = [sys.executable, "-m", "tests.testbed", "api", f"--kwok-nodes={count}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


def measure(count: int) -> None:
    with cluster(count) as kubeconfig:
        client = connect({"kubeconfig": kubeconfig})
        wanted = kube_proxy()
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
