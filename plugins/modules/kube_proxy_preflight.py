#!/usr/bin/python
# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: kube_proxy_preflight
short_description: Find what stands in the way of a kube-proxy mode, before anything changes
version_added: 0.2.0
description:
  - Judges the facts of all nodes and what the API says of kube-proxy's surroundings, whether they allow a mode. All
    problems are named at once, each with its remedy; nodes with the same problem are named together.
  - Looks at kernel modules, at kernel and nft for mode V(nftables), at Cilium's and Calico's replacement of kube-proxy,
    at Calico's data plane, at MetalLB and kube-vip where they answer ARP (strict ARP), at NodeLocal DNSCache, at
    firewalld, at where kube-proxy is to be asked, and at whether this version of Kubernetes has the mode.
  - Needs the verbs C(list) on DaemonSets and on pods in C(kube-system), C(get) on ConfigMaps and Services there,
    C(get) on FelixConfigurations where Calico runs, and C(list) on L2Advertisements where MetalLB does.
author:
  - netops.kubernetes contributors (@netops-collections)
extends_documentation_fragment:
  - netops.kubernetes.attributes.reading
  - netops.kubernetes.connection
options:
  mode:
    description: The wanted mode.
    type: str
    choices: [iptables, ipvs, nftables]
    required: true
  scheduler:
    description: The wanted scheduler of mode V(ipvs).
    type: str
    choices: [rr, wrr, lc, wlc, lblc, lblcr, sh, dh, sed, nq, mh]
    default: rr
  strict_arp:
    description: Whether mode V(ipvs) is to answer ARP for addresses of the asked interface only.
    type: bool
    default: false
  metrics_bind_address:
    description:
      - Where kube-proxy is to tell its mode, as RV(netops.kubernetes.kube_proxy_config#module:settings) of
        M(netops.kubernetes.kube_proxy_config) has it.
    type: str
    default: ""
  healthz_bind_address:
    description: Where it is to tell whether it is healthy.
    type: str
    default: ""
  nodes:
    description: The facts that M(netops.kubernetes.kube_proxy_node_info) told, of every node.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Require that every node can run mode nftables
  netops.kubernetes.kube_proxy_preflight:
    mode: nftables
    nodes: "{{ ansible_play_hosts | map('extract', hostvars, ['node', 'facts']) }}"
"""

RETURN = r"""
version:
  description: The version of the cluster's kube-proxy.
  returned: success
  type: str
  sample: v1.36.3
api_requests:
  description: How many requests were sent to the API server.
  returned: success
  type: int
  sample: 4
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.netops.kubernetes.plugins.module_utils._edge import run
from ansible_collections.netops.kubernetes.plugins.module_utils._kube import connection
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import connect
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy import surroundings


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **connection.argument_spec(),
            "mode": {"type": "str", "choices": ["iptables", "ipvs", "nftables"], "required": True},
            "scheduler": {
                "type": "str",
                "choices": ["rr", "wrr", "lc", "wlc", "lblc", "lblcr", "sh", "dh", "sed", "nq", "mh"],
                "default": "rr",
            },
            "strict_arp": {"type": "bool", "default": False},
            "metrics_bind_address": {"type": "str", "default": ""},
            "healthz_bind_address": {"type": "str", "default": ""},
            "nodes": {"type": "list", "elements": "dict", "required": True},
        },
        supports_check_mode=True,
    )

    def job() -> dict[str, Any]:
        client = connect(module.params)
        version, notices = surroundings.require(client, module.params)
        for notice in notices:
            module.warn(notice)
        return {"changed": False, "version": version, "api_requests": client.requests}

    run(module, job)


if __name__ == "__main__":
    main()
