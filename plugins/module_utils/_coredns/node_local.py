# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""NodeLocal DNSCache as Kubernetes objects.

What node-cache does with its arguments, its Corefile and the network is read from kubernetes/dns ``cmd/node-cache``;
which parts it needs, from ``cluster/addons/dns/nodelocaldns`` of Kubernetes. Its images do not tell which CoreDNS is
inside (1.11.3 in kubernetes/dns@0198432 ``go.mod``), so the Corefile keeps to what CoreDNS 1.7.0 has too.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._errors import NetopsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import Object

OWNER = "node-local-dns"
NAME = "node-local-dns"
NAMESPACE = "kube-system"
UPSTREAM = "kube-dns-upstream"
IMAGE = "registry.k8s.io/dns/k8s-dns-node-cache:1.26.4"
ADDRESS = "169.254.20.10"
HEALTH_PORT = 8080
METRICS_PORT = 9253
LABELS = {"k8s-app": NAME}
# Who answers for names outside the cluster: CoreDNS, with all that its Corefile says, or the node's own servers.
COREDNS, NODE = "coredns", "node"
# Modes of kube-proxy in which the cache takes the DNS Service's own address: no device has it there, and the cache's
# rules come before kube-proxy's. IPVS has the address on a device of its own.
TAKING = ("iptables", "nftables")
# Which node-cache puts in when it starts: its addresses, the Service UPSTREAM, and the node's servers.
_LISTENING, _CLUSTER, _OUTSIDE = "__PILLAR__LOCAL__DNS__", "__PILLAR__CLUSTER__DNS__", "__PILLAR__UPSTREAM__SERVERS__"


class NodeLocalError(NetopsError):
    """A NodeLocal DNSCache that would not work, or whose removal would cut somebody off."""


@dataclass(frozen=True)
class NodeLocal:
    """What is wanted.

    :param mode: of kube-proxy; empty without one.
    :param dns_address: the cluster address of the DNS Service.
    :param selector: of that Service.
    :param domain: the cluster's zone.
    :param address: the cache's own on every node.
    :param outside: ``coredns`` or ``node``.
    """

    mode: str
    dns_address: str
    selector: Mapping[str, str]
    domain: str = "cluster.local"
    address: str = ADDRESS
    outside: str = COREDNS
    image: str = IMAGE

    @property
    def taken(self) -> tuple[str, ...]:
        """Addresses of others at which the cache answers too."""
        return (self.dns_address,) if self.mode in TAKING else ()

    @property
    def listening(self) -> tuple[str, ...]:
        """All addresses at which the cache answers."""
        return (self.address, *self.taken)


def require_sound(wish: NodeLocal) -> None:
    """Require kube-proxy, and an address that pods of every node reach on their own node.

    :raises NodeLocalError: either is not there.
    """
    if not wish.mode:
        raise NodeLocalError(
            "kube-proxy",
            "its configuration is not there; who serves Services instead decides where questions go",
            "kube-proxy",
            "With Cilium use its local redirect policy",
        )
    try:
        own, service = ipaddress.ip_address(wish.address), ipaddress.ip_address(wish.dns_address)
    except ValueError as error:
        raise NodeLocalError("address", str(error), "an IP address") from error
    if own.version != service.version:
        # node-cache's own rule: all its addresses are of one family.
        raise NodeLocalError("address", f"{own}, and the DNS Service has {service}", "addresses of one family")
    if own == service:
        raise NodeLocalError("address", f"{own} is that of the DNS Service", "one that nobody has")
    if own.is_loopback or own.is_unspecified or own.is_multicast:
        raise NodeLocalError("address", f"pods do not reach {own} on their node", f"one such as {ADDRESS}")
    if own.version == 6 and own.is_link_local:
        raise NodeLocalError(
            "address", f"{own} needs a link beside it, which resolvers do not know", "a unique local one, as fd00::10"
        )


def corefile(wish: NodeLocal) -> str:
    """The Corefile, with the words in it that node-cache replaces itself.

    Only one server block may have ``health``: its address and port are the node's.
    """
    zones = (wish.domain, "in-addr.arpa", "ip6.arpa", ".")
    return "".join(_server(wish, zone, is_first=not number) for number, zone in enumerate(zones))


def _server(wish: NodeLocal, zone: str, *, is_first: bool) -> str:
    # Connections to CoreDNS are TCP: they end in conntrack when they end, and no answer is cut short.
    to = [f"forward . {_CLUSTER} {{", "    force_tcp", "}"]
    if zone == "." and wish.outside == NODE:
        to = [f"forward . {_OUTSIDE}"]
    # A name that was not there a moment ago is that of a pod which has just become ready.
    cache = ["cache {", "    success 9984 30", "    denial 9984 5", "}"] if is_first else ["cache 30"]
    host = f"[{wish.address}]" if ":" in wish.address else wish.address
    health = [f"health {host}:{HEALTH_PORT}"] if is_first else []
    lines = ["errors", *cache, "reload", "loop", f"bind {_LISTENING}", *to, f"prometheus :{METRICS_PORT}", *health]
    return f"{zone}:53 {{\n" + "".join(f"    {line}\n" for line in lines) + "}\n"


def objects(wish: NodeLocal) -> list[Object]:
    """Every object of a NodeLocal DNSCache.

    :raises NodeLocalError: the wish is not sound.
    """
    require_sound(wish)
    ports = [{"name": name, "port": 53, "targetPort": 53, "protocol": kind} for name, kind in _PROTOCOLS]
    metrics = {"name": "metrics", "port": METRICS_PORT, "targetPort": METRICS_PORT, "protocol": "TCP"}
    return [
        _object("v1", "ServiceAccount", NAME),
        # The way to CoreDNS past the address that the cache itself takes. A node-cache learns it from its environment,
        # so it must be there before the pods are.
        _object("v1", "Service", UPSTREAM, spec={"selector": dict(wish.selector), "ports": ports}),
        _object("v1", "ConfigMap", NAME, data={"Corefile": corefile(wish)}),
        _object("apps/v1", "DaemonSet", NAME, spec=_daemon_set(wish)),
        _object("v1", "Service", NAME, spec={"clusterIP": "None", "selector": LABELS, "ports": [metrics]}),
    ]


_PROTOCOLS = (("dns", "UDP"), ("dns-tcp", "TCP"))


def _object(api_version: str, kind: str, name: str, **content: Any) -> Object:
    metadata = {"name": name, "namespace": NAMESPACE, "labels": LABELS}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **content}


def _daemon_set(wish: NodeLocal) -> dict[str, Any]:
    pod = {
        "serviceAccountName": NAME,
        "priorityClassName": "system-node-critical",
        "hostNetwork": True,
        # The node's own: the cluster's would be itself.
        "dnsPolicy": "Default",
        # It takes its rules away one by one; one that is killed meanwhile leaves the others behind.
        "terminationGracePeriodSeconds": 180,
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"operator": "Exists"}],
        "containers": [_container(wish)],
        "volumes": [
            {"name": "xtables-lock", "hostPath": {"path": "/run/xtables.lock", "type": "FileOrCreate"}},
            {"name": "kube-dns", "configMap": {"name": "kube-dns", "optional": True}},
            {
                "name": "corefile",
                "configMap": {"name": NAME, "items": [{"key": "Corefile", "path": "Corefile.base"}]},
            },
        ],
    }
    return {
        "selector": {"matchLabels": LABELS},
        # One node after the other has none for a moment.
        "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "10%"}},
        "template": {"metadata": {"labels": LABELS}, "spec": pod},
    }


def _container(wish: NodeLocal) -> dict[str, Any]:
    asking = {"httpGet": {"host": wish.address, "path": "/health", "port": HEALTH_PORT}}
    ports = [{"name": name, "containerPort": 53, "protocol": kind} for name, kind in _PROTOCOLS]
    return {
        "name": "node-cache",
        "image": wish.image,
        "args": [
            *("-localip", ",".join(wish.listening)),
            *("-conf", "/etc/Corefile"),
            *("-upstreamsvc", UPSTREAM),
            # node-cache writes its rules as soon as this file tells that its CoreDNS serves, else a minute later.
            *("-pidfile", "/tmp/node-cache.pid"),  # noqa: S108 - a file in the container
        ],
        # As Kubernetes' documentation measures a full cache. Without a limit: one that is killed for its memory leaves
        # its rules behind.
        "resources": {"requests": {"cpu": "25m", "memory": "30Mi"}},
        "securityContext": {"capabilities": {"add": ["NET_ADMIN"]}},
        "ports": [*ports, {"name": "metrics", "containerPort": METRICS_PORT, "protocol": "TCP"}],
        "readinessProbe": {**asking, "periodSeconds": 2, "timeoutSeconds": 5},
        "livenessProbe": {**asking, "initialDelaySeconds": 60, "timeoutSeconds": 5},
        "volumeMounts": [
            {"name": "xtables-lock", "mountPath": "/run/xtables.lock"},
            {"name": "corefile", "mountPath": "/etc/coredns"},
            {"name": "kube-dns", "mountPath": "/etc/kube-dns"},
        ],
    }
