# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Versions, places and addresses of the test bed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent

GO = "1.26.6"
KUBERNETES = "v1.36.3"
FLANNEL = "v0.28.10"
FLANNEL_OLDER = "v0.28.4"
CALICO = "v3.28.5"
CILIUM = "v1.20.0"
NODE_RELEASE = "trixie"
# Newer than the nodes' release: the kernel's source, and the containerd that Kubernetes wants.
NEWER_RELEASE = "forky"
KERNEL_SOURCE = "linux-source-7.2"

# The names that kubeadm and the manifests ask for; what is inside is built here.
IMAGES = {
    "pause": "registry.k8s.io/pause:3.10.2",
    "etcd": "registry.k8s.io/etcd:3.6.8-0",
    "coredns": "registry.k8s.io/coredns/coredns:v1.14.2",
    "agnhost": "registry.k8s.io/e2e-test-images/agnhost:2.63.0",
    "flannel": "ghcr.io/flannel-io/flannel:v0.28.9",
    "flannel-cni": "ghcr.io/flannel-io/flannel-cni-plugin:v1.9.1-flannel3",
    "client": "localhost/client:1",
}

# Reserved for tests of network equipment (RFC 2544) and for documentation (RFC 3849): nobody's addresses.
BRIDGE_V4 = "198.18.0.1"
BRIDGE_V6 = "2001:db8:18::1"
POD_CIDR = "10.244.0.0/16"
SERVICE_CIDR = "10.96.0.0/16"
POD_CIDR_V6 = "2001:db8:244::/56"
SERVICE_CIDR_V6 = "2001:db8:96::/112"


def cache_root() -> Path:
    """The folder that keeps what is built: below ``XDG_CACHE_HOME``, outside every checkout."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "netops.kubernetes" / "testbed"


@dataclass(frozen=True)
class Node:
    """One virtual machine: its number decides its name and addresses."""

    number: int

    @property
    def name(self) -> str:
        return f"node{self.number}"

    @property
    def address(self) -> str:
        return f"198.18.0.{10 + self.number}"

    @property
    def address_v6(self) -> str:
        return f"2001:db8:18::{10 + self.number}"

    @property
    def mac(self) -> str:
        return f"02:00:c6:12:00:{10 + self.number:02x}"

    @property
    def tap(self) -> str:
        return f"tap{self.number}"

    @property
    def memory(self) -> str:
        """The first node carries the control plane."""
        return "2048M" if self.number == 1 else "1024M"
