# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A roll-out node by node against a real API server and the real DaemonSet controller; only kubelets are played."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.config_map import CONFIG_MAP
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.configuration import edit
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.rollout import (
    DAEMON_SET,
    DIGEST,
    HELD,
    PENDING,
    PREVIOUS,
    Cluster,
    configure,
    proceed,
)
from tests.support.kube_proxy_objects import CONFIGURATION, objects
from tests.support.modules import Module
from tests.support.mortal import Killed, Mortal
from tests.support.played_kubelets import PlayedKubelets, nodes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient

OWN = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": "10%"}}
THREE = ("node-1", "node-2", "node-3")


def install(client: KubeClient) -> None:
    for obj in objects(pod={"nodeSelector": {"played": "yes"}}, updateStrategy=OWN):
        client.create(obj)


def remove(client: KubeClient) -> None:
    for ref in (DAEMON_SET, CONFIG_MAP):
        client.delete(ref, propagation="Background")
    pods = client.path("v1", "Pod", "kube-system")
    client.raw("DELETE", pods, query={"labelSelector": "k8s-app=kube-proxy"}, body={"gracePeriodSeconds": 0})


@pytest.fixture
def kubelets(api: str, client: KubeClient) -> Iterator[PlayedKubelets]:
    remove(client)
    install(client)
    try:
        with nodes(client, THREE, {"played": "yes"}), PlayedKubelets(api, "kube-system") as played:
            proceed(client, "restarted", THREE, check=False, timeout=300)
            yield played
    finally:
        remove(client)


@pytest.fixture
def config(api: str) -> Module:
    return Module("kube_proxy_config", {"kubeconfig": api, "restart": "held"})


@pytest.fixture
def rollout(api: str) -> Module:
    return Module("kube_proxy_rollout", {"kubeconfig": api, "wait_timeout": 90})


def digests(client: KubeClient) -> dict[str, str | None]:
    pods = client.list("v1", "Pod", "kube-system", "k8s-app=kube-proxy")
    return {pod["spec"]["nodeName"]: (pod["metadata"].get("annotations") or {}).get(DIGEST) for pod in pods}


def uids(client: KubeClient) -> set[str]:
    return {pod["metadata"]["uid"] for pod in client.list("v1", "Pod", "kube-system", "k8s-app=kube-proxy")}


def is_ended(client: KubeClient) -> bool:
    daemon_set, config_map = client.get(DAEMON_SET), client.get(CONFIG_MAP)
    assert daemon_set
    assert config_map
    notes = {**(daemon_set["metadata"].get("annotations") or {}), **config_map["metadata"]["annotations"]}
    return daemon_set["spec"]["updateStrategy"] == OWN and not {HELD, PENDING, PREVIOUS} & set(notes)


def test_one_node_after_the_other(
    kubelets: PlayedKubelets, config: Module, rollout: Module, client: KubeClient
) -> None:
    predicted = config.succeeds(check=True, mode="nftables")
    assert predicted["pending_nodes"] == list(THREE)
    held = config.succeeds(mode="nftables")
    assert held["pending_nodes"] == list(THREE)
    assert digests(client) == dict.fromkeys(THREE), "nobody restarts by himself"
    assert "3 nodes still run the configuration from before: node-1, node-2, node-3" in rollout.fails(state="finished")
    for number, node in enumerate(THREE, start=1):
        assert rollout.succeeds(check=True, state="restarted", nodes=[node])["restarted"] == [node]
        step = rollout.succeeds(diff=True, state="restarted", nodes=[node])
        assert step["restarted"] == [node]
        assert step["diff"]["before"] == f"kube-proxy on node {node} restarted\n"
        assert kubelets.deleted == list(THREE[:number])
        assert rollout.succeeds(state="restarted", nodes=[node])["changed"] is False
        assert config.succeeds(mode="nftables")["pending_nodes"] == list(THREE[number:])
    before = uids(client)
    assert rollout.succeeds(check=True, state="finished")["changed"] is True
    assert rollout.succeeds(state="finished")["changed"] is True
    assert is_ended(client)
    assert rollout.succeeds(state="finished")["changed"] is False
    again = config.succeeds(mode="nftables")
    assert (again["changed"], again["restarted"], again["pending_nodes"]) == (False, False, [])
    assert again["api_requests"] <= 3
    assert uids(client) == before


def test_a_change_that_kube_proxy_does_not_act_on_holds_nobody(
    kubelets: PlayedKubelets, config: Module, client: KubeClient
) -> None:
    first = config.succeeds(ipvs={"scheduler": "lc"})
    assert (first["changed"], first["restarted"], first["pending_nodes"]) == (True, False, [])
    assert is_ended(client)
    assert kubelets.deleted == []


def test_a_node_that_does_not_become_ready_is_reverted(
    kubelets: PlayedKubelets, config: Module, rollout: Module, client: KubeClient
) -> None:
    config.succeeds(mode="nftables")
    rollout.succeeds(state="restarted", nodes=["node-1"])
    kubelets.broken = {"node-2"}
    message = rollout.fails(state="restarted", nodes=["node-2"], wait_timeout=2)
    # Why not depends on how far it came.
    assert "kube-proxy on node 'node-2': after 2 s: " in message
    assert "expected a ready pod with the new configuration" in message
    kubelets.broken = set()
    assert rollout.succeeds(check=True, state="reverted", nodes=["node-2"])["pending_nodes"] == ["node-1", "node-2"]
    reverted = rollout.succeeds(state="reverted", nodes=["node-2"])
    assert (reverted["restarted"], reverted["pending_nodes"]) == (["node-2"], ["node-1"])
    config_map = client.get(CONFIG_MAP)
    assert config_map
    assert config_map["data"]["config.conf"] == CONFIGURATION
    assert [bool(digests(client)[node]) for node in THREE] == [True, False, False]
    assert rollout.succeeds(state="reverted", nodes=["node-1"])["pending_nodes"] == []
    assert rollout.succeeds(state="finished")["changed"] is True
    assert is_ended(client)
    assert digests(client) == dict.fromkeys(THREE)


def test_reverted_and_tried_again_leaves_the_nodes_that_have_it(
    kubelets: PlayedKubelets, config: Module, rollout: Module, client: KubeClient
) -> None:
    config.succeeds(mode="nftables")
    rollout.succeeds(state="restarted", nodes=["node-1", "node-2"])
    rollout.succeeds(state="reverted", nodes=["node-2"])
    assert config.succeeds(mode="nftables")["pending_nodes"] == ["node-2", "node-3"]
    rollout.succeeds(state="restarted", nodes=["node-2", "node-3"])
    rollout.succeeds(state="finished")
    assert is_ended(client)
    assert kubelets.deleted.count("node-1") == 1


def roll(client: Any, mode: str) -> None:
    """What the role does, without a pause."""
    wanted: dict[tuple[str, ...], Any] = {("mode",): mode}
    outcome = configure(
        client, lambda text, minor: edit(text, wanted, minor), wanted, held=True, check=False, wait_timeout=0
    )
    for node in outcome.pending_nodes:
        proceed(client, "restarted", [node], check=False, timeout=300)
    proceed(client, "finished", [], check=False, timeout=0)


def test_killed_at_every_step_and_run_again(kubelets: PlayedKubelets, client: KubeClient) -> None:
    """Whatever write it dies before, the next run ends in the wanted mode with the strategy given back."""
    step, modes = 0, ("nftables", "iptables")
    assert not kubelets.broken
    while True:
        mode = modes[step % 2]
        try:
            roll(Mortal(client, step), mode)
        except Killed:
            step += 1
            roll(client, mode)
        else:
            break
        assert is_ended(client)
        mark = Cluster(client).mark
        assert digests(client) == dict.fromkeys(THREE, mark)
        config_map = client.get(CONFIG_MAP)
        assert config_map
        assert f"mode: {mode}" in config_map["data"]["config.conf"]
    # ConfigMap, DaemonSet, three pods, strategy, marks.
    assert step == 7


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"state": "restarted", "nodes": ["node-9"]}, "node 'node-9': this cluster has none of that name"),
        ({"state": "restarted"}, "state is restarted but all of the following are missing: nodes"),
        ({"state": "reverted"}, "roll-out of kube-proxy: none is under way"),
        ({"state": "done"}, "value of state must be one of: restarted, finished, reverted"),
    ],
)
def test_bad_input_is_named(kubelets: PlayedKubelets, rollout: Module, options: dict[str, Any], message: str) -> None:
    assert message in rollout.fails(**options)
    assert kubelets.deleted == []


@pytest.mark.parametrize("count", [5, 50])
def test_the_books_of_many_nodes_are_linear(api: str, client: KubeClient, count: int) -> None:
    """A step asks for its own nodes' pods alone, whatever the cluster's size, and waits without asking again."""
    names = [f"many-{number}" for number in range(count)]
    remove(client)
    install(client)
    try:
        with nodes(client, names, {"played": "yes"}), PlayedKubelets(api, "kube-system"):
            # As patient as the slowest machine needs; how long it takes is not judged.
            proceed(client, "restarted", names, check=False, timeout=600)
            config = Module("kube_proxy_config", {"kubeconfig": api, "restart": "held"})
            held = config.succeeds(mode="nftables")
            assert len(held["pending_nodes"]) == count
            # ConfigMap and DaemonSet read and written, one page of pods.
            assert held["api_requests"] <= 6
            rollout = Module("kube_proxy_rollout", {"kubeconfig": api, "wait_timeout": 600})
            checked = rollout.succeeds(check=True, state="restarted", nodes=["many-3"])
            assert checked["restarted"] == ["many-3"]
            # DaemonSet, the node's pods.
            assert checked["api_requests"] == 2
            batch = rollout.succeeds(state="restarted", nodes=names[:5])
            assert batch["restarted"] == names[:5]
            # Each node's pods and a deletion; DaemonSet and one watch; where a watch ended early, another look.
            assert batch["api_requests"] <= 2 * 5 + 2 + (5 + 1)
            assert rollout.succeeds(state="restarted", nodes=names[:5])["api_requests"] == 5 + 1
            rollout.succeeds(state="restarted", nodes=names[5:])
            rollout.succeeds(state="finished")
            again = config.succeeds(mode="nftables")
            assert (again["changed"], again["pending_nodes"]) == (False, [])
            assert again["api_requests"] <= 3
    finally:
        remove(client)
