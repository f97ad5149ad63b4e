# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program that runs on a node, by its text alone: it opens new connections again and again and says how each ended.

``python3 -c TEXT TARGETS ENOUGH SECONDS PATIENCE STEP BEHIND``: what to connect to, as JSON or as a file of it that may
change meanwhile, NAMESPACE, HOST and PORT by a name; the file that ends it; the seconds after which it ends in any
case, after which a connection has no answer, and between two connections to a target; how many seconds of those that
came too late are made up for. Prints beginning, seconds and verdict of each, by the target's name.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import selectors
import socket
import sys
import time
from pathlib import Path

CLONE_NEWNET = 0x40000000


class Dialler:
    """One thread for all connections: a socket stays in the network namespace in which it was made."""

    def __init__(self, patience: float) -> None:
        self.made: dict[str, list[tuple[float, float, str]]] = {}
        self._patience = patience
        self._selector = selectors.DefaultSelector()
        # In the order of their beginnings: the first is the first to have no answer.
        self._pending: dict[socket.socket, tuple[str, float]] = {}
        self._own = os.open("/proc/self/ns/net", os.O_RDONLY)
        self._libc = ctypes.CDLL(None, use_errno=True)

    def dial(self, name: str, namespace: str, host: str, port: int) -> None:
        """Begin one connection; without a host there is nobody to connect to."""
        begin = time.time()
        if not host:
            self._note(name, begin, "no address")
            return
        try:
            connection = self._socket(namespace, socket.AF_INET6 if ":" in host else socket.AF_INET)
        except OSError as error:
            self._note(name, begin, error.strerror or str(error))
            return
        connection.setblocking(False)
        code = connection.connect_ex((host, port))
        # Who has no way there is told at once, and his socket would seem to be ready without an error.
        if code not in {0, errno.EINPROGRESS}:
            connection.close()
            self._note(name, begin, os.strerror(code))
            return
        self._pending[connection] = (name, begin)
        self._selector.register(connection, selectors.EVENT_WRITE)

    def settle(self, until: float) -> None:
        """Note what ends, until a time of the clock; at least what has ended already."""
        while True:
            for key, _mask in self._selector.select(max(0.0, until - time.time())):
                connection = key.fileobj
                assert isinstance(connection, socket.socket)
                code = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                self._end(connection, os.strerror(code) if code else "open")
            while self._pending:
                connection, (_name, begin) = next(iter(self._pending.items()))
                if time.time() - begin <= self._patience:
                    break
                self._end(connection, "no answer")
            if time.time() >= until:
                return

    def finish(self) -> None:
        """Wait for all that have begun."""
        while self._pending:
            self.settle(time.time() + 0.02)

    def _socket(self, namespace: str, family: int) -> socket.socket:
        if not namespace:
            return socket.socket(family)
        inner = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
        try:
            if self._libc.setns(inner, CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
            return socket.socket(family)
        finally:
            self._libc.setns(self._own, CLONE_NEWNET)
            os.close(inner)

    def _end(self, connection: socket.socket, verdict: str) -> None:
        name, begin = self._pending.pop(connection)
        self._selector.unregister(connection)
        connection.close()
        self._note(name, begin, verdict)

    def _note(self, name: str, begin: float, verdict: str) -> None:
        self.made.setdefault(name, []).append((begin, time.time() - begin, verdict))


def main() -> None:
    targets, enough = sys.argv[1:3]
    seconds, patience, step, behind = map(float, sys.argv[3:7])
    dialler, seen = Dialler(patience), 0
    flows = json.loads(targets) if targets.startswith("{") else {}
    begin = due = time.time()
    while not Path(enough).exists() and due < begin + seconds:
        if not targets.startswith("{"):
            stamp = Path(targets).stat().st_mtime_ns
            if stamp != seen:
                flows, seen = json.loads(Path(targets).read_text(encoding="utf-8")), stamp
        for name, (namespace, host, port) in flows.items():
            dialler.dial(name, namespace, host, port)
        due = max(due + step, time.time() - behind)
        dialler.settle(due)
    dialler.finish()
    print(json.dumps({name: sorted(attempts) for name, attempts in dialler.made.items()}))


if __name__ == "__main__":
    main()
