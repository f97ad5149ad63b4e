# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Flannel as Kubernetes objects.

The objects are those of Flannel's own ``kube-flannel.yml`` (v0.28.9) with the settings that its ``backends.md`` and
``configuration.md`` name.
"""

from __future__ import annotations

import ipaddress
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._cni.images import parsed
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.placement import Placement, require_placeable
from ansible_collections.netops.kubernetes.plugins.module_utils._errors import NetopsError, listed
from ansible_collections.netops.kubernetes.plugins.module_utils._netplan.ranges import network

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NAMESPACE = "kube-flannel"
NAME = "flannel"
CONFLIST = "10-flannel.conflist"
HEALTH_PORT = 8081
# The last version whose manifest copies the conflist with cp, and asks nobody how flanneld is.
OLDER = (0, 28, 4)
TAG = re.compile(r"v(\d+)\.(\d+)\.(\d+)")
RESOURCES = {"requests": {"cpu": "100m", "memory": "50Mi"}}
TOLERATIONS = ({"operator": "Exists", "effect": "NoSchedule"},)
BACKENDS = ("vxlan", "host-gw", "wireguard", "udp")


class FlannelError(NetopsError):
    """Settings that Flannel cannot work with."""


@dataclass(frozen=True)
class Flannel:
    """What is wanted of Flannel.

    :param pod_cidrs: one network, or one of each family.
    :param mtu: of the nodes' network, in bytes; Flannel subtracts its own overhead. 0 lets it find out.
    :param vni: VXLAN network identifier.
    :param port: UDP port of VXLAN.
    :param registry: in a closed network, where both images are, in the folders that they have upstream.
    :param pull_secrets: names of Secrets in Flannel's namespace by which they are pulled.
    :param tolerations: in place of upstream's, which tolerate every taint that keeps pods from starting.
    :param node_selector: labels of the nodes that get Flannel; empty: all.
    :param resources: requests and limits in place of upstream's.
    """

    pod_cidrs: tuple[str, ...]
    backend: str = "vxlan"
    mtu: int = 0
    vni: int = 1
    port: int = 8472
    direct_routing: bool = False
    nftables: bool = False
    image: str = "ghcr.io/flannel-io/flannel:v0.28.9"
    cni_image: str = "ghcr.io/flannel-io/flannel-cni-plugin:v1.9.1-flannel3"
    registry: str = ""
    pull_secrets: Sequence[str] = ()
    tolerations: Sequence[Mapping[str, Any]] = ()
    node_selector: Mapping[str, str] = field(default_factory=dict)
    resources: Mapping[str, Any] = field(default_factory=dict)

    @property
    def images(self) -> tuple[str, str]:
        """Flannel's image and that of its CNI plugin, from the registry where one is named."""
        return _placed(self.image, self.registry), _placed(self.cni_image, self.registry)


def _placed(image: str, registry: str) -> str:
    """The image with another registry in place of its own."""
    return f"{registry.rstrip('/')}/{image.partition('/')[2]}" if registry else image


def require_sound(flannel: Flannel) -> None:
    """Require settings that Flannel accepts.

    :raises FlannelError: they contradict each other, one has a value of another type, or a network is none.
    """
    _require_types(flannel)
    if flannel.backend not in BACKENDS:
        raise FlannelError("flannel_backend", repr(flannel.backend), f"one of {', '.join(BACKENDS)}")
    versions = [one.version for one in _networks(flannel)]
    if not versions or len(set(versions)) != len(versions):
        raise FlannelError(
            "pod networks", f"{', '.join(flannel.pod_cidrs) or 'none'}", "one network, or one of each address family"
        )
    if flannel.direct_routing and flannel.backend != "vxlan":
        raise FlannelError("flannel_direct_routing", f"backend {flannel.backend} has no such setting", "backend vxlan")
    if not 0 < flannel.port < 65536 or not 0 < flannel.vni < 2**24:
        raise FlannelError("flannel", f"port {flannel.port}, vni {flannel.vni}", "a port, and a number below 2^24")
    require_placeable("flannel_", Placement(flannel.tolerations, {}, flannel.resources), FlannelError)
    for image in (flannel.image, flannel.cni_image):
        if "/" not in image or image != image.strip():
            raise FlannelError("flannel_image", repr(image), "REGISTRY/NAME:TAG, or @DIGEST")


def _require_types(flannel: Flannel) -> None:
    """A filter gets what it is given, other than a module: a text would be a text in net-conf.json, and true."""
    for name, value in (("mtu", flannel.mtu), ("vni", flannel.vni), ("port", flannel.port)):
        if isinstance(value, bool) or not isinstance(value, int):
            raise FlannelError(name, repr(value), "a number", "Hand it on through the filter int")
    for name, value in (("direct_routing", flannel.direct_routing), ("nftables", flannel.nftables)):
        if not isinstance(value, bool):
            raise FlannelError(name, repr(value), "true or false", "Hand it on through the filter bool")


def require_pod_cidrs(nodes: Mapping[str, Sequence[str]], pod_cidrs: Sequence[str]) -> None:
    """Require that each node has a part of the pod networks; a CNI that gives addresses of it waits for it for ever.

    :param nodes: the podCIDRs by node.
    :param pod_cidrs: the pod networks; of each family that they have, a node must have a part.
    :raises NetopsError: a node has none; all such nodes are named.
    """
    families = {network("pod network", cidr).version for cidr in pod_cidrs} or {4}
    for family in sorted(families):
        lacking = sorted(name for name, cidrs in nodes.items() if family not in _families(cidrs))
        if lacking:
            raise FlannelError(
                f"node {listed(lacking)}",
                f"no podCIDR of IPv{family}",
                "a part of the pod networks for each node, of which its pods get their addresses",
                "Start kube-controller-manager with --allocate-node-cidrs=true and "
                f"--cluster-cidr={','.join(pod_cidrs) or 'POD_NETWORK'}, or choose a CNI that gives addresses itself",
            )


def _families(cidrs: Sequence[str]) -> set[int]:
    return {network("podCIDR", cidr).version for cidr in cidrs}


def _networks(flannel: Flannel) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    try:
        return [ipaddress.ip_network(cidr) for cidr in flannel.pod_cidrs]
    except ValueError as error:
        raise FlannelError("pod networks", str(error), "networks without host bits") from error


def net_conf(flannel: Flannel) -> dict[str, Any]:
    """``net-conf.json``: what flanneld reads."""
    by_version = {one.version: str(one) for one in _networks(flannel)}
    backend: dict[str, Any] = {"Type": flannel.backend}
    if flannel.backend == "vxlan":
        backend |= {"VNI": flannel.vni, "Port": flannel.port}
        if flannel.direct_routing:
            backend["DirectRouting"] = True
    if flannel.mtu and flannel.backend != "host-gw":
        backend["MTU"] = flannel.mtu
    conf: dict[str, Any] = {"EnableNFTables": flannel.nftables, "Backend": backend}
    if 4 in by_version:
        conf["Network"] = by_version[4]
    else:
        conf["EnableIPv4"] = False
    if 6 in by_version:
        conf |= {"EnableIPv6": True, "IPv6Network": by_version[6]}
    return conf


def cni_conf() -> dict[str, Any]:
    """The network configuration list that every node gets."""
    return {
        "name": "cbr0",
        "cniVersion": "0.3.1",
        "plugins": [
            {"type": "flannel", "delegate": {"hairpinMode": True, "isDefaultGateway": True}},
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }


def objects(flannel: Flannel) -> list[dict[str, Any]]:
    """Every object of a Flannel with these settings.

    :raises FlannelError: the settings are not sound.
    """
    require_sound(flannel)
    configuration = {
        "cni-conf.json": json.dumps(cni_conf(), indent=2) + "\n",
        "net-conf.json": json.dumps(net_conf(flannel), indent=2) + "\n",
    }
    rules = [
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": [""], "resources": ["nodes/status"], "verbs": ["patch"]},
    ]
    rbac = "rbac.authorization.k8s.io"
    role = {"apiGroup": rbac, "kind": "ClusterRole", "name": NAME}
    subjects = [{"kind": "ServiceAccount", "name": NAME, "namespace": NAMESPACE}]
    return [
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {
                "name": NAMESPACE,
                "labels": {"k8s-app": NAME, "pod-security.kubernetes.io/enforce": "privileged"},
            },
        },
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _metadata(NAME, NAMESPACE)},
        {"apiVersion": f"{rbac}/v1", "kind": "ClusterRole", "metadata": _metadata(NAME), "rules": rules},
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": _metadata(NAME),
            "roleRef": role,
            "subjects": subjects,
        },
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": _metadata("kube-flannel-cfg", NAMESPACE, tier="node", app=NAME),
            "data": configuration,
        },
        _daemon_set(flannel, configuration),
    ]


def _metadata(name: str, namespace: str = "", **labels: str) -> dict[str, Any]:
    place = {"namespace": namespace} if namespace else {}
    return {"name": name, **place, "labels": {"k8s-app": NAME, **labels}}


def _daemon_set(flannel: Flannel, configuration: dict[str, str]) -> dict[str, Any]:
    labels = {"tier": "node", "app": NAME}
    # flanneld reads its configuration once: another configuration must be another pod.
    annotations = {"netops.kubernetes/configuration": json.dumps(configuration, sort_keys=True)}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": _metadata("kube-flannel-ds", NAMESPACE, **labels),
        "spec": {
            "selector": {"matchLabels": {"app": NAME}},
            "template": {
                "metadata": {"labels": labels, "annotations": annotations},
                "spec": _pod(flannel),
            },
        },
    }


def _mount(name: str, path: str) -> dict[str, str]:
    return {"name": name, "mountPath": path}


def _field(name: str, path: str) -> dict[str, Any]:
    return {"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}}


def _pod(flannel: Flannel) -> dict[str, Any]:
    linux = {"matchExpressions": [{"key": "kubernetes.io/os", "operator": "In", "values": ["linux"]}]}
    required = {"nodeSelectorTerms": [linux]}
    image, plugin_image = flannel.images
    plugin = {
        "name": "install-cni-plugin",
        "image": plugin_image,
        "command": ["cp"],
        "args": ["-f", "/flannel", "/opt/cni/bin/flannel"],
        "volumeMounts": [_mount("cni-plugin", "/opt/cni/bin")],
    }
    conflist = {
        "name": "install-cni",
        "image": image,
        **_copying(flannel.image, "/etc/kube-flannel/cni-conf.json", f"/etc/cni/net.d/{CONFLIST}"),
        "volumeMounts": [_mount("cni", "/etc/cni/net.d"), _mount("flannel-cfg", "/etc/kube-flannel/")],
    }
    return {
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}},
        "hostNetwork": True,
        "priorityClassName": "system-node-critical",
        "tolerations": [dict(one) for one in flannel.tolerations or TOLERATIONS],
        "serviceAccountName": NAME,
        "initContainers": [plugin, conflist],
        "containers": [_container(flannel)],
        **({"nodeSelector": dict(flannel.node_selector)} if flannel.node_selector else {}),
        **({"imagePullSecrets": [{"name": name} for name in flannel.pull_secrets]} if flannel.pull_secrets else {}),
        "volumes": [
            {"name": "run", "hostPath": {"path": "/run/flannel"}},
            {"name": "cni-plugin", "hostPath": {"path": "/opt/cni/bin"}},
            {"name": "cni", "hostPath": {"path": "/etc/cni/net.d"}},
            {"name": "flannel-cfg", "configMap": {"name": "kube-flannel-cfg"}},
            {"name": "xtables-lock", "hostPath": {"path": "/run/xtables.lock", "type": "FileOrCreate"}},
        ],
    }


def _copying(image: str, source: str, target: str) -> dict[str, list[str]]:
    """How an image of Flannel copies a file."""
    if _is_older(image):
        return {"command": ["cp"], "args": ["-f", source, target]}
    return {"command": ["/opt/bin/install-conf"], "args": [source, target]}


def _is_older(image: str) -> bool:
    tag = TAG.fullmatch(parsed(image).tag)
    return bool(tag and tuple(map(int, tag.groups())) <= OLDER)


def _container(flannel: Flannel) -> dict[str, Any]:
    container: dict[str, Any] = {
        "name": "kube-flannel",
        "image": flannel.images[0],
        "command": ["/opt/bin/flanneld"],
        "args": ["--ip-masq", "--kube-subnet-mgr"],
        "resources": dict(flannel.resources) or RESOURCES,
        "securityContext": {"privileged": False, "capabilities": {"add": ["NET_ADMIN", "NET_RAW"]}},
        "env": [
            _field("POD_NAME", "metadata.name"),
            _field("POD_NAMESPACE", "metadata.namespace"),
            {"name": "EVENT_QUEUE_DEPTH", "value": "5000"},
            {"name": "CONT_WHEN_CACHE_NOT_READY", "value": "false"},
        ],
        "volumeMounts": [
            _mount("run", "/run/flannel"),
            _mount("flannel-cfg", "/etc/kube-flannel/"),
            _mount("xtables-lock", "/run/xtables.lock"),
        ],
    }
    return container if _is_older(flannel.image) else {**container, **_health(container["args"])}


def _health(arguments: Sequence[str]) -> dict[str, Any]:
    """flanneld tells on a port how it is, and is asked there."""
    return {
        "args": [*arguments, f"--healthz-port={HEALTH_PORT}"],
        "ports": [{"name": "healthz", "containerPort": HEALTH_PORT, "protocol": "TCP"}],
        "livenessProbe": {
            "httpGet": {"path": "/healthz", "port": "healthz"},
            "initialDelaySeconds": 10,
            "periodSeconds": 30,
        },
        "readinessProbe": {
            "httpGet": {"path": "/readyz", "port": "healthz"},
            "initialDelaySeconds": 5,
            "periodSeconds": 10,
        },
    }
