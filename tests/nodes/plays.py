# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks, run as people run them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

OWN = Path(__file__).parent / "playbooks"
FIREWALL = OWN / "firewall.yml"
ROLE = OWN / "role.yml"
ENVIRONMENT = {"ANSIBLE_PIPELINING": "1", "ANSIBLE_HOST_KEY_CHECKING": "true"}


@dataclass(frozen=True)
class Played:
    """How a playbook ended.

    :param changed: how many tasks changed something, by host.
    """

    status: int
    said: str

    @property
    def changed(self) -> dict[str, int]:
        counts = re.findall(r"^(\S+) +: ok=.*?changed=(\d+)", self.said, re.MULTILINE)
        return {host: int(count) for host, count in counts}


def run(inventory: Path, playbook: Path, *words: str, timeout: float = 1800.0, **variables: Any) -> Played:
    """Run a playbook, whatever comes of it.

    :param words: more of the command line.
    """
    done = subprocess.run(
        ["ansible-playbook", "-i", str(inventory), str(playbook), "-e", json.dumps(variables), *words],
        # A worker's own output is none that Ansible can write to.
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **ENVIRONMENT},
        timeout=timeout,
    )
    return Played(done.returncode, done.stdout + done.stderr)


def succeeds(inventory: Path, playbook: Path, *words: str, **variables: Any) -> Played:
    """Run a playbook that must succeed."""
    played = run(inventory, playbook, *words, **variables)
    assert played.status == 0, played.said
    return played


def killed_at(inventory: Path, playbook: Path, task: str, **variables: Any) -> None:
    """Run a playbook, and kill it when a task begins; what runs on the nodes by then is left alone, as it would be.

    :raises AssertionError: the playbook ends before the task.
    """
    command = ["ansible-playbook", "-i", str(inventory), str(playbook), "-e", json.dumps(variables)]
    environment = {**os.environ, **ENVIRONMENT}
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        start_new_session=True,
    ) as process:
        assert process.stdout
        said: list[str] = []
        for line in process.stdout:
            said.append(line)
            if line.startswith("TASK [") and task in line:
                os.killpg(process.pid, signal.SIGKILL)
                return
    raise AssertionError(f"no task {task!r}:\n{''.join(said)}")


def play(inventory: Path, *words: str, check: bool = False, **variables: Any) -> tuple[dict[str, int], str]:
    """The firewall's own: how many tasks changed something on each host, and what Ansible said.

    :returns: no host when the play failed.
    :param variables: of the playbook, without their prefix.
    """
    more = [*words, *(["--check", "--diff"] if check else [])]
    played = run(inventory, FIREWALL, *more, timeout=240, **named(variables))
    return {} if played.status else played.changed, played.said


def command(inventory: Path, **variables: Any) -> Sequence[str]:
    """The command line of the firewall's."""
    return ["ansible-playbook", "-i", str(inventory), str(FIREWALL), "-e", json.dumps(named(variables))]


def named(variables: dict[str, Any]) -> dict[str, Any]:
    """Variables of the firewall's playbook by their full names."""
    return {f"firewall_{name}": value for name, value in variables.items()}
