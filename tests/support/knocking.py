# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client that opens new connections all the time, none of which may be lost."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PORT = 10250
ACCEPT = (
    f"import socket\nserver=socket.create_server(('', {PORT}), backlog=1000)\nprint('ready', flush=True)\n"
    "while True: server.accept()[0].close()"
)
# Opens connections one after the other until its input ends; says how many there were and how many first segments had
# to be sent again, which is what a lost one costs. A pause each, or the client's own ports run out before that.
KNOCK = (
    "import select,socket,sys\n"
    "made=0\n"
    "while not select.select([sys.stdin],[],[],float(sys.argv[2]))[0]:\n"
    f"    socket.create_connection((sys.argv[1],{PORT}),20).close(); made+=1\n"
    "names,counts=[line.split() for line in open('/proc/self/net/netstat') if line.startswith('TcpExt:')]\n"
    "print(made, counts[names.index('TCPSynRetrans')])"
)


@contextmanager
def knocking(prefix: Sequence[str], address: str, pause: float = 0.001, resent: int | None = 0) -> Iterator[None]:
    """Within: a client opens connections to port 10250; afterwards, none of them was lost.

    :param prefix: what the client is started with: a network namespace in which nobody else opens connections.
    :param pause: seconds between two connections.
    :param resent: how many first segments may have been sent again; None where the server's machine can stand still
        for the second after which a client does so, and where losses are counted another way.
    """
    command = [*prefix, "python3", "-c", KNOCK, address, str(pause)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        yield
        said, _errors = client.communicate()
    assert client.returncode == 0
    made, again = map(int, said.split())
    assert made > 100
    assert resent is None or again <= resent, f"{again} of {made} connections were lost"
