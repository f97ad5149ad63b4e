# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The baseline as one cluster-wide policy, in each kind's own definition, on an API server of its own.

The API server refuses a field that a definition does not have; what a policy does, other tests show.
"""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import connect
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.waiting import wait_ready
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.everywhere import API_VERSIONS
from tests.support.definitions import of_calico, of_kubernetes
from tests.support.modules import Module, state_matrix
from tests.testbed.api_ring import ApiRing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient

SPACES = ("shop", "data")
CUSTOM: list[dict[str, Any]] = [
    {
        "name": "allow-mail",
        "egress": [
            {
                "to": [{"ipBlock": {"cidr": "198.51.100.0/24", "except": ["198.51.100.128/25"]}}],
                "ports": [{"port": 587}, {"port": 9000, "endPort": 9010}, {"port": 5000, "protocol": "SCTP"}],
            },
            {
                "to": [
                    {
                        "namespaceSelector": {
                            "matchExpressions": [{"key": "zone", "operator": "NotIn", "values": ["moon"]}]
                        },
                        "podSelector": {"matchLabels": {"app": "mail"}},
                    }
                ],
                "ports": [{"port": "smtp"}],
            },
        ],
    }
]


@pytest.fixture(scope="module")
def kinds(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The kubeconfig of an API server that serves all of them."""
    cilium = programs / "cilium-definitions"
    with ApiRing(programs, tmp_path_factory.mktemp("kinds")) as ring:
        client = connect({"kubeconfig": str(ring.kubeconfig)})
        definitions = [*of_kubernetes(), *of_calico()]
        definitions += [yaml.safe_load(file.read_text()) for file in sorted(cilium.glob("*.yaml"))]
        for one in definitions:
            client.apply(one)
        wait_ready(client, definitions, 60.0)
        for name in SPACES:
            metadata = {"name": name, "labels": {"team": "shop"}}
            client.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        yield str(ring.kubeconfig)


@pytest.fixture
def client(kinds: str) -> KubeClient:
    return connect({"kubeconfig": kinds})


@pytest.fixture
def baseline(kinds: str) -> Module:
    return Module("network_policy_baseline", {"kubeconfig": kinds, "profile": "zero-trust", "batch_wait": 0})


def names(client: KubeClient, kind: str) -> set[str]:
    return {one["metadata"]["name"] for one in client.list(API_VERSIONS[kind], kind)}


def run_pod(client: KubeClient, namespace: str, name: str, address: str) -> None:
    """A ready pod as its kubelet would report it."""
    containers = [{"name": "c", "image": "example.com/c", "ports": [{"containerPort": 8080}]}]
    place = f"/api/v1/namespaces/{namespace}/pods"
    spec = {"containers": containers, "automountServiceAccountToken": False}
    metadata = {"name": name, "namespace": namespace}
    client.raw("POST", place, body={"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    report(client, namespace, name, "True", podIP=address, podIPs=[{"ip": address}], phase="Running")


def report(client: KubeClient, namespace: str, name: str, ready: str, **status: Any) -> None:
    path = f"/api/v1/namespaces/{namespace}/pods/{name}/status"
    body = {"status": {**status, "conditions": [{"type": "Ready", "status": ready}]}}
    client.raw("PATCH", path, body=body, content_type="application/merge-patch+json")


@pytest.fixture
def pods(client: KubeClient) -> Iterator[None]:
    """One in each namespace."""
    for number, name in enumerate(SPACES):
        run_pod(client, name, "web", f"10.1.{number}.1")
    yield
    for name in SPACES:
        client.raw("DELETE", f"/api/v1/namespaces/{name}/pods/web", body={"gracePeriodSeconds": 0})


@pytest.mark.parametrize("kind", list(API_VERSIONS))
def test_every_kind_is_taken_by_its_own_definition(baseline: Module, client: KubeClient, kind: str) -> None:
    options: dict[str, Any] = {"cluster_wide": kind, "custom_policies": CUSTOM}
    # One baseline alone cannot say "the same namespace" of several.
    chosen = SPACES[:1] if kind == "BaselineAdminNetworkPolicy" else SPACES
    first = state_matrix(baseline, namespaces=list(chosen), **options)
    assert first["namespaces"] == sorted(chosen)
    assert names(client, kind)
    assert baseline.succeeds(namespaces=list(chosen), state="absent", check=True, **options)["changed"] is True
    assert names(client, kind)
    assert baseline.succeeds(namespaces=list(chosen), state="absent", **options)["changed"] is True
    assert names(client, kind) == set()
    assert baseline.succeeds(namespaces=list(chosen), state="absent", **options)["changed"] is False


def test_the_first_that_is_served_is_detected(baseline: Module, client: KubeClient) -> None:
    baseline.succeeds(namespace_selector={"team": "shop"}, cluster_wide="detect")
    assert names(client, "ClusterNetworkPolicy") == {"netops-baseline", "netops-baseline-data", "netops-baseline-shop"}
    baseline.succeeds(namespace_selector={"team": "shop"}, cluster_wide="detect", state="absent")


STAGED = "StagedGlobalNetworkPolicy"
CHANGES = [
    ("GlobalNetworkPolicy", "ClusterNetworkPolicy"),
    ("ClusterNetworkPolicy", "CiliumClusterwideNetworkPolicy"),
    ("AdminNetworkPolicy", "none"),
    ("none", "ClusterNetworkPolicy"),
    ("CiliumClusterwideNetworkPolicy", "GlobalNetworkPolicy"),
]


def standing(client: KubeClient) -> set[str]:
    """The kinds of which there are policies."""
    found = {kind for kind in API_VERSIONS if names(client, kind)}
    return {*found, *(["none"] if list(client.list("networking.k8s.io/v1", "NetworkPolicy")) else [])}


@pytest.mark.parametrize(("old", "new"), CHANGES)
def test_a_change_of_kind_leaves_nothing_behind(baseline: Module, client: KubeClient, old: str, new: str) -> None:
    options: dict[str, Any] = {"namespaces": list(SPACES)}
    baseline.succeeds(cluster_wide=old, **options)
    assert standing(client) == {old}
    state_matrix(baseline, cluster_wide=new, **options)
    assert standing(client) == {new}
    assert baseline.succeeds(state="absent", **options)["changed"] is True
    assert standing(client) == set()


def test_a_kind_that_is_detected_later_takes_over_and_everything_goes(baseline: Module, client: KubeClient) -> None:
    """As where Calico's policies stood before the definition of the first kind came."""
    baseline.succeeds(namespaces=list(SPACES), cluster_wide="GlobalNetworkPolicy")
    baseline.succeeds(namespaces=list(SPACES), cluster_wide="detect")
    assert standing(client) == {"ClusterNetworkPolicy"}
    baseline.succeeds(namespaces=list(SPACES), cluster_wide="GlobalNetworkPolicy")
    baseline.succeeds(namespaces=list(SPACES), cluster_wide="detect", state="absent")
    assert standing(client) == set()


def test_a_trial_beside_the_policies_of_namespaces(baseline: Module, client: KubeClient) -> None:
    baseline.succeeds(namespaces=list(SPACES))
    baseline.succeeds(namespaces=list(SPACES), cluster_wide=STAGED)
    assert baseline.succeeds(namespaces=list(SPACES))["changed"] is False
    assert standing(client) == {"none", STAGED}
    assert baseline.succeeds(state="absent", check=True)["changed"] is True
    assert baseline.succeeds(state="absent")["namespaces"] == sorted(SPACES)
    assert standing(client) == set()
    assert baseline.succeeds(state="absent")["changed"] is False


def test_a_new_namespace_is_under_the_cluster_wide_policy_and_meets_itself_after_a_run(
    baseline: Module, client: KubeClient
) -> None:
    options: dict[str, Any] = {"namespace_selector": {"team": "shop"}, "cluster_wide": "ClusterNetworkPolicy"}
    baseline.succeeds(**options)
    metadata = {"name": "late", "labels": {"team": "shop"}}
    client.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    again = baseline.succeeds(**options)
    assert again["policies"] == [{"object": "ClusterNetworkPolicy 'netops-baseline-late'", "action": "created"}]
    baseline.succeeds(**options, state="absent")
    client.raw("DELETE", "/api/v1/namespaces/late")


FLOW = {
    "action": "allow",
    "proto": "tcp",
    "dest_port": 8080,
    "source_namespace": "data",
    "source_name": "web",
    "source_ip": "10.1.1.1",
    "dest_namespace": "shop",
    "dest_name": "web",
    "dest_ip": "10.1.0.1",
}


@pytest.mark.usefixtures("pods")
@pytest.mark.parametrize("kind", list(API_VERSIONS))
def test_what_breaks_is_told_and_gated_for_every_kind(
    baseline: Module, client: KubeClient, tmp_path: Path, kind: str
) -> None:
    log = tmp_path / "flows.json"
    log.write_text(json.dumps(FLOW))
    options: dict[str, Any] = {"namespaces": ["shop"], "cluster_wide": kind, "flow_logs": [str(log)]}
    told = baseline.succeeds(check=True, **options)["impact"]
    assert [(one["namespace"], one["source"], one["port"]) for one in told] == [("shop", "data/web", 8080)]
    if kind == "StagedGlobalNetworkPolicy":
        # It denies nothing, so nothing can break.
        assert baseline.succeeds(check=True, max_broken=0, **options)["impact"] == told
    else:
        assert "1 connections that work would break (shop 1)" in baseline.fails(max_broken=0, **options)
    assert names(client, kind) == set()


@pytest.mark.usefixtures("pods")
def test_a_standing_policy_that_is_not_evaluated_is_said(baseline: Module) -> None:
    options: dict[str, Any] = {"namespaces": ["shop"], "cluster_wide": "GlobalNetworkPolicy"}
    baseline.succeeds(**options)
    done = baseline.succeeds(profile="ingress-deny", **options)
    assert "it is told as if there were no GlobalNetworkPolicy yet" in str(done["warnings"])
    baseline.succeeds(state="absent", **options)


@pytest.mark.usefixtures("pods")
@pytest.mark.parametrize("kind", ["ClusterNetworkPolicy", "GlobalNetworkPolicy"])
def test_one_that_turns_pods_unready_is_undone(baseline: Module, client: KubeClient, kind: str) -> None:
    options: dict[str, Any] = {"namespaces": list(SPACES), "cluster_wide": kind}
    baseline.succeeds(profile="ingress-deny", **options)
    before = specs(client, kind)

    def turn() -> None:
        """What a kubelet reports when its probes no longer get through."""
        deadline = time.monotonic() + 60
        while specs(client, kind) == before and time.monotonic() < deadline:
            time.sleep(0.05)
        report(client, "data", "web", "False")

    kubelet = threading.Thread(target=turn)
    kubelet.start()
    message = baseline.fails(batch_size=1, batch_wait=6, **options)
    kubelet.join()
    assert message.startswith("namespaces data, shop: pods turned unready after the change: data/web")
    assert specs(client, kind) == before
    baseline.succeeds(state="absent", **options)


def specs(client: KubeClient, kind: str) -> dict[str, Any]:
    return {one["metadata"]["name"]: one["spec"] for one in client.list(API_VERSIONS[kind], kind)}
