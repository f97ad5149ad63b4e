# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module cilium with the real chart and the real helm against a real API server; a double plays what runs its pods."""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.cilium_agents import wait_for_programs
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient, KubeError, connect
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ObjectRef
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.waiting import wait_ready
from tests.support.modules import Module, state_matrix
from tests.support.workloads_double import WorkloadsDouble
from tests.testbed.api_ring import ApiRing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AGENTS = ObjectRef("apps/v1", "DaemonSet", "cilium", "kube-system")
MERGE = "application/merge-patch+json"
AUTHORITY = ObjectRef("v1", "Secret", "cilium-ca", "kube-system")


@pytest.fixture(scope="module")
def ring(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with ApiRing(programs, tmp_path_factory.mktemp("cilium")) as started:
        yield str(started.kubeconfig)


@pytest.fixture
def cilium(ring: str, programs: Path) -> Module:
    chart = {"version": "1.20.0", "chart_ref": str(programs / "cilium-chart"), "helm": str(programs / "helm")}
    return Module("cilium", {"kubeconfig": ring, **chart, "pod_cidrs": ["10.244.0.0/16"], "wait_timeout": 60})


@pytest.fixture
def client(ring: str) -> KubeClient:
    return connect({"kubeconfig": ring})


def live(client: KubeClient, ref: ObjectRef) -> dict[str, Any]:
    found = client.get(ref)
    assert found, ref
    return found


def definition_of_the_operator() -> dict[str, Any]:
    """As Cilium's operator makes them: without the collection's mark."""
    version = {"name": "v2", "served": True, "storage": True}
    version["schema"] = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    names = {"kind": "CiliumNode", "plural": "ciliumnodes"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "ciliumnodes.cilium.io"},
        "spec": {"group": "cilium.io", "scope": "Cluster", "names": names, "versions": [version]},
    }


def test_from_nothing_to_a_changed_value_and_away(cilium: Module, ring: str, client: KubeClient) -> None:
    with WorkloadsDouble(ring):
        first = state_matrix(cilium)
        assert {"object": "DaemonSet 'kube-system/cilium'", "action": "created"} in first["changes"]
        assert "quay.io/cilium/cilium:v1.20.0" in first["images"]
        configuration = live(client, ObjectRef("v1", "ConfigMap", "cilium-config", "kube-system"))["data"]
        assert configuration["cluster-pool-ipv4-cidr"] == "10.244.0.0/16"
        # The certificates are those of the first run, though helm makes new ones each time.
        before = live(client, AUTHORITY)["data"]
        changed = cilium.succeeds(mtu=1400)
        moved = {one["object"] for one in changed["changes"] if one["action"] == "changed"}
        assert "ConfigMap 'kube-system/cilium-config'" in moved
        # Agents and operator read it at their start alone.
        assert {"DaemonSet 'kube-system/cilium'", "Deployment 'kube-system/cilium-operator'"} <= moved
        assert not [name for name in moved if name.startswith("Secret")]
        assert live(client, AUTHORITY)["data"] == before
        # What is no longer asked for goes.
        without = cilium.succeeds(mtu=1400, hubble=False)
        gone = {one["object"] for one in without["changes"] if one["action"] == "deleted"}
        assert "Secret 'kube-system/hubble-server-certs'" in gone
        # Back again: the new certificate is signed by the authority that was there.
        assert cilium.succeeds(mtu=1400)["changed"] is True
        assert live(client, AUTHORITY)["data"] == before
        client.create(definition_of_the_operator())
        for check in (True, False):
            result = cilium.succeeds(check=check, state="absent")
            listed = {"object": "CustomResourceDefinition 'ciliumnodes.cilium.io'", "action": "deleted"}
            assert listed in result["changes"]
        assert cilium.succeeds(state="absent")["changed"] is False
    assert client.get(AGENTS) is None


def test_what_its_own_finalizers_hold_goes_with_it(cilium: Module, ring: str, client: KubeClient) -> None:
    """Nobody who would take them away runs any more by then."""
    with WorkloadsDouble(ring):
        cilium.succeeds()
    client.create(definition_of_the_operator())
    definition = ObjectRef("apiextensions.k8s.io/v1", "CustomResourceDefinition", "ciliumnodes.cilium.io")
    wait_ready(client, [live(client, definition)], 60)
    for name, finalizer in (("own", "cilium.io/node"), ("foreign", "example.com/held")):
        metadata = {"name": name, "finalizers": [finalizer]}
        client.create({"apiVersion": "cilium.io/v2", "kind": "CiliumNode", "metadata": metadata})
    # Its namespaces go before, and take a while.
    message = cilium.fails(state="absent", wait_timeout=20)
    assert "CustomResourceDefinition 'ciliumnodes.cilium.io': it is still being deleted" in message
    client.patch(ObjectRef("cilium.io/v2", "CiliumNode", "foreign"), {"metadata": {"finalizers": None}})
    assert cilium.succeeds(state="absent")["changed"] is True
    assert client.get(definition) is None
    assert cilium.succeeds(state="absent")["changed"] is False


def test_a_closed_network_and_the_chart_as_an_archive(cilium: Module, programs: Path, tmp_path: Path) -> None:
    archive = tmp_path / "cilium.tgz"
    with tarfile.open(archive, "w:gz") as file:
        file.add((programs / "cilium-chart").resolve(), "cilium")
    # Its server is the chart's one StatefulSet.
    spire = {"enabled": True, "install": {"enabled": True}}
    everything = {"relay": {"enabled": True}, "ui": {"enabled": True}}
    values = {"hubble": everything, "envoy": {"enabled": True}, "clustermesh": {"useAPIServer": True}}
    values["authentication"] = {"enabled": True, "mutual": {"spire": spire}}
    result = cilium.succeeds(check=True, chart_ref=str(archive), registry="r.example.com", values=values)
    assert len(result["images"]) > 5
    assert all(image.startswith("r.example.com/") for image in result["images"])
    assert [image for image in result["images"] if "/spire-server:" in image]


def test_pinned_images_still_tell_their_version(cilium: Module, ring: str) -> None:
    digest = f"sha256:{'0' * 64}"
    with WorkloadsDouble(ring):
        pinned = {"digests": {"cilium": digest}, "registry": "r.example.com:5000"}
        first = state_matrix(cilium, **pinned)
        assert f"r.example.com:5000/cilium/cilium:v1.20.0@{digest}" in first["images"]
        assert cilium.succeeds(state="absent")["changed"] is True


@pytest.fixture
def rendered(programs: Path, tmp_path: Path) -> Path:
    """What somebody's helm has made of the chart."""
    command = [str(programs / "helm"), "template", "cilium", str(programs / "cilium-chart")]
    command += ["--namespace", "kube-system", "--kube-version", "1.36.3"]
    file = tmp_path / "cilium.yaml"
    file.write_text(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return file


def test_what_helm_has_rendered_elsewhere_is_taken(
    cilium: Module, client: KubeClient, ring: str, rendered: Path
) -> None:
    """And is kept to the nodes that it is for: in a switch the others still have the CNI that was there."""
    given: dict[str, Any] = {"chart_ref": "", "src": [str(rendered)], "node_selector": {"example.com/cni": "cilium"}}
    result = cilium.succeeds(check=True, **given)
    assert {"object": "DaemonSet 'kube-system/cilium'", "action": "created"} in result["changes"]
    with WorkloadsDouble(ring):
        cilium.succeeds(**given)
        for name in ("cilium", "cilium-envoy"):
            pod = live(client, ObjectRef("apps/v1", "DaemonSet", name, "kube-system"))["spec"]["template"]["spec"]
            assert pod["nodeSelector"] == {"kubernetes.io/os": "linux", "example.com/cni": "cilium"}
        cilium.succeeds(state="absent")


def test_pools_over_the_services_are_refused_whoever_named_them(cilium: Module, rendered: Path) -> None:
    """The chart's own pool among them, which files have that nobody gave another one."""
    services: dict[str, Any] = {"service_cidrs": ["10.96.0.0/12"]}
    said = "the Service network 10.96.0.0/12 overlaps the pod network 10.0.0.0/8"
    for networks in (["10.0.0.0/8"], ["10.0.0.0/8", "172.20.0.0/16"]):
        named = {"ipam": {"operator": {"clusterPoolIPv4PodCIDRList": networks}}}
        assert said in cilium.fails(check=True, values=named, **services)
    assert said in cilium.fails(check=True, chart_ref="", src=[str(rendered)], **services)
    assert cilium.succeeds(check=True, **services)["changed"] is True


def test_files_without_agents_are_not_ciliums(cilium: Module, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text("{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: default}}")
    message = cilium.fails(check=True, chart_ref="", src=[str(other)])
    assert "src: DaemonSet 'cilium' is not in it; expected what helm template has made of Cilium's chart" in message


@contextmanager
def running(client: KubeClient, version: str) -> Iterator[None]:
    """Agents of a version, while the block lasts."""
    container = {"name": "cilium-agent", "image": f"quay.io/cilium/cilium:{version}@sha256:00"}
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [container]}}
    spec = {"selector": {"matchLabels": {"a": "b"}}, "template": template}
    place = {"name": AGENTS.name, "namespace": AGENTS.namespace}
    client.create({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": place, "spec": spec})
    try:
        yield
    finally:
        client.delete(AGENTS, propagation="Background")


def test_more_than_one_minor_version_at_once_is_refused(cilium: Module, client: KubeClient, rendered: Path) -> None:
    with running(client, "v1.18.2"):
        message = cilium.fails(check=True)
        # Of files the version is theirs, not what the setting says.
        from_files = cilium.fails(check=True, chart_ref="", src=[str(rendered)], version="1.19.6")
    said = "version {}: Cilium v1.18.2 runs; expected one minor version at a time. Go to 1.19 first"
    assert said.format("1.20.0") in message
    assert said.format("v1.20.0") in from_files


@pytest.fixture
def older(programs: Path, tmp_path: Path) -> Path:
    """The chart as that of the minor version before would be, as far as its number and its images go."""
    chart = tmp_path / "older"
    shutil.copytree((programs / "cilium-chart").resolve(), chart)
    for name, said, instead in (("Chart.yaml", "1.20.0", "1.19.6"), ("values.yaml", '"v1.20.0"', '"v1.19.6"')):
        file = chart / name
        file.chmod(0o644)
        file.write_text(file.read_text().replace(said, instead))
    return chart


def test_before_another_minor_version_its_own_check_must_pass(
    cilium: Module, ring: str, client: KubeClient, older: Path
) -> None:
    rehearsal = ObjectRef("apps/v1", "DaemonSet", "cilium-pre-flight-check", "kube-system")
    service_account = ObjectRef("v1", "ServiceAccount", "cilium-pre-flight", "kube-system")
    with WorkloadsDouble(ring):
        cilium.succeeds(chart_ref=str(older), version="1.19.6")
    # Nobody says that the nodes have pulled the images.
    message = cilium.fails(wait_timeout=2)
    assert "'kube-system/cilium-pre-flight-check'" in message
    assert image_of(client) == "quay.io/cilium/cilium:v1.19.6"
    for ref in (rehearsal, service_account):
        assert client.get(ref) is None
    try:
        with WorkloadsDouble(ring) as double:
            planned = cilium.succeeds(check=True)
            assert rehearsal.name not in double.seen
            done = cilium.succeeds()
            assert rehearsal.name in double.seen
            assert planned["changes"] == done["changes"]
            assert image_of(client) == "quay.io/cilium/cilium:v1.20.0"
            double.seen.clear()
            # The same minor version again.
            cilium.succeeds(mtu=1400)
            assert rehearsal.name not in double.seen
        assert client.get(rehearsal) is None
    finally:
        cilium.succeeds(state="absent")


def image_of(client: KubeClient) -> str:
    image: str = live(client, AGENTS)["spec"]["template"]["spec"]["containers"][0]["image"]
    return image


def test_kernels_of_the_nodes_are_looked_at(cilium: Module, client: KubeClient) -> None:
    node = ObjectRef("v1", "Node", "old")
    client.create({"apiVersion": "v1", "kind": "Node", "metadata": {"name": node.name}})
    info = dict.fromkeys(
        ("architecture", "bootID", "containerRuntimeVersion", "kubeProxyVersion", "kubeletVersion"), "x"
    )
    info |= dict.fromkeys(("machineID", "osImage", "systemUUID"), "x")
    body = {"status": {"nodeInfo": {**info, "kernelVersion": "4.18.0-553.el8.x86_64", "operatingSystem": "linux"}}}
    client.raw("PATCH", f"{client.path('v1', 'Node', '', node.name)}/status", body=body, content_type=MERGE)
    try:
        assert "Cilium 1.20 needs kernel 5.10 or later, not 4.18.0-553.el8.x86_64" in cilium.fails(check=True)
        forced = cilium.succeeds(check=True, force_unsupported=True)
        assert "needs kernel 5.10" in str(forced["warnings"])
    finally:
        client.delete(node, propagation="Background")


def test_agents_that_cannot_be_asked_are_named(client: KubeClient) -> None:
    """Pods on nodes without a kubelet: what one says of them, they have run."""
    lately, long_ago = (
        {"running": {"startedAt": (datetime.now(timezone.utc) - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")}}
        for days in (0, 2)
    )
    ended = {"terminated": {"exitCode": 1}}
    waits = {"waiting": {"reason": "CrashLoopBackOff"}}
    made = [
        started(client, "ready", lately),
        started(client, "old", long_ago),
        started(client, "ended", ended),
        started(client, "again", waits, restarts=1),
        started(client, "first", waits),
        started(client, "other", lately, app="hubble"),
        agent("new", "cilium"),
    ]
    client.create(made[-1])
    try:
        with pytest.raises(KubeError) as raised:
            wait_for_programs(client, 0.5)
    finally:
        for pod in made:
            client.raw("DELETE", place_of(pod), body={"gracePeriodSeconds": 0})
    said = str(raised.value)
    assert "3 of Cilium's agents: after 0 s no pod of their nodes can have a network: node-again: cilium-dbg" in said
    assert "; node-ended: cilium-dbg" in said
    assert "; node-ready: cilium-dbg" in said
    assert "it cannot be run" in said
    assert "Handshake" not in said
    # With nobody to ask there is nothing to wait for.
    wait_for_programs(client, 0.5)


def started(
    client: KubeClient, name: str, state: dict[str, Any], *, restarts: int = 0, app: str = "cilium"
) -> dict[str, Any]:
    """A pod of which a kubelet tells how its container fares."""
    pod = agent(name, app)
    client.create(pod)
    fares = {"name": "cilium-agent", "image": "", "imageID": "", "ready": False, "restartCount": restarts}
    status = {"status": {"containerStatuses": [{**fares, "state": state}]}}
    client.raw("PATCH", f"{place_of(pod)}/status", body=status, content_type=MERGE)
    return pod


def place_of(pod: dict[str, Any]) -> str:
    return f"/api/v1/namespaces/kube-system/pods/{pod['metadata']['name']}"


def agent(name: str, app: str) -> dict[str, Any]:
    container = {"name": "cilium-agent", "image": "quay.io/cilium/cilium:v1.20.0"}
    metadata = {"name": name, "namespace": "kube-system", "labels": {"k8s-app": app}}
    spec = {"nodeName": f"node-{name}", "containers": [container]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"values": {"hubbel": {}}}, "cilium_values: hubbel is no value of this chart (is hubble meant?)"),
        ({"version": "1.19.6"}, "it is of version 1.20.0; expected 1.19.6"),
        (
            {"chart_ref": ""},
            "none is named; expected the chart, or what helm template has made of it. Name a copy of https://helm.cil",
        ),
        ({"src": ["/a"]}, "chart_ref, src: both are named"),
        ({"chart_ref": "/nonexistent"}, "src '/nonexistent': it is neither a file nor a folder"),
        ({"chart_ref": "/etc"}, "chart '/etc': it has no Chart.yaml"),
        ({"chart_ref": "/etc/hostname"}, "chart '/etc/hostname': it cannot be unpacked"),
        ({"chart_ref": "https://example.com/cilium.tgz"}, "it has no checksum"),
        ({"digests": {"cilium": "v1"}}, "digest of image 'cilium': 'v1'; expected sha256: and 64 hexadecimal digits"),
        ({"digests": {"cilum": f"sha256:{'0' * 64}"}}, "digest of image 'cilum': no such image is in the manifests"),
        ({"helm": "/nonexistent/helm"}, "program '/nonexistent/helm': it is not installed on this node"),
    ],
)
def test_bad_input_is_named(cilium: Module, options: dict[str, Any], said: str) -> None:
    assert said in cilium.fails(check=True, **options)


def test_the_result_is_plain(cilium: Module) -> None:
    shown = json.dumps(cilium.succeeds(check=True, diff=True))
    assert "PRIVATE KEY" not in shown
    assert "LS0tLS1CRUdJTi" not in shown
