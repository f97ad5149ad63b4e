# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role network_policy on a cluster whose CNI enforces policies, while every workload opens connections all the time.

What the impact report names must end, and nothing else may: not one connection, in no step of the roll-out.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.apply import apply_all
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import connect
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ObjectRef, ref_of
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.waiting import wait_gone, wait_ready
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.baseline import SYSTEM_NAMESPACES
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.cluster import called, surroundings
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.everywhere import everywhere, subject_of
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.explain import Reachability
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.inventory import inventory
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.sources import live
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.templates import PROFILES, in_each, policies
from tests.nodes.conftest import PLAYBOOKS
from tests.nodes.outage import Client, Flow, connecting
from tests.nodes.plays import ROLE, run, succeeds
from tests.nodes.pods import PATIENCE, PORT, Running, Wanted, Way, cluster_ip, pod, start, until
from tests.support.modules import Module
from tests.testbed.settings import Node

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient
    from tests.testbed.bed import Bed

# One cluster serves them all, in this order.
pytestmark = pytest.mark.xdist_group("network_policy_rollout")

FIRST, SECOND = Node(1), Node(2)
SHOP, DATA, ELSEWHERE, MONITORING, INGRESS = SPACES = tuple(
    f"rollout-{name}" for name in ("shop", "data", "elsewhere", "monitoring", "ingress")
)
PODS = {
    SHOP: (Wanted("web", FIRST), Wanted("cart", SECOND)),
    DATA: (Wanted("database", SECOND),),
    ELSEWHERE: (Wanted("stranger", FIRST), Wanted("legacy", SECOND)),
    MONITORING: (Wanted("prometheus", SECOND),),
    INGRESS: (Wanted("proxy", FIRST),),
}
API, DNS, KUBELET = "10.96.0.1:443", "10.96.0.10:53", 10250
# Fifty flows at once, on machines that are slow.
STEP = 1.0
# What a CNI takes until it enforces a change, with some to spare, and how many connections show that a flow has ended.
SETTLED, ENDED = 20.0, 8
NAMED = {"kubernetes.io/metadata.name": DATA}
CUSTOM = [
    {
        "name": "allow-shop-to-data",
        "ingress": [
            {
                "from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": SHOP}}}],
                "ports": [{"port": PORT}],
            }
        ],
        "egress": [{"to": [{"namespaceSelector": {"matchLabels": NAMED}}], "ports": [{"port": PORT}]}],
    }
]
BASELINE: dict[str, Any] = {
    "profile": "zero-trust",
    "ingress_namespaces": [INGRESS],
    "monitoring_namespaces": [MONITORING],
    "custom_policies": CUSTOM,
}


@dataclass(frozen=True)
class Asked:
    """A flow of the test: who connects to whom, and by what address.

    :param source: ``NAMESPACE/POD``, or the name of a node.
    :param destination: likewise; empty for what is no workload of the test.
    :param target: ``ADDRESS:PORT``.
    """

    source: str
    destination: str
    target: str

    def __str__(self) -> str:
        return f"{self.source} > {self.destination or self.target} at {self.target}"


@dataclass(frozen=True)
class Scene:
    """The workloads, and the flows between them."""

    bed: Bed
    client: KubeClient
    pods: dict[str, Running]
    flows: tuple[Asked, ...]

    def clients(self) -> list[Client]:
        """Who opens the connections: one for each source."""
        by_source: dict[str, dict[str, str]] = {}
        for flow in self.flows:
            by_source.setdefault(flow.source, {})[str(flow)] = flow.target
        nodes = {node.name: node for node in self.bed.nodes}
        return [
            Client(nodes[name], targets, step=STEP)
            if name in nodes
            else Client(self.pods[name].node, targets, self.pods[name].network_namespace, STEP)
            for name, targets in by_source.items()
        ]

    def log(self, file: Path) -> Path:
        """All flows as Calico's flow logs have them: a Service is told by the pod behind it."""
        lines = [json.dumps(self._entry(flow)) for flow in self.flows]
        file.write_text("\n".join(lines) + "\n")
        return file

    def _entry(self, flow: Asked) -> dict[str, Any]:
        entry: dict[str, Any] = {"action": "allow", "proto": "tcp"}
        entry["dest_port"] = PORT if flow.destination in self.pods else int(flow.target.rpartition(":")[2])
        for side, name in (("source", flow.source), ("dest", flow.destination)):
            namespace, _slash, pod_name = name.rpartition("/")
            address = self._address(name) if name else flow.target.rpartition(":")[0]
            entry |= {f"{side}_namespace": namespace or "-", f"{side}_name": pod_name, f"{side}_ip": address}
        return entry

    def _address(self, name: str) -> str:
        if name in self.pods:
            return self.pods[name].address
        return next(node.address for node in self.bed.nodes if node.name == name)


def flows(client: KubeClient, pods: dict[str, Running]) -> Iterator[Asked]:
    """Every workload with every other, directly and by its Service; the nodes with workloads; what everybody needs."""
    for name, running in pods.items():
        yield Asked(name, "", API)
        yield Asked(name, "", DNS)
        if name.startswith((SHOP, DATA)):
            # Not the pod's own node, which it always reaches.
            other = FIRST if running.node == SECOND else SECOND
            yield Asked(name, other.name, f"{other.address}:{KUBELET}")
        for destination, there in pods.items():
            if destination != name and (SHOP in f"{name}{destination}" or DATA in f"{name}{destination}"):
                yield Asked(name, destination, f"{there.address}:{PORT}")
    # By Services too, where one namespace is not the other's.
    for source, destination in (
        (f"{SHOP}/cart", f"{SHOP}/web"),
        (f"{SHOP}/cart", f"{DATA}/database"),
        (f"{ELSEWHERE}/stranger", f"{SHOP}/web"),
        (f"{INGRESS}/proxy", f"{DATA}/database"),
    ):
        namespace, _slash, service = destination.partition("/")
        yield Asked(source, destination, cluster_ip(client, namespace, service))
    for node in (FIRST, SECOND):
        for destination in (f"{SHOP}/web", f"{DATA}/database"):
            yield Asked(node.name, destination, f"{pods[destination].address}:{PORT}")


@pytest.fixture(scope="module")
def scene(enforcing: Bed) -> Scene:
    client = connect({"kubeconfig": str(enforcing.folder / "kubeconfig")})
    pods: dict[str, Running] = {}
    for namespace, wanted in PODS.items():
        for name, running in start(enforcing, client, namespace, wanted).items():
            pods[f"{namespace}/{name}"] = running
    return Scene(enforcing, client, pods, tuple(flows(client, pods)))


@pytest.fixture(scope="module")
def baseline(scene: Scene) -> Module:
    """The module itself, for what a play does not give back."""
    return Module("network_policy_baseline", {"kubeconfig": str(scene.bed.folder / "kubeconfig"), **BASELINE})


def variables(**more: Any) -> dict[str, Any]:
    """The role's, for both namespaces."""
    return {f"network_policy_{name}": value for name, value in {**BASELINE, "namespaces": [SHOP, DATA], **more}.items()}


def named_by(impact: list[dict[str, Any]], scene: Scene) -> set[str]:
    """The flows of the test that a report names, by Service or directly."""
    told = {(one["source"], one["destination"], one["port"]) for one in impact}
    nodes = {node.name for node in scene.bed.nodes}

    def shown(name: str) -> str:
        return f"node:{name}" if name in nodes else name

    found = set()
    for flow in scene.flows:
        port = PORT if flow.destination in scene.pods else int(flow.target.rpartition(":")[2])
        if (shown(flow.source), shown(flow.destination) or flow.target.rpartition(":")[0], port) in told:
            found.add(str(flow))
    return found


def told(seen: dict[str, Flow]) -> str:
    return "\n".join(f"{name}: {flow}" for name, flow in sorted(seen.items()))


def require_whole(seen: dict[str, Flow], names: set[str]) -> None:
    """Require that none of these flows lost a connection."""
    broken = {name: seen[name] for name in names if not seen[name].whole}
    assert not broken, told(broken)


def test_the_probe_sees_calico_enforce(scene: Scene) -> None:
    module = Module("network_policy_enforcement_info", {"kubeconfig": str(scene.bed.folder / "kubeconfig")})
    found = module.succeeds(timeout=90)
    assert (found["enforcer"], found["ingress"], found["egress"]) == ("Calico", True, True)


def test_the_gate_holds_before_anything_is_touched(scene: Scene, tmp_path: Path) -> None:
    asked = variables(flow_logs=[str(scene.log(tmp_path / "flows.json"))], max_broken=0)
    played = run(scene.bed.folder / "inventory", PLAYBOOKS / "network_policy.yml", **asked)
    assert played.status != 0
    assert "connections that work would break" in played.said
    assert list(scene.client.list("networking.k8s.io/v1", "NetworkPolicy")) == []


def test_a_roll_out_breaks_nothing_that_was_not_named(scene: Scene, baseline: Module, tmp_path: Path) -> None:
    log = [str(scene.log(tmp_path / "flows.json"))]
    impact = baseline.succeeds(check=True, namespaces=[SHOP, DATA], flow_logs=log)["impact"]
    named = named_by(impact, scene)
    assert {one["reason"] for one in impact} == {f"seen in {log[0]}"}, "the cluster's own needs are met"
    everything = {str(flow) for flow in scene.flows}
    with connecting(scene.bed, scene.clients()) as seen:
        time.sleep(SETTLED)
        play = PLAYBOOKS / "network_policy.yml"
        succeeds(scene.bed.folder / "inventory", play, **variables(flow_logs=log, batch_size=1, batch_wait=5))
        time.sleep(SETTLED)
    print(f"{len(everything)} flows, {len(named)} named\n{told(seen)}")
    require_whole(seen, everything - named)
    for name in named:
        attempts = seen[name].attempts
        assert not any(one.failed for one in attempts[:ENDED]), f"{name} did not work before: {seen[name]}"
        assert all(one.failed for one in attempts[-ENDED:]), f"{name} was named and goes on: {seen[name]}"
    # Both directions, both namespaces, directly and by a Service, to a node.
    assert {
        f"{ELSEWHERE}/stranger > {SHOP}/web",
        f"{SHOP}/web > {ELSEWHERE}/legacy",
        f"{DATA}/database > {FIRST.name}",
    } <= {name.partition(" at ")[0] for name in named}
    assert f"{SHOP}/cart > {DATA}/database" not in {name.partition(" at ")[0] for name in named}


def test_a_change_of_profile_and_the_way_back_lose_nothing(scene: Scene, tmp_path: Path) -> None:
    log = [str(scene.log(tmp_path / "flows.json"))]
    inventory_file = scene.bed.folder / "inventory"
    before = connections_that_work(scene)
    with connecting(scene.bed, scene.clients()) as seen:
        time.sleep(SETTLED / 2)
        wider = variables(flow_logs=log, profile="ingress-deny", max_broken=0)
        succeeds(inventory_file, PLAYBOOKS / "network_policy.yml", **wider)
        time.sleep(SETTLED)
        again = succeeds(inventory_file, PLAYBOOKS / "network_policy.yml", **wider)
        assert not any(again.changed.values()), again.said
        succeeds(inventory_file, ROLE, role_under_test="network_policy", entry_point="uninstall", **variables())
        time.sleep(SETTLED)
    print(told(seen))
    require_whole(seen, before)
    assert list(scene.client.list("networking.k8s.io/v1", "NetworkPolicy")) == []
    late = {name: flow for name, flow in seen.items() if any(one.failed for one in flow.attempts[-ENDED:])}
    assert not late, f"all works again: {told(late)}"


def connections_that_work(scene: Scene) -> set[str]:
    """The flows of the test that are not lost at the moment."""
    with connecting(scene.bed, scene.clients(), patience=3.0) as seen:
        time.sleep(5.0)
    return {name for name, flow in seen.items() if flow.whole}


NEEDY = "rollout-needy"


def test_a_batch_that_turns_a_pod_unready_is_undone(scene: Scene) -> None:
    """A workload that is ready only while it reaches another namespace."""
    client = scene.client
    needed = f"{scene.pods[f'{ELSEWHERE}/stranger'].address}:{PORT}"
    [wanted] = [Wanted("needy", SECOND)]
    made = pod(wanted, NEEDY)
    probe = {"exec": {"command": ["/agnhost", "connect", needed, "--timeout=2s"]}, "timeoutSeconds": 10}
    made["spec"]["containers"][0]["readinessProbe"] = {**probe, "periodSeconds": 2, "failureThreshold": 2}
    place = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NEEDY}}
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "tester", "namespace": NEEDY}}
    wait_gone(client, [ref_of(place)], time.monotonic() + PATIENCE)
    apply_all(client, [place, account, made], force=True, check=False)
    try:
        wait_ready(client, [made], PATIENCE)
        asked = variables(namespaces=[DATA, NEEDY], batch_size=1, batch_wait=30)
        played = run(scene.bed.folder / "inventory", PLAYBOOKS / "network_policy.yml", **asked)
        assert played.status != 0
        assert f"namespaces {NEEDY}: pods turned unready after the change: {NEEDY}/needy" in played.said, played.said
        left = {one["metadata"]["namespace"] for one in client.list("networking.k8s.io/v1", "NetworkPolicy")}
        assert left == {DATA}, "the batch before stays, this one is undone"
        wait_ready(client, [made], PATIENCE)
    finally:
        client.delete(ref_of(place), propagation="Background")
        succeeds(
            scene.bed.folder / "inventory",
            ROLE,
            role_under_test="network_policy",
            entry_point="uninstall",
            **variables(namespaces=[DATA, NEEDY]),
        )


NEWCOMER = "rollout-newcomer"


def test_calicos_own_policy_says_what_the_namespaced_ones_say(scene: Scene) -> None:
    """Calico's API server is not there, so the object is written where that one keeps it."""
    client = scene.client
    labelled = [SHOP, DATA]
    for name in labelled:
        label(client, name)
    listed = {one["metadata"]["name"] for one in client.list("v1", "Namespace")}
    around = surroundings(client, listed, list(called(client)), [INGRESS], [MONITORING])
    names = PROFILES["zero-trust"]
    subject = subject_of([], {"rollout": "yes"}, SYSTEM_NAMESPACES, labelled)
    (wide,) = everywhere("GlobalNetworkPolicy", subject, policies("", names, around, CUSTOM))
    stored = {**wide, "apiVersion": "crd.projectcalico.org/v1"}
    apart = [one for _name, some in in_each(labelled, names, around, CUSTOM) for one in some]
    said = Reachability(inventory([*live(client), *apart]))
    expected: dict[Way, str] = {}
    for source, one in scene.pods.items():
        for destination, other in scene.pods.items():
            if source != destination and any(space in f"{source} {destination}" for space in labelled):
                verdict = said.reachable(source, destination, "TCP", PORT).verdict
                expected[Way(one, f"{other.address}:{PORT}")] = {"allowed": "open", "denied": "timeout"}[verdict]
        expected[Way(one, API)] = "open"
    assert set(expected.values()) == {"open", "timeout"}
    try:
        apply_all(client, [stored], force=True, check=False)
        print(f"{len(expected)} connections as predicted after {until(scene.bed, expected, PATIENCE):.1f} s")
        # A namespace that comes later is under it at once, without another run.
        [late] = start(scene.bed, client, NEWCOMER, [Wanted("late", FIRST)]).values()
        stranger, proxy = (
            scene.pods[f"{space}/{name}"] for space, name in ((ELSEWHERE, "stranger"), (INGRESS, "proxy"))
        )
        target = f"{late.address}:{PORT}"
        until(scene.bed, {Way(stranger, target): "open", Way(proxy, target): "open"}, PATIENCE)
        label(client, NEWCOMER)
        until(scene.bed, {Way(stranger, target): "timeout", Way(proxy, target): "open"}, PATIENCE)
    finally:
        client.delete(ref_of(stored), propagation="Background")
        client.delete(ObjectRef("v1", "Namespace", NEWCOMER), propagation="Background")


def label(client: KubeClient, namespace: str) -> None:
    client.patch(ObjectRef("v1", "Namespace", namespace), {"metadata": {"labels": {"rollout": "yes"}}})
