# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""New connections from a node or from a pod of it, one after the other: how each of them ended."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.testbed.bed import Bed
    from tests.testbed.settings import Node

PROGRAM = (Path(__file__).parent / "dialler.py").read_text()
# A first segment that is lost is sent again after a second.
LOST = 0.9
# A connection is remembered for two minutes after its end. A node has room for 8,192 by its small memory, and drops
# what comes when that is full; two clients fill it within a minute.
ROOM = "sysctl -qw net.netfilter.nf_conntrack_max=131072"
# By a name: the network namespace on the node, empty for the node's own; address and port.
Targets = dict[str, tuple[str, str, int]]


@dataclass(frozen=True)
class Attempt:
    """One connection: when it was begun, how long it took (both in seconds), and how it ended."""

    begin: float
    seconds: float
    verdict: str

    @property
    def failed(self) -> bool:
        return self.verdict != "open"

    @property
    def good(self) -> bool:
        return not self.failed and self.seconds < LOST


@dataclass(frozen=True)
class Pace:
    """How connections follow each other, all in seconds.

    :param step: between two connections to a target.
    :param patience: after which one has no answer.
    :param seconds: for how long.
    :param behind: how much of what a slow node is late by is made up for.
    """

    step: float
    patience: float
    seconds: float
    behind: float = 0.0


def opened(bed: Bed, node: Node, targets: Targets | str, enough: str, pace: Pace) -> dict[str, list[Attempt]]:
    """Open connections until the node has the file ``enough``, or the time is over.

    :param targets: or the node's file that says them, and may say others later.
    """
    numbers = map(str, (pace.seconds, pace.patience, pace.step, pace.behind))
    told = targets if isinstance(targets, str) else json.dumps(targets)
    words = ["python3", "-c", PROGRAM, told, enough, *numbers]
    said: Mapping[str, list[tuple[float, float, str]]] = json.loads(
        bed.must(node, shlex.join(words), timeout=pace.seconds + 60.0)
    )
    return {name: [Attempt(*one) for one in attempts] for name, attempts in said.items()}
