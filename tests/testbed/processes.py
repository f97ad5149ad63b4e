# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes that outlive the command that started them, remembered by id and start time."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


# A killed process is gone as soon as the kernel has given back what it had: a node's memory takes a moment.
GONE_SECONDS = 10.0


@dataclass(frozen=True)
class Process:
    """One process; the start time tells it from a later one with the same id."""

    pid: int
    started: int

    @classmethod
    def start(cls, command: Sequence[str], log: Path, *, fds: Sequence[int] = (), temporary: str = "") -> Process:
        """Start ``command`` in a session of its own; it gets no input, and its output goes to ``log``."""
        environment = {**os.environ, **({"TMPDIR": temporary} if temporary else {})}
        with log.open("ab") as output:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=tuple(fds),
                env=environment,
            )
        # The process outlives this object, and its end is watched by its start time.
        child.returncode = 0
        return cls(child.pid, start_time(child.pid))

    @property
    def alive(self) -> bool:
        return self.started != 0 and start_time(self.pid) == self.started

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the whole session that :meth:`start` made, while its leader is alive."""
        if self.alive:
            os.killpg(self.pid, number)

    def end(self, patience: float = 5.0) -> None:
        """Ask it to end, then make it; returns when it is gone."""
        self.signal(signal.SIGTERM)
        if not self.wait(patience):
            self.signal(signal.SIGKILL)
            self.wait(GONE_SECONDS)

    def wait(self, seconds: float) -> bool:
        """Whether it ended within ``seconds``."""
        deadline = time.monotonic() + seconds
        while self.alive:
            reap(self.pid)
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True


def start_time(pid: int) -> int:
    """When the process started, in clock ticks since boot (proc(5), field 22); 0 when it is gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return 0 if fields[0] in {"Z", "X"} else int(fields[19])


def reap(pid: int) -> None:
    """Collect the process if it was this one's child."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        # Another command started it, and init collects it.
        return
