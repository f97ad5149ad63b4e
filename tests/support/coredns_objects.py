# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""CoreDNS as kubeadm installs it, for an API server that runs no pods."""

from __future__ import annotations

from typing import Any

from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ObjectRef
from tests.support.corefiles import KUBEADM

REF = ObjectRef("v1", "ConfigMap", "coredns", "kube-system")
DEPLOYMENT = ObjectRef("apps/v1", "Deployment", "coredns", "kube-system")
SERVICE = ObjectRef("v1", "Service", "kube-dns", "kube-system")
LABELS = {"k8s-app": "kube-dns"}


def objects(corefile: str = KUBEADM) -> list[dict[str, Any]]:
    """CoreDNS as kubeadm installs it, as far as it matters here."""
    place = {"name": "coredns", "namespace": "kube-system"}
    volume = {"name": "config-volume", "configMap": {"name": "coredns"}}
    container = {"name": "coredns", "image": "registry.k8s.io/coredns/coredns:v1.14.2"}
    template = {"metadata": {"labels": LABELS}, "spec": {"containers": [container], "volumes": [volume]}}
    ports = [{"name": "dns", "port": 53, "protocol": "UDP"}, {"name": "metrics", "port": 9153, "protocol": "TCP"}]
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": place, "data": {"Corefile": corefile}},
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": place,
            "spec": {"replicas": 2, "selector": {"matchLabels": LABELS}, "template": template},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "kube-dns", "namespace": "kube-system"},
            "spec": {"selector": LABELS, "ports": ports},
        },
    ]
