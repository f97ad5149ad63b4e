# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Which ports the parts of a Kubernetes node listen on, and who has to reach them.

Each row names its source. ``K`` is the page "Ports and Protocols" of the Kubernetes documentation; other sources are
files of the program at the version in ``VERSIONS``.
"""

from __future__ import annotations

from dataclasses import dataclass

VERSIONS = {"kubernetes": "v1.36.3", "flannel": "v0.28.9"}


@dataclass(frozen=True)
class PortRow:
    """One row of the matrix.

    :param id: by which users change it.
    :param component: who listens.
    :param protocol: ``tcp``, ``udp`` or ``sctp``.
    :param port: a number, or ``low-high``; ``nodeport`` stands for the cluster's range, ``ssh`` for the SSH port.
    :param nodes: on which nodes: ``all``, ``control_plane`` or ``etcd``.
    :param peers: the sets that may connect.
    :param source: where this is from.
    :param when: what must be so: ``flannel/vxlan`` for a CNI and its encapsulation; empty for always.
    """

    id: str
    component: str
    protocol: str
    port: str
    nodes: str
    peers: tuple[str, ...]
    source: str
    when: str = ""


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
    PortRow("kubelet", "kubelet", "tcp", "10250", "all", ("control_plane", "pods", "monitoring"), "K"),
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
)
