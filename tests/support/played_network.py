# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A double of a node and the network behind it: pods get addresses, and programs run in them end as a test decides.

The API server, its scheduler and the stream through it to the kubelet's port are real; what the kubelet writes and what
``agnhost connect`` would print is played. It speaks the kubelet's own protocol (v4.channel.k8s.io over WebSocket, RFC
6455).
"""

from __future__ import annotations

import base64
import hashlib
import json
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Callable
from urllib.parse import parse_qs, urlsplit

from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient, KubeError, connect
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ObjectRef

if TYPE_CHECKING:
    from pathlib import Path

NODE = "played"
MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
OUT, ERROR, STATUS = 1, 2, 3
FAILED = {
    "status": "Failure",
    "reason": "NonZeroExitCode",
    "details": {"causes": [{"reason": "ExitCode", "message": "1"}]},
}

# From where to where (names of pods), protocol and port: what agnhost prints; nothing when it connects.
Network = Callable[[str, str, str, int], str]


class PlayedNetwork:
    """One node, while the block lasts.

    :param folder: for the keys of the kubelet's port.
    :param label: of the pods that are played.
    """

    def __init__(self, kubeconfig: str, folder: Path, label: str) -> None:
        self._client: KubeClient = connect({"kubeconfig": kubeconfig})
        self._label = label
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._play)
        self._names: dict[str, str] = {}
        self.network: Network = lambda *_unused: ""
        # Pods by these names never run.
        self.broken: set[str] = set()
        self.tried: list[tuple[str, str, str, int]] = []
        played = self

        class Kubelet(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                played.answer(self)

            def log_message(self, *_unused: object) -> None:
                """Nobody reads it."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Kubelet)
        self._server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*_certificate(folder))
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._serving = threading.Thread(target=self._server.serve_forever)

    def __enter__(self) -> PlayedNetwork:
        status = {
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self._server.server_address[1]}},
            "allocatable": {"cpu": "64", "memory": "64Gi", "pods": "500"},
        }
        self._client.create({"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}, "status": status})
        self._thread.start()
        self._serving.start()
        return self

    def __exit__(self, *_unused: object) -> None:
        self._end.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._serving.join()
        self._client.delete(ObjectRef("v1", "Node", NODE), propagation="Background")

    # ---- what a kubelet writes ------------------------------------------------------------------------------

    def _play(self) -> None:
        while not self._end.wait(0.1):
            for pod in self._client.list("v1", "Pod", label_selector=self._label):
                try:
                    self._settle(pod)
                except KubeError as error:
                    # Gone, or another by that name: the next round sees it.
                    if error.status not in (404, 409):
                        raise

    def _settle(self, pod: dict[str, Any]) -> None:
        place = pod["metadata"]
        path = self._client.path("v1", "Pod", place["namespace"], place["name"])
        if place.get("deletionTimestamp"):
            self._client.raw("DELETE", path, body={"gracePeriodSeconds": 0, "preconditions": {"uid": place["uid"]}})
        elif pod["spec"].get("nodeName") and not pod["status"].get("podIP") and place["name"] not in self.broken:
            address = f"10.9.{len(self._names) // 250}.{len(self._names) % 250 + 1}"
            self._names[address] = place["name"]
            status = {
                "phase": "Running",
                "podIP": address,
                "podIPs": [{"ip": address}],
                "conditions": [{"type": "ContainersReady", "status": "True"}],
            }
            self._client.raw(
                "PATCH", f"{path}/status", body={"status": status}, content_type="application/merge-patch+json"
            )

    # ---- its port -------------------------------------------------------------------------------------------

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """One program in a pod: ``/exec/NAMESPACE/POD/CONTAINER?command=…``."""
        parts = urlsplit(request.path)
        _empty, verb, _namespace, pod, container = parts.path.split("/")
        assert verb == "exec"
        program, action, protocol, _limit, target = parse_qs(parts.query)["command"]
        assert (program, action) == ("/agnhost", "connect")
        address, _colon, port = target.rpartition(":")
        key = (pod, self._names[address], protocol.partition("=")[2].upper(), int(port))
        self.tried.append(key)
        words = self.network(*key)
        if words == "BROKEN":
            # In plain text, as a kubelet does (k8s.io/kubernetes, pkg/kubelet/kubelet_pods.go GetExec).
            said = f'container not found ("{container}")'.encode()
            request.send_response(500)
            request.send_header("Content-Type", "text/plain; charset=utf-8")
            request.send_header("Content-Length", str(len(said)))
            request.end_headers()
            request.wfile.write(said)
            return
        answered = f"{request.headers['Sec-WebSocket-Key']}{MAGIC}".encode()
        accept = base64.b64encode(hashlib.sha1(answered, usedforsecurity=False).digest())
        request.send_response(101)
        for name, value in (
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Accept", accept.decode()),
            ("Sec-WebSocket-Protocol", "v4.channel.k8s.io"),
        ):
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(_frame(2, bytes([ERROR]) + words.encode()))
        status = FAILED if words else {"status": "Success"}
        request.wfile.write(_frame(2, bytes([STATUS]) + json.dumps(status).encode()))
        request.wfile.write(_frame(8, b"\x03\xe8"))
        request.close_connection = True


def _frame(opcode: int, payload: bytes) -> bytes:
    """A whole, unmasked frame, as a server sends them."""
    length = bytes([len(payload)]) if len(payload) < 126 else b"\x7e" + len(payload).to_bytes(2, "big")
    return bytes([0x80 | opcode]) + length + payload


def _certificate(folder: Path) -> tuple[Path, Path]:
    certificate, key = folder / "kubelet.crt", folder / "kubelet.key"
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    words += ["-subj", f"/CN={NODE}", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(words, check=True, capture_output=True)
    return certificate, key
