#!/usr/bin/python
# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: kube_proxy_info
short_description: Tell how a node's kube-proxy serves, and prove it against the API's Services
version_added: 0.1.0
description:
  - Asks the kube-proxy of the node that the module runs on, waiting for it if wanted, and reads the node's tables.
  - With O(services), compares the tables with every Service, port and end point of the API, and opens connections.
  - Needs root on the node, to read its tables. Only Python is needed there.
author:
  - netops.kubernetes contributors (@netops-collections)
extends_documentation_fragment:
  - netops.kubernetes.attributes.reading
options:
  mode:
    description: The mode to wait for; without it, any mode will do.
    type: str
    choices: [iptables, ipvs, nftables]
  wait:
    description: Wait for a healthy kube-proxy, and fail without one. In check mode nothing is waited for.
    type: bool
    default: true
  timeout:
    description: Seconds to wait for kube-proxy, and then for its tables.
    type: int
    default: 120
  services:
    description:
      - What must be served, as RV(netops.kubernetes.kube_proxy_services_info#module:services) of
        M(netops.kubernetes.kube_proxy_services_info) tells it. Without it nothing is compared.
    type: list
    elements: dict
  node_name:
    description: The name of this node, for Services whose traffic stays on a node.
    type: str
    default: ""
  scheduler:
    description: The scheduler that each virtual server must have in mode V(ipvs); an empty text for any.
    type: str
    default: ""
  sample:
    description: To how many of O(services) a TCP connection is opened from this node, NodePorts included.
    type: int
    default: 10
"""

EXAMPLES = r"""
- name: Require that this node serves Services by IPVS
  netops.kubernetes.kube_proxy_info:
    mode: ipvs

- name: See what is there, whether kube-proxy answers or not
  netops.kubernetes.kube_proxy_info:
    wait: false
"""

RETURN = r"""
mode:
  description: The mode in which kube-proxy serves; empty when it does not answer.
  returned: success
  type: str
  sample: ipvs
healthy:
  description: Whether its health check succeeds.
  returned: success
  type: bool
version:
  description: kube-proxy's version; empty when it does not answer.
  returned: success
  type: str
  sample: v1.36.3
counts:
  description: How many rules of iptables, virtual and real servers of IPVS, and rules of nftables are kube-proxy's.
  returned: success
  type: dict
  sample: {iptables_rules: 12, virtual_servers: 5, real_servers: 7, nftables_rules: 0}
ipvs_services:
  description: The virtual services of this node's IPVS table.
  returned: success
  type: list
  elements: str
  sample: ["-t 10.96.0.1:443"]
problems:
  description: What is not served as O(services) say, one thing an item.
  returned: success
  type: list
  elements: str
  sample: ["Service shop/web:http, TCP 10.96.4.7:80: 10.244.1.5:8080 is missing"]
leftovers:
  description: What other modes left behind, one thing an item.
  returned: success
  type: list
  elements: str
  sample: ["chain iptables nat KUBE-NODEPORTS"]
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.netops.kubernetes.plugins.module_utils._edge import run
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy import node


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "mode": {"type": "str", "choices": ["iptables", "ipvs", "nftables"]},
            "wait": {"type": "bool", "default": True},
            "timeout": {"type": "int", "default": 120},
            "services": {"type": "list", "elements": "dict"},
            "node_name": {"type": "str", "default": ""},
            "scheduler": {"type": "str", "default": ""},
            "sample": {"type": "int", "default": 10},
        },
        supports_check_mode=True,
    )

    def job() -> dict[str, Any]:
        asked = module.params
        return {"changed": False, **node.tell(asked, is_waiting=asked["wait"] and not module.check_mode)}

    run(module, job)


if __name__ == "__main__":
    main()
