# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""node_firewall as Ansible runs it, on a machine with systemd, sshd and each back-end's own service."""

from __future__ import annotations

import json
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.testbed import artefacts
from tests.testbed.bed import Bed, BedError
from tests.testbed.build import Store
from tests.testbed.inventory import write_inventory
from tests.testbed.settings import Node, cache_root

if TYPE_CHECKING:
    from collections.abc import Iterator

NODE = Node(1)
PLAYBOOK = Path(__file__).parent / "playbooks" / "firewall.yml"
LOCKOUT = {"admins": ["192.0.2.0/24"]}
RESTRICTED = [{"id": "nodeport-tcp", "peers": ["all_nodes"]}]
# What makes a node one of this back-end, and what reloads that back-end's own service afterwards.
PREPARE = {
    "nftables": ("true", "systemctl restart nftables"),
    # As the package iptables-services does it; its unit itself is not there.
    "iptables": ("ln -s /dev/null /etc/systemd/system/multi-user.target.wants/iptables.service", "true"),
    "ufw": ("ufw allow 22/tcp >/dev/null && ufw --force enable >/dev/null && systemctl enable --now ufw", "ufw reload"),
    "firewalld": ("systemctl enable --quiet --now firewalld", "firewall-cmd --reload"),
}
# Rules that are everybody's but ours, without counters.
FOREIGN = (
    # Looking at a table for the first time makes its empty built-in chains.
    "{ iptables-save; ip6tables-save; } | grep -E '^(-|:)' | grep -vE 'NETOPS|^:[A-Z]+ ACCEPT' "
    "| sed -E 's/ \\[[0-9:]+\\]//'; "
    "ls /etc/ufw/*.rules /etc/firewalld/*/ | grep -v netops; cat /etc/ufw/*.rules"
)


# ufw's own rules keep their say, so while one of them admits SSH no plan of ours locks anybody out.
ONLY_OURS = {"ufw": "ufw delete allow 22/tcp"}
AS_BEFORE = {"ufw": "ufw allow 22/tcp"}


@dataclass
class Machine:
    """A bare node, and the play on it."""

    bed: Bed

    def play(self, *, check: bool = False, **variables: Any) -> tuple[int, str]:
        """How many tasks changed something, and what Ansible said; the number is -1 when the play failed."""
        names = {f"firewall_{name}": value for name, value in variables.items()}
        command = ["ansible-playbook", "-i", str(write_inventory(self.bed)), str(PLAYBOOK), "-e", json.dumps(names)]
        environment = {**os.environ, "ANSIBLE_PIPELINING": "1", "ANSIBLE_HOST_KEY_CHECKING": "true"}
        done = subprocess.run(
            [*command, *(["--check", "--diff"] if check else [])],
            capture_output=True,
            text=True,
            check=False,
            env=environment,
            timeout=180,
        )
        if done.returncode != 0:
            return -1, done.stdout + done.stderr
        return int(done.stdout.rpartition("changed=")[2].split()[0]), done.stdout

    def must(self, script: str) -> str:
        return self.bed.must(NODE, script)


@pytest.fixture(params=sorted(PREPARE))
def machine(request: pytest.FixtureRequest) -> Iterator[tuple[Machine, str]]:
    store = Store(cache_root())
    missing = store.missing([artefacts.disk, artefacts.kernel])
    assert not missing, f"{missing[0].name} is not built; `make testbed` builds it"
    bed = Bed(store, f"firewall-{os.getpid()}")
    try:
        bed.create(1)
        bed.boot_all()
        bed.must(NODE, PREPARE[request.param][0])
        yield Machine(bed), request.param
    finally:
        bed.down()


def test_a_backend_from_the_first_check_to_the_removal(machine: tuple[Machine, str]) -> None:
    node, backend = machine
    before = node.must(FOREIGN)
    changed, said = node.play(check=True, rules=RESTRICTED)
    assert changed == 1, said
    assert "+kubelet            tcp       10250" in said
    changed, said = node.play(rules=RESTRICTED)
    assert changed == 1, said
    assert node.play(check=True, rules=RESTRICTED)[0] == 0
    assert node.play(rules=RESTRICTED)[0] == 0
    node.must(PREPARE[backend][1])
    changed, said = node.play(check=True, rules=RESTRICTED)
    assert changed == 0, f"a reload of the service left something else: {said}"

    node.must(ONLY_OURS.get(backend, "true"))
    changed, said = node.play(peers=LOCKOUT)
    assert changed == -1
    assert "does not admit SSH from 198.18.0.1 to port 22" in said
    changed, said = node.play(peers=LOCKOUT, refuse_lockout=False, confirm_timeout=8)
    assert changed == -1
    assert "no confirmation came in time" in said
    changed, said = node.play(check=True, rules=RESTRICTED)
    assert changed == 0, f"the node went back to something else: {said}"

    node.bed.reboot(NODE)
    changed, said = node.play(check=True, rules=RESTRICTED)
    assert changed == 0, f"another boot brought something else: {said}"
    node.must(AS_BEFORE.get(backend, "true"))
    assert node.play(state="absent")[0] == 1
    assert node.play(state="absent")[0] == 0
    assert node.must(FOREIGN) == before
    assert (
        "netops" not in node.must("nft list tables; ls /etc /etc/systemd/system /etc/firewalld/* 2>/dev/null").lower()
    )


def test_a_power_cut_before_the_confirmation_gives_the_old_rules(machine: tuple[Machine, str]) -> None:
    node, backend = machine
    assert node.play()[0] == 1
    node.must(f"{ONLY_OURS.get(backend, 'true')}; sync")
    inventory = str(write_inventory(node.bed))
    variables = {"firewall_peers": LOCKOUT, "firewall_refuse_lockout": False, "firewall_confirm_timeout": 100}
    command = ["ansible-playbook", "-i", inventory, str(PLAYBOOK), "-e", json.dumps(variables)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as play:
        wait_until_locked_out(node.bed)
        node.bed.cut(NODE)
        play.terminate()
    node.bed.boot(NODE)
    node.bed.wait_for_ssh(NODE)
    changed, said = node.play(check=True)
    assert changed == 0, said


def wait_until_locked_out(bed: Bed) -> None:
    """Wait until the node lets no new connection in: the rules are on probation now."""
    for _attempt in range(60):
        try:
            if bed.ssh(NODE, "true", timeout=3.0).returncode != 0:
                return
        except BedError:
            return
        time.sleep(0.2)
    pytest.fail("the rules were never applied")
