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
  - Runs a small pod on every node, lets each open new connections to the others, to a Service by address and by name,
    and to every node's NodePort, and takes the pods away again.
  - The pods run the Kubernetes project's own test image, C(agnhost).
  - In check mode nothing is run; the module says so.
  - Needs to create and delete Namespace C(netops-connectivity) with a DaemonSet and a Service, and C(get) on
    C(pods/proxy) there.
author:
  - netops.kubernetes contributors (@netops-collections)
extends_documentation_fragment:
  - netops.kubernetes.attributes.reading
  - netops.kubernetes.connection
options:
  image:
    description: Where the nodes get agnhost from.
    type: str
    default: registry.k8s.io/e2e-test-images/agnhost:2.63.0
  names:
    description: Further names that must resolve in every pod.
    type: list
    elements: str
    default: []
  timeout:
    description: Seconds for the pods to be ready, and again for all connections to work.
    type: int
    default: 180
"""

EXAMPLES = r"""
- name: Prove that the network works
  netops.kubernetes.connectivity_check:
    names: [intranet.corp.example.com]
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
api_requests:
  description: How many requests were sent to the API server.
  returned: success
  type: int
  sample: 4
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.netops.kubernetes.plugins.module_utils._connectivity.checks import summary
from ansible_collections.netops.kubernetes.plugins.module_utils._connectivity.session import prove, require_all
from ansible_collections.netops.kubernetes.plugins.module_utils._edge import run
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import connect
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.connection import argument_spec


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **argument_spec(),
            "image": {"type": "str", "default": "registry.k8s.io/e2e-test-images/agnhost:2.63.0"},
            "names": {"type": "list", "elements": "str", "default": []},
            "timeout": {"type": "int", "default": 180},
        },
        supports_check_mode=True,
    )

    def job() -> dict[str, Any]:
        asked = module.params
        if module.check_mode:
            return {
                "changed": False,
                "connections": 0,
                "summary": ["check mode: nothing was proven"],
                "api_requests": 0,
            }
        client = connect(asked)
        verdicts = prove(client, asked["image"], asked["names"], asked["timeout"])
        require_all(verdicts)
        return {
            "changed": False,
            "connections": len(verdicts),
            "summary": summary(verdicts),
            "api_requests": client.requests,
        }

    run(module, job)


if __name__ == "__main__":
    main()
