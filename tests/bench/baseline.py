# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A baseline of many namespaces beside what people use to apply the same policies, on one API server.

``NETOPS_COLLECTIONS=ENVIRONMENT python3 -m tests.bench.baseline [NAMESPACES]``: a virtual environment with the package
``ansible``, which has kubernetes.core. The peers write the same policies in some of as many namespaces, and ratios are
those of the seconds an object: one task of ``kubernetes.core.k8s`` with all of a tenth, which is its fastest; a loop of
it over namespaces, a process each; and one ``kubectl apply`` process an object.
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
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import connect
from tests.bench.objects import Bench
from tests.bench.objects import Run as Used
from tests.support.modules import Module
from tests.testbed.api_ring import ApiRing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

NAMES = (
    *("allow-dns", "allow-same-namespace", "allow-to-apiserver", "allow-all-ingress"),
    *("default-deny-ingress", "default-deny-egress"),
)
# How many namespaces a peer is given: enough to tell, and no hour.
TOGETHER, LOOPED, SINGLE = 100, 20, 5


def spaces(prefix: str, count: int) -> list[dict[str, Any]]:
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"{prefix}-{one}", "labels": {"bench": prefix}}}
        for one in range(count)
    ]


@dataclass(frozen=True)
class Peer:
    """Another way to write the policies.

    :param namespaces: how many it is given.
    :param at_once: how many objects one process is given; 0: all.
    """

    name: str
    namespaces: int
    at_once: int
    command: Callable[[Bench, Sequence[dict[str, Any]]], Used]

    def run(self, bench: Bench, objects: Sequence[dict[str, Any]]) -> list[Used]:
        size = self.at_once or len(objects)
        return [self.command(bench, objects[begin : begin + size]) for begin in range(0, len(objects), size)]


def by_kubectl(bench: Bench, objects: Sequence[dict[str, Any]]) -> Used:
    return bench.kubectl(bench.written("single", objects))


PEERS = (
    Peer("kubernetes.core.k8s, one task", TOGETHER, 0, Bench.kubernetes_core),
    Peer("kubernetes.core.k8s, a loop over namespaces", LOOPED, len(NAMES), Bench.kubernetes_core),
    Peer("kubectl, one process an object", SINGLE, 1, by_kubectl),
)


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
        bench = Bench(programs, ring.kubeconfig, Path(work))
        options = {"kubeconfig": str(ring.kubeconfig)}
        ours = count * len(NAMES)
        shares = [min(peer.namespaces, count) for peer in PEERS]
        theirs = [one for number, share in enumerate(shares) for one in spaces(f"theirs-{number}", share)]
        run(Module("manifest", options), definitions=[*spaces("ours", count), *theirs])
        module = Module("network_policy_baseline", {**options, "policies": list(NAMES)})
        chosen: dict[str, Any] = {"namespace_selector": {"bench": "ours"}}
        print(f"{count} namespaces, {len(NAMES)} policies each")
        for what in ("first run", "rerun"):
            mine = run(module, **chosen)
            requests = mine.result["api_requests"] / ours
            print(
                f"{what}: {mine.seconds:.1f} s, {1000 * mine.seconds / ours:.2f} ms an object, "
                f"{mine.mebibytes:.0f} MiB, {requests:.3f} requests an object",
                flush=True,
            )
            for number, (peer, share) in enumerate(zip(PEERS, shares, strict=True)):
                used = peer.run(bench, wanted(module, f"theirs-{number}", share))
                seconds = sum(one.seconds for one in used) / (share * len(NAMES))
                print(
                    f"  {peer.name}, {share} namespaces: {1000 * seconds:.1f} ms an object, "
                    f"{max(one.peak for one in used):.0f} MiB; {seconds / (mine.seconds / ours):.1f} times ours",
                    flush=True,
                )
    return 0


def wanted(module: Module, prefix: str, few: int) -> list[dict[str, Any]]:
    """What the module writes, for a peer's namespaces."""
    client = connect(module.options)
    written = list(client.list("networking.k8s.io/v1", "NetworkPolicy", "ours-0"))
    return [moved(policy, f"{prefix}-{number}") for number in range(few) for policy in written]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
