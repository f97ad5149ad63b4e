# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One real API server for the whole session."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.apply import apply_all
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient, connect
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.waiting import wait_ready
from tests.support.coredns_objects import DEPLOYMENT, REF, SERVICE, objects
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


@pytest.fixture(scope="session")
def cluster_policies(client: KubeClient) -> None:
    """The API server serves the cluster-wide policies of Kubernetes from here on; it takes half a minute to stop."""
    definitions = [
        cluster_policy_definition("clusternetworkpolicies", "ClusterNetworkPolicy", "v1alpha2"),
        cluster_policy_definition("adminnetworkpolicies", "AdminNetworkPolicy", "v1alpha1"),
        cluster_policy_definition("baselineadminnetworkpolicies", "BaselineAdminNetworkPolicy", "v1alpha1"),
    ]
    for definition in definitions:
        client.apply(definition)
    wait_ready(client, definitions, 60.0)


def cluster_policy_definition(plural: str, kind: str, version: str) -> dict[str, Any]:
    group = "policy.networking.k8s.io"
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{plural}.{group}",
            # The API server asks for it where a group ends in k8s.io.
            "annotations": {"api-approved.kubernetes.io": "https://github.com/kubernetes-sigs/network-policy-api"},
        },
        "spec": {
            "group": group,
            "names": {"plural": plural, "singular": kind.lower(), "kind": kind},
            "scope": "Cluster",
            "versions": [{"name": version, "served": True, "storage": True, "schema": schema}],
        },
    }


@pytest.fixture
def installed(api: str, client: KubeClient) -> Iterator[str]:
    """The path of the kubeconfig of a cluster with CoreDNS' objects, which other tests do not want."""
    for ref in (REF, DEPLOYMENT, SERVICE):
        client.delete(ref, propagation="Background")
    apply_all(client, objects(), force=True, check=False)
    yield api
    for ref in (REF, DEPLOYMENT, SERVICE):
        client.delete(ref, propagation="Background")
