# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Another range of NodePorts: on a real API server, as a static pod whose kubelet alone is played."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from ansible_collections.netops.kubernetes.plugins.module_utils._apiserver.node_ports import BEFORE, KUBEADM
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import connect
from tests.nodes.plays import ROLE, Played, run
from tests.support.modules import Module, state_matrix
from tests.support.played_static_pods import PlayedStaticPod
from tests.testbed.api_ring import free_port
from tests.testbed.processes import Process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient

CONFIGURATION = "apiServer: {} # nothing yet\napiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n"
FLAG = "service-node-port-range"


@pytest.fixture
def kubeadm(client: KubeClient) -> Iterator[None]:
    place = {"name": KUBEADM.name, "namespace": KUBEADM.namespace}
    client.create(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": place, "data": {"ClusterConfiguration": CONFIGURATION}}
    )
    yield
    client.delete(KUBEADM, propagation="Background")


def live(client: KubeClient) -> tuple[str, dict[str, Any]]:
    found = client.get(KUBEADM)
    assert found
    return found["data"]["ClusterConfiguration"], found["metadata"].get("annotations") or {}


@pytest.mark.usefixtures("kubeadm")
def test_state_matrix_of_kubeadms_configuration(api: str, client: KubeClient) -> None:
    module = Module("node_port_range", {"kubeconfig": api})
    state_matrix(module, range="30000-31000")
    text, notes = live(client)
    assert yaml.safe_load(text)["apiServer"]["extraArgs"] == [{"name": FLAG, "value": "30000-31000"}]
    assert notes == {BEFORE: ""}
    assert module.succeeds(range="30000-32000")["changed"] is True
    assert module.succeeds(state="absent", check=True)["changed"] is True
    assert module.succeeds(state="absent")["changed"] is True
    assert yaml.safe_load(live(client)[0])["apiServer"] == {"extraArgs": []}
    assert module.succeeds(state="absent")["changed"] is False


@pytest.mark.usefixtures("kubeadm")
def test_ports_in_use_outside_block_the_change_unless_forced(api: str, client: KubeClient) -> None:
    spec = {"type": "NodePort", "ports": [{"port": 80, "nodePort": 32000}]}
    ref = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "outside", "namespace": "default"}, "spec": spec}
    client.create(ref)
    try:
        module = Module("node_port_range", {"kubeconfig": api, "range": "30000-31000"})
        message = module.fails()
        assert "30000-31000: 1 ports in use lie outside: default/outside: TCP NodePort 32000" in message
        assert "or set force" in message
        assert live(client)[0] == CONFIGURATION
        forced = module.succeeds(force=True)
        assert (forced["changed"], forced["outside"]) == (True, ["default/outside: TCP NodePort 32000"])
    finally:
        client.raw("DELETE", client.path("v1", "Service", "default", "outside"))


def test_a_cluster_that_is_not_kubeadms_has_nothing_to_record(api: str) -> None:
    assert Module("node_port_range", {"kubeconfig": api}).succeeds(range="30000-31000")["changed"] is False


@pytest.fixture
def store(programs: Path, tmp_path: Path) -> Iterator[str]:
    """An etcd for API servers that are restarted; its URL."""
    port, peer = free_port(), free_port()
    etcd = Process.start(
        [
            str(programs / "etcd"),
            f"--data-dir={tmp_path / 'etcd'}",
            f"--listen-client-urls=http://127.0.0.1:{port}",
            f"--advertise-client-urls=http://127.0.0.1:{port}",
            f"--listen-peer-urls=http://127.0.0.1:{peer}",
            "--unsafe-no-fsync",
        ],
        tmp_path / "etcd.log",
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        etcd.end()


def write_manifest(programs: Path, folder: Path, store: str) -> Path:
    """The manifest of an API server that runs; its certificates are in the folder, too."""
    key = folder / "key"
    subprocess.run(["openssl", "genrsa", "-out", str(key), "2048"], check=True, capture_output=True)
    command = [
        str(programs / "kube-apiserver"),
        f"--etcd-servers={store}",
        "--bind-address=127.0.0.1",
        f"--secure-port={free_port()}",
        f"--cert-dir={folder / 'certificates'}",
        "--authorization-mode=RBAC",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={key}",
        f"--service-account-signing-key-file={key}",
    ]
    manifest = folder / "etc" / "kubernetes" / "manifests" / "kube-apiserver.yaml"
    manifest.parent.mkdir(parents=True)
    pod = {"kind": "Pod", "spec": {"containers": [{"name": "kube-apiserver", "command": command}]}}
    manifest.write_text(f"# the site's own\n{yaml.safe_dump(pod)}")
    return manifest


@pytest.fixture
def control_plane(programs: Path, tmp_path: Path, store: str) -> Iterator[tuple[Module, PlayedStaticPod, Path]]:
    """A manifest of kube-apiserver that runs; the module that changes it."""
    manifest = write_manifest(programs, tmp_path, store)
    options = {
        "path": str(manifest),
        "backup": str(tmp_path / "backup" / "kube-apiserver.yaml"),
        "ca_cert": str(tmp_path / "certificates" / "apiserver.crt"),
        "timeout": 90,
    }
    with PlayedStaticPod(manifest, tmp_path / "apiserver.log") as pods:
        yield Module("node_port_range_manifest", options), pods, manifest


def test_one_api_server_takes_the_range_and_gives_it_back(
    control_plane: tuple[Module, PlayedStaticPod, Path],
) -> None:
    module, pods, manifest = control_plane
    before = manifest.read_text()
    first = state_matrix(module, range="30000-31000")
    assert first["range"] == "30000-31000"
    assert f"--{FLAG}=30000-31000" in manifest.read_text()
    assert pods.starts == 2
    assert module.succeeds(state="absent", check=True)["changed"] is True
    assert module.succeeds(state="absent")["range"] == ""
    assert manifest.read_text() == before
    assert pods.starts == 3
    assert not pods.strangers, "a backup beside the manifest would be a second API server"
    assert module.succeeds(state="absent")["changed"] is False


def test_an_api_server_that_does_not_come_back_gets_its_manifest_back(
    control_plane: tuple[Module, PlayedStaticPod, Path],
) -> None:
    module, pods, manifest = control_plane
    # The first run waits for the first process, too.
    assert module.succeeds(range="30000-32000")["changed"] is True
    before = manifest.read_text()
    pods.hangs = True
    message = module.fails(range="30000-31000", timeout=2)
    assert "kube-apiserver with --service-node-port-range=30000-31000: it is not ready after 2 s" in message
    assert "The flag from before is back, and its API server is ready" in message
    assert manifest.read_text() == before
    assert pods.starts == 2


def test_a_rerun_gives_back_the_flag_alone(control_plane: tuple[Module, PlayedStaticPod, Path]) -> None:
    """An upgrade has written the manifest anew since the first change, and must not be undone."""
    module, pods, manifest = control_plane
    assert module.succeeds(range="30000-32000")["changed"] is True
    pods.crash()
    manifest.write_text(manifest.read_text() + "# of an upgrade\n")
    message = module.fails(range="30000-32000", timeout=2)
    assert "The flag from before is back" in message
    text = manifest.read_text()
    assert text.endswith("# of an upgrade\n")
    assert FLAG not in text


# Python of a host of the role: it sees a folder of its own as /etc/kubernetes.
PYTHON = """#!/bin/sh
own=/etc/kubernetes
exec unshare --mount sh -c "mkdir -p $own; mount --bind {folder}$own $own; exec {python} \\"\\$@\\"" sh "$@"
"""


@dataclass(frozen=True)
class ControlPlane:
    """One of several hosts with an API server."""

    folder: Path
    manifest: Path
    pods: PlayedStaticPod


@pytest.fixture
def two(programs: Path, tmp_path: Path, store: str) -> Iterator[list[ControlPlane]]:
    """Two API servers of one cluster, each on a host of its own as far as files go."""
    with ExitStack() as stack:
        found = []
        for name in ("first", "second"):
            folder = tmp_path / name
            folder.mkdir()
            manifest = write_manifest(programs, folder, store)
            # kubeadm's authority, which signed what the API server shows.
            certificate = folder / "certificates" / "apiserver.crt"
            pods = stack.enter_context(PlayedStaticPod(manifest, folder / "apiserver.log"))
            wait_for(certificate.exists)
            content = yaml.safe_load(manifest.read_text())
            content["spec"]["containers"][0]["command"].append(f"--client-ca-file={certificate}")
            manifest.write_text(yaml.safe_dump(content))
            wait_for(partial(has_started_again, pods))
            python = folder / "python"
            python.write_text(PYTHON.format(folder=folder, python=sys.executable))
            python.chmod(0o755)
            found.append(ControlPlane(folder, manifest, pods))
        yield found


def has_started_again(pods: PlayedStaticPod) -> bool:
    return pods.starts == 2


def wait_for(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def play(api: str, folder: Path, two: list[ControlPlane], **variables: Any) -> Played:
    """Run the role on both."""
    host = {"ansible_connection": "local", "kubernetes_kubeconfig": api, "node_port_range_timeout": 90}
    hosts = {
        one.folder.name: {**host, "ansible_python_interpreter": str(one.folder / "python"), **variables} for one in two
    }
    inventory = folder / "inventory.json"
    inventory.write_text(json.dumps({"all": {"children": {"kube_control_plane": {"hosts": hosts}}}}))
    return run(
        inventory,
        ROLE,
        role_under_test="node_port_range",
        kubernetes_pod_cidrs=["10.244.0.0/16"],
        kubernetes_service_cidrs=["10.96.0.0/16"],
    )


@pytest.mark.usefixtures("kubeadm")
def test_one_control_plane_after_the_other(
    api: str, client: KubeClient, two: list[ControlPlane], tmp_path: Path
) -> None:
    first, second = two
    before = [one.manifest.read_text() for one in two]
    starts = [one.pods.starts for one in two]
    first.pods.hangs = True
    failed = play(api, tmp_path, two, node_port_range_ports="30000-31000", node_port_range_timeout=5)
    assert failed.status != 0
    assert "The flag from before is back" in failed.said, failed.said
    assert [one.manifest.read_text() for one in two] == before, "the second one keeps serving when the first does not"
    assert second.pods.starts == starts[1]
    assert live(client)[0] == CONFIGURATION

    first.pods.hangs = False
    done = play(api, tmp_path, two, node_port_range_ports="30000-31000")
    assert done.status == 0, done.said
    assert all(f"--{FLAG}=30000-31000" in one.manifest.read_text() for one in two)
    assert [one.pods.starts for one in two] == [start + 1 for start in starts]
    assert yaml.safe_load(live(client)[0])["apiServer"]["extraArgs"] == [{"name": FLAG, "value": "30000-31000"}]
    again = play(api, tmp_path, two, node_port_range_ports="30000-31000")
    assert (again.status, set(again.changed.values())) == (0, {0}), again.said
    assert not any(one.pods.strangers for one in two)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"range": "31000-30000"}, "range of NodePorts '31000-30000': it is none"),
        ({}, "state is present but all of the following are missing: range"),
        ({"range": "1-2", "path": "/nowhere/x.yaml"}, "manifest '/nowhere/x.yaml': it is not there"),
        ({"range": "1-2", "path": "/etc/hosts"}, "manifest '/etc/hosts': "),
    ],
)
def test_bad_input_is_named(options: dict[str, Any], message: str) -> None:
    assert message in Module("node_port_range_manifest").fails(**options)


def test_bad_input_of_the_judge_is_named(api: str) -> None:
    module = Module("node_port_range", {"kubeconfig": api})
    assert "range of NodePorts 'all': it is none" in module.fails(range="all")
    assert "state is present but all of the following are missing: range" in module.fails()
    assert connect({"kubeconfig": api}).get(KUBEADM) is None
