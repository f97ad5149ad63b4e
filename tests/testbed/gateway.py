# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way in: loopback ports of this machine that lead into the test bed's network namespace.

The listening sockets are made outside and inherited; this process then runs inside the namespace, so each
connection that it opens is made there. Nothing of the namespace becomes routable.

``gateway.py FD=HOST:PORT …``
"""

from __future__ import annotations

import asyncio
import socket
import sys


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass bytes on until one side ends, then end the other."""
    try:
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
    except OSError:
        # The peer is gone (a node that was cut off hard): the connection ends, the gateway goes on.
        writer.close()


async def serve(descriptor: int, host: str, port: int) -> asyncio.Server:
    """Accept on an inherited socket and connect each client to ``host:port``."""

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(host, port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(copy(reader, far_writer), copy(far_reader, writer))
        for one in (writer, far_writer):
            one.close()

    return await asyncio.start_server(connect, sock=socket.socket(fileno=descriptor))


async def main(pairs: list[str]) -> None:
    servers = []
    for pair in pairs:
        descriptor, target = pair.split("=", 1)
        host, port = target.rsplit(":", 1)
        servers.append(await serve(int(descriptor), host, int(port)))
    await asyncio.gather(*(server.serve_forever() for server in servers))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
