# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What clients of the cluster notice while something happens to it: a new connection every 50 ms to each target."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.nodes.connections import LOST, ROOM, Attempt, Pace, Targets, opened
from tests.testbed.settings import Node

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tests.nodes.pods import Served
    from tests.testbed.bed import Bed

STEP = 0.05
# A machine that stands still while others use its processors is no outage; what is dropped for good still fails.
PATIENCE = 15
SETTLING = 300.0
ENOUGH = "/run/outage-enough"
# What a slow machine is late by is made up for, up to this many seconds: else fewer connections see less.
BEHIND = 1.0


@dataclass(frozen=True)
class Flow:
    """All attempts of one client to one target, in the order of their beginnings."""

    attempts: tuple[Attempt, ...]

    @property
    def failed(self) -> list[Attempt]:
        return [attempt for attempt in self.attempts if attempt.failed]

    @property
    def whole(self) -> bool:
        return bool(self.attempts) and not self.failed

    @property
    def troubles(self) -> list[tuple[float, float]]:
        """When new connections were not good: beginning and end of each such time."""
        found: list[tuple[float, float]] = []
        last_good = True
        for attempt in self.attempts:
            if not attempt.good:
                begin = attempt.begin if last_good else found.pop()[0]
                found.append((begin, attempt.begin + STEP))
            last_good = attempt.good
        return found

    def __str__(self) -> str:
        longest = max((end - begin for begin, end in self.troubles), default=0.0)
        late = sum(not attempt.good and not attempt.failed for attempt in self.attempts)
        verdicts = sorted({attempt.verdict for attempt in self.failed})
        return (
            f"{len(self.attempts)} connections, {len(self.failed)} failed {verdicts or ''}, {late} took over {LOST} s; "
            f"not good for {longest:.2f} s at most"
        )


@dataclass(frozen=True)
class Client:
    """Who connects to what.

    :param targets: ``ADDRESS:PORT`` by a name.
    :param namespace: the network namespace on the node; empty for the node's own.
    :param step: seconds between two connections to a target.
    """

    node: Node
    targets: Mapping[str, str]
    namespace: str = ""
    step: float = STEP

    def connect(self, bed: Bed, seconds: float, patience: float = PATIENCE) -> dict[str, Flow]:
        """Open connections for so long, or until the node has the file ``ENOUGH``."""
        targets: Targets = {}
        for name, target in self.targets.items():
            host, _colon, port = target.rpartition(":")
            targets[name] = (self.namespace, host, int(port))
        made = opened(bed, self.node, targets, ENOUGH, Pace(self.step, patience, seconds, BEHIND))
        return {name: Flow(tuple(made.get(name, ()))) for name in self.targets}


def of_services(served: Served) -> list[Client]:
    """On each of two nodes one that connects to the ClusterIP, which its own kube-proxy serves, and to the other's
    NodePort.
    """
    return [
        Client(
            here,
            {
                f"ClusterIP on {here.name}": served.cluster_ip,
                f"NodePort of {there.name}": f"{there.address}:{served.node_port}",
            },
        )
        for here, there in ((Node(1), Node(2)), (Node(2), Node(1)))
    ]


def wait_until_all_connect(bed: Bed, clients: Sequence[Client], patience: float = SETTLING) -> None:
    """Wait for nodes that are slow to serve what was made a moment ago: that is no outage yet.

    :raises AssertionError: something still fails after ``patience`` seconds.
    """
    deadline = time.monotonic() + patience
    for client in clients:
        bed.must(client.node, f"rm -f {ENOUGH}")
        while lost := {name: flow for name, flow in client.connect(bed, 1.0).items() if not flow.whole}:
            assert time.monotonic() < deadline, "; ".join(f"{name}: {flow}" for name, flow in lost.items())


@contextmanager
def connecting(bed: Bed, clients: Sequence[Client], patience: float = PATIENCE) -> Iterator[dict[str, Flow]]:
    """Within: all of them open connections; afterwards, the mapping has what they saw, by the targets' names."""
    flows: dict[str, Flow] = {}
    for node in bed.nodes:
        bed.must(node, f"rm -f {ENOUGH}; {ROOM}")
    with ThreadPoolExecutor(len(clients)) as pool:
        running = [pool.submit(client.connect, bed, 900.0, patience) for client in clients]
        try:
            yield flows
        finally:
            for client in clients:
                bed.must(client.node, f"touch {ENOUGH}")
        for one in running:
            flows.update(one.result())
