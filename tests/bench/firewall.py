# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""node_firewall against the loops that people write, on a virtual machine: one rule an item, one item a module call.

``NETOPS_COLLECTIONS=ENVIRONMENT python3 -m tests.bench.firewall [NUMBER ...]``: a virtual environment with the package
``ansible``, whose collections are the peers; its ansible-playbook runs both sides. Prints, for each back-end and number
of rules, the seconds of a first run and of a rerun, the processes that the node started meanwhile, how often the
kernel's nftables rules changed, and the ratio of theirs to ours. Of a long loop the first ``LOOPED`` items are run and
counted as often as they fit into it, which flatters it: an item costs more, the more rules there are.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.nodes.conftest import NODE, PREPARE, booted
from tests.testbed.inventory import write_inventory

if TYPE_CHECKING:
    from tests.testbed.bed import Bed

PEER = "198.18.0.1"
FIRST_PORT = 20000
LOOPED = 100
# What the loops are made of, as their documentation's examples have it.
PEERS: dict[str, dict[str, Any]] = {
    "iptables": {
        "ansible.builtin.iptables": {
            "chain": "INPUT",
            "protocol": "tcp",
            "source": PEER,
            "destination_port": "{{ item }}",
            "jump": "ACCEPT",
        }
    },
    "ufw": {
        "community.general.ufw": {"rule": "allow", "proto": "tcp", "from_ip": PEER, "to_port": "{{ item }}"},
    },
    "firewalld": {
        "ansible.posix.firewalld": {
            "rich_rule": 'rule family="ipv4" source address="'
            + PEER
            + '" port port="{{ item }}" protocol="tcp" accept',
            "permanent": True,
            "immediate": True,
            "state": "enabled",
        }
    },
}


def ports(number: int) -> list[str]:
    return [str(FIRST_PORT + index) for index in range(number)]


def by_loop(backend: str, number: int) -> dict[str, Any]:
    return {"name": "Open them", "loop": ports(min(number, LOOPED)), **PEERS[backend]}


def by_plan(backend: str, number: int) -> dict[str, Any]:
    """The same ports, and those that the plan has anyway."""
    rules = [{"id": f"port-{port}", "protocol": "tcp", "ports": port, "peers": ["opened"]} for port in ports(number)]
    plan = (
        "groups | netops.kubernetes.port_plan(hostvars, inventory_hostname, peers={'opened': ['"
        + PEER
        + "']}, rules=opened)"
    )
    options = {"plan": "{{ " + plan + " }}", "backend": backend}
    return {"name": "Open them", "netops.kubernetes.node_firewall": options, "vars": {"opened": rules}}


@dataclass(frozen=True)
class Run:
    """What one play took: seconds, processes that the node started, and transactions of its nftables."""

    seconds: float
    processes: int
    transactions: int

    def times(self, factor: float) -> Run:
        """What so many of it take."""
        return Run(self.seconds * factor, round(self.processes * factor), round(self.transactions * factor))

    def __str__(self) -> str:
        return f"{self.seconds:.1f} s, {self.processes} processes, {self.transactions} transactions"


def run(bed: Bed, task: dict[str, Any]) -> Run:
    """
    :raises SystemExit: the play failed.
    """
    book = bed.folder / "play.json"
    book.write_text(json.dumps([{"hosts": "kube_node", "gather_facts": False, "tasks": [task]}]))
    before, begin = counted(bed), time.monotonic()
    done = subprocess.run(
        [f"{os.environ['NETOPS_COLLECTIONS']}/bin/ansible-playbook", "-i", str(write_inventory(bed)), str(book)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "ANSIBLE_PIPELINING": "1"},
    )
    seconds = time.monotonic() - begin
    if done.returncode != 0:
        raise SystemExit(done.stdout + done.stderr)
    processes, transactions = (after - first for after, first in zip(counted(bed), before, strict=True))
    return Run(seconds, processes, transactions)


def counted(bed: Bed) -> tuple[int, int]:
    """Processes since boot, and transactions since they are watched."""
    said = bed.must(NODE, "grep processes /proc/stat; grep --count generation /run/transactions || true")
    return int(said.split()[1]), int(said.split()[2])


def measured(backend: str, task: dict[str, Any]) -> tuple[Run, Run]:
    """A first run and a rerun on a node of their own."""
    with booted("bench", 1) as bed:
        bed.must(NODE, PREPARE[backend])
        bed.must(NODE, "systemd-run --quiet sh -c 'exec nft monitor >/run/transactions'; sleep 1")
        # The first task of all brings Ansible's own connection and modules up.
        run(bed, {"ansible.builtin.ping": None})
        return run(bed, task), run(bed, task)


def compare(backend: str, number: int) -> None:
    factor = max(1.0, number / LOOPED)
    looped = [run.times(factor) for run in measured(backend, by_loop(backend, number))]
    figures = zip(measured(backend, by_plan(backend, number)), looped, strict=True)
    for what, (ours, theirs) in zip(("first run", "rerun"), figures, strict=True):
        print(
            f"{backend}, {number} rules, {what}: {ours}; loop{f', {factor:.0f} times {LOOPED} items' * (factor > 1)}: "
            f"{theirs}; {theirs.seconds / ours.seconds:.1f}",
            flush=True,
        )


def main() -> int:
    for number in map(int, sys.argv[1:] or ["20", "200", "2000"]):
        for backend in PEERS:
            compare(backend, number)
    return 0


if __name__ == "__main__":
    sys.exit(main())
