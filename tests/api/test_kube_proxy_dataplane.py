# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real kube-proxy writes its rules into a network namespace, and what is read from them is what the API says.

Mode ipvs needs a kernel with IPVS: the nodes of the cluster have one, this machine may not.
"""

from __future__ import annotations

import ipaddress
import json
import re
import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import Object, ObjectRef
from tests.support.modules import Module, state_matrix
from tests.support.relay import relay
from tests.testbed.processes import Process

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient

NODE = "edge-1"
# Of a network of its own: two runs on one machine must not meet.
NETWORK = f"198.19.{uuid.uuid4().int % 256}.{4 * (uuid.uuid4().int % 64)}"
NEAR, FAR = (str(ipaddress.IPv4Address(NETWORK) + number) for number in (1, 2))
SPACE = "dataplane"


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@pytest.fixture(scope="module")
def namespace() -> Iterator[str]:
    """A node's network: one interface, which this machine sees the other end of."""
    name = f"netops-{uuid.uuid4().hex[:8]}"
    near = f"n{uuid.uuid4().hex[:8]}"
    ip("netns", "add", name)
    try:
        ip("-netns", name, "link", "set", "lo", "up")
        ip("link", "add", near, "type", "veth", "peer", "name", "eth0", "netns", name)
        ip("address", "add", f"{NEAR}/30", "dev", near)
        ip("link", "set", near, "up")
        ip("-netns", name, "address", "add", f"{FAR}/30", "dev", "eth0")
        ip("-netns", name, "link", "set", "eth0", "up")
        ip("-netns", name, "route", "add", "default", "via", NEAR)
        yield name
    finally:
        ip("netns", "delete", name)


def service(name: str, **spec: Any) -> Object:
    ports = [{"name": "http", "port": 80, "targetPort": 8080}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": SPACE},
        "spec": {"ports": ports, **spec},
    }


def endpoints(name: str, *ends: dict[str, Any], ports: list[dict[str, Any]] | None = None) -> Object:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": f"{name}-1", "namespace": SPACE, "labels": {"kubernetes.io/service-name": name}},
        "addressType": "IPv4",
        "ports": ports or [{"name": "http", "port": 8080, "protocol": "TCP"}],
        "endpoints": list(ends),
    }


def end(address: str, node: str = "edge-2", **conditions: bool) -> dict[str, Any]:
    return {"addresses": [address], "nodeName": node, "conditions": {"ready": True, **conditions}}


OBJECTS = [
    service("plain"),
    endpoints("plain", end("10.1.0.1"), end("10.1.0.2", NODE), end("10.1.0.3", ready=False)),
    service("empty"),
    service("ending"),
    endpoints("ending", end("10.1.1.1", ready=False, serving=True, terminating=True)),
    service("gate", type="NodePort", externalIPs=["192.0.2.7"]),
    endpoints("gate", *(end(f"10.1.2.{number}") for number in range(1, 6))),
    service("local", type="NodePort", externalTrafficPolicy="Local"),
    endpoints("local", end("10.1.3.1", NODE), end("10.1.3.2")),
    service("inside", internalTrafficPolicy="Local"),
    endpoints("inside", end("10.1.4.1", NODE), end("10.1.4.2")),
    service("sticky", sessionAffinity="ClientIP"),
    endpoints("sticky", end("10.1.5.1"), end("10.1.5.2")),
    service("names", ports=[{"name": kind, "port": 53, "protocol": kind.upper()} for kind in ("udp", "tcp")]),
    endpoints(
        "names",
        end("10.1.6.1"),
        ports=[{"name": kind, "port": 5353, "protocol": kind.upper()} for kind in ("udp", "tcp")],
    ),
    service("balanced", type="LoadBalancer", loadBalancerSourceRanges=["203.0.113.0/24"]),
    endpoints("balanced", end("10.1.7.1")),
    service("headless", clusterIP="None"),
    endpoints("headless", end("10.1.8.1")),
    {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "elsewhere", "namespace": SPACE},
        "spec": {"type": "ExternalName", "externalName": "www.example.com"},
    },
]


@pytest.fixture(scope="module")
def node_name(client: KubeClient) -> Iterator[str]:
    """The node that serves Services of every kind."""
    client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}})
    room = {"addresses": [{"type": "InternalIP", "address": FAR}]}
    client.create({"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}, "status": room})
    for obj in OBJECTS:
        client.create(obj)
    path = client.path("v1", "Service", SPACE, "balanced")
    status = {"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.8"}]}}}
    client.raw("PATCH", f"{path}/status", body=status, content_type="application/merge-patch+json")
    yield NODE
    client.delete(ObjectRef("v1", "Node", NODE), propagation="Background")
    # Their ports are free again for the tests after these, which the namespace's end alone would not say when.
    for obj in OBJECTS:
        if obj["kind"] == "Service":
            client.delete(ObjectRef("v1", "Service", obj["metadata"]["name"], SPACE), propagation="Background")
    client.delete(ObjectRef("v1", "Namespace", SPACE), propagation="Background")


@dataclass(frozen=True)
class KubeProxy:
    """A kube-proxy in the namespace.

    :param info: the module that looks at it, there.
    :param command: what runs it.
    :param file: its configuration.
    """

    info: Module
    process: Process
    command: tuple[str, ...]
    file: Path


@pytest.fixture(params=["iptables", "nftables"])
def kube_proxy(
    request: pytest.FixtureRequest, programs: Path, api: str, namespace: str, node_name: str, tmp_path: Path
) -> Iterator[KubeProxy]:
    access = json.loads(Path(api).read_text())
    place = access["clusters"][0]["cluster"]
    with relay(NEAR, urlsplit(place["server"]).port or 0) as port:
        place.update({"server": f"https://{NEAR}:{port}", "tls-server-name": "127.0.0.1"})
        kubeconfig = tmp_path / "kubeconfig"
        kubeconfig.write_text(json.dumps(access))
        configuration = {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": request.param,
            "hostnameOverride": node_name,
            "clusterCIDR": "10.1.0.0/16",
            "clientConnection": {"kubeconfig": str(kubeconfig)},
            # The kernel is this machine's too: its limits stay.
            "conntrack": {"maxPerCore": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
        }
        file = tmp_path / "config.conf"
        file.write_text(json.dumps(configuration))
        prefix = ("ip", "netns", "exec", namespace)
        command = (*prefix, str(programs / "kube-proxy"), f"--config={file}")
        process = Process.start([*command], tmp_path / "log")
        try:
            info = Module("kube_proxy_info", {"timeout": 80, "node_name": node_name, "sample": 0}, prefix)
            info.succeeds(mode=request.param)
            yield KubeProxy(info, process, command, file)
        finally:
            process.end()
            subprocess.run([*command, "--cleanup"], capture_output=True, check=False, timeout=60)


def test_every_service_port_and_end_point_is_found(kube_proxy: KubeProxy, api: str) -> None:
    rows = Module("kube_proxy_services_info", {"kubeconfig": api}).succeeds()["services"]
    names = {row["service"] for row in rows if row["service"].startswith(SPACE)}
    assert names == {
        *(
            f"{SPACE}/{name}:http"
            for name in ("plain", "empty", "ending", "gate", "local", "inside", "sticky", "balanced")
        ),
        *(f"{SPACE}/names:{kind}" for kind in ("udp", "tcp")),
    }
    told = kube_proxy.info.succeeds(services=rows)
    assert told["problems"] == []
    assert (told["healthy"], told["version"]) == (True, "v1.36.3")
    assert told["counts"]["iptables_rules" if told["mode"] == "iptables" else "nftables_rules"] > 30


def test_what_the_data_plane_lacks_is_named(kube_proxy: KubeProxy, api: str) -> None:
    rows = Module("kube_proxy_services_info", {"kubeconfig": api}).succeeds()["services"]
    by_name = {row["service"]: row for row in rows}
    by_name[f"{SPACE}/plain:http"]["endpoints"].append(["10.1.0.9:8080", "edge-2", "ready", False])
    by_name[f"{SPACE}/gate:http"]["endpoints"].pop()
    by_name[f"{SPACE}/inside:http"]["port"] = 81
    by_name[f"{SPACE}/local:http"]["node_port"] = 1
    problems = "\n".join(kube_proxy.info.succeeds(services=rows, timeout=1)["problems"])
    plain, inside = (by_name[f"{SPACE}/{name}:http"]["cluster_ips"][0] for name in ("plain", "inside"))
    assert f"Service {SPACE}/plain:http, TCP {plain}:80: 10.1.0.9:8080 is missing" in problems
    assert f"Service {SPACE}/gate:http, TCP 192.0.2.7:80: 10.1.2.5:8080 is no end point of it" in problems
    assert f"Service {SPACE}/inside:http, TCP {inside}:81: the node serves it not at all" in problems
    assert (
        f"Service {SPACE}/local:http, TCP NodePort 1: the node serves it not at all; expected 10.1.3.1:8080" in problems
    )
    # The other servers of these Services are as they must be.
    assert len(problems.splitlines()) == 6


def test_a_service_that_answers_nobody_is_named(kube_proxy: KubeProxy, api: str) -> None:
    """End points that no network leads to: packets get lost, which only a connection can tell."""
    rows = Module("kube_proxy_services_info", {"kubeconfig": api}).succeeds()["services"]
    one = [row for row in rows if row["service"] == f"{SPACE}/plain:http"]
    problems = kube_proxy.info.succeeds(services=one, sample=3)["problems"]
    assert len(problems) == 1
    assert f"Service {SPACE}/plain:http, TCP {one[0]['cluster_ips'][0]}:80: no answer within 2 s" in problems[0]


def test_a_kube_proxy_that_is_gone_is_named(kube_proxy: KubeProxy) -> None:
    kube_proxy.process.end()
    assert kube_proxy.info.succeeds(wait=False)["healthy"] is False
    message = kube_proxy.info.fails(timeout=1)
    assert "kube-proxy on this node: after 1 s its mode is not to be had, and it is not healthy" in message


def test_its_own_cleanup_would_be_an_outage(kube_proxy: KubeProxy, namespace: str, api: str) -> None:
    """Why leftovers go by name: ``kube-proxy --cleanup`` takes the rules of the mode that serves, too."""
    rows = Module("kube_proxy_services_info", {"kubeconfig": api}).succeeds()["services"]
    own = {"iptables": "KUBE-SVC-", "nftables": "table ip kube-proxy"}[kube_proxy.info.succeeds(services=rows)["mode"]]
    # What runs would write its rules anew sooner or later; they serve without it, too.
    kube_proxy.process.end()
    assert own in rules_of(namespace)
    subprocess.run([*kube_proxy.command, "--cleanup"], check=True, capture_output=True, timeout=60)
    assert own not in rules_of(namespace)


def test_a_kube_proxy_with_a_file_of_its_own_is_switched(kube_proxy: KubeProxy, namespace: str, tmp_path: Path) -> None:
    """As systemd runs it: the file changes, and who asked restarts the program."""
    before = kube_proxy.file.read_text()
    mode = {"iptables": "nftables", "nftables": "iptables"}[kube_proxy.info.succeeds()["mode"]]
    config = Module("kube_proxy_config", {"path": str(kube_proxy.file), "version": "v1.36.3"})
    first = state_matrix(config, mode=mode)
    assert (first["restarted"], first["mode"], first["api_requests"]) == (True, mode, 0)
    kube_proxy.process.end()
    again = Process.start([*kube_proxy.command], tmp_path / "again.log")
    try:
        assert kube_proxy.info.succeeds(mode=mode)["healthy"] is True
        cleanup = Module("kube_proxy_cleanup", {}, ("ip", "netns", "exec", namespace))
        cleanup.succeeds(in_use=mode)
        assert kube_proxy.info.succeeds(mode=mode)["leftovers"] == []
    finally:
        again.end()
    assert config.succeeds(state="absent")["changed"] is True
    assert kube_proxy.file.read_text() == before


SITE = "*nat\n:SITE - [0:0]\n-A PREROUTING -j SITE\n-A SITE -d 192.0.2.1/32 -j RETURN\nCOMMIT\n"
SITE_TABLE = "table ip site { chain forward { type filter hook forward priority 0; ip daddr 192.0.2.1 drop; }; }\n"


def rules_of(namespace: str) -> str:
    """All that the packet filter of the namespace holds, without counters."""
    said = ""
    for command in (["iptables-save"], ["ip6tables-save"], ["nft", "--stateless", "list", "ruleset"]):
        whole = ["ip", "netns", "exec", namespace, *command]
        done = subprocess.run(whole, capture_output=True, text=True, check=True, timeout=30)
        lines = [line.split(" [")[0] for line in done.stdout.splitlines() if not line.startswith("#")]
        said += "\n".join(lines) + "\n"
    return said


def test_what_it_wrote_goes_by_name_and_nothing_else(kube_proxy: KubeProxy, namespace: str) -> None:
    """Everything that a real kube-proxy leaves is removed, and a site's own rules are as they were, to the byte."""
    cleanup = Module("kube_proxy_cleanup", {}, ("ip", "netns", "exec", namespace))
    mode = kube_proxy.info.succeeds()["mode"]
    assert cleanup.succeeds(in_use=mode)["changed"] is False, "what is in use stays"
    kube_proxy.process.end()
    inside = ("ip", "netns", "exec", namespace)
    subprocess.run([*inside, "iptables-restore", "--noflush"], input=SITE, text=True, check=True)
    subprocess.run([*inside, "nft", "-f", "-"], input=SITE_TABLE, text=True, check=True)
    try:
        first = state_matrix(cleanup, in_use="none")
        assert first["removed"]
        after = rules_of(namespace)
        # kube-proxy makes kubelet's chain where there is none; it stays kubelet's.
        assert set(re.findall(r"KUBE-[A-Z0-9-]+", after)) <= {"KUBE-FIREWALL"}
        assert "kube-proxy" not in after
        assert "-A SITE -d 192.0.2.1/32 -j RETURN" in after
        assert "ip daddr 192.0.2.1 drop" in after
    finally:
        for words in ("-t nat -D PREROUTING -j SITE", "-t nat -F SITE", "-t nat -X SITE"):
            subprocess.run([*inside, "iptables", *words.split()], check=True)
        subprocess.run([*inside, "nft", "delete", "table", "ip", "site"], check=True)
