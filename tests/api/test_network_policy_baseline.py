# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module network_policy_baseline against a real API server."""

from __future__ import annotations

import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest
from tests.support.modules import Module, state_matrix

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient

NAMESPACES = [f"shop-{number}" for number in range(20)]


@pytest.fixture
def baseline(api: str, client: KubeClient) -> Iterator[Module]:
    for name in NAMESPACES:
        client.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {"team": "shop"}}})
    module = Module("network_policy_baseline", {"kubeconfig": api})
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


def test_an_edit_by_hand_is_repaired(baseline: Module, client: KubeClient) -> None:
    baseline.succeeds(namespaces=["shop-0"])
    path = "/apis/networking.k8s.io/v1/namespaces/shop-0/networkpolicies/default-deny-ingress"
    body: dict[str, Any] = {"spec": {"ingress": [{}]}}
    client.raw("PATCH", path, body=body, content_type="application/merge-patch+json")
    repaired = baseline.succeeds(namespaces=["shop-0"])
    assert repaired["policies"] == [{"object": "NetworkPolicy 'shop-0/default-deny-ingress'", "action": "changed"}]
    assert not client.raw("GET", path)["spec"].get("ingress")


def test_killed_at_any_moment_no_deny_is_without_its_allows(baseline: Module, client: KubeClient) -> None:
    options: dict[str, Any] = {"namespaces": NAMESPACES, "profile": "zero-trust"}
    partial = 0
    for state in ("present", "absent") * 3:
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
        for names in live(client).values():
            partial += 0 < len(names) < 8
            if any(name.startswith("default-deny") for name in names):
                assert sum(name.startswith("allow-") for name in names) == 6
        baseline.succeeds(state=state, **options)
    assert partial, "never seen half-way"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"namespaces": ["nowhere"]}, "namespace 'nowhere': it is not there"),
        ({"profile": "paranoid"}, "value of profile must be one of"),
        ({"policies": ["deny"]}, "value of policies must be one or more of"),
        ({"host": "https://127.0.0.1:9", "validate_certs": False}, "API server https://127.0.0.1:9"),
    ],
)
def test_bad_input_is_named(baseline: Module, options: dict[str, Any], message: str) -> None:
    assert message in baseline.fails(**options)
