# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module network_policy_verify against a real API server; the node and its network are played."""

from __future__ import annotations

import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.standins import GATE, MARK
from tests.support.modules import Module
from tests.support.played_network import PlayedNetwork

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient

SHOP, STOCK, PLAIN = "verify-shop", "verify-stock", "verify-plain"
POLICY: dict[str, Any] = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "only-web", "namespace": STOCK},
    "spec": {
        "podSelector": {"matchLabels": {"app": "db"}},
        "policyTypes": ["Ingress"],
        "ingress": [
            {
                "from": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "web"}}}],
                "ports": [{"port": "sql"}],
            }
        ],
    },
}
WEB = {"namespace": SHOP, "labels": {"app": "web"}}
CRON = {"namespace": SHOP, "labels": {"app": "cron"}}
DB = {"namespace": STOCK, "labels": {"app": "db"}, "ports": [{"name": "sql", "port": 5432}]}
OPTIONS: dict[str, Any] = {"workloads": [WEB, CRON, DB], "recheck_seconds": 1, "timeout": 30}
WEB_POD, CRON_POD, DB_POD = (f"netops-stand-in-{number}" for number in (1, 2, 3))


def enforced(source: str, destination: str, protocol: str, port: int) -> str:
    """What becomes of connections where the policy is enforced."""
    return "" if destination != DB_POD or (source, protocol, port) == (WEB_POD, "TCP", 5432) else "TIMEOUT"


def ours(client: KubeClient) -> list[dict[str, Any]]:
    return list(client.list("v1", "Pod", label_selector=MARK))


@pytest.fixture
def network(api: str, client: KubeClient, tmp_path: Path) -> Iterator[PlayedNetwork]:
    # The strictest of the pod security standards: the API server refuses what is not made for it.
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    for name in (SHOP, STOCK):
        client.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
    client.apply(POLICY)
    with PlayedNetwork(api, tmp_path, MARK) as played:
        played.network = enforced
        yield played
        deadline = time.monotonic() + 30
        while ours(client):
            assert time.monotonic() < deadline, "stand-ins were left"
            time.sleep(0.1)


@pytest.fixture
def verify(api: str) -> Module:
    return Module("network_policy_verify", {"kubeconfig": api})


def test_check_mode_makes_nothing_and_runs_alike(network: PlayedNetwork, verify: Module, client: KubeClient) -> None:
    foreseen = verify.succeeds(check=True, **OPTIONS)
    assert foreseen["summary"] == ["check mode: nothing was tried"]
    assert not ours(client)
    assert not network.tried
    for _time in range(2):
        done = verify.succeeds(**OPTIONS)
        assert done["changed"] is False
        assert (
            done["stand_ins"]
            == foreseen["stand_ins"]
            == [f"{SHOP} (app=web)", f"{SHOP} (app=cron)", f"{STOCK} (app=db)"]
        )
        # Each of three is asked by two at 8080, and the data base at its own port as well.
        assert done["connections"] == 8
        assert done["disagreements"] == []
        assert done["summary"] == [
            "3 pods, 8 connections: 8 as predicted",
            "allowed: 5 predicted, 5 of them connected",
            "denied: 3 predicted, 0 of them connected",
        ]
        assert not ours(client), "they are gone when the task ends"
    assert len(network.tried) == 16, "what agrees is tried once"


@pytest.mark.parametrize(
    ("network_is", "wrong", "told"),
    [
        (
            lambda *_ways: "",
            3,
            f"ingress: isolated by NetworkPolicy '{STOCK}/only-web'; no rule of these allows it",
        ),
        (
            lambda *way: "REFUSED" if way == (WEB_POD, CRON_POD, "TCP", 8080) else enforced(*way),
            1,
            f"/{WEB_POD} to {SHOP}/{CRON_POD} at TCP 8080 over IPv4: predicted allowed, observed denied (REFUSED)",
        ),
        (
            lambda *way: "BROKEN" if way[0] == CRON_POD else enforced(*way),
            3,
            "observed unknown (it cannot be run: container not found (",
        ),
    ],
)
def test_every_disagreement_is_named_after_another_look(
    network: PlayedNetwork, verify: Module, network_is: Callable[..., str], wrong: int, told: str
) -> None:
    network.network = network_is
    done = verify(**OPTIONS)
    assert done["failed"]
    assert len(done["disagreements"]) == wrong, done
    assert f"{wrong} of 8 connections end otherwise than the policies say: " in done["msg"]
    assert told in done["msg"]
    assert all(network.tried.count(way) >= 2 for way in network.tried if enforced(*way) != network_is(*way))


def test_policies_may_take_their_time(network: PlayedNetwork, verify: Module) -> None:
    network.network = lambda *way: "" if network.tried.count(way) == 1 else enforced(*way)
    assert verify.succeeds(**OPTIONS)["disagreements"] == []
    assert len(network.tried) == 8 + 3


def test_a_policy_that_is_changed_meanwhile_is_read_again(
    network: PlayedNetwork, verify: Module, client: KubeClient
) -> None:
    def opened(*_way: Any) -> str:
        client.apply({**POLICY, "spec": {**POLICY["spec"], "ingress": [{}]}})
        return ""

    network.network = opened
    assert verify.succeeds(**OPTIONS)["disagreements"] == []


def test_stand_ins_disturb_nobody(network: PlayedNetwork, verify: Module, client: KubeClient) -> None:
    met: dict[str, dict[str, Any]] = {}

    # Several connections at once look at them.
    def look(*way: Any) -> str:
        met.update({} if met else {pod["metadata"]["uid"]: pod for pod in ours(client)})
        return enforced(*way)

    network.network = look
    verify.succeeds(**OPTIONS)
    seen = list(met.values())
    assert len(seen) == 3
    for pod in seen:
        [owner] = pod["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["controller"]) == ("Namespace", True), "nobody adopts it"
        assert {"conditionType": GATE} in pod["spec"]["readinessGates"], "no Service sends it anything"
        assert pod["spec"]["activeDeadlineSeconds"] > 0, "it ends by itself"
    database = next(pod for pod in seen if pod["metadata"]["namespace"] == STOCK)
    assert database["metadata"]["labels"] == {"app": "db", MARK: "true"}
    assert [one["ports"] for one in database["spec"]["containers"]] == [
        [{"containerPort": 5432, "name": "sql", "protocol": "TCP"}],
        [{"containerPort": 8080, "protocol": "TCP"}],
    ]


def test_killed_the_next_run_removes_what_it_left(network: PlayedNetwork, verify: Module, client: KubeClient) -> None:
    network.broken = {CRON_POD}
    process = subprocess.Popen(verify.command(), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    assert process.stdin
    process.stdin.write(verify.arguments(**OPTIONS).encode())
    process.stdin.close()
    deadline = time.monotonic() + 30
    while len(ours(client)) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    left = {pod["metadata"]["uid"] for pod in ours(client)}
    assert len(left) == 3
    network.broken = set()
    assert verify.succeeds(**OPTIONS)["connections"] == 8


def test_pods_that_never_run_are_named_and_removed(network: PlayedNetwork, verify: Module) -> None:
    network.broken = {CRON_POD}
    message = verify.fails(**{**OPTIONS, "timeout": 3})
    assert message.startswith("stand-ins: they do not all run after 3 s: verify-shop/netops-stand-in-2: phase Pending")


def test_running_pods_are_stood_for_one_for_each_kind(
    network: PlayedNetwork, verify: Module, client: KubeClient
) -> None:
    web = CRON_POD
    network.network = lambda *way: "" if way[1] != DB_POD or (way[0], way[3]) == (web, 5432) else "TIMEOUT"
    client.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": PLAIN}})
    for name, labels in (("web-1", {"app": "web", "pod": "1"}), ("web-2", {"app": "web", "pod": "2"}), ("tool", {})):
        body = {
            "metadata": {"name": name, "namespace": PLAIN, "labels": labels},
            "spec": {"containers": [{"name": "c", "image": "example.com/c"}]},
        }
        client.raw("POST", f"/api/v1/namespaces/{PLAIN}/pods", body=body)
    try:
        done = verify.succeeds(**{**OPTIONS, "workloads": [DB], "namespaces": [PLAIN]})
        # No policy looks at the label "pod".
        assert done["stand_ins"] == [f"{PLAIN}/tool", f"{PLAIN}/web-1", f"{STOCK} (app=db)"]
    finally:
        for name in ("web-1", "web-2", "tool"):
            client.raw("DELETE", f"/api/v1/namespaces/{PLAIN}/pods/{name}", body={"gracePeriodSeconds": 0})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "workloads to stand for: they are none; expected at least two, to connect to each other"),
        ({"workloads": [DB]}, f"workloads to stand for: there is only {STOCK} (app=db); expected at least two"),
        ({"namespaces": ["nowhere"]}, "namespace 'nowhere': it is not there"),
        ({"workloads": [{"namespace": "nowhere"}]}, "namespace 'nowhere': it is not there"),
        ({"workloads": [{"labels": {}}]}, "missing required arguments: namespace found in workloads"),
        ({"workloads": [WEB] * 51}, "workloads to stand for: they are 51; expected at most 50. Name fewer"),
        ({"timeout": 0}, "timeout: it is 0; expected 1 or more"),
        ({"recheck_seconds": -1}, "recheck_seconds: it is -1; expected 0 or more"),
        ({"ports": [{"port": 70000}]}, "port 70000: there is no such port; expected a number from 1 to 65535"),
        ({"workloads": [{**DB, "ports": [{"port": 0}]}]}, "port 0: there is no such port"),
        ({"ports": [{"port": 1, "protocol": "SCTP"}]}, "value of protocol must be one of: TCP, UDP, got: SCTP"),
        ({"ports": [{"port": "http"}]}, "argument 'port' is of type str found in 'ports'"),
        ({"workloads": [WEB, {**DB, "labels": {"app": "no such"}}]}, "Invalid value"),
        ({"workloads": [WEB, {**DB, "labels": {"a b": "c"}}]}, "Invalid value"),
        ({"workloads": [WEB, {**DB, "ports": [{"name": "NO", "port": 1}]}]}, "Invalid value"),
        ({"timeout": "long"}, "argument 'timeout' is of type str"),
        ({"host": "https://127.0.0.1:9", "validate_certs": False}, "API server https://127.0.0.1:9"),
    ],
)
def test_bad_input_is_named(network: PlayedNetwork, verify: Module, options: dict[str, Any], message: str) -> None:
    assert message in verify.fails(**{"timeout": 20, **options})
    assert not network.tried
