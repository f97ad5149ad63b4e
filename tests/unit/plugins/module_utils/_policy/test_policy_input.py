# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Policies and questions that cannot be read: each message names the object, what was seen and what was expected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._errors import NetopsError
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.audit import Question, audit
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.audit_task import run_audit
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.inventory import inventory
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.sources import written

if TYPE_CHECKING:
    from pathlib import Path

GROUP = "policy.networking.k8s.io"
NAMED = "NetworkPolicy 'shop/one'"


def policy(spec: Any) -> dict[str, Any]:
    metadata = {"name": "one", "namespace": "shop"}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}


def rule(**fields: Any) -> dict[str, Any]:
    return {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [fields]}


def peer(entry: Any) -> dict[str, Any]:
    return rule(**{"from": [entry]})


def port(**fields: Any) -> dict[str, Any]:
    return rule(ports=[fields])


def term(**fields: Any) -> dict[str, Any]:
    return {"podSelector": {"matchExpressions": [fields]}}


BLOCK = "spec.ingress[0].from[0].ipBlock"
SPECS: list[tuple[Any, str]] = [
    ([], "spec is []; expected a mapping"),
    ("x", "spec is 'x'; expected a mapping"),
    ({"podSelector": []}, "spec.podSelector is []; expected a mapping"),
    (
        {"podSelector": {"app": "web"}},
        "spec.podSelector has 'app'; expected matchLabels and matchExpressions. Put labels",
    ),
    ({"podSelector": {"matchLabels": ["app"]}}, "spec.podSelector.matchLabels is ['app']; expected a mapping"),
    ({"podSelector": {"matchLabels": {"app": 1}}}, "spec.podSelector.matchLabels.app is 1; expected a text. Put it in"),
    ({"podSelector": {"matchLabels": {"app": True}}}, "spec.podSelector.matchLabels.app is True; expected a text"),
    ({"podSelector": {"matchLabels": {"app": "a b"}}}, "matchLabels.app is 'a b'; expected up to 63 letters"),
    ({"podSelector": {"matchLabels": {"app": "x" * 64}}}, "expected up to 63 letters"),
    ({"podSelector": {"matchExpressions": {}}}, "spec.podSelector.matchExpressions is {}; expected a list"),
    (term(operator="In", values=["a"]), "spec.podSelector.matchExpressions[0].key is None; expected a text"),
    (term(key="a", operator="Equals"), "operator is 'Equals'; expected one of In, NotIn, Exists, DoesNotExist"),
    (term(key="a"), "operator is None; expected one of In"),
    (term(key="a", operator="In"), "values is empty; expected values, since operator is In"),
    (term(key="a", operator="NotIn", values=[]), "values is empty; expected values, since operator is NotIn"),
    (term(key="a", operator="Exists", values=["b"]), "values is ['b']; expected none, since operator is Exists"),
    (term(key="a", operator="In", values="b"), "values is 'b'; expected a list"),
    (term(key="a", operator="In", values=[1]), "values is 1; expected a text"),
    ({"podSelector": {"matchExpressions": ["a"]}}, "matchExpressions[0] is 'a'; expected a mapping"),
    ({"podSelector": {}, "policyTypes": "Ingress"}, "spec.policyTypes is 'Ingress'; expected a list"),
    ({"podSelector": {}, "policyTypes": ["ingress"]}, "policyTypes is 'ingress'; expected one of Ingress, Egress"),
    ({"podSelector": {}, "ingress": {}}, "spec.ingress is {}; expected a list"),
    ({"podSelector": {}, "ingress": ["x"]}, "spec.ingress[0] is 'x'; expected a mapping"),
    (rule(to=[{}]), "spec.ingress[0] has 'to'; expected from and ports"),
    ({"podSelector": {}, "egress": [{"from": []}]}, "spec.egress[0] has 'from'; expected to and ports"),
    (rule(**{"from": {}}), "spec.ingress[0].from is {}; expected a list"),
    (peer({}), "spec.ingress[0].from[0] is empty; expected one of podSelector, namespaceSelector, ipBlock. Leave out"),
    (peer(None), "spec.ingress[0].from[0] is empty"),
    (peer("pods"), "spec.ingress[0].from[0] is 'pods'; expected a mapping"),
    (peer({"pods": {}}), "spec.ingress[0].from[0] has 'pods'; expected one of podSelector"),
    (peer({"ipBlock": {"cidr": "10.0.0.0/8"}, "podSelector": {}}), "has ipBlock and a selector; expected one of them"),
    (peer({"ipBlock": {}}), f"{BLOCK}.cidr is None; expected a network such as 192.0.2.0/24"),
    (peer({"ipBlock": {"cidr": "10.0.0.1"}}), f"{BLOCK}.cidr is '10.0.0.1'; expected a network"),
    (peer({"ipBlock": {"cidr": "10.0.0.0/33"}}), f"{BLOCK}.cidr is '10.0.0.0/33'; expected a network"),
    (peer({"ipBlock": {"cidr": "10.0.0/8"}}), f"{BLOCK}.cidr is '10.0.0/8'; expected a network"),
    (peer({"ipBlock": {"cidr": 10}}), f"{BLOCK}.cidr is 10; expected a network"),
    (peer({"ipBlock": []}), f"{BLOCK} is []; expected a mapping"),
    (
        peer({"ipBlock": {"cidr": "10.0.0.0/8", "except": "10.1.0.0/16"}}),
        f"{BLOCK}.except is '10.1.0.0/16'; expected a",
    ),
    (peer({"ipBlock": {"cidr": "10.0.0.0/8", "except": ["x/8"]}}), f"{BLOCK}.except[0] is 'x/8'; expected a network"),
    (rule(ports={}), "spec.ingress[0].ports is {}; expected a list"),
    (rule(ports=[80]), "spec.ingress[0].ports[0] is 80; expected a mapping"),
    (port(port=0), "ports[0].port is 0; expected a number from 1 to 65535"),
    (port(port=65536), "ports[0].port is 65536; expected a number from 1 to 65535"),
    (port(port=1.5), "ports[0].port is 1.5; expected a number from 1 to 65535"),
    (port(port=True), "ports[0].port is True; expected a number from 1 to 65535"),
    (port(port="80"), "ports[0].port is the text '80'; expected a number. Remove the quotes"),
    (port(port=80, protocol="tcp"), "ports[0].protocol is 'tcp'; expected one of TCP, UDP, SCTP"),
    (port(port=80, protocol="ICMP"), "ports[0].protocol is 'ICMP'; expected one of TCP, UDP, SCTP"),
    (port(port=80, endPort=70000), "ports[0].endPort is 70000; expected a number from 1 to 65535"),
    (port(port=80, endPort="90"), "ports[0].endPort is '90'; expected a number from 1 to 65535"),
]


@pytest.mark.parametrize(("spec", "message"), SPECS, ids=range(len(SPECS)))
def test_network_policy(spec: Any, message: str) -> None:
    with pytest.raises(NetopsError) as error:
        inventory([policy(spec)])
    assert str(error.value).startswith(f"{NAMED}: ")
    assert message in str(error.value)


def wide(kind: str = "ClusterNetworkPolicy", name: str = "one", version: str = "", **spec: Any) -> dict[str, Any]:
    version = version or ("v1alpha2" if kind == "ClusterNetworkPolicy" else "v1alpha1")
    whole = {"tier": "Admin", "priority": 1, "subject": {"namespaces": {}}, **spec}
    return {"apiVersion": f"{GROUP}/{version}", "kind": kind, "metadata": {"name": name}, "spec": whole}


def action(word: str = "Accept", **fields: Any) -> dict[str, Any]:
    return {"action": word, "from": [{"namespaces": {}}], **fields}


def protocol(entry: Any) -> dict[str, Any]:
    return wide(ingress=[action(protocols=[entry])])


ADMIN, BASE = "AdminNetworkPolicy", "BaselineAdminNetworkPolicy"
OTHERS: list[tuple[Any, str]] = [
    (wide(version="v1alpha1"), f"apiVersion is '{GROUP}/v1alpha1'; expected {GROUP}/v1alpha2"),
    (wide(tier="admin"), "spec.tier is 'admin'; expected one of Admin, Baseline"),
    (wide(tier=None), "spec.tier is None; expected one of Admin, Baseline"),
    (wide(priority=-1), "spec.priority is -1; expected a number from 0 to 1000"),
    (wide(priority=1001), "spec.priority is 1001; expected a number from 0 to 1000"),
    (wide(priority=None), "spec.priority is None; expected a number from 0 to 1000"),
    (wide(subject=None), "spec.subject is None; expected namespaces or pods"),
    (wide(subject={}), "spec.subject is {}; expected namespaces or pods"),
    (
        wide(subject={"namespaces": {}, "pods": {}}),
        "spec.subject has namespaces and pods; expected exactly one of them",
    ),
    (wide(ingress=[action("Allow")]), "spec.ingress[0].action is 'Allow'; expected one of Accept, Deny, Pass"),
    (wide(ingress=[action()] * 26), "spec.ingress has 26 rules; expected at most 25"),
    (wide(ingress=[{"action": "Deny"}]), "spec.ingress[0].from is empty; expected at least one peer"),
    (wide(egress=[{"action": "Deny", "to": []}]), "spec.egress[0].to is empty; expected at least one peer"),
    (wide(egress=[{"action": "Deny", "to": [{"networks": ["x"]}]}]), "to[0].networks[0] is 'x'; expected a network"),
    (
        wide(egress=[{"action": "Deny", "to": [{"domainNames": ["example.com"]}]}]),
        "to[0].domainNames stands in a rule that does deny; expected an accepting rule",
    ),
    (protocol({"tcp": {}, "udp": {}}), "protocols[0] has tcp and udp; expected exactly one of them"),
    (protocol({"tcp": {"destinationPort": {"number": 0}}}), "destinationPort.number is 0; expected a number from 1"),
    (
        protocol({"tcp": {"destinationPort": {"range": {"start": 9, "end": 8}}}}),
        "destinationPort.range ends at 8, below its start 9; expected start below end",
    ),
    (
        protocol({"tcp": {"destinationPort": {"number": 1, "range": {}}}}),
        "destinationPort has number and range; expected exactly one of them",
    ),
    (protocol({"destinationNamedPort": 80}), "destinationNamedPort is 80; expected a text"),
    (wide(ADMIN, ingress=[action("Accept")]), "action is 'Accept'; expected one of Allow, Deny, Pass"),
    (wide(ADMIN, ingress=[action("Deny")] * 101), "spec.ingress has 101 rules; expected at most 100"),
    (
        wide(ADMIN, ingress=[action("Deny", ports=[{"portNumber": {"protocol": "TCP"}}])]),
        "ports[0].portNumber.port is None; expected a number from 1 to 65535",
    ),
    (
        wide(ADMIN, ingress=[action("Deny", ports=[{"portRange": {"protocol": "X", "start": 1, "end": 2}}])]),
        "ports[0].portRange.protocol is 'X'; expected one of TCP, UDP, SCTP",
    ),
    (wide(BASE), "metadata.name is 'one'; expected default: there is only one"),
    (wide(BASE, "default", ingress=[action("Pass")]), "action is 'Pass'; expected one of Allow, Deny"),
    (
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "labels": {"a": 1}}},
        "Pod 'p': metadata.labels.a is 1; expected a text",
    ),
    (
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": []},
        "Pod 'p': spec is []; expected a mapping",
    ),
    (
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {"selector": {"a": 1}}},
        "Service 's': spec.selector.a is 1; expected a text",
    ),
]


@pytest.mark.parametrize(("obj", "message"), OTHERS, ids=range(len(OTHERS)))
def test_other_objects(obj: Any, message: str) -> None:
    with pytest.raises(NetopsError) as error:
        inventory([obj])
    assert message in str(error.value)
    assert str(error.value).startswith(f"{obj['kind']} '{obj['metadata']['name']}': ")


POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "shop"}}
SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web", "namespace": "shop"},
    "spec": {"ports": [{"port": 80}]},
}
QUESTIONS = [
    (Question("shop/cart", "shop/web"), "end 'shop/cart': there is no such thing; expected NAMESPACE/POD"),
    (
        Question("shop/web", "web"),
        "end 'web': there is no such thing; expected NAMESPACE/POD, NAMESPACE/KIND/NAME, node:",
    ),
    (Question("shop/web", "node:n1"), "end 'node:n1': there is no such thing; expected a node of the cluster"),
    (Question("shop/web", "service:shop/x"), "end 'service:shop/x': there is no such thing; expected a Service of the"),
    (Question("service:shop/web", "shop/web"), "source 'service:shop/web': a Service sends nothing; expected a pod"),
    (Question("shop/web", "192.0.2.1", "TCP", 0), "port 0: there is no such port; expected a number from 1 to 65535"),
    (Question("shop/web", "192.0.2.1", "TCP", 70000), "port 70000: there is no such port"),
    (Question("shop/web", "service:shop/web", "TCP", 81), "Service 'shop/web': it has no port TCP 81; expected TCP 80"),
    (Question("shop/web", "service:shop/web", "UDP", 80), "Service 'shop/web': it has no port UDP 80; expected TCP 80"),
]


@pytest.mark.parametrize(("question", "message"), QUESTIONS, ids=range(len(QUESTIONS)))
def test_question(question: Question, message: str) -> None:
    with pytest.raises(NetopsError) as error:
        audit([POD, SERVICE], [question])
    assert message in str(error.value)


NOTHING: dict[str, Any] = {
    **{name: [] for name in ("src", "definitions", "before_src", "before_definitions", "reachable", "formats")},
    "live": None,
    "pod_networks": [],
    "fail_on": "never",
}
INPUTS: list[tuple[dict[str, Any], str]] = [
    ({"src": ["nowhere.yml"]}, "src 'nowhere.yml': it is neither a file nor a folder"),
    ({"src": ["empty"]}, "src 'empty': it has no YAML or JSON file; expected a folder with manifests"),
    ({"src": ["broken.yml"]}, "broken.yml: its YAML does not parse"),
    ({"src": ["latin.yml"]}, "latin.yml: it is no UTF-8 text"),
    (
        {"src": ["values.yml"]},
        "audit: there is no object to look at; expected manifests, or a live cluster. Correct src",
    ),
    ({"src": ["twice.yml"]}, "Pod 'shop/web': it is given twice; expected one definition an object"),
    ({"src": ["nameless.yml"]}, "metadata.name is None; expected a Kubernetes object with apiVersion, kind and"),
    ({"definitions": ["{a: ["]}, "definitions[1]: its YAML does not parse"),
    ({"definitions": [POD], "pod_networks": ["10.0.0.1/8"]}, "pod_networks '10.0.0.1/8': 10.0.0.1/8 has host bits set"),
]


@pytest.mark.parametrize(("options", "message"), INPUTS, ids=range(len(INPUTS)))
def test_audit(options: dict[str, Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.yml").write_text("a: [b\n")
    (tmp_path / "latin.yml").write_bytes(b"a: \xe4\n")
    (tmp_path / "values.yml").write_text("replicas: 1\n")
    one = "{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop}}\n"
    (tmp_path / "twice.yml").write_text(f"{one}---\n{one}")
    (tmp_path / "nameless.yml").write_text("{apiVersion: v1, kind: Pod}\n")
    with pytest.raises(NetopsError) as error:
        run_audit({**NOTHING, **options})
    assert message in str(error.value)


def test_a_date_without_quotes_is_text_as_kubectl_takes_it() -> None:
    text = "{apiVersion: v1, kind: Namespace, metadata: {name: one, labels: {since: 2024-01-01}}}"
    [namespace] = written([text], []).objects
    assert namespace["metadata"]["labels"] == {"since": "2024-01-01"}
