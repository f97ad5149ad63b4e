#!/usr/bin/python
# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: node_firewall
short_description: Let a Kubernetes node accept what its plan says, and nothing else
version_added: 0.1.0
description:
  - Applies a whole plan, made by the filter P(netops.kubernetes.port_plan#filter), as one nftables table of its own in
    one transaction. Other tables stay as they are, and forwarded traffic is never judged.
  - Refuses a plan that would cut off the SSH connection that the module came by.
  - What somebody changed in the table by hand is found and repaired.
  - Needs root on the node, and the package nftables there.
author:
  - netops.kubernetes contributors (@netops-collections)
extends_documentation_fragment:
  - netops.kubernetes.attributes
options:
  plan:
    description: The node's plan; required for O(state=present).
    type: dict
  state:
    description: V(absent) removes the table and what loads it at boot.
    type: str
    choices: [present, absent]
    default: present
  default_input:
    description: >-
      What happens to traffic that no rule admits. V(accept) together with O(log) shows what would be dropped.
    type: str
    choices: [drop, accept]
    default: drop
  log:
    description: Log what no rule admits, five lines a second at most.
    type: bool
    default: false
  persist:
    description: Bring the table back at boot, by a systemd unit of its own.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Open the ports of this node
  netops.kubernetes.node_firewall:
    plan: >-
      {{ groups | netops.kubernetes.port_plan(hostvars, inventory_hostname, cni='flannel', encapsulation='vxlan') }}
"""

RETURN = r"""
backend:
  description: What holds the rules on this node.
  returned: success
  type: str
  sample: nftables
rules:
  description: How many rules the plan has.
  returned: success
  type: int
  sample: 9
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.netops.kubernetes.plugins.module_utils._edge import run
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.node import Options, absent, present
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.plan import from_output
from ansible_collections.netops.kubernetes.plugins.module_utils._node.process import ssh_connection


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "plan": {"type": "dict"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "default_input": {"type": "str", "choices": ["drop", "accept"], "default": "drop"},
            "log": {"type": "bool", "default": False},
            "persist": {"type": "bool", "default": True},
        },
        required_if=[("state", "present", ["plan"])],
        supports_check_mode=True,
    )

    def job() -> dict[str, Any]:
        asked = module.params
        if asked["state"] == "absent":
            return absent(check=module.check_mode)
        options = Options(asked["default_input"], asked["log"], asked["persist"], ssh_connection())
        return present(from_output(asked["plan"]), options, check=module.check_mode)

    run(module, job)


if __name__ == "__main__":
    main()
