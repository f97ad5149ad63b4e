# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client that resolves all the time, from inside a pod or from a node, and counts what it did not get."""

from __future__ import annotations

import json
import shlex
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

    from tests.testbed.bed import Bed
    from tests.testbed.settings import Node

# One question after the other, over UDP and TCP in turn, each asked once: a resolver's second try would hide a loss.
# But a connection that the server ends unanswered, as CoreDNS does with those that its own reload meets, is for the
# client to open again (RFC 7766, section 6.2.4); such are counted apart.
# It shares no code with what it is there to judge.
RESOLVE = """
import json, os, random, socket, struct, sys, time
server, patience, stop, names = sys.argv[1], float(sys.argv[2]), sys.argv[3], sys.argv[4:]
counts, failures, slowest, ended = 0, [], 0.0, 0
def ask(name, tcp):
    number = random.randrange(65536)
    labels = b''.join(bytes([len(one)]) + one.encode() for one in name.split('.'))
    message = struct.pack('>6H', number, 256, 1, 0, 0, 0) + labels + struct.pack('>BHH', 0, 1, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM) as one:
        one.settimeout(patience)
        one.connect((server, 53))
        one.sendall((struct.pack('>H', len(message)) if tcp else b'') + message)
        said = one.recv(4096)
        while tcp and (len(said) < 2 or len(said) < 2 + struct.unpack('>H', said[:2])[0]):
            more = one.recv(4096)
            if not more:
                raise ConnectionResetError('the connection ended')
            said += more
    said = said[2:] if tcp else said
    known, flags, _questions, answers = struct.unpack('>4H', said[:8])
    return '' if known == number and flags & 15 == 0 and answers else f'code {flags & 15}, {answers} records'
while not os.path.exists(stop):
    for name in names:
        begin = time.monotonic()
        try:
            try:
                problem = ask(name, counts % 2)
            except ConnectionResetError:
                ended += 1
                problem = ask(name, counts % 2)
        except OSError as error:
            problem = str(error)
        counts += 1
        slowest = max(slowest, time.monotonic() - begin)
        if problem:
            failures.append(f'{time.time():.1f} {name} over {"TCP" if counts % 2 == 0 else "UDP"}: {problem}')
        time.sleep(0.02)
print(json.dumps([counts, failures, slowest, ended]))
"""


@dataclass
class LookUps:
    """What a client saw.

    :param failures: one line each.
    :param slowest: seconds.
    :param ended: connections that CoreDNS ended unanswered, and that were opened again.
    """

    count: int = 0
    failures: tuple[str, ...] = ()
    slowest: float = 0.0
    ended: int = 0

    def __str__(self) -> str:
        slowest = f"the slowest in {self.slowest * 1000:.0f} ms"
        return f"{self.count} look-ups, {len(self.failures)} failed, {self.ended} connections opened again, {slowest}"


class Resolving:
    """Resolves on a node while the block lasts.

    :param namespace: the pod's network namespace; empty for the node's own.
    """

    def __init__(self, bed: Bed, node: Node, server: str, names: list[str], namespace: str = "") -> None:
        self.bed, self.node = bed, node
        self.seen = LookUps()
        self._stop = f"/run/resolving-{server}-{namespace or 'node'}"
        inside = ["ip", "netns", "exec", namespace] if namespace else []
        self._command = shlex.join([*inside, "python3", "-c", RESOLVE, server, "15", self._stop, *names])
        self._thread = threading.Thread(target=self._resolve)
        self._error: BaseException | None = None

    def __enter__(self) -> Resolving:
        self.bed.must(self.node, f"rm -f {self._stop}")
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.bed.must(self.node, f"touch {self._stop}")
        self._thread.join()
        if self._error is not None and error is None:
            raise self._error

    def _resolve(self) -> None:
        try:
            count, failures, slowest, ended = json.loads(self.bed.must(self.node, self._command, timeout=900.0))
            self.seen = LookUps(count, tuple(failures), slowest, ended)
        except BaseException as error:  # noqa: BLE001 - it is raised where the block ends
            self._error = error
