# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""node_firewall against the loops that people write, on a virtual machine: one rule an item, one item a module call.

``python3 -m tests.bench.firewall ANSIBLE_PLAYBOOK [NUMBER ...]``: that program's package has the peers' collections;
both sides are run by it. Prints, for each back-end and number of rules, the seconds of a first run and of a rerun, the
processes that the node started meanwhile, and the ratios.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

from tests.nodes.conftest import NODE, PREPARE, new_bed
from tests.testbed.inventory import write_inventory

if TYPE_CHECKING:
    from pathlib import Path

    from tests.testbed.bed import Bed

PEER = "198.18.0.1"
FIRST_PORT = 20000
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
    return {"name": "Open them", "loop": ports(number), **PEERS[backend]}


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


def run(program: str, bed: Bed, task: dict[str, Any]) -> tuple[float, int, int]:
    """Seconds, processes that the node started, and tasks that changed something."""
    book: Path = bed.folder / "play.json"
    book.write_text(json.dumps([{"hosts": "kube_node", "gather_facts": False, "tasks": [task]}]))
    before, begin = started(bed), time.monotonic()
    done = subprocess.run(
        [program, "-i", str(write_inventory(bed)), str(book)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "ANSIBLE_PIPELINING": "1"},
    )
    seconds = time.monotonic() - begin
    if done.returncode != 0:
        raise SystemExit(done.stdout + done.stderr)
    return seconds, started(bed) - before, int(done.stdout.rpartition("changed=")[2].split()[0])


def started(bed: Bed) -> int:
    """Processes since boot."""
    return int(bed.must(NODE, "grep processes /proc/stat").split()[1])


def compare(program: str, backend: str, number: int) -> None:
    figures = {}
    for name, task in (("ours", by_plan(backend, number)), ("loop", by_loop(backend, number))):
        bed = new_bed("bench")
        try:
            bed.create(1)
            bed.boot_all()
            bed.must(NODE, PREPARE[backend])
            # The first task of all brings Ansible's own connection and modules up.
            run(program, bed, {"ansible.builtin.ping": None})
            figures[name] = [run(program, bed, task), run(program, bed, task)]
        finally:
            bed.down()
    for index, what in enumerate(("first run", "rerun")):
        ours, loop = figures["ours"][index], figures["loop"][index]
        print(
            f"{backend:9} {number:5} rules, {what:9}: ours {ours[0]:6.1f} s, {ours[1]:5} processes; "
            f"loop {loop[0]:7.1f} s, {loop[1]:6} processes; ratio {loop[0] / ours[0]:5.1f}",
            flush=True,
        )


def main() -> int:
    program, *numbers = sys.argv[1:]
    for number in map(int, numbers or ["20", "200"]):
        for backend in PEERS:
            compare(program, backend, number)
    return 0


if __name__ == "__main__":
    sys.exit(main())
