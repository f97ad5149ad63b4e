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
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Run:
    """A module's result, its seconds, and the most memory that its process had."""

    result: dict[str, Any]
    seconds: float
    mebibytes: float


def run(module: Module, **options: Any) -> Run:
    """Run a module for as long as it takes."""
    begin = time.monotonic()
    process = subprocess.Popen(module.command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin
    assert process.stdout
    process.stdin.write(module.arguments(**options))
    process.stdin.close()
    result: dict[str, Any] = json.loads(process.stdout.read().strip().splitlines()[-1])
    _pid, _status, usage = os.wait4(process.pid, 0)
    assert not result.get("failed"), result["msg"]
    return Run(result, time.monotonic() - begin, usage.ru_maxrss / 1024)


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
        run(Module("manifest", options), definitions=[*spaces("ours", count), *spaces("theirs", few)])
        module = Module("network_policy_baseline", {**options, "policies": list(NAMES)})
        chosen: dict[str, Any] = {"namespace_selector": {"bench": "ours"}}
        print(f"{count} namespaces, {len(NAMES)} policies each; kubectl in {few} namespaces")
        for what in ("first run", "rerun"):
            mine = run(module, **chosen)
            requests = mine.result["api_requests"] / ours
            theirs = by_kubectl(programs, ring.kubeconfig, Path(work), wanted(module, few))
            ratio = (theirs / (few * len(NAMES))) / (mine.seconds / ours)
            print(
                f"{what}: {mine.seconds:.1f} s, {mine.mebibytes:.0f} MiB, {requests:.3f} requests an object; "
                f"kubectl {theirs:.1f} s; {ratio:.1f}",
                flush=True,
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
