# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Why connections fail, as far as the pattern of what works beside them tells."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ansible_collections.netops.kubernetes.plugins.module_utils._connectivity.checks import (
    ACROSS,
    FROM_NODE,
    FULL,
    LARGE,
    NODE_PORT,
    OUTSIDE,
    RESOLVED,
    SAME_NODE,
    SERVICE,
    SERVICE_NAME,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._connectivity.checks import Check, Verdict

MTU_FAULT = (
    "small transfers work between these nodes and large ones do not: the pods' links have a larger MTU than fits"
    " through the tunnel. Set the CNI's MTU to that of the nodes' network less the tunnel's overhead (VXLAN: 50 bytes,"
    " over IPv6 70); filter pod_network_plan computes it"
)
TUNNEL_FAULT = (
    "pods of one node reach each other and pods of different nodes do not: look whether the tunnel's port is open"
    " between the nodes (VXLAN: UDP 8472 of Flannel and Cilium, 4789 of Calico; WireGuard: UDP 51820, 51871), or,"
    " without a tunnel, whether every node has a route to the other nodes' pods"
)

UNASKED = (
    "no test pod could be asked through the API server, and the kubelets start programs in them: a control plane"
    " outside the pod network needs a route to the pods, or a proxy such as konnectivity, as webhooks and aggregated"
    " APIs do too"
)

UNTRIED = (
    "the time was over before every connection was tried; mend what fails, or give more time (timeout; of the roles"
    " connectivity_timeout)"
)


def likely_causes(verdicts: Sequence[Verdict]) -> list[str]:
    """The likely causes of what fails, the one that explains most first; empty when all works.

    What was not tried counts neither as failing nor as working.
    """
    tried = [one for one in verdicts if one.tried]
    return [*_causes_among(tried), *([UNTRIED] if len(tried) < len(verdicts) else [])]


def _causes_among(verdicts: Sequence[Verdict]) -> list[str]:
    broken = [one for one in verdicts if not one.passed]
    if not broken:
        return []
    works = [one.check for one in verdicts if one.passed]
    if _none_was_asked(verdicts) and works:
        return [UNASKED]
    fails = [one.check for one in broken]
    causes = [
        cause
        for what, rule in RULES
        if any(check.what in what for check in fails)
        for cause in [rule([check for check in fails if check.what in what], works)]
        if cause
    ]
    return causes or ["the pattern fits no known cause: look at the CNI's pods and kube-proxy's on the nodes named"]


def _none_was_asked(verdicts: Sequence[Verdict]) -> bool:
    """Whether no pod has answered what is asked through the API server's proxy; the others pass by the kubelets."""
    proxied = [one for one in verdicts if one.check.protocol != "connect"]
    return bool(proxied) and not any(one.answered for one in proxied)


def _pairs(checks: Sequence[Check]) -> set[tuple[str, str]]:
    return {(check.source.node_name, check.target) for check in checks}


def _nodes(checks: Sequence[Check]) -> set[str]:
    return {check.source.node_name for check in checks}


def _kind(checks: Sequence[Check], *what: str) -> list[Check]:
    return [check for check in checks if check.what in what]


def _large(fails: Sequence[Check], works: Sequence[Check]) -> str:
    return MTU_FAULT if _pairs(fails) & _pairs(_kind(works, ACROSS)) else ""


def _across(fails: Sequence[Check], works: Sequence[Check]) -> str:
    protocols = {check.protocol for check in fails}
    families = {":" in check.host for check in fails}
    fine = _kind(works, ACROSS)
    if not fine:
        return TUNNEL_FAULT if _kind(works, SAME_NODE) else ""
    lonely = _lonely(fails, fine)
    if lonely:
        return lonely
    if len(protocols) == 1 and {check.protocol for check in fine} - protocols:
        return f"only {'UDP' if protocols == {'udp'} else 'TCP'} fails: a packet filter or a policy stands between"
    if len(families) == 1 and {":" in check.host for check in fine} - families:
        name = "IPv6" if families == {True} else "IPv4"
        return f"only {name} fails: look whether the CNI carries both families and forwarding of {name} is on"
    return TUNNEL_FAULT


def _lonely(fails: Sequence[Check], works: Sequence[Check]) -> str:
    """One node that takes part in all failures, and in nothing that works."""
    for node in sorted(_nodes(fails)):
        if all(_concerns(check, node) for check in fails) and not any(_concerns(check, node) for check in works):
            return f"every failure is from or to node {node!r}: look at the CNI's pod there, and at the node's firewall"
    return ""


def _concerns(check: Check, node: str) -> bool:
    return check.source.node_name == node or check.target == f"pod on {node}"


def _same_node(_fails: Sequence[Check], _works: Sequence[Check]) -> str:
    return "pods of one node do not reach each other: look at the CNI's links there, and whether forwarding is on"


def _service(fails: Sequence[Check], works: Sequence[Check]) -> str:
    pods = _nodes(_kind(works, ACROSS, SAME_NODE))
    if _nodes(fails) & pods:
        nodes = ", ".join(sorted(_nodes(fails) & pods))
        return f"pods are reached and the Service is not: look at kube-proxy, or what replaces it, on {nodes}"
    return ""


def _name(fails: Sequence[Check], works: Sequence[Check]) -> str:
    if _nodes(fails) & _nodes(_kind(works, SERVICE)):
        return "the Service is reached by its address and not by its name: look at CoreDNS, and at port 53 to its pods"
    return ""


def _node_port(fails: Sequence[Check], works: Sequence[Check]) -> str:
    if _kind(works, SERVICE):
        targets = ", ".join(sorted({check.target for check in fails}))
        return (
            f"Services are reached and NodePorts of {targets} are not: look at its firewall, and at nodePortAddresses"
        )
    return ""


def _from_node(fails: Sequence[Check], works: Sequence[Check]) -> str:
    if _kind(works, ACROSS, SAME_NODE):
        nodes = ", ".join(sorted(_nodes(fails)))
        return f"pods reach pods and processes of {nodes} do not: look at rp_filter, and at the node's rules for output"
    return ""


def _outside(_fails: Sequence[Check], works: Sequence[Check]) -> str:
    if _kind(works, ACROSS, SAME_NODE):
        return (
            "pods reach pods and nothing outside: look whether the pods' addresses are masqueraded (ipMasq,"
            " natOutgoing), at the nodes' default route, and at what the outside lets in"
        )
    return ""


RULES = (
    ((ACROSS,), _across),
    ((LARGE, FULL), _large),
    ((SAME_NODE,), _same_node),
    ((SERVICE,), _service),
    ((SERVICE_NAME, RESOLVED), _name),
    ((NODE_PORT,), _node_port),
    ((FROM_NODE,), _from_node),
    ((OUTSIDE,), _outside),
)
