# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""What a kube-proxy mode leaves behind on a node when another one takes over, and how to take it away.

Which chains a mode makes: pkg/proxy/iptables/proxier.go, pkg/proxy/ipvs/proxier.go (Kubernetes 1.36). kubelet's own
chains, KUBE-FIREWALL, KUBE-IPTABLES-HINT and KUBE-KUBELET-CANARY, belong to no mode.
"""

from __future__ import annotations

import re

MODE_CHAINS = {
    "iptables": (r"KUBE-(?:SVC|SVL|SEP|EXT|FW|XLB)-[A-Z0-9]+|KUBE-NODEPORTS|KUBE-EXTERNAL-SERVICES|KUBE-PROXY-CANARY"),
    "ipvs": r"KUBE-NODE-PORT|KUBE-LOAD-BALANCER|KUBE-SOURCE-RANGES-FIREWALL|KUBE-IPVS-FILTER|KUBE-IPVS-OUT-FILTER",
}
SHARED_CHAINS = r"KUBE-SERVICES|KUBE-POSTROUTING|KUBE-FORWARD|KUBE-MARK-MASQ|KUBE-MARK-DROP|KUBE-PROXY-FIREWALL"
# Rules of one mode that lead to a chain which both have; the comment tells whose they are.
MODE_RULES = {
    "iptables": r'--comment "kubernetes load balancer firewall" ',
    "ipvs": r'--comment "kube-proxy firewall rules" ',
}
IPVS_LINK = "kube-ipvs0"
NFT_TABLES = (("ip", "kube-proxy"), ("ip6", "kube-proxy"))
# Of this collection: it serves while one mode gives way to the other.
BRIDGE_TABLE = "netops-kubernetes-bridge"
BRIDGE_TABLES = (("ip", BRIDGE_TABLE), ("ip6", BRIDGE_TABLE))


def stale_chains(mode: str) -> re.Pattern[str]:
    """The names of the chains that are nobody's while ``mode`` is in use (``none``: no kube-proxy at all)."""
    patterns = [pattern for owner, pattern in MODE_CHAINS.items() if owner != mode]
    if mode not in MODE_CHAINS:
        patterns.append(SHARED_CHAINS)
    return re.compile("|".join(patterns))


def stale_rules(mode: str) -> re.Pattern[str]:
    """The rules that are nobody's while ``mode`` is in use, where their chain stays."""
    return re.compile("|".join(pattern for owner, pattern in MODE_RULES.items() if owner != mode))


def is_kube_set(name: str) -> bool:
    """Whether an ipset is of kube-proxy's mode ipvs."""
    return bool(re.fullmatch(r"KUBE-(?:6-)?[A-Z-]+", name))
