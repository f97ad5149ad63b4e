# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module network_policy_baseline against a real API server."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
from typing import TYPE_CHECKING, Any, cast

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ref_of
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.baseline import plan
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.cluster import live_policies
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.explain import Reachability
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.inventory import inventory
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.model import PolicyError
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.relation import ports_at
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.rollout import Rollout
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.templates import (
    PROFILES,
    Surroundings,
    policies,
    transition,
)
from tests.support.modules import Module, state_matrix
from tests.support.mortal import Killed, Mortal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient
    from ansible_collections.netops.kubernetes.plugins.module_utils._policy.evaluate import Evaluation

NAMESPACES = [f"shop-{number}" for number in range(20)]


@pytest.fixture
def baseline(api: str, client: KubeClient) -> Iterator[Module]:
    for name in NAMESPACES:
        client.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {"team": "shop"}}})
    # The ring has no kubelet, so no pod takes its time to turn unready.
    module = Module("network_policy_baseline", {"kubeconfig": api, "batch_wait": 0})
    yield module
    module.succeeds(namespace_selector={"team": "shop"}, state="absent")


def live(client: KubeClient) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for policy in client.list("networking.k8s.io/v1", "NetworkPolicy"):
        found.setdefault(policy["metadata"]["namespace"], set()).add(policy["metadata"]["name"])
    return found


def test_state_matrix(baseline: Module, client: KubeClient) -> None:
    options: dict[str, Any] = {"namespace_selector": {"team": "shop"}, "profile": "zero-trust"}
    first = state_matrix(baseline, **options)
    assert first["namespaces"] == sorted(NAMESPACES)
    assert len(live(client)["shop-0"]) == 8
    assert "check that the policies protect anything" in str(first["warnings"])
    again = baseline.succeeds(**options)
    assert again["api_requests"] <= 0.15 * len(first["policies"])
    assert baseline.succeeds(state="absent", check=True, **options)["changed"] is True
    assert baseline.succeeds(state="absent", **options)["changed"] is True
    assert live(client) == {}
    assert baseline.succeeds(state="absent", **options)["changed"] is False


def test_the_policies_of_others_stay(baseline: Module, client: KubeClient) -> None:
    metadata = {"name": "theirs", "namespace": "shop-0"}
    body: dict[str, Any] = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata}
    client.create({**body, "spec": {"podSelector": {}}})
    baseline.succeeds(namespaces=["shop-0"])
    baseline.succeeds(namespaces=["shop-0"], state="absent")
    assert live(client)["shop-0"] == {"theirs"}
    client.raw("DELETE", "/apis/networking.k8s.io/v1/namespaces/shop-0/networkpolicies/theirs")


def test_what_manifest_applied_stays(baseline: Module, api: str, client: KubeClient) -> None:
    """The module puts the collection's mark on it, as the baseline does on its own."""
    manifest = Module("manifest", {"kubeconfig": api})
    metadata = {"name": "allow-db", "namespace": "shop-0"}
    spec = {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{}]}
    theirs = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}
    manifest.succeeds(definitions=[theirs])
    try:
        baseline.succeeds(namespaces=["shop-0"])
        baseline.succeeds(namespaces=["shop-0"], profile="zero-trust")
        assert "allow-db" in live(client)["shop-0"]
        custom = [{"name": "allow-db", "ingress": [{}]}]
        message = baseline.fails(namespaces=["shop-0"], custom_policies=custom)
        assert message.startswith("NetworkPolicy 'shop-0/allow-db': it is there and lacks the label netops.kubernetes/")
        baseline.succeeds(namespaces=["shop-0"], state="absent")
        assert live(client) == {"shop-0": {"allow-db"}}
    finally:
        manifest.succeeds(definitions=[theirs], state="absent")


def test_policies_from_before_the_label_are_the_baselines(baseline: Module, client: KubeClient) -> None:
    options: dict[str, Any] = {"namespaces": ["shop-0"], "profile": "zero-trust"}
    place = "/apis/networking.k8s.io/v1/namespaces/shop-0/networkpolicies"

    def take_the_label_away() -> None:
        body = {"metadata": {"labels": {"netops.kubernetes/baseline": None}}}
        for name in live(client)["shop-0"]:
            client.raw("PATCH", f"{place}/{name}", body=body, content_type="application/merge-patch+json")

    baseline.succeeds(**options)
    take_the_label_away()
    state_matrix(baseline, **options)
    labels = [one["metadata"]["labels"] for one in client.list("networking.k8s.io/v1", "NetworkPolicy", "shop-0")]
    assert all(one["netops.kubernetes/baseline"] == "network-policy" for one in labels)
    take_the_label_away()
    baseline.succeeds(state="absent", **options)
    assert live(client) == {}


def test_namespaces_that_are_not_chosen_any_more(baseline: Module, client: KubeClient) -> None:
    baseline.succeeds(namespaces=["shop-0", "shop-1", "shop-2"])
    before = live(client)
    told = baseline.succeeds(namespaces=["shop-0"])
    assert told["changed"] is False
    assert "that this run is not for: shop-1, shop-2. They stay" in str(told["warnings"])
    assert "that this run is not for" not in str(
        baseline.succeeds(namespaces=["shop-0"], deselected="keep").get("warnings")
    )
    assert live(client) == before
    options: dict[str, Any] = {"namespaces": ["shop-0"], "exclude_namespaces": ["shop-2"], "deselected": "remove"}
    state_matrix(baseline, **options)
    assert set(live(client)) == {"shop-0", "shop-2"}
    assert baseline.succeeds(state="absent")["namespaces"] == ["shop-0", "shop-2"]
    assert live(client) == {}


def test_an_edit_by_hand_is_repaired(baseline: Module, client: KubeClient) -> None:
    baseline.succeeds(namespaces=["shop-0"])
    path = "/apis/networking.k8s.io/v1/namespaces/shop-0/networkpolicies/default-deny-ingress"
    body: dict[str, Any] = {"spec": {"ingress": [{}]}}
    client.raw("PATCH", path, body=body, content_type="application/merge-patch+json")
    repaired = baseline.succeeds(namespaces=["shop-0"])
    assert repaired["policies"] == [{"object": "NetworkPolicy 'shop-0/default-deny-ingress'", "action": "changed"}]
    assert not client.raw("GET", path)["spec"].get("ingress")


def pod(namespace: str, name: str, address: str, **labels: str) -> dict[str, Any]:
    containers = [{"name": "c", "image": "example.com/c", "ports": [{"name": "http", "containerPort": 8080}]}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {"containers": containers, "automountServiceAccountToken": False},
        "status": {
            "phase": "Running",
            "podIP": address,
            "podIPs": [{"ip": address}],
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }


def run_pod(client: KubeClient, one: dict[str, Any]) -> None:
    """A pod as its kubelet would report it; the ring has no kubelet."""
    place = f"/api/v1/namespaces/{one['metadata']['namespace']}/pods"
    client.raw("POST", place, body={key: value for key, value in one.items() if key != "status"})
    report(client, one, one["status"])


def report(client: KubeClient, one: dict[str, Any], status: dict[str, Any]) -> None:
    path = f"/api/v1/namespaces/{one['metadata']['namespace']}/pods/{one['metadata']['name']}/status"
    client.raw("PATCH", path, body={"status": status}, content_type="application/merge-patch+json")


def remove_pod(client: KubeClient, one: dict[str, Any]) -> None:
    path = f"/api/v1/namespaces/{one['metadata']['namespace']}/pods/{one['metadata']['name']}"
    client.raw("DELETE", path, body={"gracePeriodSeconds": 0})


def traffic(some: list[dict[str, Any]]) -> list[Any]:
    """What a namespace's policies let through, to compare."""
    pods = [pod("shop", "web", "10.1.0.1"), pod("other", "web", "10.1.1.1")]
    here = [{**one, "metadata": {**one["metadata"], "namespace": "shop"}} for one in some]
    evaluation = Reachability(inventory([*pods, *here])).evaluation()
    return [sorted(by_ports(evaluation, place).items()) for place in range(len(evaluation.universe.parties))]


def by_ports(evaluation: Evaluation, place: int) -> dict[str, list[str]]:
    parties = evaluation.universe.parties
    ports = evaluation.universe.ports
    seen = {str(parties[source]): ports_at(evaluation.column(place), source) for source in range(len(parties))}
    return {f"{source} > {parties[place]}": ports.show(mask) for source, mask in seen.items() if mask}


def test_killed_at_any_moment_no_namespace_lacks_its_allows(baseline: Module, client: KubeClient) -> None:
    options: dict[str, Any] = {"namespaces": NAMESPACES, "profile": "zero-trust"}
    baseline.succeeds(**options)
    full = list(client.list("networking.k8s.io/v1", "NetworkPolicy", "shop-0"))
    whole, nothing = traffic(full), traffic([])
    baseline.succeeds(state="absent", **options)
    partial = 0
    for state in ("present", "absent") * 2:
        process = subprocess.Popen(baseline.command(), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        assert process.stdin
        before = sum(map(len, live(client).values()))
        process.stdin.write(baseline.arguments(state=state, **options).encode())
        process.stdin.close()
        deadline = time.monotonic() + 30
        while sum(map(len, live(client).values())) == before and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        left: dict[str, list[dict[str, Any]]] = {}
        for policy in client.list("networking.k8s.io/v1", "NetworkPolicy"):
            left.setdefault(policy["metadata"]["namespace"], []).append(policy)
        for some in left.values():
            partial += len(some) != len(full)
            assert traffic(some) in (whole, nothing), names_of(some)
        baseline.succeeds(state=state, **options)
        assert live(client) == ({} if state == "absent" else {name: names_of(full) for name in NAMESPACES})
    assert partial, "never seen half-way"


def names_of(some: list[dict[str, Any]]) -> set[str]:
    return {one["metadata"]["name"] for one in some}


@pytest.mark.parametrize(
    ("old", "new"),
    [((), "zero-trust"), ("zero-trust", "ingress-deny"), ("ingress-deny", "zero-trust"), ("zero-trust", ())],
)
@pytest.mark.usefixtures("baseline")
def test_killed_before_every_write(client: KubeClient, old: Any, new: Any) -> None:
    """What stands then allows what was allowed, what will be, or both; and a run from there ends as it should."""
    space = "shop-0"
    around = Surroundings(dns_addresses=("10.96.0.10",), node_addresses=("192.0.2.1",), ingress_namespaces=("ingress",))

    def wanted(profile: Any) -> list[dict[str, Any]]:
        return policies(space, PROFILES[profile], around) if profile else []

    def standing() -> list[dict[str, Any]]:
        return list(client.list("networking.k8s.io/v1", "NetworkPolicy", space))

    def reach(profile: Any) -> list[dict[str, Any]]:
        Rollout(client).carry_out(plan(live_policies(client), {space: wanted(profile)}))
        return standing()

    ends = [reach(old), reach(new)]
    bridge = transition(space, [one["spec"] for one in (*ends[0], *ends[1])])
    right = [traffic(ends[0]), traffic(ends[1]), traffic([*ends[0], *ends[1], bridge])]
    step, seen = 0, set()
    while True:
        reach(old)
        changes = plan(live_policies(client), {space: wanted(new)})
        try:
            Rollout(cast("KubeClient", Mortal(client, step, {"apply", "delete"}))).carry_out(changes)
        except Killed:
            left = standing()
            seen.add(right.index(traffic(left)))
            assert traffic(reach(new)) == right[1], names_of(left)
            step += 1
            continue
        break
    # The bridge comes and goes, and between the two is every policy that changes.
    assert step == len(changes[0].steps) >= 6
    assert 0 in seen
    assert traffic(standing()) == right[1]


@pytest.fixture
def shop(baseline: Module, client: KubeClient) -> Iterator[Module]:
    """A web server that a data base in another namespace asks, by a flow log, and a DNS."""
    pods = [pod("shop-0", "web", "10.1.0.1", app="web"), pod("shop-1", "db", "10.1.0.2", app="db")]
    for one in pods:
        run_pod(client, one)
    yield baseline
    for one in pods:
        remove_pod(client, one)


FLOW = {
    "flow": {
        "verdict": "FORWARDED",
        "IP": {"source": "10.1.0.2", "destination": "10.1.0.1"},
        "l4": {"TCP": {"source_port": 40000, "destination_port": 8080}},
        "source": {"namespace": "shop-1", "pod_name": "db"},
        "destination": {"namespace": "shop-0", "pod_name": "web"},
    }
}


def test_what_would_break_is_told_and_stops_it(shop: Module, client: KubeClient, tmp_path: Path) -> None:
    log = tmp_path / "flows.json"
    log.write_text(json.dumps(FLOW) + "\n")
    options: dict[str, Any] = {"namespaces": ["shop-0"], "flow_logs": [str(log)]}
    for check in (True, False):
        message = shop.fails(check=check, max_broken=0, **options)
        assert message.startswith("baseline: 1 connections that work would break (shop-0 1): the first is shop-1/db > ")
        assert "no rule of these allows it; expected at most 0 (max_broken). Allow them by a custom policy" in message
    assert live(client) == {}
    shown = shop.succeeds(check=True, diff=True, **options)
    assert "impact: 1 connections that work would break (shop-0 1): shop-1/db > shop-0/web TCP" in str(
        shown["warnings"]
    )
    assert shown["diff"][0]["prepared"].startswith("breaks by policies of namespace shop-0:\n  shop-1/db > shop-0/web")
    told = shown["impact"]
    assert [(one["namespace"], one["port"], one["reason"]) for one in told] == [("shop-0", 8080, f"seen in {log}")]
    peers = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "shop-1"}}}]
    custom = [{"name": "allow-db", "ingress": [{"from": peers, "ports": [{"port": "http"}]}]}]
    done = shop.succeeds(max_broken=0, custom_policies=custom, **options)
    assert done["impact"] == []
    assert "allow-db" in live(client)["shop-0"]
    assert shop.succeeds(max_broken=0, custom_policies=custom, **options)["changed"] is False


def test_what_is_behind_a_service_without_a_selector_is_told(shop: Module, client: KubeClient) -> None:
    place = {"name": "outer", "namespace": "shop-0"}
    service: dict[str, Any] = {"apiVersion": "v1", "kind": "Service", "metadata": place}
    ports = [{"name": "http", "port": 80}]
    service["spec"] = {"type": "NodePort", "externalTrafficPolicy": "Local", "ports": ports}
    labels = {"kubernetes.io/service-name": "outer"}
    piece: dict[str, Any] = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4"}
    piece |= {"metadata": {**place, "labels": labels}, "endpoints": [{"addresses": ["10.1.0.1"]}]}
    piece["ports"] = [{"name": "http", "port": 8080, "protocol": "TCP"}]
    for one in (service, piece):
        client.apply(one)
    try:
        told = shop.succeeds(check=True, namespaces=["shop-0"])["impact"]
        assert [(one["destination"], one["port"]) for one in told] == [("shop-0/web", 8080)]
        assert told[0]["reason"] == "NodePort of Service shop-0/outer"
    finally:
        for one in (piece, service):
            client.delete(ref_of(one), propagation="Background")


def test_a_batch_that_turns_pods_unready_is_undone(shop: Module, client: KubeClient) -> None:
    shop.succeeds(namespaces=["shop-0"], policies=["allow-nodes"])
    web = pod("shop-0", "web", "10.1.0.1")

    def turn() -> None:
        """What a kubelet reports when its probes no longer get through."""
        deadline = time.monotonic() + 60
        while "default-deny-ingress" not in live(client).get("shop-0", set()) and time.monotonic() < deadline:
            time.sleep(0.05)
        report(client, web, {"conditions": [{"type": "Ready", "status": "False"}]})

    kubelet = threading.Thread(target=turn)
    kubelet.start()
    message = shop.fails(namespaces=["shop-0", "shop-1"], profile="zero-trust", batch_size=1, batch_wait=6)
    kubelet.join()
    assert message.startswith("namespaces shop-0: pods turned unready after the change: shop-0/web; expected pods as")
    assert live(client) == {"shop-0": {"allow-nodes"}}, "as it was, and the next batch never begun"


def test_a_pod_that_was_replaced_meanwhile_counts(shop: Module, client: KubeClient) -> None:
    """A workload's pod goes during the change, and the one that comes for it is never ready; by the defaults."""
    # Of a kind that the garbage collector does not know, so it does not miss the owner.
    owner = {"apiVersion": "example.com/v1", "kind": "Rollout", "name": "cart", "uid": "1a", "controller": True}

    def cart(name: str, *, ready: bool) -> dict[str, Any]:
        one = pod("shop-0", name, "10.1.0.9")
        one["metadata"]["ownerReferences"] = [owner]
        one["status"]["conditions"] = [{"type": "Ready", "status": str(ready)}]
        return one

    first, second = cart("cart-x", ready=True), cart("cart-y", ready=False)
    run_pod(client, first)

    def replace() -> None:
        deadline = time.monotonic() + 60
        while "default-deny-ingress" not in live(client).get("shop-0", set()) and time.monotonic() < deadline:
            time.sleep(0.05)
        remove_pod(client, first)
        run_pod(client, second)

    controller = threading.Thread(target=replace)
    controller.start()
    message = shop.fails(namespaces=["shop-0"], batch_wait=6)
    controller.join()
    remove_pod(client, second)
    assert "pods turned unready after the change: Rollout shop-0/cart (0 of 1 ready, 1 before)" in message
    assert live(client) == {}


def test_healthy_batches_go_on(shop: Module, client: KubeClient) -> None:
    shop.succeeds(namespaces=["shop-0", "shop-1", "shop-2"], batch_size=2)
    assert set(live(client)) == {"shop-0", "shop-1", "shop-2"}


def test_what_somebody_else_writes_meanwhile_is_kept_and_reported(baseline: Module, client: KubeClient) -> None:
    baseline.succeeds(namespaces=["shop-0"], policies=["allow-nodes", "allow-all-egress"])
    wanted = policies("shop-0", ["allow-nodes"], Surroundings(node_addresses=("192.0.2.99",)))
    seen = live_policies(client)
    path = "/apis/networking.k8s.io/v1/namespaces/shop-0/networkpolicies/"
    for name, changes in (
        ("allow-nodes", plan(seen, {"shop-0": [*wanted, *policies("shop-0", ["allow-all-egress"], Surroundings())]})),
        ("allow-all-egress", plan(live_policies(client), {"shop-0": policies("shop-0", [], Surroundings())})),
    ):
        body: dict[str, Any] = {"metadata": {"labels": {"edited": "by-hand"}}}
        client.raw("PATCH", path + name, body=body, content_type="application/merge-patch+json")
        with pytest.raises(
            PolicyError, match=rf"NetworkPolicy 'shop-0/{name}': somebody else wrote it during this run"
        ):
            Rollout(client).carry_out(changes)
        assert client.raw("GET", path + name)["metadata"]["labels"]["edited"] == "by-hand"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"namespaces": ["nowhere"]}, "namespace 'nowhere': it is not there"),
        ({"profile": "paranoid"}, "value of profile must be one of"),
        ({"policies": ["deny"]}, "value of policies must be one or more of"),
        ({"namespaces": ["shop-0"], "custom_policies": [{"name": "x"}]}, "custom policy 'x': it has no rules"),
        ({"custom_policies": [{"ingress": []}]}, "missing required arguments: name found in custom_policies"),
        ({"namespaces": ["shop-0"], "flow_logs": ["/nowhere"]}, "flow log '/nowhere': it cannot be read"),
        ({"max_broken": "many"}, "argument 'max_broken' is of type str"),
        ({"max_broken": -1}, "max_broken: it is -1; expected 0 or more"),
        ({"batch_size": -1}, "batch_size: it is -1; expected 0 or more"),
        ({"batch_size": 1, "batch_wait": -1}, "batch_wait: it is -1; expected 0 or more"),
        ({"namespace_selector": {"team": 7}}, "namespace_selector 'team': it is 7; expected a text. Put it in quotes"),
        ({"namespace_selector": {"team": True}}, "namespace_selector 'team': it is True; expected a text"),
        ({"custom_policies": [{"name": "Mail", "egress": []}]}, "custom policy 'Mail': it cannot be the name of an"),
        ({"custom_policies": [{"name": "-mail", "egress": []}]}, "custom policy '-mail': it cannot be the name"),
        ({"custom_policies": [{"name": "m" * 254, "egress": []}]}, "it cannot be the name of an object"),
        ({"custom_policies": [{"name": "mail", "egress": "all"}]}, "Elements value for option 'egress'"),
        ({"namespaces": ["shop-0"], "flow_logs": ["/"]}, "flow log '/': it cannot be read"),
        ({"state": "gone"}, "value of state must be one of"),
        ({"deselected": "forget"}, "value of deselected must be one of"),
        ({"cluster_wide": "NetworkPolicy"}, "value of cluster_wide must be one of"),
        ({"namespaces": {"shop": 1}}, "argument 'namespaces' is of type dict"),
        ({"host": "https://127.0.0.1:9", "validate_certs": False}, "API server https://127.0.0.1:9"),
    ],
)
def test_bad_input_is_named(baseline: Module, options: dict[str, Any], message: str) -> None:
    assert message in baseline.fails(**options)


# ---- cluster-wide ----------------------------------------------------------------------------------------------------


def wide(client: KubeClient) -> set[str]:
    return {one["metadata"]["name"] for one in client.list("policy.networking.k8s.io/v1alpha2", "ClusterNetworkPolicy")}


@pytest.mark.usefixtures("cluster_policies")
def test_one_policy_for_namespaces_that_are_there_and_that_come(shop: Module, client: KubeClient) -> None:
    chosen = NAMESPACES[:2]
    options: dict[str, Any] = {"namespaces": chosen, "profile": "zero-trust", "cluster_wide": "detect"}
    first = state_matrix(shop, **options)
    assert first["namespaces"] == chosen
    assert wide(client) == {"netops-baseline", *(f"netops-baseline-{name}" for name in chosen)}
    assert live(client) == {}
    assert shop.succeeds(namespaces=chosen[:1], profile="zero-trust", cluster_wide="detect")["changed"] is True
    assert wide(client) == {"netops-baseline", "netops-baseline-shop-0"}
    assert shop.succeeds(state="absent", check=True, **options)["changed"] is True
    assert shop.succeeds(state="absent", **options)["changed"] is True
    assert wide(client) == set()
    assert shop.succeeds(state="absent", **options)["changed"] is False


@pytest.mark.usefixtures("cluster_policies")
def test_what_a_cluster_wide_policy_would_break_is_told(shop: Module, client: KubeClient, tmp_path: Path) -> None:
    log = tmp_path / "flows.json"
    log.write_text(json.dumps(FLOW) + "\n")
    options: dict[str, Any] = {"namespaces": ["shop-0"], "flow_logs": [str(log)]}
    options["cluster_wide"] = "ClusterNetworkPolicy"
    message = shop.fails(max_broken=0, **options)
    assert "denied in the baseline tier by ClusterNetworkPolicy 'netops-baseline' ingress" in message
    assert wide(client) == set()


def older(client: KubeClient, kind: str) -> set[str]:
    return {one["metadata"]["name"] for one in client.list("policy.networking.k8s.io/v1alpha1", kind)}


@pytest.mark.usefixtures("cluster_policies")
@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("AdminNetworkPolicy", {"netops-baseline", "netops-baseline-shop-0"}),
        ("BaselineAdminNetworkPolicy", {"default"}),
    ],
)
def test_the_older_kinds_by_name(shop: Module, client: KubeClient, kind: str, names: set[str]) -> None:
    options: dict[str, Any] = {"namespaces": ["shop-0"], "profile": "zero-trust", "cluster_wide": kind}
    state_matrix(shop, **options)
    assert older(client, kind) == names
    assert wide(client) == set()
    assert shop.succeeds(state="absent", check=True, **options)["changed"] is True
    assert older(client, kind) == names
    assert shop.succeeds(state="absent", **options)["changed"] is True
    assert older(client, kind) == set()
    assert shop.succeeds(state="absent", **options)["changed"] is False


@pytest.mark.usefixtures("cluster_policies")
@pytest.mark.parametrize(
    ("kind", "tier"), [("AdminNetworkPolicy", "admin"), ("BaselineAdminNetworkPolicy", "baseline")]
)
def test_what_the_older_kinds_would_break_is_told(shop: Module, tmp_path: Path, kind: str, tier: str) -> None:
    log = tmp_path / "flows.json"
    log.write_text(json.dumps(FLOW) + "\n")
    options: dict[str, Any] = {"namespaces": ["shop-0"], "flow_logs": [str(log)], "cluster_wide": kind}
    assert f"denied in the {tier} tier by {kind}" in shop.fails(max_broken=0, **options)


@pytest.mark.usefixtures("cluster_policies")
def test_somebody_elses_only_baseline_is_kept(shop: Module, client: KubeClient) -> None:
    kind = "BaselineAdminNetworkPolicy"
    spec = {"subject": {"namespaces": {"matchLabels": {"team": "theirs"}}}}
    metadata = {"name": "default"}
    client.create({"apiVersion": "policy.networking.k8s.io/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec})
    try:
        message = shop.fails(namespaces=["shop-0"], cluster_wide=kind)
        assert message.startswith(f"{kind} 'default': it is there and lacks the label")
        assert shop.succeeds(namespaces=["shop-0"], cluster_wide=kind, state="absent")["changed"] is False
        assert older(client, kind) == {"default"}
    finally:
        client.raw("DELETE", "/apis/policy.networking.k8s.io/v1alpha1/baselineadminnetworkpolicies/default")


@pytest.mark.usefixtures("cluster_policies")
def test_the_only_baseline_that_manifest_applied_is_kept(shop: Module, api: str, client: KubeClient) -> None:
    kind = "BaselineAdminNetworkPolicy"
    spec = {"subject": {"namespaces": {"matchLabels": {"team": "theirs"}}}}
    metadata = {"name": "default"}
    theirs = {"apiVersion": "policy.networking.k8s.io/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec}
    manifest = Module("manifest", {"kubeconfig": api})
    manifest.succeeds(definitions=[theirs])
    try:
        message = shop.fails(namespaces=["shop-0"], cluster_wide=kind)
        assert message.startswith(f"{kind} 'default': it is there and lacks the label netops.kubernetes/baseline")
        assert shop.succeeds(namespaces=["shop-0"], cluster_wide=kind, state="absent")["changed"] is False
        assert older(client, kind) == {"default"}
    finally:
        manifest.succeeds(definitions=[theirs], state="absent")


@pytest.mark.usefixtures("cluster_policies")
def test_what_the_only_baseline_cannot_say_is_named(shop: Module) -> None:
    message = shop.fails(namespaces=NAMESPACES[:2], cluster_wide="BaselineAdminNetworkPolicy")
    assert message.startswith("BaselineAdminNetworkPolicy 'default': it cannot say 'the same namespace' of several")


@pytest.mark.parametrize("kind", ["GlobalNetworkPolicy", "StagedGlobalNetworkPolicy", "CiliumClusterwideNetworkPolicy"])
def test_a_kind_that_is_not_served_is_named(baseline: Module, kind: str) -> None:
    message = baseline.fails(namespaces=["shop-0"], cluster_wide=kind)
    assert message.startswith(f"cluster-wide baseline: this cluster does not serve {kind}; expected one of them")
