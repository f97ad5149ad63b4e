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
  - Applies a whole plan, made by the filter P(netops.kubernetes.port_plan#filter), in the node's own firewall, be it
    nftables, firewalld, ufw or iptables. Only objects of its own are written; other rules stay as they are.
  - New rules are on probation until the controller has opened a new connection through them. Without it the node goes
    back to the old ones by itself, and the task fails.
  - Refuses a plan that would cut off the SSH connection that the module came by.
  - What somebody changed in those objects by hand is found and repaired.
  - Needs root on the node, and the back-end's package there; for firewalld also its Python library.
author:
  - netops.kubernetes contributors (@netops-collections)
extends_documentation_fragment:
  - netops.kubernetes.attributes
options:
  plan:
    description: The node's plan; required for O(state=present).
    type: dict
  state:
    description: >-
      V(absent) removes the rules and what loads them at boot, whichever back-end holds them. Where the rest of the
      node's firewall lets no new connection in, they come back, and the task fails.
    type: str
    choices: [present, absent]
    default: present
  backend:
    description: >-
      What holds the rules. V(auto) takes what the node runs: firewalld or ufw where they are active, iptables where a
      service loads its rules at boot, else nftables. A former back-end's rules lose their say together with the
      change, on probation, and are removed once it is confirmed.
    type: str
    choices: [auto, nftables, firewalld, ufw, iptables]
    default: auto
  default_input:
    description: >-
      What happens to traffic that no rule admits. With V(accept) nothing of ours decides about it, and the rest of
      the node's firewall does as before; together with O(log) that shows what would be dropped.
    type: str
    choices: [drop, reject, accept]
    default: drop
  log:
    description: Log what no rule admits, five lines a second at most.
    type: bool
    default: false
  persist:
    description: Bring the rules back at boot, by a systemd unit of its own.
    type: bool
    default: true
  confirm_timeout:
    description: >-
      Seconds within which a new connection must confirm the rules; V(0) lets them count at once. Connections that do
      not come by a network, such as P(ansible.builtin.local#connection), confirm nothing and need none.
    type: int
    default: 60
  token:
    description: >-
      Of rules on probation, which are hereby confirmed; what the first part of a task returned. Set by the action
      plugin, not by users.
    type: str
    default: ''
  refuse_lockout:
    description: Refuse a plan that does not admit SSH from where this connection came from.
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
backend_reason:
  description: Why this back-end.
  returned: success
  type: str
  sample: firewalld runs on this node
rules:
  description: How many rules the plan has.
  returned: success
  type: int
  sample: 9
confirmed_after:
  description: Seconds after which a new connection confirmed the rules.
  returned: when there was something to confirm
  type: float
  sample: 0.8
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.netops.kubernetes.plugins.module_utils._edge import run
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.node import Options, absent, present
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.plan import from_output
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.ruleset import Settings
from ansible_collections.netops.kubernetes.plugins.module_utils._node.process import ssh_connection


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "plan": {"type": "dict"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "backend": {
                "type": "str",
                "choices": ["auto", "nftables", "firewalld", "ufw", "iptables"],
                "default": "auto",
            },
            "default_input": {"type": "str", "choices": ["drop", "reject", "accept"], "default": "drop"},
            "log": {"type": "bool", "default": False},
            "persist": {"type": "bool", "default": True},
            "confirm_timeout": {"type": "int", "default": 60},
            "token": {"type": "str", "default": "", "no_log": False},
            "refuse_lockout": {"type": "bool", "default": True},
        },
        required_if=[("state", "present", ["plan"])],
        supports_check_mode=True,
    )

    def job() -> dict[str, Any]:
        asked = module.params
        if asked["state"] == "absent":
            return absent(confirm_timeout=asked["confirm_timeout"], token=asked["token"], check=module.check_mode)
        options = Options(
            backend=asked["backend"],
            settings=Settings(asked["default_input"], asked["log"]),
            persist=asked["persist"],
            confirm_timeout=asked["confirm_timeout"],
            token=asked["token"],
            ssh_connection=ssh_connection(),
            refuse_lockout=asked["refuse_lockout"],
        )
        return present(from_output(asked["plan"]), options, check=module.check_mode)

    run(module, job)


if __name__ == "__main__":
    main()
