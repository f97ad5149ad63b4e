# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""What stands in the way of a mode, found before anything changes: all of it, on all nodes, with remedies.

Where the demands come from: pkg/proxy/ipvs/supported.go and pkg/proxy/nftables/supported.go (Kubernetes 1.36);
MetalLB's and kube-vip's installation guides (strictARP); Calico's guide to its nftables data plane, which wants
kube-proxy in mode nftables with it and nowhere else; Cilium's guide to running without kube-proxy; the Kubernetes
documentation of NodeLocal DNSCache (mode ipvs). Flannel asks for nothing: its rules masquerade, and stand beside any.
"""

from __future__ import annotations

import ipaddress
import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ansible_collections.netops.kubernetes.plugins.module_utils._errors import NetopsError, listed
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.deprecation import (
    NFTABLES_SINCE,
    ipvs_notice,
    ipvs_refusal,
    minor_of,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.values import endpoint, host_and_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# pkg/util/kernel (NFTablesKubeProxyKernelVersion), and sigs.k8s.io/knftables.
NFTABLES_KERNEL = (5, 13)
NFTABLES_PROGRAM = (1, 0, 1)
# Where kube-proxy tells its mode and its health (pkg/cluster/ports/ports.go).
METRICS_PORT = 10249
HEALTH_PORT = 10256


class PreflightError(NetopsError):
    """A mode cannot be had on this cluster as it is."""


@dataclass(frozen=True)
class Wish:
    """What is to be.

    :param mode: ``iptables``, ``ipvs`` or ``nftables``.
    :param scheduler: of mode ipvs.
    :param strict_arp: of mode ipvs.
    :param metrics_bind_address: where kube-proxy tells its mode; empty for its default, as the next.
    :param healthz_bind_address: where it tells whether it is healthy.
    """

    mode: str
    scheduler: str = "rr"
    strict_arp: bool = False
    metrics_bind_address: str = ""
    healthz_bind_address: str = ""


@dataclass(frozen=True)
class NodeFacts:
    """What one node offers.

    :param kernel: its release, such as ``6.12.9-amd64``.
    :param modules: ``loaded``, ``built-in`` or ``loadable`` by name; what the kernel does not have is not there.
    :param nft: the version of the program nft; empty without one.
    :param cluster_dns: the addresses that kubelet gives to pods.
    :param strict_forward_ports: whether firewalld drops forwarded traffic that it did not forward itself.
    """

    kernel: str
    modules: Mapping[str, str]
    nft: str
    cluster_dns: tuple[str, ...]
    strict_forward_ports: bool


@dataclass(frozen=True)
class ClusterFacts:
    """What the API says.

    :param version: of kube-proxy.
    :param replacement: who serves Services instead of kube-proxy; empty when nobody does.
    :param announcers: who answers ARP for Services: MetalLB, kube-vip.
    :param calico_nftables: Calico's ``nftablesMode``, or its version's default; nothing without Calico.
    :param has_node_local_dns: whether NodeLocal DNSCache is there.
    :param dns_address: of the cluster's DNS Service.
    """

    version: str
    replacement: str = ""
    announcers: tuple[str, ...] = ()
    calico_nftables: str | None = None
    has_node_local_dns: bool = False
    dns_address: str = ""


def judge(wish: Wish, cluster: ClusterFacts, nodes: Mapping[str, NodeFacts]) -> tuple[list[PreflightError], list[str]]:
    """What stands in the way, and what is to be said besides.

    Nodes with the same trouble are named together.
    """
    troubles = list(_of_cluster(wish, cluster, nodes))
    grouped: dict[tuple[str, str, str, str], list[str]] = defaultdict(list)
    for name, facts in sorted(nodes.items()):
        for error in _of_node(wish, facts):
            grouped[error.subject, error.seen, error.expected, error.remedy].append(name)
    for (subject, seen, expected, remedy), names in grouped.items():
        troubles.append(PreflightError(f"{subject} on {listed(names)}", seen, expected, remedy))
    notice = ipvs_notice(cluster.version) if wish.mode == "ipvs" and not ipvs_refusal(cluster.version) else ""
    return troubles, [notice] if notice else []


# ---- the cluster ----------------------------------------------------------------------------------------------------


def _of_cluster(wish: Wish, cluster: ClusterFacts, nodes: Mapping[str, NodeFacts]) -> Iterator[PreflightError]:
    if cluster.replacement:
        yield PreflightError(
            "kube-proxy",
            f"{cluster.replacement} serves Services instead of it",
            "one of the two",
            "Remove kube-proxy with tasks_from: remove, or turn the replacement off first",
        )
    yield from _of_addresses(wish)
    refusal = ipvs_refusal(cluster.version) if wish.mode == "ipvs" else ""
    if refusal:
        yield PreflightError("mode ipvs", refusal, remedy="Set kube_proxy_mode to nftables, its successor")
    if wish.mode == "nftables":
        yield from _of_nftables(cluster)
    elif cluster.calico_nftables == "Enabled":
        yield PreflightError(
            "Calico",
            "its data plane is nftables (nftablesMode Enabled)",
            "kube-proxy in mode nftables beside it",
            "Set linuxDataplane: Iptables in its Installation, or nftablesMode: Disabled in its FelixConfiguration",
        )
    if wish.mode == "ipvs":
        yield from _of_ipvs(wish, cluster, nodes)


def _of_addresses(wish: Wish) -> Iterator[PreflightError]:
    """kube-proxy must be asked on each node, or a node would count as one that does not come to serve."""
    for field, address, port in (
        ("metricsBindAddress", wish.metrics_bind_address, METRICS_PORT),
        ("healthzBindAddress", wish.healthz_bind_address, HEALTH_PORT),
    ):
        if address and not _is_reached(address, port):
            yield PreflightError(
                field,
                f"it is {address}, and each node's kube-proxy is asked on localhost:{port}",
                f"port {port}, of every address or of the loopback one",
                "Give it this for the time of the switch, with the module kube_proxy_config",
            )


def _is_reached(address: str, port: int) -> bool:
    """Whether localhost and a port lead to an address, whose own port may be left out."""
    parts = host_and_port(address)
    if parts is None or endpoint(address, 0):
        return False
    host = ipaddress.ip_address(parts[0])
    return parts[1] in {None, str(port)} and (host.is_unspecified or host.is_loopback)


def _of_nftables(cluster: ClusterFacts) -> Iterator[PreflightError]:
    if minor_of(cluster.version) < NFTABLES_SINCE:
        yield PreflightError(
            "mode nftables",
            f"kube-proxy {cluster.version} does not have it",
            f"Kubernetes 1.{NFTABLES_SINCE} or later",
            "Upgrade the cluster first",
        )
    if cluster.calico_nftables == "Disabled":
        yield PreflightError(
            "Calico",
            "its data plane is iptables (nftablesMode Disabled)",
            "nftables, as kube-proxy's",
            "Set linuxDataplane: Nftables in its Installation, or nftablesMode: Auto in its FelixConfiguration, which "
            "Calico has from 3.29 on",
        )


def _of_ipvs(wish: Wish, cluster: ClusterFacts, nodes: Mapping[str, NodeFacts]) -> Iterator[PreflightError]:
    if cluster.announcers and not wish.strict_arp:
        yield PreflightError(
            " and ".join(cluster.announcers),
            "every node would answer ARP for their addresses, since IPVS has them on a link of each node",
            "strictARP",
            "Set kube_proxy_ipvs_strict_arp: true",
        )
    wrong = sorted(name for name, facts in nodes.items() if cluster.dns_address in facts.cluster_dns)
    if cluster.has_node_local_dns and cluster.dns_address and wrong:
        yield PreflightError(
            f"kubelet's clusterDNS on {', '.join(wrong[:10])}",
            f"it is {cluster.dns_address}, which IPVS takes, so NodeLocal DNSCache would get no query",
            "the cache's link-local address",
            "Set clusterDNS in /var/lib/kubelet/config.yaml to it and restart kubelet and the pods",
        )


# ---- a node ---------------------------------------------------------------------------------------------------------


def _of_node(wish: Wish, facts: NodeFacts) -> Iterator[PreflightError]:
    if wish.mode == "ipvs":
        missing = [one for one in ("ip_vs", f"ip_vs_{wish.scheduler}", "nf_conntrack") if one not in facts.modules]
        if missing:
            others = sorted(one[6:] for one in facts.modules if one.startswith("ip_vs_"))
            yield PreflightError(
                f"kernel module {', '.join(missing)}",
                f"kernel {facts.kernel} does not have it; its schedulers are {', '.join(others) or 'none'}",
                "a kernel with IPVS and this scheduler",
                "Install the package with this kernel's further modules, or choose another scheduler or mode",
            )
    if wish.mode == "nftables":
        yield from _of_nft(facts)
    if facts.strict_forward_ports:
        yield PreflightError(
            "firewalld",
            "StrictForwardPorts=yes drops what kube-proxy forwards to pods",
            "StrictForwardPorts=no",
            "Correct it in /etc/firewalld/firewalld.conf and reload firewalld",
        )


def _of_nft(facts: NodeFacts) -> Iterator[PreflightError]:
    if _numbers(facts.kernel)[:2] < NFTABLES_KERNEL:
        yield PreflightError(
            "mode nftables",
            f"kube-proxy refuses kernel {facts.kernel}",
            f"{'.'.join(map(str, NFTABLES_KERNEL))} or later",
            "Upgrade the kernel, or choose mode iptables",
        )
    if "nf_tables" not in facts.modules:
        yield PreflightError(
            "kernel module nf_tables",
            f"kernel {facts.kernel} does not have it",
            "a kernel with nftables",
            "Install the package with this kernel's further modules, or choose mode iptables",
        )
    if facts.nft and _numbers(facts.nft) < NFTABLES_PROGRAM:
        yield PreflightError(
            "program nft",
            f"version {facts.nft} cannot read what kube-proxy writes, and may break on it",
            f"{'.'.join(map(str, NFTABLES_PROGRAM))} or later",
            "Upgrade nftables, or remove it where nothing needs it",
        )


def _numbers(version: str) -> tuple[int, ...]:
    found = re.match(r"v?(\d+)\.(\d+)(?:\.(\d+))?", version)
    return tuple(int(part or 0) for part in found.groups()) if found else (0, 0, 0)
