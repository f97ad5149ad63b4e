# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module coredns_workload against a real API server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._coredns import fields, rollout
from ansible_collections.netops.kubernetes.plugins.module_utils._coredns.workload import Place, RolloutError
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.apply import apply_all
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ObjectRef
from tests.support.coredns_objects import DEPLOYMENT, LABELS, REF, objects
from tests.support.modules import Module, state_matrix
from tests.support.workloads_double import WorkloadsDouble

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient

PLACE = Place(REF, "Corefile")
BUDGET = ObjectRef("policy/v1", "PodDisruptionBudget", "coredns", "kube-system")
AUTOSCALER = ObjectRef("apps/v1", "Deployment", "netops-dns-autoscaler", "kube-system")
ZONE = "topology.kubernetes.io/zone"
WISHES: dict[str, Any] = {
    "replicas": 3,
    "anti_affinity": "preferred",
    "topology_spread": [{"topology_key": ZONE}],
    # The server writes these quantities in its own way.
    "resources": {"requests": {"cpu": "0.1", "memory": "1024Mi"}, "limits": {"memory": "2048Mi"}},
    "priority_class": "system-cluster-critical",
    "disruption_budget": {"max_unavailable": "1"},
}
REMEDY = "Ask for fewer replicas, or for anti_affinity preferred."
LINEAR = {"linear": {"cores_per_replica": 256, "nodes_per_replica": 16, "prevent_single_point_failure": True}}


@pytest.fixture
def coredns_workload(installed: str) -> Iterator[Module]:
    module = Module("coredns_workload", {"kubeconfig": installed})
    yield module
    module.succeeds(state="absent")


def deployment(client: KubeClient) -> dict[str, Any]:
    found = client.get(DEPLOYMENT)
    assert found
    return found


def spec_of(client: KubeClient) -> dict[str, Any]:
    spec: dict[str, Any] = deployment(client)["spec"]
    return spec


def test_state_matrix(coredns_workload: Module, client: KubeClient) -> None:
    before = spec_of(client)
    state_matrix(coredns_workload, **WISHES)
    assert coredns_workload(check=True, state="absent")["changed"]
    assert coredns_workload(state="absent", diff=True)["changed"]
    assert not coredns_workload(state="absent")["changed"]
    assert spec_of(client) == before
    assert fields.BEFORE not in deployment(client)["metadata"].get("annotations", {})
    assert client.get(BUDGET) is None


def test_fields(coredns_workload: Module, client: KubeClient) -> None:
    coredns_workload(**WISHES)
    spec = spec_of(client)
    pod = spec["template"]["spec"]
    assert spec["replicas"] == 3
    assert pod["priorityClassName"] == "system-cluster-critical"
    assert pod["containers"][0]["resources"]["requests"] == {"cpu": "100m", "memory": "1Gi"}
    assert pod["topologySpreadConstraints"][0]["topologyKey"] == ZONE
    assert pod["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"][0]["weight"] == 100
    budget = client.get(BUDGET)
    assert budget
    assert budget["spec"]["maxUnavailable"] == 1
    # What is wished no more goes back; the rest stays.
    assert coredns_workload(replicas=3)["changed"]
    spec = spec_of(client)
    assert spec["replicas"] == 3
    assert "topologySpreadConstraints" not in spec["template"]["spec"]
    assert spec["template"]["spec"]["containers"][0]["resources"] == {}
    assert client.get(BUDGET) is None


def test_what_somebody_else_changed_stays(coredns_workload: Module, client: KubeClient) -> None:
    coredns_workload(replicas=3, priority_class="system-cluster-critical")
    client.patch(DEPLOYMENT, {"spec": {"replicas": 7}})
    coredns_workload(state="absent")
    assert spec_of(client)["replicas"] == 7
    assert "priorityClassName" not in spec_of(client)["template"]["spec"]


def test_autoscaler(coredns_workload: Module, client: KubeClient) -> None:
    done = coredns_workload(autoscaler=LINEAR)
    assert done["changed"], done
    assert not coredns_workload(autoscaler=LINEAR)["changed"]
    found = client.get(ObjectRef("v1", "ConfigMap", AUTOSCALER.name, AUTOSCALER.namespace))
    assert found
    assert found["data"] == {
        "linear": '{"coresPerReplica": 256.0, "nodesPerReplica": 16.0, "preventSinglePointFailure": true}'
    }
    steps = {"ladder": {"nodes_to_replicas": [[1, 1], [8, 2]]}, "image": "registry.example.com/cpa:1"}
    assert coredns_workload(autoscaler=steps)["changed"]
    found = client.get(ObjectRef("v1", "ConfigMap", AUTOSCALER.name, AUTOSCALER.namespace))
    assert found
    assert found["data"] == {"ladder": '{"nodesToReplicas": [[1, 1], [8, 2]]}'}
    scaler = client.get(AUTOSCALER)
    assert scaler
    [container] = scaler["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "registry.example.com/cpa:1"
    coredns_workload()
    assert client.get(AUTOSCALER) is None


def test_its_service_account_may_do_what_it_does(coredns_workload: Module, client: KubeClient) -> None:
    coredns_workload(autoscaler=LINEAR)

    def may(verb: str, resource: str, group: str = "", name: str = "", part: str = "") -> bool:
        attributes = {"verb": verb, "group": group, "resource": resource, "name": name, "subresource": part}
        user = f"system:serviceaccount:kube-system:{AUTOSCALER.name}"
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {"user": user, "resourceAttributes": {**attributes, "namespace": "kube-system"}},
        }
        answer = client.raw("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", body=body)
        return bool(answer["status"]["allowed"])

    assert may("list", "nodes")
    assert may("get", "configmaps", name=AUTOSCALER.name)
    assert may("update", "deployments", "apps", "coredns", "scale")
    assert not may("update", "deployments", "apps", "coredns")
    assert not may("get", "configmaps", name="coredns")


def test_a_new_image_that_is_not_proven_goes_back(api: str, coredns_workload: Module, client: KubeClient) -> None:
    before = spec_of(client)
    image = "registry.k8s.io/coredns/coredns:v1.14.7"
    with WorkloadsDouble(api):
        edited = Module("corefile", {"kubeconfig": api})(provisional=True, cache={"ttl": 300})
        assert coredns_workload(image=image, provisional=True)["changed"]
        proof = rollout.load(client, PLACE, written=edited["digest"], names=(), zones=(), timeout=20.0)
        with pytest.raises(RolloutError) as caught:
            rollout.finish(
                client,
                PLACE,
                run=proof.run,
                corefile=proof.corefile,
                written=edited["digest"],
                problems=["nothing answers"],
                timeout=20.0,
            )
        assert str(caught.value).endswith(
            "The Corefile and the Deployment from before are back, and every CoreDNS runs with them."
        )
        assert spec_of(client)["template"]["spec"] == before["template"]["spec"]
        coredns_workload(image=image, provisional=True)
        proof = rollout.load(client, PLACE, written="", names=(), zones=(), timeout=20.0)
        assert rollout.finish(
            client, PLACE, run=proof.run, corefile=proof.corefile, written="", problems=(), timeout=20.0
        )
    assert spec_of(client)["template"]["spec"]["containers"][0]["image"] == image
    assert not fields.is_pending(deployment(client))


def test_what_comes_back_is_proven_too(api: str, coredns_workload: Module, client: KubeClient) -> None:
    """The steps of the role's uninstall."""
    image = "registry.k8s.io/coredns/coredns:v1.14.7"
    binding = ObjectRef("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "netops-coredns-endpointslices")
    corefile = Module("corefile", {"kubeconfig": api})
    before, first = spec_of(client), corefile(check=True)["corefile"]

    def proof_of(edited: dict[str, Any], problems: list[str]) -> None:
        written = edited["digest"]
        proof = rollout.load(client, PLACE, written=written, names=(), zones=(), timeout=20.0)
        rollout.finish(
            client,
            PLACE,
            run=proof.run,
            corefile=proof.corefile,
            written=written,
            problems=problems,
            timeout=20.0,
        )

    def gone() -> dict[str, Any]:
        back = coredns_workload(state="absent", check=True)["image"]
        assert back == before["template"]["spec"]["containers"][0]["image"]
        edited = corefile(state="absent", image=back, provisional=True)
        assert (edited["changed"], edited["corefile"]) == (True, first)
        assert coredns_workload(state="absent", provisional=True)["changed"]
        return edited

    with WorkloadsDouble(api):
        edited = corefile(provisional=True, cache={"ttl": 300}, image=image)
        coredns_workload(image=image, provisional=True)
        proof_of(edited, [])
        edited_text = edited["corefile"]
        with pytest.raises(RolloutError) as caught:
            proof_of(gone(), ["nothing answers"])
        assert "The Corefile and the Deployment from before are back" in str(caught.value)
        assert corefile(check=True)["corefile"] == edited_text
        assert spec_of(client)["template"]["spec"]["containers"][0]["image"] == image
        # Its permissions stay until nobody needs them.
        assert client.get(binding)
        proof_of(gone(), [])
        assert coredns_workload(state="absent")["changed"]
    assert client.get(binding) is None
    assert spec_of(client)["template"]["spec"] == before["template"]["spec"]
    found = client.get(REF)
    assert found
    assert found["data"]["Corefile"] == first
    assert "netops" not in str(found["metadata"].get("annotations"))
    assert corefile(state="absent")["changed"] is False


def test_corefile_comes_to_the_version_of_an_image(api: str, coredns_workload: Module, client: KubeClient) -> None:
    old = {"metadata": {"name": REF.name, "namespace": REF.namespace}, "apiVersion": "v1", "kind": "ConfigMap"}
    text = ".:53 {\n    kubernetes cluster.local {\n        upstream\n    }\n    reload\n}\n"
    client.apply({**old, "data": {"Corefile": text}}, force=True)
    client.apply(objects()[1] | {"spec": _with_image("registry.example.com/coredns:1.6.2")}, force=True)
    corefile = Module("corefile", {"kubeconfig": api})
    done = corefile(image="registry.k8s.io/coredns/coredns:v1.14.2", provisional=True)
    assert done["changed"], done
    assert "upstream" not in done["corefile"]
    assert {step["plugin"] for step in done["migration"]} == {"kubernetes"}
    assert not corefile(image="registry.k8s.io/coredns/coredns:v1.14.2", provisional=True)["changed"]
    assert corefile(image="registry.example.com/dns:stable")["msg"] == (
        "image 'registry.example.com/dns:stable': its tag does not tell a version of CoreDNS; expected a tag such as "
        "v1.14.2. Set version."
    )
    coredns_workload(image="registry.k8s.io/coredns/coredns:v1.14.2")
    bound = client.get(ObjectRef("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "netops-coredns-endpointslices"))
    assert bound
    assert bound["subjects"] == [{"kind": "ServiceAccount", "name": "default", "namespace": "kube-system"}]


def _with_image(image: str) -> dict[str, Any]:
    spec: dict[str, Any] = objects()[1]["spec"]
    spec["template"]["spec"]["containers"][0]["image"] = image
    return spec


def test_bad_input(coredns_workload: Module, client: KubeClient) -> None:
    for wish, said in (
        ({"replicas": 0}, "replicas: 0; expected 1 or more."),
        (
            {"replicas": 2, "autoscaler": LINEAR},
            "replicas: both a number and an autoscaler are asked for; expected one of the two.",
        ),
        (
            {"replicas": 2, "anti_affinity": "required"},
            f"anti_affinity required: 2 replicas on 0 nodes that take them; expected a node for each replica. {REMEDY}",
        ),
    ):
        assert coredns_workload(**wish)["msg"] == said
        assert coredns_workload(check=True, **wish)["msg"] == said
    assert spec_of(client)["replicas"] == 2


def test_marks_of_roll_outs_go_from_pods(coredns_workload: Module, client: KubeClient) -> None:
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "marked", "namespace": "kube-system"}}
    pod = ObjectRef("v1", "Pod", "coredns-marked", "kube-system")
    metadata = {"name": pod.name, "namespace": pod.namespace, "labels": LABELS, "annotations": {rollout.MARK: "1.1"}}
    # No scheduler finds a node, so it stays as it is.
    spec = {"serviceAccountName": "marked", "containers": [{"name": "coredns", "image": "coredns"}]}
    apply_all(client, [account], force=True, check=False)
    client.create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    try:
        predicted = coredns_workload(state="absent", check=True, diff=True)
        assert predicted["changed"]
        assert rollout.MARK in str(predicted["diff"])
        assert coredns_workload(state="absent")["changed"]
        live = client.get(pod)
        assert live
        assert rollout.MARK not in live["metadata"].get("annotations", {})
        assert not coredns_workload(state="absent")["changed"]
    finally:
        client.delete(pod, propagation="Background")


def test_marks_of_roll_outs_go_from_the_template(coredns_workload: Module, client: KubeClient) -> None:
    annotations = {rollout.MARK: "1", "example.com/other": "stays"}
    client.patch(DEPLOYMENT, {"spec": {"template": {"metadata": {"annotations": annotations}}}})
    assert coredns_workload(state="absent", check=True)["changed"]
    assert coredns_workload(state="absent")["changed"]
    assert spec_of(client)["template"]["metadata"]["annotations"] == {"example.com/other": "stays"}
    assert not coredns_workload(state="absent")["changed"]
