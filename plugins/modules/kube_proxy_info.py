#!/usr/bin/python
# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: kube_proxy_info
short_description: Tell in which mode a node's kube-proxy serves, and what other modes left behind
version_added: 0.1.0
description:
  - Asks the kube-proxy of the node that the module runs on, waiting for it if wanted, and reads the node's tables.
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
  timeout:
    description: Seconds to wait for a healthy kube-proxy in that mode. In check mode nothing is waited for.
    type: int
    default: 120
"""

EXAMPLES = r"""
- name: Require that this node serves Services by IPVS
  netops.kubernetes.kube_proxy_info:
    mode: ipvs
"""

RETURN = r"""
mode:
  description: The mode in which kube-proxy serves; empty when it does not answer (in check mode).
  returned: success
  type: str
  sample: ipvs
ipvs_services:
  description: The virtual services of this node's IPVS table.
  returned: success
  type: list
  elements: str
  sample: ["-t 10.96.0.1:443"]
leftovers:
  description: What other modes left behind, one thing an item.
  returned: success
  type: list
  elements: str
  sample: ["iptables nat KUBE-NODEPORTS"]
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.netops.kubernetes.plugins.module_utils._edge import run
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy import node


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "mode": {"type": "str", "choices": ["iptables", "ipvs", "nftables"]},
            "timeout": {"type": "int", "default": 120},
        },
        supports_check_mode=True,
    )

    def job() -> dict[str, Any]:
        asked = module.params
        mode = node.ask(node.MODE) if module.check_mode else node.wait_for_mode(asked["mode"] or "", asked["timeout"])
        return {
            "changed": False,
            "mode": mode,
            "ipvs_services": [str(service) for service in node.virtual_services()],
            "leftovers": node.observe(mode).lines if mode else [],
        }

    run(module, job)


if __name__ == "__main__":
    main()
