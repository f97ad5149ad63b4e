# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""kube-proxy as kubeadm installs it, for a cluster whose kubelets are played or that has none."""

from __future__ import annotations

from typing import Any

CONFIGURATION = "kind: KubeProxyConfiguration\nmode: iptables\n"
LABELS = {"k8s-app": "kube-proxy"}
PLACE = {"name": "kube-proxy", "namespace": "kube-system"}


def objects(
    configuration: str = CONFIGURATION, *, pod: dict[str, Any] | None = None, **spec: Any
) -> list[dict[str, Any]]:
    """Its ConfigMap and its DaemonSet, as far as the API goes.

    :param pod: further fields of its pods' spec.
    :param spec: further fields of the DaemonSet's.
    """
    containers = [{"name": "kube-proxy", "image": "registry.k8s.io/kube-proxy:v1.36.3"}]
    tolerations = [{"operator": "Exists"}]
    template = {
        "metadata": {"labels": LABELS},
        "spec": {"containers": containers, "tolerations": tolerations, **(pod or {})},
    }
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": PLACE, "data": {"config.conf": configuration}},
        {
            "apiVersion": "apps/v1",
            "kind": "DaemonSet",
            "metadata": PLACE,
            "spec": {"selector": {"matchLabels": LABELS}, "template": template, **spec},
        },
    ]
