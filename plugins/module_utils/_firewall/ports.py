# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Which ports the parts of a Kubernetes node listen on, and who has to reach them.

Each row names its source. ``K`` is the page "Ports and Protocols" of the Kubernetes documentation; other sources are
files of the program, at the version in ``VERSIONS`` where one is there.
"""

from __future__ import annotations

from dataclasses import dataclass

VERSIONS = {"kubernetes": "v1.36.3", "flannel": "v0.28.9"}


@dataclass(frozen=True)
class PortRow:
    """One row of the matrix.

    :param id: by which users change it.
    :param component: who listens.
    :param protocol: ``tcp``, ``udp`` or ``sctp``, or an IP protocol of ``IP_PROTOCOLS``, which has no ports.
    :param port: a number, or ``low-high``; ``nodeport`` stands for the cluster's range, ``ssh`` for the SSH port.
    :param nodes: on which nodes: ``all``, ``control_plane`` or ``etcd``.
    :param peers: the sets that may connect.
    :param source: where this is from.
    :param when: which CNI must be there, and with which encapsulations: ``calico``, ``flannel/vxlan``,
        ``calico/ipip|ipip-crosssubnet``; empty for always.
    :param add_on: what else must be there; empty for nothing.
    """

    id: str
    component: str
    protocol: str
    port: str
    nodes: str
    peers: tuple[str, ...]
    source: str
    when: str = ""
    add_on: str = ""


# Numbers of IP protocols without ports, as the IANA registry "Protocol Numbers" has them.
IP_PROTOCOLS = {"ipip": 4, "esp": 50}

# What each CNI whose ports are known can carry packets between nodes with.
ENCAPSULATIONS = {
    "flannel": ("vxlan", "host-gw", "udp", "wireguard", "ipip"),
    "calico": ("vxlan", "vxlan-crosssubnet", "ipip", "ipip-crosssubnet", "none"),
    "cilium": ("vxlan", "geneve", "native"),
}

# DNAT comes before the input hook, so these also look at the port that the client asked for.
NODEPORT_RULES = ("nodeport-tcp", "nodeport-udp")

FELIX = "projectcalico/calico felix/config/config_params.go"
CILIUM = "cilium/cilium Documentation/operations/system_requirements.rst: Firewall Rules"
NODE_LOCAL = "k8s.io/kubernetes cluster/addons/dns/nodelocaldns/nodelocaldns.yaml"


MATRIX = (
    PortRow("ssh", "sshd", "tcp", "ssh", "all", ("admins",), "sshd_config(5): Port"),
    PortRow(
        "kube-apiserver",
        "kube-apiserver",
        "tcp",
        "6443",
        "control_plane",
        ("all_nodes", "admins", "pods", "load_balancers"),
        "K",
    ),
    PortRow("etcd-client", "etcd", "tcp", "2379", "etcd", ("control_plane", "etcd"), "K"),
    PortRow("etcd-peer", "etcd", "tcp", "2380", "etcd", ("etcd",), "K"),
    # K names the control plane. Pods such as metrics-server reach other nodes masqueraded as their own node.
    PortRow("kubelet", "kubelet", "tcp", "10250", "all", ("all_nodes", "pods", "monitoring"), "K"),
    PortRow(
        "kube-controller-manager",
        "kube-controller-manager",
        "tcp",
        "10257",
        "control_plane",
        ("control_plane", "monitoring"),
        "K",
    ),
    PortRow("kube-scheduler", "kube-scheduler", "tcp", "10259", "control_plane", ("control_plane", "monitoring"), "K"),
    PortRow("kube-proxy-health", "kube-proxy", "tcp", "10256", "all", ("all_nodes", "load_balancers"), "K"),
    PortRow("nodeport-tcp", "Services of type NodePort", "tcp", "nodeport", "all", ("anywhere",), "K"),
    PortRow(
        "nodeport-udp",
        "Services of type NodePort",
        "udp",
        "nodeport",
        "all",
        ("anywhere",),
        "k8s.io/kubernetes pkg/proxy/iptables/proxier.go: NodePorts of every Service protocol",
    ),
    PortRow(
        "flannel-vxlan",
        "flanneld",
        "udp",
        "8472",
        "all",
        ("all_nodes",),
        "flannel Documentation/backends.md: vxlan",
        "flannel/vxlan",
    ),
    PortRow(
        "flannel-udp",
        "flanneld",
        "udp",
        "8285",
        "all",
        ("all_nodes",),
        "flannel Documentation/backends.md: udp",
        "flannel/udp",
    ),
    PortRow(
        "flannel-wireguard",
        "flanneld",
        "udp",
        "51820-51821",
        "all",
        ("all_nodes",),
        "flannel Documentation/backends.md: wireguard",
        "flannel/wireguard",
    ),
    PortRow(
        "flannel-ipip",
        "flanneld",
        "ipip",
        "",
        "all",
        ("all_nodes",),
        "flannel Documentation/backends.md: IPIP",
        "flannel/ipip",
    ),
    PortRow(
        "calico-bgp",
        "BIRD",
        "tcp",
        "179",
        "all",
        ("all_nodes",),
        f"{FELIX}: FailsafeInboundHostPorts",
        "calico/ipip|ipip-crosssubnet|none",
    ),
    PortRow(
        "calico-ipip",
        "felix",
        "ipip",
        "",
        "all",
        ("all_nodes",),
        f"{FELIX}: IpInIpEnabled",
        "calico/ipip|ipip-crosssubnet",
    ),
    PortRow(
        "calico-vxlan",
        "felix",
        "udp",
        "4789",
        "all",
        ("all_nodes",),
        f"{FELIX}: VXLANPort",
        "calico/vxlan|vxlan-crosssubnet",
    ),
    PortRow(
        "calico-typha",
        "typha",
        "tcp",
        "5473",
        "all",
        ("all_nodes",),
        f"{FELIX}: FailsafeInboundHostPorts",
        "calico",
        "typha",
    ),
    PortRow("cilium-vxlan", "cilium-agent", "udp", "8472", "all", ("all_nodes",), CILIUM, "cilium/vxlan"),
    PortRow("cilium-geneve", "cilium-agent", "udp", "6081", "all", ("all_nodes",), CILIUM, "cilium/geneve"),
    PortRow("cilium-health", "cilium-health", "tcp", "4240", "all", ("all_nodes",), CILIUM, "cilium"),
    PortRow("cilium-hubble", "hubble", "tcp", "4244", "all", ("all_nodes", "pods"), CILIUM, "cilium", "hubble"),
    PortRow("cilium-wireguard", "cilium-agent", "udp", "51871", "all", ("all_nodes",), CILIUM, "cilium", "wireguard"),
    PortRow("cilium-ipsec", "cilium-agent", "esp", "", "all", ("all_nodes",), CILIUM, "cilium", "ipsec"),
    PortRow(
        "nodelocaldns-udp",
        "NodeLocal DNSCache",
        "udp",
        "53",
        "all",
        ("pods", "all_nodes"),
        NODE_LOCAL,
        "",
        "nodelocaldns",
    ),
    PortRow(
        "nodelocaldns-tcp",
        "NodeLocal DNSCache",
        "tcp",
        "53",
        "all",
        ("pods", "all_nodes"),
        NODE_LOCAL,
        "",
        "nodelocaldns",
    ),
    PortRow(
        "nodelocaldns-metrics",
        "NodeLocal DNSCache",
        "tcp",
        "9253",
        "all",
        ("monitoring",),
        NODE_LOCAL,
        "",
        "nodelocaldns",
    ),
)
