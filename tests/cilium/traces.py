# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is on the nodes, in a form that compares."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.testbed.settings import HERE

if TYPE_CHECKING:
    from tests.testbed.bed import Bed
    from tests.testbed.settings import Node

STATE = HERE.parent.parent / "molecule" / "shared" / "node_state.sh"
BPF_NAMES = Path(__file__).parent / "bpf_names.py"
# What kubelet writes last of each family after its start.
LAST_RULES = ("\niptables filter -A OUTPUT -j KUBE-FIREWALL\n", "\nip6tables nat :KUBE-KUBELET-CANARY -\n")
# What the agent and the programs that it compiles are called; those of systemd and containerd bear other names.
CILIUMS = re.compile(r"program (cil_|tail_|sock)|map cilium_")
SECONDS = 600.0


@dataclass(frozen=True)
class Traces:
    """What is on one node.

    :param state: links, routes, rules, sets, files and sysctls.
    :param bpf: names of Cilium's own programs and maps in the kernel.
    """

    state: str
    bpf: tuple[str, ...]


def of_every_node(bed: Bed, *, settled: bool = False) -> dict[str, Traces]:
    """The traces on each node by its name.

    :param settled: wait for what kubelet does after its start.
    """
    nodes = bed.nodes
    with ThreadPoolExecutor(len(nodes)) as pool:
        return dict(zip([node.name for node in nodes], pool.map(lambda node: of_node(bed, node, settled), nodes)))


def of_node(bed: Bed, node: Node, settled: bool) -> Traces:
    deadline = time.monotonic() + SECONDS
    while True:
        state = bed.must(node, "bash -s", stdin=STATE.read_text(), timeout=SECONDS)
        if not settled or all(rule in state for rule in LAST_RULES):
            break
        assert time.monotonic() < deadline, f"kubelet of {node.name} has not written {LAST_RULES}: {state}"
    names = bed.must(node, "python3 -", stdin=BPF_NAMES.read_text(), timeout=SECONDS).splitlines()
    return Traces(state, tuple(name for name in names if CILIUMS.match(name)))
