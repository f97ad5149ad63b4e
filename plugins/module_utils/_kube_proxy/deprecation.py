# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""What a version of Kubernetes holds of kube-proxy's modes.

Sources: KEP-5495 with its graduation criteria, stages 1 to 4 and the clean-up (kubernetes/enhancements,
keps/sig-network/5495-deprecate-ipvs-mode-in-kube-proxy/README.md at 3a8eb26221673ab93d3b55c1a91f55799c24eb56),
kube-proxy 1.37's feature gate ``KubeProxyIPVS`` (pkg/features/kube_features.go, pkg/proxy/apis/config/validation) and
its own warnings (cmd/kube-proxy/app/server_linux.go). What is said of 1.40 and later is upstream's plan.
"""

from __future__ import annotations

import re

from ansible_collections.netops.kubernetes.plugins.module_utils._errors import NetopsError

IPVS_GATE = "KubeProxyIPVS"
IPVS_DEPRECATED, IPVS_HAS_GATE, IPVS_OFF, IPVS_GONE, IPVS_GATE_GONE = 35, 37, 40, 43, 46
# kube-proxy 1.37 announces this for a configuration that names no mode.
NFTABLES_IS_DEFAULT = 40
NFTABLES_SINCE, NFTABLES_STABLE = 29, 33


class VersionError(NetopsError):
    """A version that cannot be read, or that lacks what is asked."""


def minor_of(version: str) -> int:
    """The minor version of ``v1.36.3``, ``1.36``, ``v1.36.3+k3s1`` or ``v1.37.0-rc.1``.

    :raises VersionError: it is none of Kubernetes.
    """
    found = re.match(r"v?1\.(\d+)(?!\d)", version)
    if not found:
        raise VersionError(f"version {version!r}", "it is no version of Kubernetes", "one such as v1.36.3")
    return int(found[1])


def default_mode(minor: int) -> str:
    """The mode of a configuration that names none."""
    return "nftables" if minor >= NFTABLES_IS_DEFAULT else "iptables"


def ipvs_gate(minor: int) -> bool | None:
    """What the feature gate must say for mode ipvs: nothing where it is on by default, or not known yet."""
    return True if IPVS_OFF <= minor < IPVS_GONE else None


def is_gate_in_the_way(minor: int, value: bool) -> bool:
    """Whether kube-proxy would not start for what the feature gate says, with whatever mode.

    It is locked to false from 1.43 on, and unknown from 1.46 on, as before 1.37.
    """
    return minor < IPVS_HAS_GATE or minor >= IPVS_GATE_GONE or (value and minor >= IPVS_GONE)


def ipvs_refusal(version: str) -> str:
    """Why this version cannot run mode ipvs; empty where it can."""
    if minor_of(version) < IPVS_GONE:
        return ""
    return (
        f"upstream's plan removes mode ipvs from kube-proxy in Kubernetes 1.{IPVS_GONE} (KEP-5495), and this one is "
        f"{version}: it would not start"
    )


def ipvs_notice(version: str) -> str:
    """What to say about mode ipvs on a version that still runs it."""
    minor = minor_of(version)
    if minor < IPVS_DEPRECATED:
        return ""
    plan = (
        f"upstream turns it off by default in 1.{IPVS_OFF}, where feature gate {IPVS_GATE} still allows it, and "
        f"removes it in 1.{IPVS_GONE}"
    )
    if minor >= IPVS_OFF:
        plan = f"it runs here by feature gate {IPVS_GATE} alone, and upstream removes it in 1.{IPVS_GONE}"
    return (
        f"kube-proxy's mode ipvs is deprecated since Kubernetes 1.{IPVS_DEPRECATED} (KEP-5495); this cluster runs "
        f"{version}, and {plan}. Mode nftables is its successor."
    )
