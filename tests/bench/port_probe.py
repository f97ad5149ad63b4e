# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every node probes every other at once: ``python3 -m tests.bench.port_probe [NODES [open|dropped]]``, as root.

Nodes are network namespaces around one that routes between them. Each has 20 listeners and a VXLAN device. With
``dropped`` every node drops half of its ports, so that the time-outs of all of them count.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from ansible_collections.netops.kubernetes.plugins.module_utils._probe import listeners, node

TCP = (*range(30000, 30010), 10250, 10256)
UDP = range(30000, 30008)
VXLAN = 8472


def address(number: int) -> str:
    return f"198.18.2.{number + 1}"


def wanted(number: int) -> list[dict[str, Any]]:
    ports = [*(("tcp", port) for port in TCP), *(("udp", port) for port in UDP), ("udp", VXLAN)]
    return [{"protocol": protocol, "port": port, "addresses": [address(number)]} for protocol, port in ports]


def targets(number: int, count: int) -> list[dict[str, Any]]:
    return [
        {
            "node_name": f"n{other}",
            "address": address(other),
            "protocol": one["protocol"],
            "port": one["port"],
            "kind": "kernel" if one["port"] == VXLAN else "echo",
            "control_port": TCP[0] if one["port"] == VXLAN else 0,
        }
        for other in range(count)
        if other != number
        for one in wanted(other)
    ]


def serve(number: int, count: int, folder: str) -> None:
    """One node: does what it is told, a line each, and says what came out."""
    listeners.RECORD = f"{folder}/{number}/probe.json"
    how = node.settings(f"n{number}", 2.0, 2, 40)
    for line in sys.stdin:
        kind, begin = line.strip(), time.monotonic()
        if kind == "listen":
            result = Counter(one["status"] for one in node.listening(wanted(number), f"n{number}", 120)["listeners"])
        elif kind == "stop":
            result = Counter([node.stopped()["ended"]])
        else:
            some = [one for one in targets(number, count) if one["kind"] == kind]
            result = Counter(node.probed(some, how)["verdicts"])
        print(json.dumps({"seconds": time.monotonic() - begin, **result}), flush=True)


def batch(namespace: str, lines: list[str]) -> None:
    text = "\n".join(lines)
    subprocess.run(["ip", "-netns", namespace, "-batch", "-"], input=text, text=True, check=True, capture_output=True)


def build(names: list[str], router: str, *, dropping: bool) -> None:
    for name in (router, *names):
        subprocess.run(["ip", "netns", "add", name], check=True)
    subprocess.run(["ip", "netns", "exec", router, "sysctl", "-qw", "net.ipv4.ip_forward=1"], check=True)
    batch(router, ["link set lo up", "address add 169.254.1.1/32 dev lo"])
    for number, name in enumerate(names):
        batch(router, [f"link add p{number} type veth peer name eth0 netns {name}"])
        lines = [
            "link set lo up",
            f"address add {address(number)}/32 dev eth0",
            "link set eth0 up",
            "route add default via 169.254.1.1 dev eth0 onlink",
            f"link add vxlan0 type vxlan id 1 dstport {VXLAN} local {address(number)} dev eth0",
            "link set vxlan0 up",
        ]
        batch(name, lines)
        batch(router, [f"link set p{number} up", f"route add {address(number)}/32 dev p{number}"])
        if dropping:
            rules = "type filter hook input priority 0\nth dport { 30005-30009, 10250, 8472 } drop\n"
            table = f"table inet test {{\nchain input {{\n{rules}}}\n}}\n"
            subprocess.run(["ip", "netns", "exec", name, "nft", "-f", "-"], input=table, text=True, check=True)


def measure(count: int, *, dropping: bool = False) -> dict[str, Counter[str]]:
    """Seconds of each phase are printed; returns what came out of it, added up over the nodes."""
    unique = uuid.uuid4().hex[:8]
    router, names = f"netops-{unique}-router", [f"netops-{unique}-{number}" for number in range(count)]
    begin = time.monotonic()
    results: dict[str, Counter[str]] = {}
    nodes: list[subprocess.Popen[str]] = []
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        try:
            build(names, router, dropping=dropping)
            for number, name in enumerate(names):
                command = [sys.executable, "-m", "tests.bench.port_probe", "serve", str(number), str(count), folder]
                process = subprocess.Popen(
                    ["ip", "netns", "exec", name, *command],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    cwd=Path(__file__).parents[2],
                )
                nodes.append(stack.enter_context(process))
            # Each answers when it is there.
            tell(nodes, "stop")
            print(f"{count} nodes: made in {time.monotonic() - begin:.1f} s")
            for phase in ("listen", "echo", "kernel", "stop"):
                begin = time.monotonic()
                answers = tell(nodes, phase)
                slowest = max(one.pop("seconds") for one in answers)
                results[phase] = sum((Counter(one) for one in answers), Counter())
                wall = time.monotonic() - begin
                print(f"{phase}: {wall:.2f} s (slowest node {slowest:.2f} s): {dict(results[phase])}", flush=True)
        finally:
            for process in nodes:
                if process.stdin:
                    process.stdin.close()
            for name in (router, *names):
                subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)
    return results


def tell(nodes: list[subprocess.Popen[str]], word: str) -> list[dict[str, Any]]:
    for process in nodes:
        if process.stdin:
            process.stdin.write(f"{word}\n")
            process.stdin.flush()
    return [json.loads(process.stdout.readline()) for process in nodes if process.stdout]


def main(words: list[str]) -> int:
    if words[:1] == ["serve"]:
        serve(int(words[1]), int(words[2]), words[3])
        return 0
    measure(int(words[0]) if words else 50, dropping=words[1:] == ["dropped"])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
