# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real kube-apiserver with etcd on loopback ports of its own choice, for as long as a test session lasts."""

from __future__ import annotations

import json
import secrets
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

from .processes import Process

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType


# kwok renews a lease four times in that. Played nodes never fail, and a thousand that renew often load the API server.
LEASE_SECONDS = 600


class ApiRingError(Exception):
    """The API server did not start; the text names its log."""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


class ApiRing:
    """kube-apiserver, etcd, the scheduler and a few controllers, in a folder.

    RBAC is on; the kubeconfig's user is an administrator.

    :param programs: the folder that holds ``etcd`` and ``kube-apiserver``.
    :param folder: an empty folder for keys, logs and the database.
    :param kwok_nodes: how many nodes kwok plays; with any, every controller runs too, and pods on
        such a node become ready without running.
    """

    def __init__(self, programs: Path, folder: Path, kwok_nodes: int = 0) -> None:
        self.kwok_nodes = kwok_nodes
        self.programs = programs
        self.folder = folder
        self.kubeconfig = folder / "kubeconfig"
        # The server signs its own at its first start; the file holds the authority as well.
        self.certificate = folder / "certificates" / "apiserver.crt"
        self._processes: list[Process] = []

    def __enter__(self) -> ApiRing:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def start(self) -> Path:
        """Start both and wait until the API server is ready; returns the kubeconfig's path.

        :raises ApiRingError: it is not ready within 60 seconds.
        """
        store, peer, port = free_port(), free_port(), free_port()
        key = self.folder / "service-accounts.key"
        subprocess.run(["openssl", "genrsa", "-out", str(key), "2048"], check=True, capture_output=True)
        token = secrets.token_hex(16)
        tokens = self.folder / "tokens.csv"
        tokens.touch(mode=0o600)
        tokens.write_text(f"{token},admin,admin,system:masters\n")
        self._write_kubeconfig(port, token)
        self._run(
            "etcd",
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls=http://127.0.0.1:{store}",
            f"--advertise-client-urls=http://127.0.0.1:{store}",
            f"--listen-peer-urls=http://127.0.0.1:{peer}",
            # Nothing that a test writes must survive this machine's crash.
            "--unsafe-no-fsync",
        )
        self._run(
            "kube-apiserver",
            f"--etcd-servers=http://127.0.0.1:{store}",
            "--bind-address=127.0.0.1",
            f"--secure-port={port}",
            f"--cert-dir={self.folder / 'certificates'}",
            f"--token-auth-file={tokens}",
            "--authorization-mode=RBAC",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            "--disable-admission-plugins=ServiceAccount",
            # As kubeadm sets it: every CNI's pods are privileged.
            "--allow-privileged=true",
        )
        self._wait(port)
        # Deletion in the foreground, the end of a namespace and the pods of a DaemonSet are these controllers' work.
        few = "garbage-collector-controller,namespace-controller,daemonset-controller"
        controllers = "*" if self.kwok_nodes else few
        self._run(
            "kube-controller-manager",
            f"--kubeconfig={self.kubeconfig}",
            f"--controllers={controllers}",
            "--leader-elect=false",
            f"--secure-port={free_port()}",
            f"--cert-dir={self.folder / 'certificates'}",
            f"--node-monitor-grace-period={LEASE_SECONDS}s",
            # A thousand pods at 20 requests a second would keep tests waiting.
            "--kube-api-qps=500",
            "--kube-api-burst=500",
        )
        self._run(
            "kube-scheduler",
            f"--kubeconfig={self.kubeconfig}",
            "--leader-elect=false",
            f"--secure-port={free_port()}",
            f"--cert-dir={self.folder / 'certificates'}",
            "--kube-api-qps=500",
            "--kube-api-burst=500",
        )
        if self.kwok_nodes:
            self._start_kwok()
        return self.kubeconfig

    def _start_kwok(self) -> None:
        """kwok, and its nodes (kwok.sigs.k8s.io: nodes with its annotation are its own)."""
        self._run(
            "kwok",
            f"--kubeconfig={self.kubeconfig}",
            f"--config={self.programs / 'kwok-stages.yaml'}",
            "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake",
            # Without leases its nodes are soon taken for lost, and their pods stay unready for good.
            f"--node-lease-duration-seconds={LEASE_SECONDS}",
            f"--server-address=127.0.0.1:{free_port()}",
        )
        nodes = [
            {
                "apiVersion": "v1",
                "kind": "Node",
                "metadata": {
                    "name": f"kwok-{number}",
                    "annotations": {"kwok.x-k8s.io/node": "fake"},
                    "labels": {"kubernetes.io/hostname": f"kwok-{number}", "kubernetes.io/os": "linux"},
                },
                "status": {"allocatable": {"cpu": "32", "memory": "256Gi", "pods": "110"}},
            }
            for number in range(self.kwok_nodes)
        ]
        command = [str(self.programs / "kubectl"), f"--kubeconfig={self.kubeconfig}", "create", "-f", "-"]
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": nodes})
        subprocess.run(command, input=text, text=True, check=True, capture_output=True)

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self.programs / program), *arguments]
        self._processes.append(Process.start(command, self.folder / f"{program}.log"))

    def _write_kubeconfig(self, port: int, token: str) -> None:
        self.kubeconfig.touch(mode=0o600)
        self.kubeconfig.write_text(
            json.dumps(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "current-context": "ring",
                    "clusters": [
                        {
                            "name": "ring",
                            "cluster": {
                                "server": f"https://127.0.0.1:{port}",
                                "certificate-authority": str(self.certificate),
                            },
                        }
                    ],
                    "users": [{"name": "admin", "user": {"token": token}}],
                    "contexts": [{"name": "ring", "context": {"cluster": "ring", "user": "admin"}}],
                }
            )
        )

    def _wait(self, port: int, patience: float = 60.0) -> None:
        deadline = time.monotonic() + patience
        while True:
            try:
                context = ssl.create_default_context(cafile=str(self.certificate))
                with urllib.request.urlopen(f"https://127.0.0.1:{port}/readyz", context=context, timeout=2.0):
                    return
            except (urllib.error.URLError, OSError):
                if time.monotonic() > deadline or not all(process.alive for process in self._processes):
                    raise ApiRingError(f"the API server is not ready; see the logs in {self.folder}") from None
            time.sleep(0.1)

    def stop(self) -> None:
        """End what :meth:`start` started."""
        for process in reversed(self._processes):
            process.end()
        self._processes.clear()
