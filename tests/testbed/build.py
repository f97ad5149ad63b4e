# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Artefacts by the hash of their inputs: built once, kept whole, two at a time.

An artefact's folder appears under its final name only when it is complete (a rename), so an interrupted
build starts again at the artefact where it was, and what stands in the cache can be trusted.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path


class BuildError(Exception):
    """A step that failed; the text names the step, its log and what it said last."""


@dataclass(frozen=True)
class Artefact:
    """One thing to build.

    :param name: what people call it.
    :param inputs: every text that decides the result: versions, flags, the content of source files.
    :param needs: artefacts that must be there first; their digests are inputs too.
    :param make: builds it into the empty folder of the given step.
    """

    name: str
    inputs: tuple[str, ...]
    needs: tuple[Artefact, ...]
    make: Callable[[Step], None]

    @property
    def digest(self) -> str:
        text = json.dumps([self.name, self.inputs, [need.digest for need in self.needs]])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Step:
    """What a building function works with: its folder, its log and the folders of what it needs."""

    folder: Path
    log: Path
    store: Store
    artefact: Artefact

    def need(self, name: str) -> Path:
        """The folder of the needed artefact of that name."""
        for need in self.artefact.needs:
            if need.name == name:
                return self.store.path(need)
        raise BuildError(f"{self.artefact.name} does not declare that it needs {name}")

    def run(
        self,
        *command: str,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: str | None = None,
    ) -> None:
        """Run one program; what it prints goes to the step's log.

        :raises BuildError: it ended with another status than 0.
        """
        with self.log.open("ab") as log:
            log.write(f"+ {' '.join(command)}\n".encode())
            log.flush()
            done = subprocess.run(
                command,
                cwd=cwd,
                env={**os.environ, **(env or {})},
                input=None if stdin is None else stdin.encode(),
                stdin=subprocess.DEVNULL if stdin is None else None,
                stdout=log,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if done.returncode != 0:
            last = self.log.read_text(errors="replace").splitlines()[-15:]
            raise BuildError(
                f"{self.artefact.name}: {command[0]} ended with {done.returncode}; its log is {self.log} and ends:\n"
                + "\n".join(f"    {line}" for line in last)
            )


class Store:
    """The cache: ``artefacts/NAME-DIGEST/``, ``logs/NAME.log`` and the record of how long each step took."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.artefacts = root / "artefacts"
        self.logs = root / "logs"
        for folder in (self.artefacts, self.logs):
            folder.mkdir(parents=True, exist_ok=True)

    def path(self, artefact: Artefact) -> Path:
        return self.artefacts / f"{artefact.name}-{artefact.digest}"

    def missing(self, wanted: Iterable[Artefact]) -> list[Artefact]:
        """What must be built for ``wanted``, needs first, each once.

        What only a finished artefact needed is not asked for again.
        """
        order: list[Artefact] = []

        def visit(artefact: Artefact) -> None:
            if artefact in order or self.path(artefact).exists():
                return
            for need in artefact.needs:
                visit(need)
            order.append(artefact)

        for artefact in wanted:
            visit(artefact)
        return order

    def build(self, wanted: Sequence[Artefact], workers: int = 2) -> dict[str, float]:
        """Build what is missing of ``wanted``.

        :returns: seconds by the name of each artefact that was built.
        :raises BuildError: a step failed; the steps under way end first, what they made is kept.
        """
        order = self.missing(wanted)
        if not order:
            return {}
        say(f"to build: {', '.join(artefact.name for artefact in order)} (logs in {self.logs})")
        seconds: dict[str, float] = {}
        waiting = list(order)
        running: dict[Future[float], Artefact] = {}
        with ThreadPoolExecutor(workers) as pool, heartbeat(running):
            while waiting or running:
                for artefact in [one for one in waiting if all(self.path(need).exists() for need in one.needs)]:
                    waiting.remove(artefact)
                    running[pool.submit(self._make, artefact)] = artefact
                done, _unused = wait(list(running), return_when=FIRST_COMPLETED)
                for future in done:
                    artefact = running.pop(future)
                    try:
                        seconds[artefact.name] = future.result()
                    except BaseException:
                        pool.shutdown(wait=False, cancel_futures=True)
                        raise
        return seconds

    def _make(self, artefact: Artefact) -> float:
        final = self.path(artefact)
        with (self.artefacts / f".{artefact.name}.lock").open("w") as lock:
            # A second build beside this one waits here, then finds the result.
            fcntl.flock(lock, fcntl.LOCK_EX)
            if final.exists():
                return 0.0
            begin = time.monotonic()
            say(f"{artefact.name} …")
            folder = self.artefacts / f".{artefact.name}.building"
            remove_tree(folder)
            folder.mkdir()
            log = self.logs / f"{artefact.name}.log"
            log.write_bytes(b"")
            artefact.make(Step(folder, log, self, artefact))
            folder.rename(final)
        seconds = time.monotonic() - begin
        say(f"{artefact.name} built in {seconds:.0f} s")
        with (self.logs / "seconds").open("a") as record:
            record.write(f"{time.strftime('%F %T')} {artefact.name} {artefact.digest} {seconds:.1f}\n")
        return seconds

    def collect(self, wanted: Iterable[Artefact]) -> list[str]:
        """Remove every artefact that ``wanted`` and its needs do not refer to; returns the names of what went."""
        keep: set[str] = set()

        def visit(artefact: Artefact) -> None:
            keep.add(self.path(artefact).name)
            for need in artefact.needs:
                visit(need)

        for artefact in wanted:
            visit(artefact)
        gone = [path for path in self.artefacts.iterdir() if path.is_dir() and path.name not in keep]
        for path in gone:
            remove_tree(path)
        return [path.name for path in gone]


def remove_tree(folder: Path) -> None:
    """Remove a folder; the Go module cache and a root file system hold read-only folders, root may all the same."""
    if folder.exists():
        shutil.rmtree(folder)


def say(text: str) -> None:
    """One line of progress."""
    print(f"{time.strftime('%H:%M:%S')} testbed: {text}", file=sys.stderr, flush=True)


@contextmanager
def heartbeat(running: Mapping[Future[float], Artefact], every: float = 30.0) -> Iterator[None]:
    """Say every ``every`` seconds what is still under way: nobody should wonder whether it hangs."""
    stop = threading.Event()
    begin = time.monotonic()

    def beat() -> None:
        while not stop.wait(every):
            names = sorted(artefact.name for artefact in list(running.values()))
            if names:
                say(f"still building after {time.monotonic() - begin:.0f} s: {', '.join(names)}")

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
