#!/usr/bin/python
# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: kube_proxy_cleanup
short_description: Remove from a node what kube-proxy's other modes left behind
version_added: 0.1.0
description:
  - Removes chains, sets, virtual services, links and tables of the modes that are not in use. kubelet's own chains and
    every other program's rules stay as they are.
  - Each table of the packet filter is changed in one transaction.
  - Needs root on the node. Only Python is needed there, and C(ipvsadm) where virtual services are left.
author:
  - netops.kubernetes contributors (@netops-collections)
extends_documentation_fragment:
  - netops.kubernetes.attributes
options:
  in_use:
    description: The mode whose rules stay; V(none) where no kube-proxy runs any more.
    type: str
    choices: [iptables, ipvs, nftables, none]
    required: true
  exclude_cidrs:
    description:
      - Virtual services in these networks are another program's, as C(ipvs.excludeCIDRs) of kube-proxy's configuration
        has it, and stay.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Remove the rules of mode iptables after the switch to IPVS
  netops.kubernetes.kube_proxy_cleanup:
    in_use: ipvs
"""

RETURN = r"""
removed:
  description: What was removed, or would be in check mode.
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
            "in_use": {"type": "str", "choices": ["iptables", "ipvs", "nftables", "none"], "required": True},
            "exclude_cidrs": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )

    def job() -> dict[str, Any]:
        mode, excluded = module.params["in_use"], module.params["exclude_cidrs"]
        removed = node.observe(mode, excluded).lines if module.check_mode else node.clear(mode, excluded)
        return {
            "changed": bool(removed),
            "removed": removed,
            "diff": {"before": "".join(f"{line}\n" for line in removed), "after": ""},
        }

    run(module, job)


if __name__ == "__main__":
    main()
