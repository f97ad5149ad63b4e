# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The test bed as an Ansible inventory, with the groups that kubespray names."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from .bed import Bed
    from .settings import Node


def inventory(bed: Bed) -> dict[str, object]:
    """The nodes by group, reached through the gateway's loopback ports, as an inventory script prints them.

    An empty inventory when the bed is down.
    """
    return by_group({node.name: variables_of(bed, node) for node in bed.nodes})


def by_group(hosts: dict[str, dict[str, object]]) -> dict[str, object]:
    """An inventory of these hosts and their variables; the first carries the control plane."""
    names = list(hosts)
    groups = {"kube_control_plane": names[:1], "etcd": names[:1], "kube_node": names}
    return {"_meta": {"hostvars": hosts}, **{group: {"hosts": members} for group, members in groups.items()}}


def variables_of(bed: Bed, node: Node) -> dict[str, object]:
    """What Ansible must know to reach a node and the cluster's API."""
    return {
        "ansible_host": "127.0.0.1",
        "ansible_port": bed.state["ports"][f"ssh-{node.name}"],
        "ansible_user": "root",
        "ansible_python_interpreter": "/usr/bin/python3",
        "ansible_ssh_private_key_file": str(bed.disk / "id"),
        "ansible_ssh_common_args": f"-o UserKnownHostsFile={shlex.quote(str(bed.known_hosts()))} -o IdentitiesOnly=yes",
        "kubernetes_kubeconfig": str(bed.folder / "kubeconfig"),
        # The gateway's port is not sshd's.
        "node_firewall_ssh_port": 22,
        # As kubespray's inventories have it: the address that the other nodes use.
        "ip": node.address,
    }


def write_inventory(bed: Bed) -> Path:
    """Write the inventory as an executable that prints it: the form that holds variables by host."""
    return write(bed.folder / "inventory", inventory(bed))


def write(file: Path, wanted: dict[str, object]) -> Path:
    """Write an inventory as such an executable."""
    file.write_text(f"#!/bin/sh\ncat <<'END'\n{json.dumps(wanted, indent=2)}\nEND\n")
    file.chmod(0o755)
    return file
