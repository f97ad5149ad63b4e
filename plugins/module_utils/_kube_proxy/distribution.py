# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Clusters whose kube-proxy is no DaemonSet of kubeadm's kind: which they are, and what to do there.

k3s and RKE2 start kube-proxy themselves and take its flags from ``kube-proxy-arg`` of their own configuration file
(docs.k3s.io/cli/server, docs.rke2.io/reference/server_config); their versions bear their names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.configuration import ConfigurationError
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.fields import flags_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient
    from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.fields import Place

# By what its version carries: the name, the file, the services to restart.
DISTRIBUTIONS = {
    "+k3s": ("k3s", "/etc/rancher/k3s/config.yaml", "k3s, or k3s-agent,"),
    "+rke2": ("RKE2", "/etc/rancher/rke2/config.yaml", "rke2-server, or rke2-agent,"),
}
SUBJECT = "ConfigMap 'kube-system/kube-proxy'"


def explain(client: KubeClient, wanted: Mapping[Place, Any], seen: str) -> ConfigurationError:
    """Why there is no configuration to edit, and what to do instead.

    :param wanted: the fields that were to be written.
    :param seen: what is wrong with the ConfigMap.
    """
    version = client.server_version
    for mark, (name, file, services) in DISTRIBUTIONS.items():
        if mark in version:
            return ConfigurationError(
                SUBJECT,
                f"{seen}: this is {name} {version}, which runs kube-proxy in its own process",
                f"its flags in {file}",
                advice(wanted, file, services),
            )
    return ConfigurationError(
        SUBJECT,
        seen,
        "kubeadm's ConfigMap of kube-proxy",
        "Where systemd runs kube-proxy, name its file with path on each node; where Cilium or another replaces "
        "kube-proxy, there is nothing to configure",
    )


def advice(wanted: Mapping[Place, Any], file: str, services: str) -> str:
    """What to write into a distribution's file, as kube-proxy's flags."""
    flags, without = flags_of(wanted)
    lines = ", ".join(f'"{flag}"' for flag in flags)
    said = f"Write kube-proxy-arg: [{lines}] into {file} on every node and restart {services} one node at a time"
    return said + (f"; no flag says {', '.join(without)}" if without else "")
