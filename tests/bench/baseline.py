# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A baseline of many namespaces beside one ``kubectl apply`` process an object, on one API server.

``python3 -m tests.bench.baseline [NAMESPACES]``; kubectl writes the same policies in every fiftieth namespace, and the
ratio is that of the seconds an object.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.support.modules import Module
from tests.testbed.api_ring import ApiRing

NAMES = (
    *("allow-dns", "allow-same-namespace", "allow-to-apiserver", "allow-all-ingress"),
    *("default-deny-ingress", "default-deny-egress"),
)
SHARE = 50


def spaces(prefix: str, count: int) -> list[dict[str, Any]]:
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"{prefix}-{one}", "labels": {"bench": prefix}}}
        for one in range(count)
    ]


def by_kubectl(programs: Path, kubeconfig: Path, folder: Path, objects: list[dict[str, Any]]) -> float:
    """Seconds of one process an object."""
    begin = time.monotonic()
    for number, obj in enumerate(objects):
        file = folder / f"{number}.json"
        file.write_text(json.dumps(obj))
        command = [str(programs / "kubectl"), f"--kubeconfig={kubeconfig}", "apply", "-f", str(file)]
        subprocess.run(command, check=True, capture_output=True)
    return time.monotonic() - begin


def moved(policy: dict[str, Any], namespace: str) -> dict[str, Any]:
    metadata = {"name": policy["metadata"]["name"], "namespace": namespace}
    kept = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "spec": policy["spec"]}
    return {**kept, "metadata": metadata}


def main(words: list[str]) -> int:
    count = int(words[0]) if words else 1000
    programs = Path(os.environ["NETOPS_TESTBED_BIN"])
    with tempfile.TemporaryDirectory() as work, ApiRing(programs, Path(work)) as ring:
        options = {"kubeconfig": str(ring.kubeconfig)}
        ours = count * len(NAMES)
        few = max(1, count // SHARE)
        Module("manifest", options).succeeds(definitions=[*spaces("ours", count), *spaces("theirs", few)])
        module = Module("network_policy_baseline", {**options, "policies": list(NAMES)})
        chosen: dict[str, Any] = {"namespace_selector": {"bench": "ours"}}
        print(f"{count} namespaces, {len(NAMES)} policies each; kubectl in {few} namespaces")
        for what in ("first run", "rerun"):
            begin = time.monotonic()
            requests = module.succeeds(**chosen)["api_requests"]
            taken = time.monotonic() - begin
            theirs = by_kubectl(programs, ring.kubeconfig, Path(work), wanted(module, few))
            ratio = (theirs / (few * len(NAMES))) / (taken / ours)
            print(
                f"{what}: {taken:.1f} s, {requests / ours:.3f} requests an object; kubectl {theirs:.1f} s; {ratio:.1f}"
            )
    return 0


def wanted(module: Module, few: int) -> list[dict[str, Any]]:
    """What the module writes, for kubectl's namespaces."""
    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import connect

    client = connect(module.options)
    written = list(client.list("networking.k8s.io/v1", "NetworkPolicy", "ours-0"))
    return [moved(policy, f"theirs-{number}") for number in range(few) for policy in written]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
