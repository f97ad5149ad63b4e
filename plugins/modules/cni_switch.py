#!/usr/bin/python
# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: cni_switch
short_description: Take one step of a switch from one CNI to another
version_added: 0.2.0
description:
  - Playbook C(netops.kubernetes.cni_switch) takes all of them in their order; M(netops.kubernetes.cni_switch_plan) says
    beforehand what they are. Each can be taken again, and a run that was killed is gone on with.
  - V(begun) notes the switch in ConfigMap C(kube-system/netops-cni-switch), and lets the DaemonSet of the CNI that was
    there run on nodes without the label C(netops.kubernetes/cni) alone.
  - V(emptied) cordons a node, evicts its pods as their PodDisruptionBudgets allow, and takes the old CNI's agents away
    from it. Where both CNIs are joined, it lets each know the other's nodes.
  - V(filled) lets the new CNI come to the node, waits until it works there, and deletes the pods that draining has
    left, so that they come back with the new network.
  - V(opened) uncordons the node, if it was open before.
  - V(settled) notes that every node has the new CNI. V(ended) takes labels and the old CNI's notes off the nodes, and
    forgets the switch; the old CNI's objects must be gone by then.
  - Needs C(list), C(get) and C(patch) on nodes, C(list), C(get) and C(delete) on pods, C(create) on C(pods/eviction),
    C(get) and C(patch) on DaemonSets, all verbs on the ConfigMap, and with Calico C(list) and C(create) on its
    IPAMBlocks, BlockAffinities and IPAMHandles and C(list) on its IPPools and FelixConfigurations.
author:
  - netops.kubernetes contributors (@netops-collections)
extends_documentation_fragment:
  - netops.kubernetes.attributes
  - netops.kubernetes.connection
options:
  state:
    description: The step.
    type: str
    choices: [begun, emptied, filled, opened, settled, ended]
    required: true
  record:
    description: What is noted of the switch, as M(netops.kubernetes.cni_switch_plan) returns it.
    type: dict
  node_name:
    description: The node of a step that is taken on one.
    type: str
  delete_unmanaged_pods:
    description: Whether pods that no controller makes again may be evicted.
    type: bool
    default: false
  timeout:
    description: Seconds for pods to go, and for others to be ready.
    type: int
    default: 300
"""

EXAMPLES = r"""
- name: Free a node of its pods and of the old CNI's agents
  netops.kubernetes.cni_switch:
    state: emptied
    node_name: worker-1
"""

RETURN = r"""
done:
  description: What was done, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: ["Node 'worker-1' cordoned", "Pod 'shop/web-0' evicted", "Node 'worker-1' has left flannel"]
static_pods:
  description:
    - Static pods on the node's pod network that have it from the old CNI. The API cannot restart them; a change of
      their file on the node does.
  returned: success
  type: list
  elements: str
  sample: []
api_requests:
  description: How many requests were sent to the API server.
  returned: success
  type: int
  sample: 12
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.switch_task import step
from ansible_collections.netops.kubernetes.plugins.module_utils._edge import run
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.connection import argument_spec


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **argument_spec(),
            "state": {
                "type": "str",
                "choices": ["begun", "emptied", "filled", "opened", "settled", "ended"],
                "required": True,
            },
            "record": {"type": "dict"},
            "node_name": {"type": "str"},
            "delete_unmanaged_pods": {"type": "bool", "default": False},
            "timeout": {"type": "int", "default": 300},
        },
        required_if=[
            ("state", "begun", ["record"]),
            ("state", "emptied", ["node_name"]),
            ("state", "filled", ["node_name"]),
            ("state", "opened", ["node_name"]),
        ],
        supports_check_mode=True,
    )

    def job() -> dict[str, Any]:
        return step(module.params, check=module.check_mode)

    run(module, job)


if __name__ == "__main__":
    main()
