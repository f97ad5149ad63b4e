# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What policies mean, from the table in semantics.yml; and that explanation, sets and verdict say the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.explain import (
    ALLOWED,
    DENIED,
    PARTLY,
    UNDEFINED,
    Reachability,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.inventory import inventory

TABLE = yaml.safe_load((Path(__file__).parent / "semantics.yml").read_text())
VERDICTS = (ALLOWED, DENIED, UNDEFINED, PARTLY)
GROUP = "policy.networking.k8s.io"
WIDE: dict[str, tuple[str, str, dict[str, Any]]] = {
    "cnp": ("ClusterNetworkPolicy", f"{GROUP}/v1alpha2", {"tier": "Admin", "priority": 10}),
    "anp": ("AdminNetworkPolicy", f"{GROUP}/v1alpha1", {"priority": 10}),
    "banp": ("BaselineAdminNetworkPolicy", f"{GROUP}/v1alpha1", {}),
}


def named(api_version: str, kind: str, name: str, namespace: str = "", **rest: Any) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, **({"namespace": namespace} if namespace else {})}
    metadata.update(rest.pop("metadata", {}))
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **rest}


def pod(place: str, how: dict[str, Any]) -> dict[str, Any]:
    namespace, name = place.split("/")
    ports = [
        {"name": port, "protocol": text.split()[0], "containerPort": int(text.split()[1])}
        for port, text in how.get("ports", {}).items()
    ]
    spec = {
        "nodeName": how["node"],
        "hostNetwork": how.get("host", False),
        "containers": [{"name": "c", "ports": ports}],
    }
    status = {"podIPs": [{"ip": one} for one in how["addresses"]]}
    return named("v1", "Pod", name, namespace, metadata={"labels": how.get("labels", {})}, spec=spec, status=status)


def cluster() -> list[dict[str, Any]]:
    written = TABLE["cluster"]
    found = [named("v1", "Namespace", name, metadata={"labels": one}) for name, one in written["namespaces"].items()]
    for name, node in written["nodes"].items():
        addresses = [{"type": "InternalIP", "address": one} for one in node["addresses"]]
        metadata = {"labels": node["labels"]}
        found.append(named("v1", "Node", name, metadata=metadata, status={"addresses": addresses}))
    return found + [pod(place, how) for place, how in written["pods"].items()]


def policies(case: dict[str, Any]) -> list[dict[str, Any]]:
    found = []
    for number, spec in enumerate(case.get("nps", [case["np"]] if "np" in case else [])):
        space = spec.get("namespace", "shop")
        inner = {key: value for key, value in spec.items() if key != "namespace"}
        found.append(named("networking.k8s.io/v1", "NetworkPolicy", f"np{number}", space, spec=inner))
    for word, (kind, version, defaults) in WIDE.items():
        for number, spec in enumerate(case.get(f"{word}s", [case[word]] if word in case else [])):
            name = "default" if word == "banp" else f"{word}{number}"
            found.append(named(version, kind, name, spec={**defaults, **spec}))
    return found


def connection(text: str) -> tuple[str, str, str, Any]:
    source, _arrow, rest = text.partition(" > ")
    destination, protocol, port = rest.split()
    return source, destination, protocol, int(port) or None


@pytest.mark.parametrize("case", TABLE["cases"], ids=lambda case: case["clause"].replace(" ", "-"))
def test_clause(case: dict[str, Any]) -> None:
    reachability = Reachability(inventory([*cluster(), *policies(case)]))
    wrong = []
    for expected in VERDICTS:
        for text in case.get(expected, []):
            verdict = reachability.reachable(*connection(text)).verdict
            if verdict != expected:
                wrong.append(f"{text}: {verdict}, expected {expected}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("case", TABLE["cases"], ids=lambda case: case["clause"].replace(" ", "-"))
def test_the_explanation_decides_as_the_verdict_does(case: dict[str, Any]) -> None:
    reachability = Reachability(inventory([*cluster(), *policies(case)]))
    for expected in (ALLOWED, DENIED):
        for text in case.get(expected, []):
            verdict = reachability.reachable(*connection(text))
            if verdict.decisions:
                assert all(one.allowed for one in verdict.decisions) == (expected == ALLOWED), verdict
                for one in verdict.decisions:
                    assert one.tier or one.allowed, "what no tier decides is allowed"
                    assert not one.tier or one.rules or one.isolating, "a decision names who made it"


def test_the_table_is_whole() -> None:
    clauses = [case["clause"] for case in TABLE["cases"]]
    assert len(clauses) == len(set(clauses)) > 90
    for case in TABLE["cases"]:
        assert any(case.get(verdict) for verdict in VERDICTS), case["clause"]
        assert set(case) <= {*VERDICTS, "clause", "np", "nps", "cnps", *WIDE}, case["clause"]
