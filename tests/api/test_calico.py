# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module calico with upstream's own manifests against a real API server; a double plays the operator."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient, connect
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ObjectRef
from tests.support.calico_operator_double import CalicoOperatorDouble
from tests.support.calico_typha import typha
from tests.support.modules import Module, state_matrix
from tests.testbed.api_ring import ApiRing

if TYPE_CHECKING:
    from collections.abc import Iterator

MIRROR = Path(os.environ.get("NETOPS_MIRROR", str(Path(__file__).parents[2] / ".." / "shared" / "mirror")))
POOL = {"name": "default-ipv4-ippool", "cidr": "10.244.0.0/16"}
INSTALLATION = ObjectRef("operator.tigera.io/v1", "Installation", "default")


def source(version: str, mode: str = "operator") -> dict[str, Any]:
    """The options that name upstream's manifests of a version."""
    names = ("operator-crds.yaml", "tigera-operator.yaml") if mode == "operator" else ("calico.yaml",)
    files = [MIRROR / "calico" / version / name for name in names]
    present = [str(file) for file in files if file.exists()]
    assert present, f"no manifests in {MIRROR / 'calico' / version}; set NETOPS_MIRROR to upstream's manifests"
    return {"version": version, "mode": mode, "src": present, "pod_cidrs": ["10.244.0.0/16"], "wait_timeout": 60}


@pytest.fixture(scope="module")
def operated(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of its own, for the operator: Calico's definitions are the cluster's."""
    with ApiRing(programs, tmp_path_factory.mktemp("operated")) as ring:
        yield str(ring.kubeconfig)


@pytest.fixture
def empty(programs: Path, tmp_path: Path) -> Iterator[str]:
    """A server without anything."""
    with ApiRing(programs, tmp_path) as ring:
        yield str(ring.kubeconfig)


def module(kubeconfig: str) -> Module:
    return Module("calico", {"kubeconfig": kubeconfig})


def spec_of(client: KubeClient, ref: ObjectRef) -> dict[str, Any]:
    client.forget_kinds(ref.api_version)
    live = client.get(ref)
    assert live, ref
    spec: dict[str, Any] = live["spec"]
    return spec


def pool(client: KubeClient, name: str) -> dict[str, Any]:
    return spec_of(client, ObjectRef("crd.projectcalico.org/v1", "IPPool", name))


def changed_in(result: dict[str, Any]) -> set[str]:
    return {one["object"] for one in result["changes"] if one["action"] == "changed"}


def kill_half_way(calico: Module, client: KubeClient, **options: Any) -> None:
    process = subprocess.Popen(calico.command(), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    assert process.stdin
    process.stdin.write(calico.arguments(**options))
    process.stdin.close()
    deadline = time.monotonic() + 60
    while not list(client.list("apiextensions.k8s.io/v1", "CustomResourceDefinition")):
        assert time.monotonic() < deadline, "never seen half-way"
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_operator_mode_from_nothing_to_an_upgrade_and_away(empty: str) -> None:
    calico, client = module(empty), connect({"kubeconfig": empty})
    typo = calico.fails(check=True, felix={"wireguardEnable": True}, **source("v3.32.1"))
    assert "FelixConfiguration 'default': spec.wireguardEnable is no field of this kind" in typo
    assert "(is wireguardEnabled meant?)" in typo
    kill_half_way(calico, client, **source("v3.31.7"))
    with CalicoOperatorDouble(empty) as operator:
        first = state_matrix(calico, **source("v3.31.7"))
        assert {"object": "Installation 'default'", "action": "created"} in first["changes"]
        assert [image.rpartition(":")[0] for image in first["images"]] == ["quay.io/tigera/operator"]
        assert "tested with Kubernetes 1.32 to 1.35" in str(first["warnings"])
        # Another pool, and the old one disabled.
        pools = [{**POOL, "disabled": True}, {"name": "larger", "cidr": "10.128.0.0/14", "block_size": 27}]
        assert calico.succeeds(pools=pools, **source("v3.31.7"))["changed"]
        assert pool(client, "default-ipv4-ippool")["disabled"] is True
        assert pool(client, "larger")["blockSize"] == 27
        # Upgrade: definitions first, then the operator; what the old version alone had stays.
        upgraded = calico.succeeds(pools=pools, **source("v3.32.1"))
        assert "Deployment 'tigera-operator/tigera-operator'" in changed_in(upgraded)
        assert not [one for one in upgraded["changes"] if one["action"] == "deleted"]
        operator.answers = False
        message = calico.fails(state="absent", wait_timeout=2)
        assert "Installation 'default': it is still being deleted" in message
        assert "tigera.io/operator-cleanup (the Tigera operator)" in message
        operator.answers = True
        for check in (True, False):
            assert calico.succeeds(check=check, state="absent")["changed"] is True
    assert calico.succeeds(state="absent")["changed"] is False
    assert not list(client.list("apiextensions.k8s.io/v1", "CustomResourceDefinition"))


def test_a_new_value_is_applied_and_the_operators_own_stay(operated: str) -> None:
    calico = module(operated)
    with CalicoOperatorDouble(operated):
        calico.succeeds(**source("v3.31.7"))
        assert changed_in(calico.succeeds(mtu=1400, **source("v3.31.7"))) == {"Installation 'default'"}
        assert calico.succeeds(mtu=1400, **source("v3.31.7"))["changed"] is False
    networking = spec_of(connect({"kubeconfig": operated}), INSTALLATION)["calicoNetwork"]
    assert networking["mtu"] == 1400
    assert networking["ipPools"][0]["allowedUses"] == ["Workload", "Tunnel"]


def test_a_pool_that_the_operator_names_stays_its_own(operated: str) -> None:
    calico = module(operated)
    nameless = {"calicoNetwork": {"ipPools": [{"cidr": POOL["cidr"], "encapsulation": "VXLAN"}]}}
    with CalicoOperatorDouble(operated):
        calico.succeeds(installation=nameless, **source("v3.31.7"))
        assert calico.succeeds(installation=nameless, **source("v3.31.7"))["changed"] is False


def test_what_the_operator_says_is_wrong_is_told(operated: str) -> None:
    calico = module(operated)
    hasty = {**source("v3.31.7"), "wait_timeout": 3}
    with CalicoOperatorDouble(operated):
        calico.succeeds(**source("v3.31.7"))
    with CalicoOperatorDouble(operated, answers=False):
        message = calico.fails(mtu=1300, **hasty)
    assert "TigeraStatus 'calico': it does not speak of the Installation's last change yet" in message
    with CalicoOperatorDouble(operated, degraded="no node has an address"):
        message = calico.fails(mtu=1300, **hasty)
    assert "TigeraStatus 'calico': condition Available is False: no node has an address" in message


def test_a_pool_is_never_replaced_or_forgotten(operated: str) -> None:
    calico = module(operated)
    with CalicoOperatorDouble(operated):
        calico.succeeds(**source("v3.31.7"))
        for pools, said in (
            ([{**POOL, "cidr": "10.245.0.0/16"}], "it has 10.244.0.0/16, wanted is 10.245.0.0/16"),
            ([{**POOL, "block_size": 28}], "its blocks are /26, wanted is /28"),
            ([{**POOL, "name": "other", "cidr": "10.245.0.0/16"}], "no pool of this name is wanted"),
        ):
            message = calico.fails(pools=pools, **source("v3.31.7"))
            assert "IPPool 'default-ipv4-ippool': " in message
            assert said in message


def test_pools_that_overlap_what_the_cluster_has_are_refused(empty: str) -> None:
    calico, client = module(empty), connect({"kubeconfig": empty})
    client.create({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "a"}})
    body = {"status": {"addresses": [{"type": "InternalIP", "address": "10.240.0.11"}]}}
    place = f"{client.path('v1', 'Node', '', 'a')}/status"
    client.raw("PATCH", place, body=body, content_type="application/merge-patch+json")
    asked = {**source("v3.32.1"), "service_cidrs": ["10.96.0.0/12"]}
    over_services, over_nodes = {"name": "services", "cidr": "10.96.0.0/14"}, {"name": "nodes", "cidr": "10.240.0.0/14"}
    message = calico.fails(check=True, pools=[POOL, over_services, over_nodes], **asked)
    assert "the pod network 10.96.0.0/14 overlaps the Service network 10.96.0.0/12" in message
    assert "the address of node a 10.240.0.11/32 overlaps the pod network 10.240.0.0/14" in message
    assert "Service network" in calico.fails(check=True, **{**asked, "pod_cidrs": ["10.96.0.0/14"]})
    # A pool on its way out, or one that names addresses around the cluster.
    left = [{**one, "disabled": True} for one in (over_services, over_nodes)]
    assert calico.succeeds(check=True, pools=[POOL, *left], **asked)["changed"] is True


def test_the_data_plane_is_that_of_kube_proxy_unless_another_is_named(operated: str) -> None:
    calico, client = module(operated), connect({"kubeconfig": operated})
    with CalicoOperatorDouble(operated):
        followed = calico.succeeds(kube_proxy_mode="nftables", **source("v3.31.7"))
        assert "writes its rules" not in str(followed.get("warnings"))
        assert spec_of(client, INSTALLATION)["calicoNetwork"]["linuxDataplane"] == "Nftables"
        asked = {"kube_proxy_mode": "nftables", "linux_dataplane": "Iptables", **source("v3.31.7")}
        warned = str(calico.succeeds(check=True, **asked)["warnings"])
    assert "calico writes its rules with iptables, and kube-proxy is in mode nftables" in warned


def test_somebody_elses_field_of_the_installation_is_named(operated: str) -> None:
    calico, client = module(operated), connect({"kubeconfig": operated})
    with CalicoOperatorDouble(operated):
        calico.succeeds(**source("v3.31.7"))
        body = {"apiVersion": "operator.tigera.io/v1", "kind": "Installation", "metadata": {"name": "default"}}
        body["spec"] = {"calicoNetwork": {"bgp": "Enabled"}}
        path = "/apis/operator.tigera.io/v1/installations/default"
        query = {"fieldManager": "somebody", "force": "true"}
        client.raw("PATCH", path, query=query, body=body, content_type="application/apply-patch+yaml")
        message = calico.fails(**source("v3.31.7"))
        assert "Installation 'default': " in message
        assert '.spec.calicoNetwork.bgp: conflict with "somebody"' in message
        assert calico.succeeds(force_conflicts=True, **source("v3.31.7"))["changed"] is True


def test_an_operators_calico_of_somebody_else_gets_no_second_one(empty: str) -> None:
    calico, client = module(empty), connect({"kubeconfig": empty})
    client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "calico-system"}})
    labels = {"k8s-app": "calico-node"}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "calico-node", "image": "node"}]}}
    place = {"name": "calico-node", "namespace": "calico-system"}
    spec = {"selector": {"matchLabels": labels}, "template": pod}
    client.create({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": place, "spec": spec})
    for check in (True, False):
        message = calico.fails(check=check, **source("v3.28.5", "manifest"))
        assert "mode: DaemonSet 'calico-system/calico-node' is there, of a Calico that this collection" in message
        assert "calico_mode: operator" in message
    assert calico.succeeds(check=True, **source("v3.31.7"))["changed"] is True
    assert not list(client.list("apiextensions.k8s.io/v1", "CustomResourceDefinition"))


def test_manifest_mode_through_three_versions_and_away(empty: str) -> None:
    calico, client = module(empty), connect({"kubeconfig": empty})
    with CalicoOperatorDouble(empty):
        state_matrix(calico, **source("v3.28.5", "manifest"))
        assert pool(client, "default-ipv4-ippool")["vxlanMode"] == "Always"
        changed = calico.succeeds(mtu=1400, **source("v3.28.5", "manifest"))
        # The pods read their configuration once: they are rolled out with it.
        rolled_out = {"ConfigMap 'kube-system/calico-config'", "DaemonSet 'kube-system/calico-node'"}
        assert changed_in(changed) == rolled_out
        assert "Calico is installed in mode manifest, wanted is operator" in calico.fails(**source("v3.28.5"))
        for version in ("v3.31.7", "v3.32.1"):
            assert "DaemonSet 'kube-system/calico-node'" in changed_in(calico.succeeds(**source(version, "manifest")))
        assert calico.succeeds(**source("v3.32.1", "manifest"))["changed"] is False
        assert calico.succeeds(state="absent", wait_timeout=60)["changed"] is True
    assert not list(client.list("apps/v1", "DaemonSet"))


WHERE: dict[str, Any] = {
    "tolerations": [{"key": "dedicated", "operator": "Exists"}],
    "node_selector": {"network": "calico"},
    "resources": {"requests": {"cpu": "150m"}, "limits": {"memory": "1Gi"}},
    "control_plane_tolerations": [{"key": "infra", "operator": "Equal", "value": "yes", "effect": "NoSchedule"}],
    "control_plane_node_selector": {"infra": "yes"},
    "control_plane_resources": {"limits": {"memory": "256Mi"}},
    "typha_tolerations": [{"operator": "Exists"}],
    "typha_node_selector": {"infra": "yes"},
    "typha_resources": {"requests": {"cpu": "50m"}},
}
DIGEST = f"sha256:{'0' * 64}"


def test_manifest_mode_says_where_pods_run_and_where_images_come_from(empty: str, tmp_path: Path) -> None:
    calico, client = module(empty), connect({"kubeconfig": empty})
    given = source("v3.32.1", "manifest")
    assert "Deployment 'calico-typha' is not in the manifest" in calico.fails(check=True, typha_replicas=2, **given)
    refused = calico.fails(check=True, digests={"felix": DIGEST}, **given)
    assert "digest of image 'felix': no such image is in the manifests" in refused
    quantity = calico.fails(check=True, resources={"limits": {"memory": "much"}}, **given)
    assert "DaemonSet 'kube-system/calico-node'" in quantity
    assert "quantities must match" in quantity
    with_typha = tmp_path / "typha.yaml"
    with_typha.write_text(yaml.safe_dump_all(typha("v3.32.1")))
    asked = {
        **given,
        **WHERE,
        "src": [*given["src"], str(with_typha)],
        "typha_replicas": 3,
        "registry": "registry.example.com:5000",
        "pull_secrets": ["regcred"],
        "digests": {"node": DIGEST},
    }
    with CalicoOperatorDouble(empty):
        made = state_matrix(calico, **asked)
        assert "registry.example.com:5000/calico/typha:v3.32.1" in made["images"]
        assert f"registry.example.com:5000/calico/node:v3.32.1@{DIGEST}" in made["images"]
        for kind, name, prefix in (
            ("DaemonSet", "calico-node", ""),
            ("Deployment", "calico-kube-controllers", "control_plane_"),
            ("Deployment", "calico-typha", "typha_"),
        ):
            pod = spec_of(client, ObjectRef("apps/v1", kind, name, "kube-system"))["template"]["spec"]
            assert pod["tolerations"] == WHERE[f"{prefix}tolerations"]
            assert pod["nodeSelector"] == {"kubernetes.io/os": "linux", **WHERE[f"{prefix}node_selector"]}
            assert pod["containers"][0]["resources"] == WHERE[f"{prefix}resources"]
            assert pod["imagePullSecrets"] == [{"name": "regcred"}]
        deployment = ObjectRef("apps/v1", "Deployment", "calico-typha", "kube-system")
        assert spec_of(client, deployment)["replicas"] == 3
        # Said no more, everything is upstream's again.
        assert calico.succeeds(**{**given, "src": asked["src"]})["changed"]
        pod = spec_of(client, ObjectRef("apps/v1", "DaemonSet", "calico-node", "kube-system"))["template"]["spec"]
        assert pod["containers"][0]["resources"] == {"requests": {"cpu": "250m"}}
        assert "imagePullSecrets" not in pod


def test_operator_mode_says_where_pods_run_and_where_images_come_from(operated: str) -> None:
    calico, client = module(operated), connect({"kubeconfig": operated})
    given = source("v3.31.7")
    assert "typha_replicas: 2 in mode operator" in calico.fails(check=True, typha_replicas=2, **given)
    assert "Say calico/node, and give a digest" in calico.fails(check=True, digests={"node": DIGEST}, **given)
    with CalicoOperatorDouble(operated):
        calico.succeeds(**given)
        digests = {"operator": DIGEST, "calico/node": DIGEST}
        asked = {**WHERE, "registry": "registry.example.com:5000", "pull_secrets": ["regcred"], "digests": digests}
        made = calico.succeeds(**asked, **given)
        assert {"object": "ImageSet 'calico-v3.31.7'", "action": "created"} in made["changes"]
        [operator] = made["images"]
        assert operator.startswith("registry.example.com:5000/tigera/operator:v1.")
        assert operator.endswith(f"@{DIGEST}")
        assert calico.succeeds(check=True, **asked, **given)["changed"] is False
        spec = spec_of(client, INSTALLATION)
        assert spec["controlPlaneTolerations"] == WHERE["control_plane_tolerations"]
        assert spec["controlPlaneNodeSelector"] == WHERE["control_plane_node_selector"]
        for name, prefix in (("calicoNodeDaemonSet", ""), ("typhaDeployment", "typha_")):
            pod = spec[name]["spec"]["template"]["spec"]
            assert pod["tolerations"] == WHERE[f"{prefix}tolerations"]
            assert pod["containers"][0]["resources"] == WHERE[f"{prefix}resources"]
        # Said no more, it is the operator's to decide again.
        assert calico.succeeds(**given)["changed"] is True
        assert "typhaDeployment" not in spec_of(client, INSTALLATION)


def test_peers_and_digests_that_are_not_named_any_more_go(operated: str) -> None:
    calico, client = module(operated), connect({"kubeconfig": operated})
    given = source("v3.31.7")
    peers = [{"name": f"rack-{one}", "spec": {"peerIP": f"192.0.2.{one}", "asNumber": 64512}} for one in (1, 2)]
    foreign = ObjectRef("crd.projectcalico.org/v1", "BGPPeer", "mine")
    with CalicoOperatorDouble(operated):
        calico.succeeds(bgp=True, bgp_peers=peers, digests={"calico/node": DIGEST}, **given)
        spec = {"peerIP": "192.0.2.9", "asNumber": 64512}
        client.create(
            {"apiVersion": foreign.api_version, "kind": "BGPPeer", "metadata": {"name": "mine"}, "spec": spec}
        )
        less = {"bgp": True, "bgp_peers": peers[:1], **given}
        gone = [
            {"object": "BGPPeer 'rack-2'", "action": "deleted"},
            {"object": "ImageSet 'calico-v3.31.7'", "action": "deleted"},
        ]
        for check in (True, False):
            changes = calico.succeeds(check=check, **less)["changes"]
            assert sorted((one for one in changes if one["action"] == "deleted"), key=str) == sorted(gone, key=str)
        assert calico.succeeds(**less)["changed"] is False
        left = {one["metadata"]["name"] for one in client.list(foreign.api_version, "BGPPeer")}
        assert left == {"rack-1", "mine"}, "somebody else's peer stays"
        assert pool(client, "default-ipv4-ippool")
        assert calico.succeeds(**given)["changed"] is True
        assert [one["metadata"]["name"] for one in client.list(foreign.api_version, "BGPPeer")] == ["mine"]
        client.delete(foreign, propagation="Background")


def test_calicos_state_is_read_from_its_objects(empty: str) -> None:
    info = Module("calico_info", {"kubeconfig": empty})
    assert "the API server serves no IPAMBlock" in info.fails()
    with CalicoOperatorDouble(empty):
        module(empty).succeeds(**source("v3.28.5", "manifest"))
    client = connect({"kubeconfig": empty})
    secondary = {"namespace": "shop", "pod": "gone", "node": "nowhere"}
    taken = {"allocations": [0, None], "attributes": [{"handle_id": "h", "secondary": secondary}], "unallocated": [1]}
    spec = {"cidr": "10.244.1.0/31", "affinity": "host:nowhere", "strictAffinity": False, "deleted": False, **taken}
    metadata = {"name": "10-244-1-0-31"}
    client.create({"apiVersion": "crd.projectcalico.org/v1", "kind": "IPAMBlock", "metadata": metadata, "spec": spec})
    for check in (True, False):
        seen = info.succeeds(check=check)
        assert [(pool["name"], pool["used"]) for pool in seen["pools"]] == [("default-ipv4-ippool", 1)]
        assert [(one["address"], one["reason"]) for one in seen["leaks"]] == [
            ("10.244.1.0", "node 'nowhere' is not there")
        ]
        assert (seen["changed"], seen["bgp_sessions"]) == (False, [])
