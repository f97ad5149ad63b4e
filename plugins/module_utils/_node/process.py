# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Programs of the node: run with a list of words, a time limit and a known language."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ansible_collections.netops.kubernetes.plugins.module_utils._errors import NetopsError

if TYPE_CHECKING:
    from collections.abc import Sequence

# An Ansible task may run with a PATH that lacks the folders of system programs.
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class NodeError(NetopsError):
    """Something on the node is not as it must be."""


@dataclass(frozen=True)
class Completed:
    """What a program gave back."""

    returncode: int
    stdout: str
    stderr: str


def run(argv: Sequence[str], *, stdin: str = "", timeout: float = 60.0) -> Completed:
    """Run a program; its status is the caller's to judge.

    :param timeout: seconds.
    :raises NodeError: there is no such program, or it does not end in time.
    """
    environment = {**os.environ, "LC_ALL": "C", "PATH": f"{os.environ.get('PATH', '')}:{PATH}"}
    try:
        done = subprocess.run(
            list(argv), input=stdin, capture_output=True, text=True, timeout=timeout, env=environment, check=False
        )
    except FileNotFoundError as error:
        raise NodeError(f"program {argv[0]!r}", "it is not installed on this node", remedy="Install it") from error
    except subprocess.TimeoutExpired as error:
        raise NodeError(f"program {argv[0]!r}", f"no end after {timeout:.0f} s: {' '.join(argv)}") from error
    return Completed(done.returncode, done.stdout, done.stderr)


def require(argv: Sequence[str], *, stdin: str = "", timeout: float = 60.0) -> str:
    """Run a program that must succeed; returns what it printed.

    :raises NodeError: it failed; the text has its words.
    """
    done = run(argv, stdin=stdin, timeout=timeout)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip()
        raise NodeError(f"program {argv[0]!r}", f"{' '.join(argv)} ended with {done.returncode}: {said}")
    return done.stdout


def exists(program: str) -> bool:
    """Whether a program is installed."""
    folders = f"{os.environ.get('PATH', '')}:{PATH}".split(":")
    return any(os.access(f"{folder}/{program}", os.X_OK) for folder in folders if folder)


def ssh_connection() -> str:
    """What sshd says about the connection that this process came by (``SSH_CONNECTION``, ssh(1)); may be empty.

    sudo and su drop the variable, so it is looked for in the processes above this one too (proc(5): environ, stat).
    """
    pid = os.getpid()
    found = os.environ.get("SSH_CONNECTION", "")
    while pid > 1 and not found:
        try:
            variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            # The name in parentheses is anybody's to choose; after it come the state and the parent.
            after_name = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2]
        except OSError:
            break
        pid = int(after_name.split()[1])
        found = next((one.decode()[15:] for one in variables if one.startswith(b"SSH_CONNECTION=")), "")
    return found
