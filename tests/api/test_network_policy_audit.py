# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module network_policy_audit against a real API server, and on manifests without one."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import yaml
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ref_of
from tests.support.modules import Module

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient

SPACE = "audited"
GROUP = "policy.networking.k8s.io"


def named(api_version: str, kind: str, name: str, **rest: Any) -> dict[str, Any]:
    metadata = {"name": name, **({} if kind == "Namespace" else {"namespace": SPACE}), **rest.pop("metadata", {})}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **rest}


def pod(name: str, address: str) -> dict[str, Any]:
    containers = [{"name": "c", "image": "example.com/c", "ports": [{"name": "http", "containerPort": 80}]}]
    spec = {"containers": containers, "automountServiceAccountToken": False}
    return named("v1", "Pod", name, metadata={"labels": {"app": name}}, spec=spec, status={"podIPs": [{"ip": address}]})


PODS = [pod("web", "10.1.0.1"), pod("db", "10.1.0.2")]
WEB_TO_DB = {
    "podSelector": {"matchLabels": {"app": "db"}},
    "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "web"}}}], "ports": [{"port": "http"}]}],
}
POLICY = named("networking.k8s.io/v1", "NetworkPolicy", "web-to-db", spec=WEB_TO_DB)
SERVICE_SPEC = {"selector": {"app": "db"}, "ports": [{"port": 5000, "targetPort": "http"}]}
QUESTIONS = [
    {"source": f"{SPACE}/web", "destination": f"service:{SPACE}/db", "port": 5000},
    {"source": f"{SPACE}/web", "destination": f"{SPACE}/db", "port": 81},
    {"source": "198.51.100.7", "destination": f"{SPACE}/web", "port": 80},
]


@pytest.fixture(scope="module")
def live(api: str, client: KubeClient) -> Iterator[Module]:
    client.apply(named("v1", "Namespace", SPACE))
    for one in PODS:
        place = f"/api/v1/namespaces/{SPACE}/pods"
        client.raw("POST", place, body={key: value for key, value in one.items() if key != "status"})
        body = {"status": {**one["status"], "podIP": one["status"]["podIPs"][0]["ip"], "phase": "Running"}}
        path = f"{place}/{one['metadata']['name']}/status"
        client.raw("PATCH", path, body=body, content_type="application/merge-patch+json")
    client.apply(named("v1", "Service", "db", spec=SERVICE_SPEC))
    client.apply(POLICY)
    yield Module("network_policy_audit", {"kubeconfig": api})
    client.raw("DELETE", f"/api/v1/namespaces/{SPACE}")


def verdicts(result: dict[str, Any]) -> list[str]:
    return [one["verdict"] for one in result["reachability"]]


def test_a_live_cluster_is_read_and_left_alone(live: Module) -> None:
    for check in (True, False):
        result = live.succeeds(check=check, reachable=QUESTIONS, formats=["text", "html"])
        assert result["changed"] is False
        assert verdicts(result) == ["allowed", "denied", "allowed"]
        assert "allowed by NetworkPolicy 'audited/web-to-db' ingress[0]" in json.dumps(result["reachability"])
        assert result["reports"]["html"].startswith("<!DOCTYPE html>")
        assert result["api_requests"] <= 15
        (row,) = [one for one in result["coverage"] if one["namespace"] == SPACE]
        assert (row["pods"], row["ingress"]) == (2, 1)


def test_what_manifests_would_change_on_the_cluster(live: Module) -> None:
    deny = named("networking.k8s.io/v1", "NetworkPolicy", "deny", spec={"podSelector": {}, "policyTypes": ["Ingress"]})
    result = live.succeeds(live=True, definitions=[deny], reachable=QUESTIONS)
    assert verdicts(result) == ["allowed", "denied", "denied"]
    assert {one["change"] for one in result["differences"]} == {"lost"}
    assert all("audited/web" in " ".join(one["destinations"]) for one in result["differences"])


@pytest.mark.usefixtures("cluster_policies")
def test_cluster_wide_policies_count_where_they_are_served(live: Module, client: KubeClient) -> None:
    spec = {
        "tier": "Admin",
        "priority": 1,
        "subject": {"namespaces": {}},
        "egress": [{"action": "Deny", "to": [{"namespaces": {}}]}],
    }
    policy = {"apiVersion": f"{GROUP}/v1alpha2", "kind": "ClusterNetworkPolicy", "metadata": {"name": "wide"}}
    client.apply({**policy, "spec": spec})
    try:
        result = live.succeeds(reachable=QUESTIONS)
        assert verdicts(result) == ["denied", "denied", "allowed"]
        assert result["reachability"][0]["decisions"][0]["tier"] == "admin"
    finally:
        # The garbage collector needs half a minute to know a new kind, and would be asked without this.
        client.delete(ref_of(policy), propagation="Background")
    assert verdicts(live.succeeds(reachable=QUESTIONS)) == ["allowed", "denied", "allowed"]


def test_manifests_say_what_the_cluster_says(live: Module, client: KubeClient, tmp_path: Path) -> None:
    kinds = (("v1", "Namespace"), ("v1", "Pod"), ("v1", "Service"), ("networking.k8s.io/v1", "NetworkPolicy"))
    objects = [one for api_version, kind in kinds for one in client.list(api_version, kind)]
    (tmp_path / "all.yml").write_text(yaml.safe_dump_all(objects))
    offline = Module("network_policy_audit").succeeds(src=[str(tmp_path)], reachable=QUESTIONS)
    online = live.succeeds(reachable=QUESTIONS)
    for part in ("coverage", "matrix", "exposure"):
        assert offline[part] == online[part]
    assert verdicts(offline) == verdicts(online)
    assert offline["api_requests"] == 0


def test_the_task_fails_by_severity_and_says_everything(live: Module) -> None:
    result = live(fail_on="warning", reachable=QUESTIONS)
    assert result["failed"] is True
    assert "findings of severity warning or worse; expected none" in result["msg"]
    assert verdicts(result) == ["allowed", "denied", "allowed"]


def test_sarif_is_what_its_schema_says(live: Module, programs: Path) -> None:
    """OASIS' own schema, errata 01, with every finding that this cluster gives and a change."""
    schema = json.loads((programs / "sarif-schema.json").read_text())
    deny = named("networking.k8s.io/v1", "NetworkPolicy", "deny", spec={"podSelector": {}, "egress": [{}]})
    found = live.succeeds(live=True, definitions=[deny], formats=["sarif"])
    report = json.loads(found["reports"]["sarif"])
    judge = jsonschema.Draft4Validator(schema)
    assert [error.message for error in judge.iter_errors(report)] == []
    assert len(report["runs"][0]["results"]) == sum(found["summary"]["findings"].values()) > 3
    # A schema that takes everything would prove nothing.
    report["runs"][0]["results"][0]["level"] = "awful"
    assert not judge.is_valid(report)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reachable": [{"source": "a/b", "destination": "c/d"}]}, "end 'a/b': there is no such thing"),
        ({"reachable": [{"source": "a/b"}]}, "missing required arguments: destination found in reachable"),
        ({"formats": ["pdf"]}, "value of formats must be one or more of"),
        ({"fail_on": "info"}, "value of fail_on must be one of"),
        ({"host": "https://127.0.0.1:9", "validate_certs": False}, "API server https://127.0.0.1:9"),
        ({"src": ["/nowhere"]}, "src '/nowhere': it is neither a file nor a folder"),
    ],
)
def test_bad_input_is_named(live: Module, options: dict[str, Any], message: str) -> None:
    assert message in live.fails(**options)


def test_the_playbook_writes_reports_and_fails(tmp_path: Path) -> None:
    (tmp_path / "all.yml").write_text(yaml.safe_dump_all([named("v1", "Namespace", SPACE), *PODS]))
    files = {"sarif": str(tmp_path / "report.sarif"), "html": str(tmp_path / "report.html")}
    variables = {
        "network_policy_audit_src": [str(tmp_path / "all.yml")],
        "network_policy_audit_files": files,
        "network_policy_audit_fail_on": "warning",
    }
    done = subprocess.run(
        ["ansible-playbook", "netops.kubernetes.network_policy_audit", "-e", json.dumps(variables)],
        capture_output=True,
        text=True,
        env={**os.environ, "ANSIBLE_LOCALHOST_WARNING": "false", "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false"},
        check=False,
    )
    assert done.returncode == 2, done.stdout + done.stderr
    assert "findings of severity warning or worse" in done.stdout
    results = json.loads((tmp_path / "report.sarif").read_text())["runs"][0]["results"]
    assert {one["ruleId"] for one in results} == {"NP304", "NP306"}
    assert (tmp_path / "report.html").read_text().endswith("</html>\n")
