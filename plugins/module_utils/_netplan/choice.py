# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Which CNI fits a cluster: answers in, Calico, Flannel and Cilium ranked, each reason with its source."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Callable

from ansible_collections.netops.kubernetes.plugins.module_utils._netplan.compatibility import (
    CALICO_NFTABLES,
    doubts,
    refusals,
    row_of,
    version_of,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._netplan.errors import NetworkError
from ansible_collections.netops.kubernetes.plugins.module_utils._netplan.ranges import ENDPOINT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CHOICES = {
    "environment": ("bare_metal", "virtual", "cloud"),
    "policies": ("none", "kubernetes", "cluster", "l7"),
    "reachability": ("none", "routed"),
    "kube_proxy_mode": ("iptables", "ipvs", "nftables", "none"),
}
VERSIONS = {"calico": "3.32", "flannel": "0.28", "cilium": "1.20"}
WIREGUARD_KERNEL = (5, 6)
EBPF_KERNEL = (5, 10)
MANY_NODES = 100
TYPHA_NODES = 50


@dataclass(frozen=True)
class Answers:
    """What somebody says of a cluster.

    :param policies: which network policies are to be enforced: none, Kubernetes' own, those of the whole cluster too,
        or such that look into HTTP.
    :param reachability: whether pods' addresses are to be reached from outside the cluster by routes.
    :param one_subnet: whether all nodes are in one subnet.
    :param latency: whether every microsecond counts.
    :param api_endpoint: ``HOST:PORT`` of the API server, which is needed without kube-proxy.
    """

    environment: str = "virtual"
    policies: str = "kubernetes"
    encryption: bool = False
    reachability: str = "none"
    latency: bool = False
    one_subnet: bool = True
    nodes: int = 0
    kernels: Sequence[str] = ()
    kubernetes_version: str = ""
    kube_proxy_mode: str = "iptables"
    api_endpoint: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    force: bool = False


@dataclass(frozen=True)
class Reason:
    """Why a CNI fits or does not.

    :param weight: how much it counts; what rules a CNI out is ``None``.
    """

    cni: str
    weight: int | None
    text: str
    source: str


@dataclass(frozen=True)
class Rule:
    """Reasons that hold where the answers say so."""

    holds: Callable[[Answers], bool]
    reasons: tuple[Reason, ...]


FLANNEL = "github.com/flannel-io/flannel, README"
BACKENDS = "github.com/flannel-io/flannel, backends.md"
OVERLAY = "docs.tigera.io, overlay networking"
VXLAN = "carries packets in VXLAN, which every virtual network takes"
RULES = (
    Rule(
        lambda a: a.policies != "none",
        (
            Reason("calico", 3, "enforces Kubernetes' policies", "docs.tigera.io, network policy"),
            Reason("cilium", 3, "enforces Kubernetes' policies", "docs.cilium.io, network policy"),
            Reason("flannel", None, "enforces no network policy by itself", FLANNEL),
        ),
    ),
    Rule(
        lambda a: a.policies == "none",
        (Reason("flannel", 4, "has the fewest parts where no policy is asked for", FLANNEL),),
    ),
    Rule(
        lambda a: a.policies == "cluster",
        (
            Reason("calico", 2, "has GlobalNetworkPolicy", "docs.tigera.io, GlobalNetworkPolicy"),
            Reason("cilium", 2, "has CiliumClusterwideNetworkPolicy", "docs.cilium.io, network policy"),
        ),
    ),
    Rule(
        lambda a: a.policies == "l7",
        (
            Reason("cilium", 5, "looks into HTTP and DNS", "docs.cilium.io, layer 7 policy"),
            Reason("calico", -4, "looks into HTTP only beside a service mesh", "docs.tigera.io, application layer"),
        ),
    ),
    Rule(
        lambda a: a.environment == "bare_metal",
        (Reason("calico", 3, "speaks BGP to the routers, without an overlay", "docs.tigera.io, BGP"),),
    ),
    Rule(
        lambda a: a.environment == "virtual",
        (Reason("flannel", 1, VXLAN, BACKENDS), Reason("calico", 1, VXLAN, OVERLAY)),
    ),
    Rule(
        lambda a: a.reachability == "routed",
        (
            Reason("calico", 3, "announces pods' addresses by BGP", "docs.tigera.io, BGP"),
            Reason("cilium", 2, "announces pods' addresses by BGP", "docs.cilium.io, BGP control plane"),
            Reason("flannel", None, "announces pods' addresses to nobody", BACKENDS),
        ),
    ),
    Rule(
        lambda a: a.encryption,
        (
            Reason("calico", 1, "encrypts between nodes by WireGuard", "docs.tigera.io, WireGuard"),
            Reason("flannel", 1, "encrypts between nodes by its WireGuard back-end", BACKENDS),
            Reason("cilium", 1, "encrypts between nodes by WireGuard or IPsec", "docs.cilium.io, encryption"),
        ),
    ),
    Rule(
        lambda a: a.latency,
        (
            Reason("cilium", 2, "passes by most of the host's network stack", "docs.cilium.io, performance tuning"),
            Reason("calico", 1, "routes without an overlay within a subnet", OVERLAY),
        ),
    ),
    Rule(
        lambda a: a.nodes > MANY_NODES,
        (Reason("flannel", -2, "has one process a node that watches every other node", FLANNEL),),
    ),
    Rule(
        lambda a: a.nodes > TYPHA_NODES,
        (Reason("calico", 1, "spreads the load of many nodes over Typha", "docs.tigera.io, Typha"),),
    ),
    Rule(
        lambda a: a.kube_proxy_mode == "none",
        (
            Reason("cilium", 2, "serves Services without kube-proxy", "docs.cilium.io, kube-proxy replacement"),
            Reason("calico", 1, "serves Services by its eBPF data plane", "docs.tigera.io, eBPF data plane"),
            Reason("flannel", None, "needs kube-proxy", FLANNEL),
        ),
    ),
    Rule(
        lambda a: any(version_of("kernel version", one) < EBPF_KERNEL for one in a.kernels),
        (Reason("flannel", 1, "runs on every kernel that Kubernetes does", FLANNEL),),
    ),
)
CLOUD = "in a cloud its own CNI gives pods addresses of the cloud's network, without an overlay: look at it first"


def cni_choice(answers: Answers) -> dict[str, Any]:
    """``choice``, ``ranking`` and ``advice``.

    :returns: ``choice``: the first of the ranking that fits, or empty. ``ranking``: of each CNI ``cni``, ``score``,
        ``fits``, ``reasons``, ``warnings`` and ``settings``. ``advice``: what no CNI of these can answer.
    :raises NetworkError: an answer is none.
    """
    _require(answers)
    ranking = sorted(
        (_judged(cni, answers) for cni in VERSIONS), key=lambda one: (not one["fits"], -one["score"], one["cni"])
    )
    fitting = [one["cni"] for one in ranking if one["fits"]]
    return {
        "choice": fitting[0] if fitting else "",
        "ranking": ranking,
        "advice": [CLOUD] if answers.environment == "cloud" else [],
    }


def _require(answers: Answers) -> None:
    for name, allowed in CHOICES.items():
        if getattr(answers, name) not in allowed:
            raise NetworkError(name, repr(getattr(answers, name)), f"one of {', '.join(allowed)}")
    if isinstance(answers.nodes, bool) or not isinstance(answers.nodes, int) or answers.nodes < 0:
        raise NetworkError("nodes", repr(answers.nodes), "how many there are")
    for cni in answers.versions:
        if cni not in VERSIONS:
            raise NetworkError("versions", f"{cni!r} is none of the CNIs", f"one of {', '.join(VERSIONS)}")
    if answers.api_endpoint and not ENDPOINT.fullmatch(answers.api_endpoint):
        raise NetworkError("api_endpoint", repr(answers.api_endpoint), "HOST:PORT of the API server")
    for kernel in answers.kernels:
        version_of("kernel version", kernel)
    if answers.kubernetes_version:
        version_of("kubernetes_version", answers.kubernetes_version)


def _judged(cni: str, answers: Answers) -> dict[str, Any]:
    reasons = [reason for rule in RULES if rule.holds(answers) for reason in rule.reasons if reason.cni == cni]
    version = _version_of(cni, answers)
    row = row_of(cni, version)
    refused = refusals(row, answers.kubernetes_version, answers.kernels) if row else []
    fits = all(reason.weight is not None for reason in reasons) and (answers.force or not refused)
    settings = SETTINGS[cni](answers) if fits else {}
    return {
        "cni": cni,
        "version": version,
        "score": sum(reason.weight or 0 for reason in reasons),
        "fits": fits,
        "reasons": [
            {"text": reason.text, "weight": reason.weight, "rules_out": reason.weight is None, "source": reason.source}
            for reason in reasons
        ],
        "refused": refused,
        "warnings": _warnings(cni, version, answers, settings),
        "settings": settings,
    }


def _version_of(cni: str, answers: Answers) -> str:
    return answers.versions.get(cni, VERSIONS[cni])


def _warnings(cni: str, version: str, answers: Answers, settings: Mapping[str, Any]) -> list[str]:
    """What is to be known of a CNI beside its reasons."""
    row = row_of(cni, version)
    unknown = f"{cni} {version} is not in the table of versions; whether it fits is not checked"
    told = doubts(row, answers.kubernetes_version) if row else [unknown]
    if cni == "calico" and answers.kube_proxy_mode == "nftables" and not _has_nftables(answers):
        told.append(
            f"Calico {version} has its nftables data plane as a preview at most, and kube-proxy in this mode asks for "
            "it: choose 3.31 or later, or another mode (docs.tigera.io, nftables)"
        )
    if answers.encryption and any(version_of("kernel version", one) < WIREGUARD_KERNEL for one in answers.kernels):
        told.append("WireGuard is part of the kernel from 5.6 on: older nodes need its module (wireguard.com)")
    told += [f"{name}: to be set to HOST:PORT of the API server" for name, value in settings.items() if value == ""]
    return told


# ---- settings of the roles -----------------------------------------------------------------------------------------


def _direct(answers: Answers) -> bool:
    """Whether packets can go between nodes as they are."""
    return answers.one_subnet and (answers.environment == "bare_metal" or answers.latency)


def _has_nftables(answers: Answers) -> bool:
    return version_of("version of calico", _version_of("calico", answers)) >= CALICO_NFTABLES


def _dataplane(answers: Answers) -> str:
    """Calico's, by the mode of kube-proxy; iptables' in every other."""
    if answers.kube_proxy_mode == "nftables" and _has_nftables(answers):
        return "Nftables"
    return "BPF" if answers.kube_proxy_mode == "none" else "Iptables"


def _calico(answers: Answers) -> dict[str, Any]:
    # Without an overlay nothing but BGP brings routes to the other nodes.
    bgp = answers.reachability == "routed" or answers.environment == "bare_metal" or _direct(answers)
    return {
        "calico_bgp": bgp,
        "calico_encapsulation": "None" if _direct(answers) else ("VXLANCrossSubnet" if bgp else "VXLAN"),
        "calico_wireguard": answers.encryption,
        "calico_linux_dataplane": _dataplane(answers),
        **_endpoint("calico", answers),
    }


def _flannel(answers: Answers) -> dict[str, Any]:
    backend = "wireguard" if answers.encryption else ("host-gw" if _direct(answers) else "vxlan")
    return {"flannel_backend": backend, "flannel_nftables": answers.kube_proxy_mode == "nftables"}


def _cilium(answers: Answers) -> dict[str, Any]:
    announced = {"cilium_values": {"bgpControlPlane": {"enabled": True}}} if answers.reachability == "routed" else {}
    return {
        "cilium_tunnel": "none" if _direct(answers) else "vxlan",
        "cilium_kube_proxy_replacement": answers.kube_proxy_mode == "none",
        "cilium_wireguard": answers.encryption,
        **_endpoint("cilium", answers),
        **announced,
    }


def _endpoint(cni: str, answers: Answers) -> dict[str, Any]:
    """Where nothing serves the API server's Service yet, its own address."""
    return {f"{cni}_api_endpoint": answers.api_endpoint} if answers.kube_proxy_mode == "none" else {}


SETTINGS: dict[str, Callable[[Answers], dict[str, Any]]] = {"calico": _calico, "flannel": _flannel, "cilium": _cilium}
