# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module coredns_info against a real API server, and a real CoreDNS whose metrics it reads through that one."""

from __future__ import annotations

import itertools
import socket
import struct
import subprocess
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.apply import apply_all
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ObjectRef
from tests.support.coredns_objects import DEPLOYMENT, LABELS
from tests.support.modules import Module
from tests.support.played_kubelets import nodes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient

COREFILE = """\
.:5399 {{
    bind {address}
    prometheus {address}:9153
    cache 30
    template IN A there.example {{
        answer "{{{{ .Name }}}} 60 IN A 192.0.2.1"
    }}
    template IN A gone.example {{
        rcode NXDOMAIN
    }}
    template IN A broken.example {{
        rcode REFUSED
    }}
}}
"""
NAMESPACE = "resolving"


def own_address() -> str:
    """An address of this machine that is not loopback, which an API server never asks."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.connect(("198.51.100.1", 53))
        return str(one.getsockname()[0])


@contextmanager
def answering(programs: Path, folder: Path, address: str) -> Iterator[None]:
    """Within: a CoreDNS answers at an address of this machine and tells of it."""
    file = folder / "Corefile"
    file.write_text(COREFILE.format(address=address))
    with subprocess.Popen(
        [programs / "coredns", "-conf", file], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as coredns:
        assert coredns.stdout
        try:
            assert any(line.startswith("CoreDNS-") for line in iter(coredns.stdout.readline, ""))
            yield
        finally:
            coredns.kill()


@contextmanager
def asking(address: str, names: Sequence[str]) -> Iterator[None]:
    """Within: somebody asks for these names, one after the other, again and again."""
    end = threading.Event()

    def ask() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            one.settimeout(5)
            one.connect((address, 5399))
            for number, name in enumerate(itertools.cycle(names)):
                if end.wait(0.005):
                    return
                labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
                header = struct.pack(">6H", number % 65536, 256, 1, 0, 0, 0)
                one.send(header + labels + struct.pack(">BHH", 0, 1, 1))
                one.recv(512)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


def pod(name: str, namespace: str, **spec: Any) -> dict[str, Any]:
    container = {"name": "coredns", "image": "coredns"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": LABELS},
        "spec": {"serviceAccountName": "measured", "containers": [container], **spec},
    }


@contextmanager
def running(client: KubeClient, *pods: dict[str, Any], address: str = "") -> Iterator[None]:
    """Within: pods, ready where they have an address."""
    for namespace in {one["metadata"]["namespace"] for one in pods}:
        metadata = {"name": "measured", "namespace": namespace}
        around = [{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}]
        if namespace == NAMESPACE:
            around.append({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        apply_all(client, around, force=True, check=False)
    refs = [ObjectRef("v1", "Pod", one["metadata"]["name"], one["metadata"]["namespace"]) for one in pods]
    for one, ref in zip(pods, refs, strict=True):
        client.create(one)
        if address:
            ready = {"type": "Ready", "status": "True"}
            status = {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}], "conditions": [ready]}
            path = f"{client.path('v1', 'Pod', ref.namespace, ref.name)}/status"
            client.raw("PATCH", path, body={"status": status}, content_type="application/merge-patch+json")
    try:
        yield
    finally:
        for ref in refs:
            path = client.path("v1", "Pod", ref.namespace, ref.name)
            client.raw("DELETE", path, body={"gracePeriodSeconds": 0})


def test_load_is_measured(installed: str, client: KubeClient, programs: Path, tmp_path: Path) -> None:
    address = own_address()
    names = ["www.there.example", "www.gone.example", "two.gone.example", "www.broken.example"]
    # Nodes without kubelets are tainted after a while.
    client.patch(DEPLOYMENT, {"spec": {"template": {"spec": {"tolerations": [{"operator": "Exists"}]}}}})
    info = Module("coredns_info", {"kubeconfig": installed, "interval": 3})
    with (
        nodes(client, ["worker-1", "worker-2", "worker-3"], {}),
        running(client, pod("coredns-1", "kube-system", nodeName="worker-1"), address=address),
        answering(programs, tmp_path, address),
        asking(address, names),
    ):
        told = info.succeeds()
    assert told["changed"] is False
    [one] = told["pods"]
    assert (one["name"], one["node"], one["ready"], one["measured"]) == ("coredns-1", "worker-1", True, True)
    assert one["queries"] == told["queries"] > 10
    # Of four one finds a name, which the cache keeps; two are not there, which it does not keep without a SOA record;
    # one is refused. Of the answers, those that are not "not there" are half.
    assert one["failures"] == pytest.approx(one["queries"] / 4, rel=0.2)
    assert told["questions_per_answer"] == pytest.approx(2, rel=0.2)
    assert one["cache_hits"] == pytest.approx(0.25, rel=0.2)
    assert (told["replicas"]["running"], told["replicas"]["wanted"]) == (1, 2)
    assert "1 CoreDNS are ready, the plan wants 2" in told["problems"]
    assert any("with SERVFAIL or REFUSED" in line for line in told["problems"])


def test_one_that_tells_nothing_is_named(installed: str, client: KubeClient) -> None:
    info = Module("coredns_info", {"kubeconfig": installed, "interval": 1})
    with running(client, pod("coredns-1", "kube-system")):
        told = info.succeeds()
    assert told["pods"] == [{"name": "coredns-1", "node": "", "ready": False, "measured": False}]
    assert told["queries"] == 0
    assert (
        "coredns-1 on no node does not tell what it does: plugin prometheus, or the way to it, is not there"
        in told["problems"]
    )


def test_search_paths(installed: str, client: KubeClient) -> None:
    info = Module("coredns_info", {"kubeconfig": installed, "interval": 1})
    few = {"options": [{"name": "ndots", "value": "1"}]}
    many = {"searches": ["corp.example.com", "example.com"]}
    with running(
        client,
        pod("usual", NAMESPACE),
        pod("few", NAMESPACE, dnsConfig=few),
        pod("many", NAMESPACE, dnsConfig=many),
        pod("own", NAMESPACE, dnsPolicy="None", dnsConfig={"nameservers": ["192.0.2.53"], "searches": ["example.com"]}),
        pod("of-the-node", NAMESPACE, dnsPolicy="Default"),
    ):
        told = info.succeeds()
    ours = {
        name: (path["ndots"], path["domains"], path["questions"])
        for path in told["search_paths"]
        for name in path["examples"]
        if name.startswith(NAMESPACE)
    }
    assert ours == {
        f"{NAMESPACE}/many": (5, 5, 12),
        f"{NAMESPACE}/usual": (5, 3, 8),
        f"{NAMESPACE}/few": (1, 3, 2),
        f"{NAMESPACE}/own": (1, 1, 2),
    }
    questions = [path["questions"] for path in told["search_paths"]]
    assert questions == sorted(questions, reverse=True)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"interval": 0}, "interval: 0 s; expected 1 or more."),
        ({"name": "nobody"}, "ConfigMap 'kube-system/nobody': it is not there, or has no key Corefile"),
    ],
)
def test_refused(installed: str, options: dict[str, Any], said: str) -> None:
    assert said in Module("coredns_info", {"kubeconfig": installed})(**options)["msg"]
