#!/usr/bin/python
# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: cni_switch_plan
short_description: Say what a switch of the CNI would do and cost, and what stands in its way
version_added: 0.2.0
description:
  - Reads the cluster and judges whether its CNI can be switched to another one, node by node. All problems of all nodes
    are named at once, each with its remedy. Nothing is changed.
  - Looks at nodes that are not Ready or not in the play, PodDisruptionBudgets that never let a pod go, pods that nobody
    makes again, host ports, policies that would not be enforced any more, Cilium in kube-proxy's place, addresses that
    two pods would have, VXLAN ports, and at a switch that is under way.
  - Tells the plan with the interruption to expect for each kind of pod, and while which policies are not enforced.
  - Needs C(list) on nodes, pods, PodDisruptionBudgets, NetworkPolicies and the policies of Calico and Cilium, C(get) on
    DaemonSets and ConfigMaps, and C(list) on Calico's IPPools and IPAMBlocks or on CiliumNodes.
author:
  - netops.kubernetes contributors (@netops-collections)
extends_documentation_fragment:
  - netops.kubernetes.attributes.reading
  - netops.kubernetes.connection
options:
  target:
    description: The CNI that all nodes are to have.
    type: str
    choices: [calico, cilium, flannel]
    required: true
  way:
    description:
      - V(joined) wants pods on nodes of both CNIs to reach each other all the time, which Flannel and Calico can do
        with the same VXLAN; what else it takes is named when it is missing.
      - V(apart) lets them be apart until the last node is switched.
    type: str
    choices: [joined, apart]
    default: joined
  settings:
    description: The settings of the target's role, as its task file C(settings) notes them.
    type: dict
    required: true
  pod_cidrs:
    description: The cluster's pod networks.
    type: list
    elements: str
    required: true
  hosts:
    description:
      - The nodes that the play reaches by name, each with the CNI that its container runtime uses, as
        M(netops.kubernetes.cni_info) tells it.
    type: dict
    required: true
  delete_unmanaged_pods:
    description: Whether pods that no controller makes again may go.
    type: bool
    default: false
  accept_unenforced_policies:
    description: Whether policies may lose their enforcement for good.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: See what a switch to Calico would do
  netops.kubernetes.cni_switch_plan:
    target: calico
    settings:
      mode: manifest
      encapsulation: VXLAN
      pools: []
      bgp: false
      wireguard: false
      vxlan_port: 8472
      vxlan_vni: 1
    pod_cidrs: [10.244.0.0/16]
    hosts:
      worker-1: flannel
"""

RETURN = r"""
source:
  description: The CNI that goes; empty when the target alone is there.
  returned: success
  type: str
  sample: flannel
plan:
  description: What would happen, a line each; empty when nothing would.
  returned: success
  type: list
  elements: str
  sample: ["flannel -> calico on 2 nodes, joined; not begun"]
pending_nodes:
  description: The nodes that are still to be switched, in their order.
  returned: success
  type: list
  elements: str
  sample: [worker-1, control-plane-1]
record:
  description: What is noted of the switch in the cluster, for M(netops.kubernetes.cni_switch).
  returned: success
  type: dict
  sample: {"default": "flannel", "other": "calico", "target": "calico", "way": "joined", "stage": "nodes"}
node_selector:
  description: Which nodes the target's DaemonSets are for until the switch has ended; empty for all.
  returned: success
  type: dict
  sample: {"netops.kubernetes/cni": "calico"}
pod_cidrs:
  description: The pod networks, and those of Calico's pools where it is there; a node's routes lead into them.
  returned: success
  type: list
  elements: str
  sample: [10.244.0.0/16]
api_requests:
  description: How many requests were sent to the API server.
  returned: success
  type: int
  sample: 14
"""

from typing import Any

from ansible_collections.netops.kubernetes.plugins.module_utils._cni.switch_task import plan
from ansible_collections.netops.kubernetes.plugins.module_utils._edge import run
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.connection import argument_spec
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.edge import ObjectsModule


def main() -> None:
    module = ObjectsModule(
        argument_spec={
            **argument_spec(),
            "target": {"type": "str", "choices": ["calico", "cilium", "flannel"], "required": True},
            "way": {"type": "str", "choices": ["joined", "apart"], "default": "joined"},
            "settings": {"type": "dict", "required": True},
            "pod_cidrs": {"type": "list", "elements": "str", "required": True},
            "hosts": {"type": "dict", "required": True},
            "delete_unmanaged_pods": {"type": "bool", "default": False},
            "accept_unenforced_policies": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )

    def job() -> dict[str, Any]:
        return plan(module.params)

    run(module, job)


if __name__ == "__main__":
    main()
