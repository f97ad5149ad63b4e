# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module network_policy_enforcement_info against a real API server; the node and its network are played."""

from __future__ import annotations

import base64
import time
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ObjectRef
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.waiting import wait_gone
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.probing import (
    CLIENT,
    NOT_IN,
    NOT_OUT,
    PLACE,
    SERVER,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.standins import MARK
from tests.support.modules import Module
from tests.support.played_network import PlayedNetwork

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient


@pytest.fixture
def network(api: str, tmp_path: Path) -> Iterator[PlayedNetwork]:
    with PlayedNetwork(api, tmp_path, MARK) as played:
        yield played


@pytest.fixture
def enforcement(api: str) -> Module:
    return Module("network_policy_enforcement_info", {"kubeconfig": api, "patience": 1, "timeout": 60})


@pytest.mark.parametrize(
    ("dropped", "idle"),
    [
        ({NOT_IN, NOT_OUT}, ""),
        ({NOT_IN}, "egress"),
        ({NOT_OUT}, "ingress"),
        (set(), "ingress and egress"),
    ],
)
def test_what_is_enforced_is_told_by_connections(
    network: PlayedNetwork, enforcement: Module, client: KubeClient, dropped: set[int], idle: str
) -> None:
    network.network = lambda _source, _destination, _protocol, port: "TIMEOUT" if port in dropped else ""
    told = enforcement.succeeds(check=True)
    assert (told["changed"], told["ingress"], told["egress"]) == (False, None, None)
    assert network.tried == [], "check mode runs nothing"
    done = enforcement.succeeds()
    assert (done["changed"], done["ingress"], done["egress"]) == (False, NOT_IN in dropped, NOT_OUT in dropped)
    warnings = str(done.get("warnings", ""))
    assert (f"policies for {idle} are stored and protect nothing" in warnings) == bool(idle), warnings
    assert {way[:2] for way in network.tried} == {(CLIENT, SERVER)}
    assert client.get(PLACE) is None, "nothing stays"


@pytest.fixture
def registry_secrets(client: KubeClient) -> Iterator[None]:
    metadata = {"name": "regcred", "namespace": "default"}
    kinds = {"regcred": "kubernetes.io/dockerconfigjson", "token": "Opaque"}
    data = {".dockerconfigjson": base64.b64encode(b'{"auths": {}}').decode()}
    for name, kind in kinds.items():
        client.apply(
            {"apiVersion": "v1", "kind": "Secret", "metadata": {**metadata, "name": name}, "type": kind, "data": data}
        )
    yield
    for name in kinds:
        client.delete(ObjectRef("v1", "Secret", name, "default"), propagation="Background")


@pytest.mark.usefixtures("registry_secrets")
def test_a_private_image_is_pulled_by_a_copy_of_the_secret(
    network: PlayedNetwork, enforcement: Module, client: KubeClient
) -> None:
    seen: list[tuple[Any, ...]] = []

    def look(*_way: Any) -> str:
        copy = client.get(ObjectRef("v1", "Secret", "regcred", PLACE.name)) or {}
        pod = client.get(ObjectRef("v1", "Pod", SERVER, PLACE.name)) or {}
        seen.append((copy.get("type"), pod["spec"].get("imagePullSecrets")))
        return ""

    network.network = look
    enforcement.succeeds(pull_secrets=["default/regcred"])
    assert set(map(str, seen)) == {str(("kubernetes.io/dockerconfigjson", [{"name": "regcred"}]))}
    assert client.get(PLACE) is None, "the copy goes with the pods"
    missing = enforcement.fails(pull_secrets=["default/nothing"])
    assert "Secret 'default/nothing': it is not there; expected a Secret for the registry" in missing
    assert "Secret 'default/token': its type is Opaque; expected kubernetes.io/dockerconfigjson" in enforcement.fails(
        pull_secrets=["default/token"]
    )
    assert client.get(PLACE) is None, "nothing was made for a Secret that does not serve"


def test_policies_may_take_their_time(network: PlayedNetwork, enforcement: Module) -> None:
    network.network = lambda *way: "TIMEOUT" if way[3] in {NOT_IN, NOT_OUT} and network.tried.count(way) > 2 else ""
    done = enforcement.succeeds(patience=30)
    assert (done["ingress"], done["egress"]) == (True, True)


def test_pods_that_do_not_reach_each_other_prove_nothing(
    network: PlayedNetwork, enforcement: Module, client: KubeClient
) -> None:
    network.network = lambda *_way: "TIMEOUT"
    message = enforcement.fails()
    assert "connection between two pods of netops-enforcement-probe: denied for 1 s (TIMEOUT)" in message
    assert "Test the pod network first" in message
    left = client.get(PLACE)
    assert left is None or left["metadata"]["deletionTimestamp"]


def test_pods_that_never_run_are_named(network: PlayedNetwork, enforcement: Module, client: KubeClient) -> None:
    # Of the test before, which does not wait for it.
    wait_gone(client, [PLACE], time.monotonic() + 60.0)
    network.broken = {SERVER}
    assert f"{PLACE.name}/{SERVER}: phase Pending" in enforcement.fails(timeout=3)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"patience": "long"}, "cannot be converted to an int"),
        (
            {"pull_secrets": ["regcred"]},
            "pull_secrets 'regcred': it is no Secret of a namespace; expected NAMESPACE/NAME",
        ),
        ({"patience": -1}, "patience: it is -1; expected 0 or more"),
        ({"timeout": 0}, "timeout: it is 0; expected 1 or more"),
        ({"kubeconfig": "/nowhere"}, "/nowhere"),
    ],
)
def test_bad_input_is_named(enforcement: Module, options: dict[str, Any], said: str) -> None:
    assert said in enforcement.fails(**options)
