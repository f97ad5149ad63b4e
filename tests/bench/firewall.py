# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""node_firewall against the loops that people write, on a virtual machine: one rule an item, one item a module call.

``NETOPS_COLLECTIONS=ENVIRONMENT python3 -m tests.bench.firewall [NUMBER ...]``: a virtual environment with the package
``ansible``, whose collections are the peers; its ansible-playbook runs both sides. Prints, for each back-end and number
of rules, the seconds of a first run and of a rerun, as a whole play and for the task alone, the processes that the node
started meanwhile, how often the kernel's nftables rules changed, and the ratios of theirs to ours. The task alone is
what Ansible says that it took: all items of a loop, or the plan's with its confirmation by a new connection; a play has
the start of ansible-playbook and the first connection besides. Of a long loop the first ``LOOPED`` items are run and
counted as often as they fit into it, which flatters it: an item costs more, the more rules there are.

Then, for each back-end, 20 rules of one peer set that has more and more members.
"""

from __future__ import annotations

import ipaddress
import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tests.nodes.conftest import NODE, PREPARE, booted
from tests.testbed.inventory import write_inventory

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.testbed.bed import Bed

PEER = "198.18.0.1"
FIRST_PORT = 20000
LOOPED = 100
MEMBERS = (1, 10, 100, 1000)
TASK = "Open them"
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
    return {"name": TASK, "loop": ports(number), **PEERS[backend]}


def by_plan(backend: str, number: int, members: int = 1) -> dict[str, Any]:
    """The same ports, and those that the plan has anyway.

    :param members: how many addresses the peer set has; no two of them are one network.
    """
    rules = [{"id": f"port-{port}", "protocol": "tcp", "ports": port, "peers": ["opened"]} for port in ports(number)]
    more = [str(ipaddress.ip_address("203.0.0.1") + 2 * index) for index in range(members - 1)]
    plan = "groups | netops.kubernetes.port_plan(hostvars, inventory_hostname, peers=members, rules=opened)"
    options = {"plan": "{{ " + plan + " }}", "backend": backend}
    variables = {"opened": rules, "members": {"opened": [PEER, *more]}}
    return {"name": TASK, "netops.kubernetes.node_firewall": options, "vars": variables}


ABSENT = {"name": TASK, "netops.kubernetes.node_firewall": {"state": "absent"}}


@dataclass(frozen=True)
class Run:
    """What one play took: seconds, of these its task's, processes of the node, and transactions of its nftables."""

    seconds: float
    task: float
    processes: int
    transactions: int

    def times(self, factor: float) -> Run:
        """What a play with a task so many times as long takes."""
        task = self.task * factor
        rest = self.seconds - self.task
        return Run(rest + task, task, round(self.processes * factor), round(self.transactions * factor))

    def __str__(self) -> str:
        return (
            f"play {self.seconds:.1f} s, task {self.task:.2f} s, {self.processes} processes, "
            f"{self.transactions} transactions"
        )


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
        env={**os.environ, "ANSIBLE_PIPELINING": "1", "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json"},
    )
    seconds = time.monotonic() - begin
    if done.returncode != 0:
        raise SystemExit(done.stdout + done.stderr)
    processes, transactions = (after - first for after, first in zip(counted(bed), before, strict=True))
    return Run(seconds, task_seconds(json.loads(done.stdout[done.stdout.index("{") :])), processes, transactions)


def task_seconds(said: dict[str, Any]) -> float:
    """How long the one task of a play took, as the callback ``ansible.posix.json`` says it."""
    duration = said["plays"][0]["tasks"][0]["task"]["duration"]
    begin, end = (datetime.fromisoformat(duration[name].replace("Z", "+00:00")) for name in ("start", "end"))
    return (end - begin).total_seconds()


def counted(bed: Bed) -> tuple[int, int]:
    """Processes since boot, and transactions since they are watched."""
    said = bed.must(NODE, "grep processes /proc/stat; grep --count generation /run/transactions || true")
    return int(said.split()[1]), int(said.split()[2])


@contextmanager
def prepared(backend: str) -> Iterator[Bed]:
    """Within: a node of its own with the back-end, watched."""
    with booted("bench", 1) as bed:
        bed.must(NODE, PREPARE[backend])
        bed.must(NODE, "systemd-run --quiet sh -c 'exec nft monitor >/run/transactions'; sleep 1")
        # The first task of all brings Ansible's own connection and modules up.
        run(bed, {"ansible.builtin.ping": None})
        yield bed


def measured(backend: str, task: dict[str, Any]) -> tuple[Run, Run]:
    """A first run and a rerun."""
    with prepared(backend) as bed:
        return run(bed, task), run(bed, task)


def compare(backend: str, numbers: Sequence[int]) -> None:
    """Rules by plan and by loop; the loops of one length are one."""
    lengths = sorted({min(number, LOOPED) for number in numbers})
    loops = {length: measured(backend, by_loop(backend, length)) for length in lengths}
    for number in numbers:
        factor = number / min(number, LOOPED)
        pairs = zip(measured(backend, by_plan(backend, number)), loops[min(number, LOOPED)], strict=True)
        for what, (ours, one) in zip(("first run", "rerun"), pairs, strict=True):
            theirs, sampled = one.times(factor), f", {factor:.0f} times {LOOPED} items" * (factor > 1)
            print(
                f"{backend}, {number} rules, {what}: {ours}; loop{sampled}: {theirs}; "
                f"ratio of plays {theirs.seconds / ours.seconds:.1f}, of tasks {theirs.task / ours.task:.1f}",
                flush=True,
            )


def grow(backend: str) -> None:
    """One peer set with more and more members."""
    with prepared(backend) as bed:
        for members in MEMBERS:
            run(bed, ABSENT)
            task = by_plan(backend, 20, members)
            print(
                f"{backend}, 20 rules, {members} peers: first run: {run(bed, task)}; rerun: {run(bed, task)}",
                flush=True,
            )


def main() -> int:
    numbers = [int(word) for word in sys.argv[1:] or ("20", "200", "2000")]
    for backend in PEERS:
        compare(backend, numbers)
    for backend in ("nftables", *PEERS):
        grow(backend)
    return 0


if __name__ == "__main__":
    sys.exit(main())
