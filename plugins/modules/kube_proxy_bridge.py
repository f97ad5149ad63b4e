#!/usr/bin/python
# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: kube_proxy_bridge
short_description: Serve a node's Services while its kube-proxy changes its mode
version_added: 0.1.0
description:
  - A kube-proxy that comes to mode nftables or leaves it removes the rules of the mode before when it starts, and
    writes its own when it has read the API. No Service answers on its node meanwhile. The bridge is a table of nftables
    that serves them for that time, behind kube-proxy's rules.
  - Where IPVS' link is there, its addresses are kept this node's own by local routes, since the link goes with mode
    ipvs. A connection that the node itself opens would hang when that happens in the middle of its handshake.
  - New connections get any end point; session affinity does not hold for them.
  - Its entrances expire after O(lifetime), so a play that dies leaves nothing that could serve stale end points.
    M(netops.kubernetes.kube_proxy_cleanup) removes it too, with the routes.
  - Without a bridge where none can be made; RV(reason) says why, and a warning too.
  - Needs root on the node, and C(nft) 1.0.1 or newer.
author:
  - netops.kubernetes contributors (@netops-collections)
extends_documentation_fragment:
  - netops.kubernetes.attributes
options:
  state:
    description: Whether the bridge is there.
    type: str
    choices: [present, absent]
    default: present
  mode:
    description: The mode to come. A node whose kube-proxy serves in this mode already gets no bridge.
    type: str
    choices: [iptables, ipvs, nftables]
  services:
    description:
      - What is served, as RV(netops.kubernetes.kube_proxy_services_info#module:services) of
        M(netops.kubernetes.kube_proxy_services_info) tells it.
    type: list
    elements: dict
    default: []
  node_name:
    description: The name of this node, for Services whose traffic stays on a node.
    type: str
    default: ""
  pod_cidrs:
    description: Networks of the pods; connections from here keep their source address.
    type: list
    elements: str
    default: []
  lifetime:
    description: Seconds after which its entrances expire.
    type: int
    default: 300
"""

EXAMPLES = r"""
- name: Read which Services must be served
  netops.kubernetes.kube_proxy_services_info:
  delegate_to: localhost
  run_once: true
  register: read

- name: Serve them while kube-proxy comes to mode nftables
  netops.kubernetes.kube_proxy_bridge:
    mode: nftables
    services: "{{ read.services }}"
    node_name: "{{ inventory_hostname }}"
    pod_cidrs: [10.244.0.0/16]

- name: End that
  netops.kubernetes.kube_proxy_bridge:
    state: absent
"""

RETURN = r"""
reason:
  description: Why there is no bridge; empty where there is one, or where none is asked for.
  returned: success
  type: str
  sample: nft is not installed on this node
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.netops.kubernetes.plugins.module_utils._edge import run
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy import bridge


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "mode": {"type": "str", "choices": ["iptables", "ipvs", "nftables"]},
            "services": {"type": "list", "elements": "dict", "default": []},
            "node_name": {"type": "str", "default": ""},
            "pod_cidrs": {"type": "list", "elements": "str", "default": []},
            "lifetime": {"type": "int", "default": 300},
        },
        supports_check_mode=True,
    )

    def job() -> dict[str, Any]:
        done = bridge.bring(module.params, check=module.check_mode)
        if done.reason:
            module.warn(f"Services may not answer on this node while kube-proxy starts: {done.reason}")
        return {"changed": done.changed, "reason": done.reason, "diff": done.diff}

    run(module, job)


if __name__ == "__main__":
    main()
