# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A session that several threads use at once."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
import urllib3
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import CONNECTIONS, KubeClient

if TYPE_CHECKING:
    from collections.abc import Iterator

GROUP = "example.com/v1"
ASKED = 100


class Discovery(BaseHTTPRequestHandler):
    """A server that tells what one group serves."""

    protocol_version = "HTTP/1.1"
    # An answer in one piece.
    wbufsize = -1

    def do_GET(self) -> None:
        answer = json.dumps({"resources": [{"name": "things", "kind": "Thing", "namespaced": True}]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_unused: Any) -> None:
        """Nothing."""


@pytest.fixture
def client() -> Iterator[KubeClient]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Discovery) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        port = server.server_address[1]
        with urllib3.HTTPConnectionPool("127.0.0.1", port, maxsize=CONNECTIONS) as pool:
            yield KubeClient(pool, f"http://127.0.0.1:{port}", {}, dict)
        server.shutdown()


class Yielding(str):
    """The name of a group; other threads have their turn each time that it is looked up.

    Between two look-ups of a plain text they have it in interpreters before 3.11, and in those without a global lock.
    """

    __slots__ = ()

    def __hash__(self) -> int:
        # While one thread sleeps, another runs.
        time.sleep(0.0001)
        return super().__hash__()


def test_kinds_are_found_while_other_threads_forget_them(client: KubeClient) -> None:
    over = threading.Event()

    def forget() -> None:
        while not over.is_set():
            client.forget_kinds(GROUP)
            # Who forgets all the time would let nobody else run.
            time.sleep(0.0001)

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        forgetting = pool.submit(forget)
        try:
            found = set(pool.map(lambda _number: client.path(Yielding(GROUP), "Thing", "one", "a"), range(ASKED)))
        finally:
            over.set()
        forgetting.result()
    assert found == {f"/apis/{GROUP}/namespaces/one/things/a"}
