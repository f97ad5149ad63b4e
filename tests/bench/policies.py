# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An audit of many pods and policies beside other evaluators on the same manifests.

``python3 -m tests.bench.policies [PODS [NAMESPACES]]``; five policies a namespace. Others are asked for what the audit
contains as a part, who connects to whom, each in as long as it takes, at sizes that grow until one takes too long.
``NETOPS_PEERS`` names the environment of network-config-analyzer; ``NETOPS_NETPOLICY`` the program netpol-analyzer.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.support.modules import Module

APPS = ("web", "api", "cart", "queue", "db")
PATIENCE = 300.0


def named(api_version: str, kind: str, name: str, namespace: str = "", **rest: Any) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, **({"namespace": namespace} if namespace else {})}
    metadata.update(rest.pop("metadata", {}))
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **rest}


def policies(space: str) -> list[dict[str, Any]]:
    """What a careful team writes: denies, DNS, its own chain of callers, one way in, one way out."""

    def app(name: str) -> dict[str, Any]:
        return {"podSelector": {"matchLabels": {"app": name}}}

    dns = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "space-0"}}, **app("db")}
    outside = {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8", "192.168.0.0/16"]}}
    team = {
        "namespaceSelector": {"matchExpressions": [{"key": "team", "operator": "In", "values": [f"team-{space[-1]}"]}]}
    }
    specs = {
        "deny": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
        "dns": {
            "podSelector": {},
            "policyTypes": ["Egress"],
            "egress": [{"to": [dns], "ports": [{"protocol": "UDP", "port": 53}]}],
        },
        "chain": {
            **app("db"),
            "policyTypes": ["Ingress"],
            "ingress": [{"from": [app("api"), app("cart")], "ports": [{"port": 5432}]}],
        },
        "team": {**app("api"), "policyTypes": ["Ingress"], "ingress": [{"from": [team], "ports": [{"port": 8080}]}]},
        "out": {
            "podSelector": {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["db"]}]},
            "policyTypes": ["Egress"],
            "egress": [{"to": [{"podSelector": {}}, outside]}],
        },
    }
    return [named("networking.k8s.io/v1", "NetworkPolicy", name, space, spec=spec) for name, spec in specs.items()]


def cluster(pods: int, namespaces: int) -> list[dict[str, Any]]:
    spaces = [f"space-{number}" for number in range(namespaces)]
    found = [
        named(
            "v1",
            "Namespace",
            name,
            metadata={"labels": {"team": f"team-{name[-1]}", "kubernetes.io/metadata.name": name}},
        )
        for name in spaces
    ]
    for number in range(pods):
        space, app = spaces[number % namespaces], APPS[number // namespaces % len(APPS)]
        address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        spec = {"nodeName": "n", "containers": [{"name": "c", "image": "example.com/c"}]}
        status = {"podIP": address, "podIPs": [{"ip": address}], "hostIP": "192.0.2.1"}
        labels = {"app": app, "instance": f"i-{number}"}
        found.append(
            named("v1", "Pod", f"{app}-{number}", space, metadata={"labels": labels}, spec=spec, status=status)
        )
    return found + [policy for space in spaces for policy in policies(space)]


def seconds(command: list[str], text: str = "") -> float:
    """How long a program takes; infinite where it takes too long."""
    begin = time.monotonic()
    try:
        subprocess.run(command, input=text, text=True, capture_output=True, check=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        return float("inf")
    return time.monotonic() - begin


def write(folder: Path, pods: int, namespaces: int) -> Path:
    """One file of JSON, which is YAML too."""
    place = folder / f"{pods}"
    place.mkdir()
    items = cluster(pods, namespaces)
    (place / "all.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    return place


def others(place: Path) -> dict[str, list[str]]:
    found = {}
    if os.environ.get("NETOPS_PEERS"):
        nca = str(Path(os.environ["NETOPS_PEERS"], "bin", "nca"))
        found["network-config-analyzer"] = [
            nca,
            "--connectivity",
            "-r",
            str(place / "all.json"),
            "-o",
            "txt",
            "--return_0",
        ]
    if os.environ.get("NETOPS_NETPOLICY"):
        found["netpol-analyzer"] = [os.environ["NETOPS_NETPOLICY"], "list", "--dirpath", str(place), "-q"]
    return found


def measure(pods: int, namespaces: int, folder: Path, slow: set[str]) -> None:
    place = write(folder, pods, namespaces)
    module = Module("network_policy_audit")
    ours = seconds(module.command(), module.arguments(src=[str(place)]))
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(
        f"{pods} pods, {namespaces} namespaces, {5 * namespaces} policies: {ours:.2f} s, {memory:.0f} MiB", flush=True
    )
    for name, command in others(place).items():
        if name in slow:
            print(f"  {name}: took too long before")
            continue
        theirs = seconds(command)
        print(f"  {name}: {theirs:.2f} s, {theirs / ours:.1f} times as long", flush=True)
        if theirs > PATIENCE / 4:
            slow.add(name)


def main(words: list[str]) -> int:
    sizes = [(200, 20), (1000, 100), (10000, 1000)]
    if words:
        sizes = [(int(words[0]), int(words[1]) if len(words) > 1 else int(words[0]) // 10)]
    slow: set[str] = set()
    with tempfile.TemporaryDirectory() as folder:
        for pods, namespaces in sizes:
            measure(pods, namespaces, Path(folder), slow)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
