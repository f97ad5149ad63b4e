# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: coredns_plan
short_description: How many CoreDNS a cluster wants, and how much memory each
version_added: 0.2.0
author:
  - netops.kubernetes contributors (@netops-collections)
description:
  - Takes the most of what nodes, cores and measured load ask for, and two where there are two nodes. The memory is that
    of CoreDNS' own formula. Pure.
options:
  _input:
    description: The number of nodes that take pods.
    type: int
    required: true
  cores:
    description: Their cores together.
    type: int
    required: true
  pods:
    description: Pods in the cluster.
    type: int
    default: 0
  services:
    description: Services in the cluster.
    type: int
    default: 0
  queries:
    description: Questions a second of the whole cluster at its peak, as C(coredns_dns_requests_total) counts them.
    type: float
    default: 0
  nodes_per_replica:
    description: Nodes for each replica.
    type: float
    default: 16
  cores_per_replica:
    description: Cores for each replica.
    type: float
    default: 256
  queries_per_replica:
    description: Questions a second that one replica answers at most.
    type: float
    default: 5000
  autopath:
    description: Whether plugin C(autopath) is used, which watches pods.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Show what the cluster wants
  ansible.builtin.debug:
    msg: "{{ 40 | netops.kubernetes.coredns_plan(640, pods=3000, services=400, queries=9000) }}"
"""

RETURN = r"""
_value:
  description: The number of replicas, the memory of each in MiB, and the reasons.
  type: dict
  sample: {replicas: 4, memory_mib: 58, reasons: ["3 for 40 nodes at 16 a replica"]}
"""

import dataclasses
from typing import Any, Callable

from ansible_collections.netops.kubernetes.plugins.module_utils._coredns.scaling import Cluster, plan


def coredns_plan(
    nodes: int, cores: int, pods: int = 0, services: int = 0, queries: float = 0.0, **parameters: Any
) -> dict[str, Any]:
    """The filter; see DOCUMENTATION."""
    told = plan(Cluster(int(nodes), int(cores), int(pods), int(services), float(queries)), **parameters)
    return {**dataclasses.asdict(told), "reasons": list(told.reasons)}


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"coredns_plan": coredns_plan}
