#!/usr/bin/python
# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: connectivity_check
short_description: Prove that pods, Services, NodePorts and names work between all nodes
version_added: 0.1.0
description:
  - Runs small pods on every node and opens new connections between them, in every family of addresses that they have.
    They connect to pods of other nodes and of their own, to a Service by address and by name, to the nodes' NodePorts,
    from a node to pods, and to what you name outside the cluster. The pods are taken away again.
  - Sends more at once than fits into a packet that may not be cut into pieces, so an MTU that is too large is found.
  - Where there are more than 17 nodes, each tries some of the others, so that the work does not grow with the pairs.
  - The pods run the Kubernetes project's own test image, C(agnhost).
  - In check mode nothing is run; the module says so.
  - A failure names connections, and the likely cause as far as the pattern tells it.
  - Needs to create and delete Namespace C(netops-connectivity) with DaemonSets and a Service, C(list) on pods there and
    on nodes, C(get) on C(pods/proxy), and C(get) and C(create) on C(pods/exec) there.
author:
  - netops.kubernetes contributors (@netops-collections)
extends_documentation_fragment:
  - netops.kubernetes.attributes.reading
  - netops.kubernetes.connection
  - netops.kubernetes.agnhost
options:
  names:
    description: Further names that must resolve in every pod.
    type: list
    elements: str
    default: []
  outside:
    description: Servers outside the cluster that every pod must reach by TCP, as C(HOST:PORT).
    type: list
    elements: str
    default: []
  mtu:
    description:
      - The MTU that pods are to have, in bytes; datagrams of just this size are sent then too, up to 2,000 bytes.
      - V(0) takes the smallest that O(cni_nodes) tells, which Flannel and Calico say on their nodes; where nobody tells
        one, that is left out. What is larger than any packet is sent in any case.
    type: int
    default: 0
  cni_nodes:
    description:
      - What M(netops.kubernetes.cni_info) says of each node, by the node's name. All must use the same CNI, by the same
        file, in the same version.
    type: dict
    default: {}
  timeout:
    description:
      - Seconds for the pods to be ready, and again for all connections to work.
      - What there was no time for is told as not tried.
    type: int
    default: 180
"""

EXAMPLES = r"""
- name: Prove that the network works
  netops.kubernetes.connectivity_check:
    names: [intranet.corp.example.com]
    outside: ["www.example.com:443"]
    mtu: 1450
"""

RETURN = r"""
summary:
  description: One line for each kind of connection.
  returned: success
  type: list
  elements: str
  sample: ["pod to pod (TCP): 2 of 2 connections work"]
connections:
  description: How many connections were opened; 0 in check mode.
  returned: success
  type: int
  sample: 12
matrix:
  description: By the node that connects and what it connects to, V(works), or what does not work and what was seen.
  returned: always but in check mode
  type: dict
  sample: {"worker-1": {"pod on worker-2": "works", "Service": "works"}}
causes:
  description: The likely causes of what does not work.
  returned: failure
  type: list
  elements: str
api_requests:
  description: How many requests were sent to the API server.
  returned: success
  type: int
  sample: 4
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.netops.kubernetes.plugins.module_utils._connectivity.task import connectivity
from ansible_collections.netops.kubernetes.plugins.module_utils._edge import run
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.connection import argument_spec


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **argument_spec(),
            "image": {"type": "str", "default": "registry.k8s.io/e2e-test-images/agnhost:2.63.0"},
            "pull_secrets": {"type": "list", "elements": "str", "default": [], "no_log": False},
            "names": {"type": "list", "elements": "str", "default": []},
            "outside": {"type": "list", "elements": "str", "default": []},
            "mtu": {"type": "int", "default": 0},
            "cni_nodes": {"type": "dict", "default": {}},
            "timeout": {"type": "int", "default": 180},
        },
        supports_check_mode=True,
    )

    def job() -> dict[str, Any]:
        return connectivity(module.params, check=module.check_mode)

    run(module, job)


if __name__ == "__main__":
    main()
