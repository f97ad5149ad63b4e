# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A headless Chromium without any network, spoken to over a pipe (Chrome DevTools Protocol)."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = "/usr/bin/chromium-headless-shell"
PACKAGE = {"chromium-headless-shell": PROGRAM}


class Chromium:
    """One browser with one page, while the block lasts.

    :param folder: for its profile.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._number = 0
        self._session = ""
        self._rest = b""
        # What the page asked for, and what the browser complained about.
        self.requests: list[str] = []
        self.complaints: list[str] = []

    def __enter__(self) -> Chromium:
        ours, theirs = os.pipe(), os.pipe()
        # It reads commands from descriptor 3 and writes answers to 4. It has no sandbox of its own as root.
        words = [PROGRAM, "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", f"--user-data-dir={self._folder}"]
        hands = ["bash", "-c", f'exec "$@" 3<&{ours[0]} 4>&{theirs[1]}', "chromium", *words]
        self._process = subprocess.Popen(
            ["unshare", "--net", *hands],
            pass_fds=(ours[0], theirs[1]),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(ours[0])
        os.close(theirs[1])
        self._write, self._read = ours[1], theirs[0]
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Network", "Log", "Runtime", "Page"):
            self.call(f"{domain}.enable")
        return self

    def __exit__(self, *_unused: object) -> None:
        os.close(self._write)
        os.close(self._read)
        self._process.terminate()
        self._process.wait(timeout=30)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command, and its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != self._number:
            pass
        assert "error" not in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    def open(self, file: Path) -> None:
        """Open a file and wait until it is loaded."""
        self.call("Page.navigate", url=file.as_uri())
        while self._next().get("method") != "Page.loadEventFired":
            pass

    def ask(self, script: str) -> Any:
        """The value of an expression in the page."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            chunk = os.read(self._read, 1 << 16)
            assert chunk, "Chromium ended"
            self._rest += chunk
        text, _end, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        said = message.get("params", {})
        if message.get("method") == "Network.requestWillBeSent":
            self.requests.append(said["request"]["url"])
        if message.get("method") == "Log.entryAdded":
            self.complaints.append(said["entry"]["text"])
        if message.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(said["exceptionDetails"]["text"])
        return message
