# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""How far long work is, told while it is done.

The controller's part of a task (``plugins/action/manifest.py``) names a file in the environment and shows every line
that is added to it. Where there is none, as on another host, nothing is told.
"""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

VARIABLE = "NETOPS_KUBERNETES_PROGRESS"
# What takes less is not worth a line, and more lines than one in this time nobody reads.
INTERVAL_SECONDS = 3.0
# Who waits longer than this wants to know that the work is still being done.
SILENCE_SECONDS = 30.0
SHOWN = 3


class Progress:
    """The lines of one process. Safe to use from several threads.

    :param path: the file that is watched; empty: nobody listens.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._told = ""
        self._begin = self._last = time.monotonic()

    def tell(self, text: str) -> None:
        """Say how far the work is; it costs nothing to say it often."""
        if not self._path:
            return
        with self._lock:
            now = time.monotonic()
            silence = now - self._last
            if silence < (INTERVAL_SECONDS if text != self._told else SILENCE_SECONDS):
                return
            self._told, self._last = text, now
            line = " ".join(text.split())
            try:
                with Path(self._path).open("a", encoding="utf-8") as watched:
                    watched.write(f"{line} ({now - self._begin:.0f} s)\n")
            except OSError:
                # Another user's module may not write there; the work itself does not depend on it.
                self._path = ""


def several(lines: Iterable[str]) -> str:
    """Many lines as one: the first ones, and how many more there are."""
    listed = list(lines)
    more = [f"and {len(listed) - SHOWN} more"] if len(listed) > SHOWN else []
    return "; ".join([*listed[:SHOWN], *more])


_PROGRESS = Progress(os.environ.get(VARIABLE, ""))
tell = _PROGRESS.tell
