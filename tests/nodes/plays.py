# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The firewall's playbook, run as people run it."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

PLAYBOOK = Path(__file__).parent / "playbooks" / "firewall.yml"


def play(inventory: Path, *words: str, check: bool = False, **variables: Any) -> tuple[dict[str, int], str]:
    """How many tasks changed something on each host, and what Ansible said; no host when the play failed.

    :param words: more of the command line.
    :param variables: of the playbook, without their prefix.
    """
    done = subprocess.run(
        [*command(inventory, **variables), *(["--check", "--diff"] if check else []), *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "ANSIBLE_PIPELINING": "1", "ANSIBLE_HOST_KEY_CHECKING": "true"},
        timeout=240,
    )
    if done.returncode != 0:
        return {}, done.stdout + done.stderr
    return {
        host: int(count) for host, count in re.findall(r"^(\S+) +: ok=.*?changed=(\d+)", done.stdout, re.MULTILINE)
    }, done.stdout


def command(inventory: Path, **variables: Any) -> Sequence[str]:
    """The command line of the playbook."""
    names = {f"firewall_{name}": value for name, value in variables.items()}
    return ["ansible-playbook", "-i", str(inventory), str(PLAYBOOK), "-e", json.dumps(names)]
