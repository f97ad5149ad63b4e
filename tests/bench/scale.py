# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A CNI on many nodes, installed and verified in one pass: what it costs per node.

``python3 -m tests.bench.scale [NODES ...]``: a real API server with every controller, nodes that kwok plays. Prints
seconds, MiB of memory at the peak, and requests of each step; whole processes, from the interpreter's start.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from ansible_collections.netops.kubernetes.plugins.module_utils._cni.flannel import Flannel, objects
from tests.bench.objects import measured
from tests.support.modules import Module
from tests.support.played_cluster import played_cluster

PATIENCE = 900


def step(what: str, module: Module, folder: Path, **options: Any) -> dict[str, Any]:
    """One module, run and told.

    :raises SystemExit: it failed.
    """
    output = folder / "output"
    run = measured(module.command(), module.arguments(**options), output)
    result: dict[str, Any] = json.loads(output.read_text().strip().splitlines()[-1])
    print(f"{what}: {run.seconds:.2f} s, {run.peak:.0f} MiB, {result['api_requests']} requests", flush=True)
    return result


def measure(count: int) -> None:
    with played_cluster(count) as kubeconfig, tempfile.TemporaryDirectory() as folder:
        options = {"kubeconfig": kubeconfig}
        wanted = {"definitions": objects(Flannel(("10.0.0.0/8",))), "wait": True, "wait_timeout": PATIENCE}
        manifest = Module("manifest", options)
        step(f"{count} nodes, Flannel installed and ready", manifest, Path(folder), **wanted)
        again = step(f"{count} nodes, verified again", manifest, Path(folder), **wanted)
        found = step(f"{count} nodes, cni_cluster_info", Module("cni_cluster_info", options), Path(folder))
        step(f"{count} nodes, cluster_network_info", Module("cluster_network_info", options), Path(folder))
        seen = found["cnis"]["flannel"]
        if again["changed"] or (seen["nodes"], seen["nodes_ready"]) != (count, count):
            sys.exit(f"not verified: {again['changed']}, {seen}")


def main() -> int:
    for count in map(int, sys.argv[1:] or ["100", "1000"]):
        measure(count)
    return 0


if __name__ == "__main__":
    sys.exit(main())
