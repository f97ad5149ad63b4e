# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A change of kube-proxy's mode over many nodes: what keeping its books costs.

``python3 -m tests.bench.rollout [NODES ...]``: a real API server with every controller, nodes that kwok plays; batches
of ``BATCH`` nodes. Prints requests and seconds of each step, and seconds of a batch with the pods' own.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from ansible_collections.netops.kubernetes.plugins.module_utils._kube.apply import apply_all
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import connect
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.waiting import wait_ready
from tests.support.modules import Module
from tests.testbed.api_ring import ApiRing
from tests.testbed.settings import IMAGES

BATCH = 50
LABELS = {"k8s-app": "kube-proxy"}
PLACE = {"name": "kube-proxy", "namespace": "kube-system"}
CONFIGURATION = "kind: KubeProxyConfiguration\nmode: iptables\n"


def kube_proxy() -> list[dict[str, Any]]:
    """kube-proxy as kubeadm installs it, as far as the API goes."""
    pod = {
        "containers": [{"name": "kube-proxy", "image": IMAGES["kube-proxy"]}],
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


def measure(programs: Path, count: int) -> None:
    with tempfile.TemporaryDirectory() as work, ApiRing(programs, Path(work), kwok_nodes=count) as ring:
        client = connect({"kubeconfig": str(ring.kubeconfig)})
        wanted = kube_proxy()
        apply_all(client, wanted, force=True, check=False)
        wait_ready(client, wanted, 600.0)
        config = Module("kube_proxy_config", {"kubeconfig": str(ring.kubeconfig), "restart": "held"})
        rollout = Module("kube_proxy_rollout", {"kubeconfig": str(ring.kubeconfig)})

        def step(what: str, module: Module, **options: Any) -> None:
            begin = time.monotonic()
            result = module.succeeds(**options)
            seconds = time.monotonic() - begin
            print(f"{count} nodes, {what}: {seconds:.2f} s, {result['api_requests']} requests", flush=True)

        step("held back", config, mode="nftables")
        names = [f"kwok-{number}" for number in range(count)]
        begin, requests = time.monotonic(), 0
        for first in range(0, count, BATCH):
            restarted = rollout.succeeds(state="restarted", nodes=names[first : first + BATCH])
            requests += restarted["api_requests"]
        seconds = time.monotonic() - begin
        batches = -(-count // BATCH)
        print(f"{count} nodes, restarted: {seconds / batches:.2f} s a batch, {requests / count:.2f} requests a node")
        step("finished", rollout, state="finished")
        step("rerun", config, mode="nftables")


def main() -> int:
    programs = Path(os.environ["NETOPS_TESTBED_BIN"])
    for count in map(int, sys.argv[1:] or ["100", "1000"]):
        measure(programs, count)
    return 0


if __name__ == "__main__":
    sys.exit(main())
