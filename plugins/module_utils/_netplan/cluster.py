# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""What a kubeadm cluster itself says about its network, and whether it can work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._kube import yamltext
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import FORBIDDEN, KubeError
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ObjectRef
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.config_map import CONFIG_MAP, KEY, mode_of
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.deprecation import minor_of
from ansible_collections.netops.kubernetes.plugins.module_utils._netplan.compatibility import VERSION
from ansible_collections.netops.kubernetes.plugins.module_utils._netplan.errors import NetworkError
from ansible_collections.netops.kubernetes.plugins.module_utils._netplan.ranges import Range, network, overlaps

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient

KUBEADM = ObjectRef("v1", "ConfigMap", "kubeadm-config", "kube-system")
# k8s.io/kubernetes pkg/controlplane/apiserver/options: the default of --service-node-port-range.
NODEPORT_RANGE = "30000-32767"
DNS = ObjectRef("v1", "Service", "kube-dns", "kube-system")


def network_of(client: KubeClient) -> dict[str, Any]:
    """Pod and Service networks, the DNS address, kube-proxy's mode, and the nodes with their networks.

    Pod networks are those of kubeadm's configuration, else what the nodes' own pod networks are.
    """
    configuration = _kubeadm(client)
    networking = configuration.get("networking") or {}
    nodes = [node_of(node) for node in client.list("v1", "Node")]
    dns = client.get(DNS)
    pods = _split(networking.get("podSubnet")) or [cidr for node in nodes for cidr in node["pod_cidrs"]]
    flags = _apiserver_flags(client)
    services = networking.get("serviceSubnet") or flags.get("service-cluster-ip-range")
    return {
        "kubernetes_version": client.server_version,
        "pod_cidrs": pods,
        "service_cidrs": _split(services),
        "nodeport_range": flags.get("service-node-port-range", NODEPORT_RANGE),
        "dns_address": dns["spec"].get("clusterIP", "") if dns else "",
        "kube_proxy_mode": _kube_proxy_mode(client),
        "nodes": nodes,
    }


def _kubeadm(client: KubeClient) -> Mapping[str, Any]:
    import yaml

    live = client.get(KUBEADM)
    content = yaml.safe_load((live or {}).get("data", {}).get("ClusterConfiguration") or "{}")
    return content if isinstance(content, dict) else {}


def _kube_proxy_mode(client: KubeClient) -> str:
    """The mode by kubeadm's ConfigMap; empty where there is none, or this user may not read it.

    Who replaces kube-proxy removes its ConfigMap too, so that no upgrade brings it back (docs.cilium.io, kube-proxy
    replacement).
    """
    try:
        live = client.get(CONFIG_MAP)
    except KubeError as error:
        if error.status != FORBIDDEN:
            raise
        return ""
    text = ((live or {}).get("data") or {}).get(KEY)
    if not text:
        return ""
    content = yamltext.read(text, str(CONFIG_MAP))
    return mode_of(content if isinstance(content, dict) else {}, minor_of(client.server_version))


def _apiserver_flags(client: KubeClient) -> dict[str, str]:
    """The flags of the running API server, where it is a static pod (kubeadm and kubespray label it so)."""
    for pod in client.list("v1", "Pod", "kube-system", "component=kube-apiserver"):
        words = [
            word for one in pod["spec"]["containers"] for word in (one.get("command") or []) + (one.get("args") or [])
        ]
        return dict(word[2:].split("=", 1) for word in words if word.startswith("--") and "=" in word)
    return {}


def _split(text: str | None) -> list[str]:
    return [word.strip() for word in (text or "").split(",") if word.strip()]


def node_of(node: Mapping[str, Any]) -> dict[str, Any]:
    """A node's ``name``, ``pod_cidrs`` and internal ``addresses``."""
    spec, status = node.get("spec") or {}, node.get("status") or {}
    addresses = [one["address"] for one in status.get("addresses") or [] if one["type"] == "InternalIP"]
    return {"name": node["metadata"]["name"], "pod_cidrs": spec.get("podCIDRs") or [], "addresses": addresses}


def kernels_of(nodes: Iterable[Mapping[str, Any]]) -> list[str]:
    """The versions of the nodes' kernels, as their kubelets tell them; a node whose kubelet has not yet is left out."""
    told = [((node.get("status") or {}).get("nodeInfo") or {}) for node in nodes]
    linux = {one.get("kernelVersion") for one in told if one.get("operatingSystem", "linux") == "linux"}
    return sorted(version for version in linux if version and VERSION.fullmatch(version))


def node_name_of(nodes: Sequence[Mapping[str, Any]], addresses: Sequence[str]) -> str:
    """The name of the node that has one of a machine's addresses.

    :param nodes: as :func:`network_of` tells them.
    :raises NetworkError: none has, or several have.
    """
    own = set(addresses)
    names = [str(node["name"]) for node in nodes if own & set(node["addresses"])]
    if len(names) == 1:
        return names[0]
    raise NetworkError(
        f"machine with the addresses {', '.join(addresses) or 'unknown'}",
        f"nodes {', '.join(names)} have some of them" if names else "no node of the cluster has one of them",
        "the addresses of one node",
        "Remove the machine from the play's hosts, or correct the node's addresses",
    )


def require_sound(pods: Sequence[str], services: Sequence[str], nodes: Sequence[Mapping[str, Any]]) -> None:
    """Require that no network overlaps another.

    :raises NetworkError: two overlap; both are named.
    """
    named = [("pod network", cidr, "") for cidr in pods]
    named += [("Service network", cidr, "") for cidr in services]
    named += [(f"address of node {node['name']}", address, "node") for node in nodes for address in node["addresses"]]
    ranges = [Range(what, network(what, cidr), group) for what, cidr, group in named]
    for wide, narrow in overlaps(ranges):
        raise NetworkError(
            str(narrow),
            f"it overlaps the {wide}",
            "networks of their own for pods, Services and nodes",
            "Choose another network for one of them",
        )
