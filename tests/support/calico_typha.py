# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What upstream's ``calico-typha.yaml`` has beside ``calico.yaml``, as far as it is edited: it is not at hand here."""

from __future__ import annotations

from typing import Any

NAME = "calico-typha"


def typha(version: str) -> list[dict[str, Any]]:
    """Typha's Deployment, its Service and its PodDisruptionBudget."""
    labels = {"k8s-app": NAME}
    metadata = {"name": NAME, "namespace": "kube-system", "labels": labels}
    port = {"name": NAME, "port": 5473, "targetPort": NAME}
    container = {
        "name": NAME,
        "image": f"quay.io/calico/typha:{version}",
        "ports": [{"name": NAME, "containerPort": 5473}],
    }
    pod = {
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "hostNetwork": True,
        "tolerations": [{"effect": "NoSchedule", "operator": "Exists"}],
        "serviceAccountName": "calico-node",
        "containers": [container],
    }
    deployment = {
        "replicas": 1,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }
    budget = {"maxUnavailable": 1, "selector": {"matchLabels": labels}}
    return [
        {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": [port], "selector": labels}},
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": deployment},
        {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": metadata, "spec": budget},
    ]
