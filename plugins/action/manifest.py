# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The controller's part of every module that talks to the API: it shows how far long work is."""

from __future__ import annotations

import tempfile
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ansible.plugins.action.normal import ActionModule as NormalAction
from ansible.utils.display import Display
from ansible_collections.netops.kubernetes.plugins.module_utils._progress import VARIABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LOOK_SECONDS = 0.5


class ActionModule(NormalAction):
    """Run the module as every module is run; show what it tells, when it runs on this machine."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Returns the module's result."""
        # A module elsewhere has no file here to write to; one that runs on by itself outlives whoever would read it.
        here = str(self._connection.transport).rpartition(".")[2] == "local"
        if not here or self._task.async_val or self._task.no_log:
            return self._ordinary(tmp, task_vars)
        host = self._task.delegate_to or (task_vars or {}).get("inventory_hostname", "")
        display = Display()
        # Beside the result, not in it: who reads the standard output with a program is not disturbed.
        with told(lambda line: display.display(f"progress: [{host}] {line}", stderr=True)) as path:
            said = self._task.environment or []
            self._task.environment = [*(said if isinstance(said, list) else [said]), {VARIABLE: path}]
            return self._ordinary(tmp, task_vars)

    def _ordinary(self, tmp: str | None, task_vars: dict[str, Any] | None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        return result


@contextmanager
def told(show: Callable[[str], None]) -> Iterator[str]:
    """Within: a file whose lines are shown as they come; its path."""
    with tempfile.NamedTemporaryFile("r", encoding="utf-8", prefix="netops-progress-") as file:
        ended = threading.Event()

        def follow() -> None:
            line = ""
            while True:
                last = ended.wait(LOOK_SECONDS)
                for piece in file:
                    line += piece
                    if line.endswith("\n"):
                        show(line.rstrip("\n"))
                        line = ""
                if last:
                    return

        follower = threading.Thread(target=follow, name="progress", daemon=True)
        follower.start()
        try:
            yield file.name
        finally:
            ended.set()
            follower.join()
