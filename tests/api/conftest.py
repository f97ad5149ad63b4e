# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One real API server for the whole session."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.apply import apply_all
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient, connect
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.waiting import wait_ready
from tests.support.coredns_objects import DEPLOYMENT, REF, SERVICE, objects
from tests.support.definitions import of_kubernetes
from tests.testbed.api_ring import ApiRing

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def programs() -> Path:
    folder = os.environ.get("NETOPS_TESTBED_BIN")
    if not folder or not Path(folder, "kube-apiserver").exists():
        pytest.fail("The programs of the test bed are missing; `make api` builds them and names their folder.")
    return Path(folder)


@pytest.fixture(scope="session")
def api(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The path of an administrator's kubeconfig."""
    with ApiRing(programs, tmp_path_factory.mktemp("api")) as ring:
        yield str(ring.kubeconfig)


@pytest.fixture(scope="session")
def client(api: str) -> KubeClient:
    return connect({"kubeconfig": api})


@pytest.fixture(scope="module", autouse=True)
def _nothing_left(api: str) -> Iterator[None]:
    """Files share the API server in any order: what one leaves on nodes is in the way where another drains them."""
    yield
    client = connect({"kubeconfig": api})
    deadline = time.monotonic() + 60.0
    while left := _daemon_sets_and_nodes(client):
        assert time.monotonic() < deadline, f"this file made and did not remove {left}"
        # What was deleted with its namespace goes a little later, and the server has nothing to wait on for all kinds.
        time.sleep(0.2)
    for namespace in {pod["metadata"]["namespace"] for pod in client.list("v1", "Pod")}:
        # No kubelet runs here that would say that they have ended.
        client.raw("DELETE", client.path("v1", "Pod", namespace), body={"gracePeriodSeconds": 0})


def _daemon_sets_and_nodes(client: KubeClient) -> list[str]:
    return [found["metadata"]["name"] for found in (*client.list("apps/v1", "DaemonSet"), *client.list("v1", "Node"))]


@pytest.fixture(scope="session")
def cluster_policies(client: KubeClient) -> None:
    """The API server serves the cluster-wide policies of Kubernetes from here on; it takes half a minute to stop."""
    definitions = of_kubernetes()
    for definition in definitions:
        client.apply(definition)
    wait_ready(client, definitions, 60.0)


@pytest.fixture
def installed(api: str, client: KubeClient) -> Iterator[str]:
    """The path of the kubeconfig of a cluster with CoreDNS' objects, which other tests do not want."""
    for ref in (REF, DEPLOYMENT, SERVICE):
        client.delete(ref, propagation="Background")
    apply_all(client, objects(), force=True, check=False)
    yield api
    for ref in (REF, DEPLOYMENT, SERVICE):
        client.delete(ref, propagation="Background")
