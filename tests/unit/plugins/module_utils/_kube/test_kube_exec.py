# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program in a container: what ends it when the server does not, and what it needs."""

from __future__ import annotations

import socket
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._errors import NetopsError
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient, KubeError, connect

if TYPE_CHECKING:
    from collections.abc import Iterator

# Half of an answer to a handshake.
BEGUN = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"


@contextmanager
def listening(answer: bytes) -> Iterator[int]:
    """A server that says this much and no more; its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        kept = []

        def serve() -> None:
            try:
                while True:
                    connection = server.accept()[0]
                    kept.append(connection)
                    connection.sendall(answer)
            except OSError:
                return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield int(server.getsockname()[1])
        finally:
            # What waits in accept is not woken by close alone.
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
            for connection in kept:
                connection.close()


def client(scheme: str, port: int) -> KubeClient:
    return connect({"host": f"{scheme}://127.0.0.1:{port}", "validate_certs": False})


@pytest.mark.parametrize(("scheme", "answer"), [("https", b""), ("http", b""), ("http", BEGUN)])
def test_a_silent_server_ends_it_in_time(scheme: str, answer: bytes) -> None:
    with listening(answer) as port, pytest.raises(KubeError) as raised:
        client(scheme, port).execute("shop", "web-0", "web", ["/true"], timeout=1.0)
    assert str(raised.value).startswith("/true in pod 'shop/web-0': it did not end within 1 s")


def test_a_missing_library_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kubernetes", None)
    with pytest.raises(NetopsError, match=r"Python library kubernetes: it cannot be imported.*pip install kubernetes"):
        client("http", 1).execute("shop", "web-0", "web", ["/true"])


def test_a_server_that_is_not_there_is_an_error_of_ours() -> None:
    with listening(b"") as port:
        pass
    with pytest.raises(KubeError, match=r"/true in pod 'shop/web-0': the connection broke: .*refused"):
        client("http", port).execute("shop", "web-0", "web", ["/true"])
