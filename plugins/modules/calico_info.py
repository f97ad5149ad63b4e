#!/usr/bin/python
# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: calico_info
short_description: Tell how Calico's nodes, BGP sessions and addresses are
version_added: 0.1.0
description:
  - Reads Calico's own objects from the API; no program of Calico's is needed.
  - BGP sessions are known to calico-node alone, which tells them in a C(CalicoNodeStatus) for whoever makes one.
  - Needs the verb C(list) on nodes and pods, and on C(ippools), C(ipamblocks) and C(caliconodestatuses) of
    C(crd.projectcalico.org).
author:
  - netops.kubernetes contributors (@netops-collections)
extends_documentation_fragment:
  - netops.kubernetes.attributes.reading
  - netops.kubernetes.connection
options: {}
"""

EXAMPLES = r"""
- name: Read Calico's state
  netops.kubernetes.calico_info:
  register: calico_state

- name: Require that no address is lost
  ansible.builtin.assert:
    that: calico_state.leaks | length == 0
"""

RETURN = r"""
nodes:
  description: Each node with its addresses as Calico has them, whether calico-node is ready there, and its blocks.
  returned: success
  type: list
  elements: dict
  sample:
    - {"name": "worker", "ready": true, "addresses": ["192.0.2.21/24"], "tunnel_addresses": ["10.244.104.0"],
       "blocks": ["10.244.104.0/26"]}
pools:
  description: Each pool with the number of its addresses, of its blocks and of the addresses that are used.
  returned: success
  type: list
  elements: dict
  sample:
    - {"name": "default-ipv4-ippool", "cidr": "10.244.0.0/16", "disabled": false, "addresses": 65536, "blocks": 2,
       "used": 7}
bgp_sessions:
  description: BGP sessions, where a C(CalicoNodeStatus) asks for them.
  returned: success
  type: list
  elements: dict
  sample: [{"node": "worker", "peer": "192.0.2.1", "type": "NodeMesh", "state": "Established", "established": true}]
leaks:
  description: Addresses given to pods or nodes that are not there any more, in two readings one after the other.
  returned: success
  type: list
  elements: dict
  sample:
    - {"address": "10.244.104.5", "block": "10.244.104.0/26", "handle": "k8s-pod-network.0123", "pod": "shop/web",
       "node_name": "worker", "reason": "pod 'shop/web' is not there"}
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.calico_state import state
from ansible_collections.netops.kubernetes.plugins.module_utils._edge import run
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import connect
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.connection import argument_spec


def main() -> None:
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)

    def job() -> dict[str, Any]:
        return {"changed": False, **state(connect(module.params))}

    run(module, job)


if __name__ == "__main__":
    main()
