# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules are confirmed by a new connection, whatever way Ansible comes by."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import pytest
from tests.nodes.conftest import booted
from tests.nodes.plays import play
from tests.testbed.inventory import by_group, variables_of, write, write_inventory
from tests.testbed.settings import Node

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.testbed.bed import Bed

BASTION, BEHIND = Node(1), Node(2)
# A user who may become root, and an sshd that listens elsewhere.
ANOTHER_WAY = """
set -e
useradd --create-home --shell /bin/sh deploy
echo 'deploy ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/deploy
install -D -o deploy -g deploy -m 600 /root/.ssh/authorized_keys /home/deploy/.ssh/authorized_keys
echo 'Port 2222' > /etc/ssh/sshd_config.d/port.conf
systemctl restart ssh
"""


@pytest.fixture(scope="module")
def bed() -> Iterator[Bed]:
    with booted("ways", 2) as bed:
        yield bed


def behind_the_bastion(bed: Bed, folder: Path) -> Path:
    """An inventory in which the second node is reached through the first, at its own address."""
    hosts = {node.name: variables_of(bed, node) for node in bed.nodes}
    known = folder / "known_hosts"
    key = " ".join((bed.disk / "host_key.pub").read_text().split()[:2])
    known.write_text(f"[{BEHIND.address}]:2222 {key}\n")
    jump = [*bed.ssh_command(BASTION, options=["-W", f"{BEHIND.address}:2222"])]
    hosts[BEHIND.name] |= {
        "ansible_host": BEHIND.address,
        "ansible_port": 2222,
        "ansible_user": "deploy",
        "ansible_become": True,
        "ansible_ssh_common_args": f"-o UserKnownHostsFile={known} -o ProxyCommand={shlex.quote(shlex.join(jump))}",
    }
    return write(folder / "inventory", by_group(hosts))


def test_one_node_after_the_other(bed: Bed) -> None:
    """Batches of one, and a single worker process."""
    inventory = write_inventory(bed)
    assert play(inventory, "--forks=1", serial=1)[0] == {"node1": 1, "node2": 1}
    assert play(inventory, check=True)[0] == {"node1": 0, "node2": 0}
    assert play(inventory, "--forks=1", serial=1, state="absent")[0] == {"node1": 1, "node2": 1}


def test_through_a_bastion_to_another_port_as_a_user_with_sudo(bed: Bed, tmp_path: Path) -> None:
    bed.must(BEHIND, ANOTHER_WAY)
    inventory = behind_the_bastion(bed, tmp_path)
    only = ("--limit", BEHIND.name)
    changed, said = play(inventory, *only)
    assert changed == {}, said
    assert "does not admit SSH from 198.18.0.11 to port 2222" in said, said
    changed, said = play(inventory, *only, ssh_port=2222)
    assert changed == {"node2": 1}, said
    changed, said = play(inventory, *only, ssh_port=2222, peers={"admins": ["192.0.2.0/24"]})
    assert "does not admit SSH from 198.18.0.11 to port 2222" in said
    lockout = {"admins": ["192.0.2.0/24"]}
    changed, said = play(inventory, *only, ssh_port=2222, peers=lockout, refuse_lockout=False, confirm_timeout=8)
    assert changed == {}
    assert "no confirmation came in time" in said
    changed, said = play(inventory, *only, check=True, ssh_port=2222)
    assert changed == {"node2": 0}, said
