# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a CNI that enforces policies ends every connection as the evaluator says, template by template.

``python3 -m tests.nodes.predictions`` on the test bed that ``NETOPS_TESTBED_NAME`` names. The policies are written by
the module ``network_policy_baseline``; the pods are the stand-ins of ``network_policy_verify``.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._kube.apply import apply_all
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ref_of
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.waiting import wait_gone
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.inventory import inventory
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.sources import live
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.standins import Comparison, chosen
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.templates import TEMPLATES
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.verification import (
    compared_until_all_agree,
    standing,
)
from tests.nodes.pods import PATIENCE, running_bed
from tests.support.modules import Module
from tests.testbed.settings import IMAGES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient

SHOP, STOCK, MONITORING, INGRESS = SPACES = tuple(
    f"predictions-{name}" for name in ("shop", "stock", "monitoring", "ingress")
)


def port(number: int, name: str = "", protocol: str = "TCP") -> dict[str, Any]:
    return {"name": name, "port": number, "protocol": protocol}


def workload(namespace: str, app: str, *ports: dict[str, Any], **labels: str) -> dict[str, Any]:
    return {"namespace": namespace, "labels": {"app": app, **labels}, "ports": list(ports)}


WORKLOADS = (
    workload(SHOP, "web", port(8443, "https")),
    workload(SHOP, "cart", port(8080)),
    workload(STOCK, "database", port(5432, "sql"), port(8080)),
    workload(MONITORING, "prometheus", port(8080)),
    workload(INGRESS, "controller", port(8080)),
    # What policies take for the cluster's DNS.
    {
        "namespace": "kube-system",
        "labels": {"k8s-app": "kube-dns"},
        "ports": [port(53, "dns", "UDP"), port(53, "dns-tcp"), port(8080)],
    },
)
# What the two namespaces get, round by round: every template once.
ROUNDS = (
    ("allow-same-namespace", "allow-from-ingress"),
    ("allow-dns", "allow-from-monitoring"),
    ("default-deny-ingress", "allow-all-egress"),
    ("default-deny-egress", "allow-all-ingress"),
    ("allow-from-apiserver", "default-deny-all"),
    ("allow-nodes", "allow-to-apiserver"),
)
# Pods start slowly where other machines share the processors.
START = 600.0
NOWHERE = {"matchLabels": {"predictions": "nowhere"}}
# The API server calls it, so that there is something to allow; no request is ever meant.
WEBHOOK: tuple[dict[str, Any], ...] = (
    {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "hook", "namespace": SHOP},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 443, "targetPort": 8443}]},
    },
    {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "predictions"},
        "webhooks": [
            {
                "name": "predictions.example.com",
                "clientConfig": {"service": {"name": "hook", "namespace": SHOP}},
                "failurePolicy": "Ignore",
                "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
                "namespaceSelector": NOWHERE,
                "rules": [
                    {
                        "apiGroups": ["apps"],
                        "apiVersions": ["v1"],
                        "operations": ["CREATE"],
                        "resources": ["deployments"],
                    }
                ],
            }
        ],
    },
)
# Every clause that a template does not use: names and ranges of ports, both selectors at once, NotIn, exceptions.
CUSTOM = [
    {
        "name": "allow-some",
        "ingress": [
            {
                "from": [
                    {
                        "namespaceSelector": {
                            "matchExpressions": [
                                {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": [STOCK]}
                            ]
                        },
                        "podSelector": {"matchLabels": {"app": "web"}},
                    }
                ],
                "ports": [{"port": "sql"}],
            },
            {
                "from": [{"ipBlock": {"cidr": "10.244.0.0/16", "except": ["10.244.0.0/17"]}}],
                "ports": [{"port": 8000, "endPort": 8100}],
            },
        ],
    }
]
GLOBAL: dict[str, Any] = {
    "apiVersion": "crd.projectcalico.org/v1",
    "kind": "GlobalNetworkPolicy",
    "metadata": {"name": "predictions"},
    "spec": {
        "selector": f"projectcalico.org/namespace == '{STOCK}'",
        "types": ["Ingress"],
        "ingress": [{"action": "Deny", "source": {"selector": "app == 'cart'"}}, {"action": "Allow"}],
    },
}


def told(what: str, found: Sequence[Comparison], begin: float) -> str:
    allowed = sum(one.predicted == "allowed" for one in found)
    seconds = time.monotonic() - begin
    return f"{what}: {len(found)} connections as predicted, {allowed} allowed, {seconds:.0f} s"


def is_leaving(client: KubeClient, one: dict[str, Any]) -> bool:
    live_one = client.get(ref_of(one))
    return live_one is not None and "deletionTimestamp" in live_one["metadata"]


def what_is_not_evaluated_shows(client: KubeClient) -> str:
    """Calico denies what the evaluator takes for allowed: exactly these connections must be named."""
    expected = {(f"{SHOP}/netops-stand-in-2", f"{STOCK}/netops-stand-in-3", number) for number in (5432, 8080)}
    deadline = time.monotonic() + PATIENCE
    while True:
        found = compared_until_all_agree(client, 0.0)
        wrong = [one for one in found if not one.agrees]
        if {(one.source, one.destination, one.port) for one in wrong} == expected:
            assert {(one.predicted, one.observed, one.seen) for one in wrong} == {("allowed", "denied", "TIMEOUT")}
            return f"GlobalNetworkPolicy that is not evaluated: {len(wrong)} of {len(found)} connections named"
        assert time.monotonic() < deadline, wrong


def main() -> int:
    assert {name for pair in ROUNDS for name in pair} == set(TEMPLATES)
    bed, client = running_bed()
    around = {"ingress_namespaces": [INGRESS], "monitoring_namespaces": [MONITORING]}
    baseline = Module("network_policy_baseline", {"kubeconfig": str(bed.folder / "kubeconfig"), **around})
    spaces = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in SPACES]
    # Those of a run that was interrupted may be on their way out.
    wait_gone(client, [ref_of(one) for one in spaces if is_leaving(client, one)], time.monotonic() + START)
    apply_all(client, [*spaces, *WEBHOOK], force=True, check=False)
    verdicts: set[str] = set()

    def compare(shop: Mapping[str, Any], stock: Mapping[str, Any]) -> None:
        begin = time.monotonic()
        for namespace, wanted in ((SHOP, shop), (STOCK, stock)):
            baseline.succeeds(namespaces=[namespace], **wanted)
        found = compared_until_all_agree(client, PATIENCE)
        wrong = [str(one) for one in found if not one.agrees]
        assert not wrong, f"{shop}, {stock}: {' | '.join(wrong)}"
        verdicts.update(one.predicted for one in found)
        names = [str(wanted.get("profile") or wanted["policies"]) for wanted in (shop, stock)]
        print(
            told(" and ".join(names) + (" and custom" if "custom_policies" in stock else ""), found, begin), flush=True
        )

    try:
        stand_ins = chosen(inventory(live(client)), [], WORKLOADS, [])
        with standing(client, stand_ins, IMAGES["agnhost"], START):
            compare({"profile": "zero-trust"}, {"profile": "ingress-deny"})
            for first, second in ROUNDS:
                compare({"policies": [first]}, {"policies": [second]})
            denied = {"policies": ["default-deny-ingress"]}
            compare(denied, {**denied, "custom_policies": CUSTOM})
            assert verdicts == {"allowed", "denied"}
            baseline.succeeds(namespaces=[SHOP, STOCK], state="absent")
            apply_all(client, [GLOBAL], force=True, check=False)
            print(what_is_not_evaluated_shows(client), flush=True)
    finally:
        for one in (GLOBAL, *reversed(WEBHOOK), *spaces):
            client.delete(ref_of(one), propagation="Background")
    return 0


if __name__ == "__main__":
    sys.exit(main())
