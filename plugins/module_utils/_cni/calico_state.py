# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Calico's state read from the API: no program of Calico's is needed for it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._cni.calico import CALICO_API, CalicoError
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.calico_ipam import (
    Allocation,
    allocations,
    leaks,
    nodes_of,
    pools_of,
    sessions_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient
    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import Object

AGENTS = "k8s-app=calico-node"


def state(client: KubeClient) -> dict[str, Any]:
    """Nodes, pools, sessions, and addresses that are lost.

    :raises NetopsError: Calico is not there, or an object may not be read.
    """
    if not client.serves(CALICO_API, "IPAMBlock"):
        raise CalicoError(
            "Calico", f"the API server serves no IPAMBlock of {CALICO_API}", "Calico with its own address management"
        )
    blocks, lost = _read(client)
    if lost:
        blocks, again = _read(client)
        lost = lost_twice(lost, again)
    nodes = list(client.list("v1", "Node"))
    taken = list(allocations(blocks))
    statuses = (
        list(client.list(CALICO_API, "CalicoNodeStatus")) if client.serves(CALICO_API, "CalicoNodeStatus") else []
    )
    return {
        "nodes": nodes_of(nodes, client.list("v1", "Pod", label_selector=AGENTS), blocks),
        "pools": pools_of(client.list(CALICO_API, "IPPool"), blocks, taken),
        "bgp_sessions": sessions_of(statuses),
        "leaks": [{**asdict(allocation), "reason": reason} for allocation, reason in lost],
    }


def lost_twice(
    first: Sequence[tuple[Allocation, str]], second: Sequence[tuple[Allocation, str]]
) -> list[tuple[Allocation, str]]:
    """What is lost for two readings: pods come and go between the two reads of one.

    :param first: allocations with the reason, as :func:`leaks` tells them.
    :returns: those of the second that the first has too, whatever reason that gave.
    """
    before = {allocation for allocation, _unused in first}
    return [one for one in second if one[0] in before]


def _read(client: KubeClient) -> tuple[list[Object], list[tuple[Allocation, str]]]:
    # Whose address is in a block was there before it.
    blocks = list(client.list(CALICO_API, "IPAMBlock"))
    return blocks, leaks(allocations(blocks), client.list("v1", "Node"), client.list("v1", "Pod"))
