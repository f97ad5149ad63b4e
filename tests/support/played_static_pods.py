# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A double of the kubelet's static pods: one manifest, whose real program runs as a process and not in a container."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import yaml
from tests.testbed.processes import Process

if TYPE_CHECKING:
    from pathlib import Path


class PlayedStaticPod:
    """Starts the program of a manifest, and starts it anew whenever the manifest changes.

    :param manifest: a file; others beside it are an error, as a kubelet would run them too.
    """

    def __init__(self, manifest: Path, log: Path) -> None:
        self._manifest, self._log = manifest, log
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._play)
        self._process: Process | None = None
        # As often as the program was started.
        self.starts = 0
        # A kubelet that hangs starts nothing.
        self.hangs = False
        self.strangers: set[str] = set()

    def __enter__(self) -> PlayedStaticPod:
        self._thread.start()
        return self

    def __exit__(self, *_unused: object) -> None:
        self._end.set()
        self._thread.join()
        if self._process:
            self._process.end()

    def crash(self) -> None:
        """End the program, and start none until the manifest changes and the kubelet does not hang."""
        self.hangs = True
        if self._process:
            self._process.end()

    def _play(self) -> None:
        text = ""
        while not self._end.wait(0.1):
            self.strangers |= {
                file.name
                for file in self._manifest.parent.iterdir()
                if file != self._manifest and not file.name.startswith(".")
            }
            found = self._manifest.read_text()
            if found != text and not self.hangs:
                text = found
                if self._process:
                    self._process.end()
                command = yaml.safe_load(text)["spec"]["containers"][0]["command"]
                self._process = Process.start(command, self._log)
                self.starts += 1
