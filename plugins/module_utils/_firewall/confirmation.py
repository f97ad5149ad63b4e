# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Rules on probation: a node that goes back by itself unless somebody who came by a new connection says otherwise.

Before rules are applied, a timer of systemd (or, without one, a process of its own) is armed with a shell script that
brings the old ones back. Confirming and undoing both begin with renaming one file, so exactly one of them happens.
Everything lies in ``/run``: after a reboot there is nothing to undo, for what boots is what was confirmed last.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shlex
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ansible_collections.netops.kubernetes.plugins.module_utils._node import files, systemd
from ansible_collections.netops.kubernetes.plugins.module_utils._node.process import PATH, NodeError, require

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.backends.kept import Undo

FOLDER = "/run/netops-kubernetes"
LOCK = f"{FOLDER}/firewall.lock"
# Seconds for a run, or an undoing, that is about to end.
PATIENCE = 5


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Keep a second run on this node out for the time of the block, and a timer that is due.

    :raises NodeError: one is at it.
    """
    if not Path(FOLDER).is_dir():
        Path(FOLDER).mkdir(mode=0o700, parents=True, exist_ok=True)
    # Nothing is ever written there; a run that finds nothing to do leaves no trace.
    descriptor = os.open(LOCK, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _lock(descriptor)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    deadline = _now() + PATIENCE
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if _now() > deadline:
                raise NodeError(
                    "node firewall", "another run is changing it right now", "one at a time", "Wait for the other play"
                ) from error
            time.sleep(0.1)
        else:
            return


def pending() -> list[str]:
    """Tokens of rules that are on probation now; those whose time is long over belong to a timer that was killed."""
    return sorted(path.name.partition(".")[0] for path in Path(FOLDER).glob("*.pending"))


def require_none_pending() -> None:
    """Require that no rules are on probation.

    :raises NodeError: some are.
    """
    for token in pending():
        deadline = float(files.read(f"{FOLDER}/{token}.pending") or "0")
        left = deadline - _now()
        if left > -10:
            raise NodeError(
                "node firewall",
                f"rules of another run wait for their confirmation, {max(left, 0):.0f} s more",
                "one run at a time",
                "Wait until they are confirmed or undone, then run again",
            )
        # Its timer was killed: this run takes the undoing over.
        require(["sh", f"{FOLDER}/{token}.sh"])


def _now() -> float:
    """Seconds since boot: no clock that somebody can set."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def arm(token: str, seconds: int, undo: Undo) -> None:
    """Let the node go back in so many seconds unless :func:`confirm` comes first.

    :raises NodeError: systemd does not take the timer.
    """
    commands = list(undo.commands)
    _clear()
    for number, (words, text) in enumerate(undo.inputs):
        place = f"{FOLDER}/{token}.{number}"
        files.write(place, text, 0o600)
        # One part that finds nothing to undo must not keep the next from being undone.
        commands.insert(number, f"{words} {place} || true")
    files.write(f"{FOLDER}/{token}.sh", _script(token, commands), 0o700)
    _start_timer(token, seconds)
    # Last, so that what is pending always has a timer.
    files.write(f"{FOLDER}/{token}.pending", f"{_now() + seconds}\n", 0o600)


# What is written here, and what a kill leaves of it half-written; others keep files in the folder too.
OWN = re.compile(r"\.?([0-9a-f]{12})\.(?:sh|\d+|pending|confirmed|undone)(?:\.\w+)?")


def _clear() -> None:
    """Remove scripts whose timers have found, or will find, nothing to do."""
    kept = pending()
    for path in Path(FOLDER).iterdir():
        own = OWN.fullmatch(path.name)
        if own and own[1] not in kept:
            files.remove(str(path))


def _script(token: str, commands: list[str]) -> str:
    lines = [
        "#!/bin/sh",
        f"PATH={shlex.quote(os.environ.get('PATH', ''))}:{PATH}",
        f"cd {FOLDER} || exit 1",
        f"mv {token}.pending {token}.undone 2>/dev/null || exit 0",
        *commands,
        "",
    ]
    return "\n".join(lines)


def _start_timer(token: str, seconds: int) -> None:
    script = f"sh {FOLDER}/{token}.sh"
    # Not into the middle of an apply that is slower than the timer; but one that hangs is not waited for.
    undoing = f"test ! -e {FOLDER}/{token}.pending || flock --wait 60 {LOCK} {script} || {script}"
    if systemd.is_running():
        unit = f"netops-kubernetes-undo-{token}"
        timer = (f"--on-active={seconds}", "--timer-property=AccuracySec=100ms")
        require(["systemd-run", "--quiet", "--collect", f"--unit={unit}", *timer, "sh", "-c", undoing])
        return
    # In a session of its own: the end of the connection does not end it.
    subprocess.Popen(
        ["sh", "-c", f"sleep {seconds}; {undoing}"],
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
    )


def confirm(token: str) -> None:
    """Say that the rules may stay.

    :raises NodeError: they were undone already, or there never were any.
    """
    try:
        Path(FOLDER, f"{token}.pending").rename(Path(FOLDER, f"{token}.confirmed"))
    except FileNotFoundError as error:
        undone = Path(FOLDER, f"{token}.undone").exists()
        raise NodeError(
            "node firewall",
            "the new rules were undone: no confirmation came in time" if undone else f"there is nothing called {token}",
            "a confirmation within confirm_timeout",
            "Look why a new connection could not be made, then run again",
        ) from error
