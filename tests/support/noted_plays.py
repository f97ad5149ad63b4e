# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plays of a role whose modules only note what they are given, on hosts that the inventory alone knows."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


def play(
    collections: Path, inventory: Mapping[str, Any], variables: Mapping[str, Any], tasks: Sequence[Mapping[str, Any]]
) -> tuple[int, str]:
    """Run tasks on every host, whose name modules find as ``NODE`` in their environment.

    :param collections: the folder that has ``ansible_collections``; inventory and play are written there.
    :returns: how Ansible ended, and what it printed.
    """
    content = {
        "hosts": "all",
        "gather_facts": False,
        "environment": {"NODE": "{{ inventory_hostname }}"},
        "vars": variables,
        "tasks": tasks,
    }
    (collections / "inventory.json").write_text(json.dumps(inventory))
    (collections / "play.json").write_text(json.dumps([content]))
    command = ["ansible-playbook", "-i", str(collections / "inventory.json"), str(collections / "play.json")]
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(collections), "ANSIBLE_FORKS": "4"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    return done.returncode, done.stdout + done.stderr
