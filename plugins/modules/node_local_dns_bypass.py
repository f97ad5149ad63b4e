#!/usr/bin/python
# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: node_local_dns_bypass
short_description: Let a node's DNS questions pass NodeLocal DNSCache by while it comes, changes or goes
version_added: 0.2.0
description:
  - NodeLocal DNSCache lays its rules one after the other, and takes them away likewise; questions of these moments are
    lost. While the bypass is there, questions to the DNS Service go to CoreDNS as if there were no cache; with its end
    they go to the cache, in one step.
  - The bypass is a table of nftables that the next boot does not bring back.
  - Needs root on the node, C(nft) 1.0.1 or newer, and C(iptables-save) for O(wait).
author:
  - netops.kubernetes contributors (@netops-collections)
extends_documentation_fragment:
  - netops.kubernetes.attributes
options:
  state:
    description: Whether the bypass is there.
    type: str
    choices: [present, absent]
    default: present
  addresses:
    description: >-
      Addresses that the cache takes, as RV(netops.kubernetes.node_local_dns#module:taken) of
      M(netops.kubernetes.node_local_dns) tells them. Without any there is nothing to bypass.
    type: list
    elements: str
    required: true
  wait:
    description: >-
      Seconds that O(state=absent) waits for the cache's own rules, without which questions go to CoreDNS. With V(0) no
      cache is to be there, and rules and link of one that was killed are removed.
    type: int
    default: 0
"""

EXAMPLES = r"""
- name: Let questions pass the cache by
  netops.kubernetes.node_local_dns_bypass:
    addresses: [10.96.0.10]

- name: Let them come to the cache again
  netops.kubernetes.node_local_dns_bypass:
    state: absent
    addresses: [10.96.0.10]
    wait: 75
"""

RETURN = r"""
reason:
  description: Why questions may not reach the cache although the bypass is gone; empty where they do.
  returned: success
  type: str
  sample: after 75 s the cache has no rules for 10.96.0.10
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.netops.kubernetes.plugins.module_utils._dns import bypass
from ansible_collections.netops.kubernetes.plugins.module_utils._edge import run


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "addresses": {"type": "list", "elements": "str", "required": True},
            "wait": {"type": "int", "default": 0},
        },
        supports_check_mode=True,
    )

    def job() -> dict[str, Any]:
        asked, check = module.params, module.check_mode
        if asked["state"] == "absent":
            done = bypass.lift(asked["addresses"], patience=asked["wait"], check=check)
        else:
            done = bypass.bring(asked["addresses"], check=check)
        if done.reason:
            module.warn(f"Questions of this node go to CoreDNS still: {done.reason}")
        return {
            "changed": done.changed,
            "reason": done.reason,
            "diff": {"before": done.before, "after": done.after},
        }

    run(module, job)


if __name__ == "__main__":
    main()
