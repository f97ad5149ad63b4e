#!/usr/bin/python
# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: cni_preflight
short_description: Require a cluster that can have a CNI
version_added: 0.1.0
description:
  - Fails before anything is applied where the CNI's project does not support the version of Kubernetes or of a node's
    kernel, where the pod networks or the MTU cannot be, and where a node lacks the podCIDR of which Flannel gives
    addresses.
  - M(netops.kubernetes.calico) and M(netops.kubernetes.cilium) do so by themselves.
  - Needs the verb C(list) on nodes.
author:
  - netops.kubernetes contributors (@netops-collections)
extends_documentation_fragment:
  - netops.kubernetes.attributes.reading
  - netops.kubernetes.connection
  - netops.kubernetes.underlay
options:
  cni:
    description: Which CNI.
    type: str
    choices: [calico, cilium, flannel]
    required: true
  image:
    description: The image of its agents, whose tag tells the version. Without a tag the version is not checked.
    type: str
    required: true
  pod_cidrs:
    description: The pod networks, one, or one of each family.
    type: list
    elements: str
    default: []
  encapsulation:
    description:
      - How it carries packets between nodes, in the words of the filter P(netops.kubernetes.pod_network_plan#filter).
      - What it adds to a packet counts where O(interfaces) are named.
    type: str
    default: ''
  dataplane:
    description: What it writes its rules with; left out where that is not to be judged.
    type: str
    choices: [iptables, nftables]
  kube_proxy_mode:
    description:
      - The mode of kube-proxy, as M(netops.kubernetes.cluster_network_info) tells it; empty where there is none.
      - A O(dataplane) that does not go with it is a warning.
    type: str
    default: ''
  mtu:
    description: The CNI's own MTU setting; 0 leaves it to the CNI.
    type: int
    default: 0
  node_selector:
    description: Labels of the nodes that it is for; none stands for all.
    type: dict
    default: {}
  force_unsupported:
    description: Go on where the project does not support a version, with a warning.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Require a cluster that Flannel works in
  netops.kubernetes.cni_preflight:
    cni: flannel
    image: ghcr.io/flannel-io/flannel:v0.28.9
    pod_cidrs: [10.244.0.0/16]
"""

RETURN = r"""
api_requests:
  description: How many requests were sent to the API server.
  returned: success
  type: int
  sample: 2
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.images import parsed
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.preflight import Candidate, Packets, preflight
from ansible_collections.netops.kubernetes.plugins.module_utils._edge import run
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import connect
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.connection import argument_spec


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **argument_spec(),
            "cni": {"type": "str", "choices": ["calico", "cilium", "flannel"], "required": True},
            "image": {"type": "str", "required": True},
            "pod_cidrs": {"type": "list", "elements": "str", "default": []},
            "interfaces": {"type": "dict", "default": {}},
            "service_cidrs": {"type": "list", "elements": "str", "default": []},
            "encapsulation": {"type": "str", "default": ""},
            "dataplane": {"type": "str", "choices": ["iptables", "nftables"]},
            "kube_proxy_mode": {"type": "str", "default": ""},
            "mtu": {"type": "int", "default": 0},
            "node_selector": {"type": "dict", "default": {}},
            "force_unsupported": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )

    def job() -> dict[str, Any]:
        asked = module.params
        client = connect(asked)
        candidate = Candidate(
            asked["cni"],
            parsed(asked["image"]).tag,
            asked["pod_cidrs"],
            node_selector=asked["node_selector"],
            force=asked["force_unsupported"],
            service_cidrs=asked["service_cidrs"],
            dataplane=asked["dataplane"] or "",
            kube_proxy_mode=asked["kube_proxy_mode"],
            packets=Packets(asked["interfaces"], asked["encapsulation"], mtu=asked["mtu"]),
        )
        warnings = preflight(client, candidate)
        told = {"warnings": warnings} if warnings else {}
        return {"changed": False, "api_requests": client.requests, **told}

    run(module, job)


if __name__ == "__main__":
    main()
