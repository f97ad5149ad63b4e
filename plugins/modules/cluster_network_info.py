#!/usr/bin/python
# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_network_info
short_description: Tell what a cluster itself says about its network
version_added: 0.1.0
description:
  - Reads the pod and Service networks, the address of the cluster's DNS and the nodes' addresses, so that nobody has to
    repeat them. Fails when two networks overlap.
  - Needs the verbs C(get) on ConfigMap C(kubeadm-config) and Service C(kube-dns) in C(kube-system), C(list) on nodes,
    and C(list) on pods in C(kube-system). The mode of kube-proxy needs C(get) on ConfigMap C(kube-proxy) there; without
    it the rest is told.
  - Tells which CNIs run, too. For that it needs C(list) on DaemonSets of all namespaces; for Flannel, Canal and Cilium
    C(get) on ConfigMaps in the namespace of its agents; for Calico C(list) on C(ippools) and C(get) on
    C(felixconfigurations) of C(crd.projectcalico.org), and C(get) on ConfigMaps in the namespace of its agents where it
    was installed from the manifest. Without these permissions the rest is told still, and RV(cnis_unread) says what is
    missing.
author:
  - netops.kubernetes contributors (@netops-collections)
extends_documentation_fragment:
  - netops.kubernetes.attributes.reading
  - netops.kubernetes.connection
options:
  pod_cidrs:
    description: The pod networks, where the cluster does not know them or others are wanted.
    type: list
    elements: str
    default: []
  service_cidrs:
    description: Likewise the Service networks.
    type: list
    elements: str
    default: []
  kube_proxy_mode:
    description: Likewise the mode of kube-proxy, as where it is about to be changed.
    type: str
    default: ''
"""

EXAMPLES = r"""
- name: Read the cluster's networks
  netops.kubernetes.cluster_network_info:
  register: cluster
"""

RETURN = r"""
kubernetes_version:
  description: The API server's version.
  returned: success
  type: str
  sample: v1.36.3
pod_cidrs:
  description: The pod networks.
  returned: success
  type: list
  elements: str
  sample: [10.244.0.0/16]
service_cidrs:
  description: The Service networks; empty where they cannot be read.
  returned: success
  type: list
  elements: str
  sample: [10.96.0.0/16]
nodeport_range:
  description: The range of NodePorts, as the running API server has it where it is a static pod, else the default.
  returned: success
  type: str
  sample: 30000-32767
dns_address:
  description: The address of the cluster's DNS; empty when there is none.
  returned: success
  type: str
  sample: 10.96.0.10
kube_proxy_mode:
  description: >-
    The mode of kube-proxy, V(iptables), V(ipvs) or V(nftables), as kubeadm's ConfigMap C(kube-proxy) says it; empty
    where there is none, as without kube-proxy, or it may not be read.
  returned: success
  type: str
  sample: iptables
cnis:
  description: >-
    The CNIs whose agents there are, by name; of Flannel, Canal, Calico and Cilium how packets go between nodes, in the
    words of the filter P(netops.kubernetes.port_plan#filter), where it can be told.
  returned: success
  type: dict
  sample: {calico: {encapsulations: [vxlan], port: 4789, add_ons: [typha]}}
cnis_unread:
  description: What of the CNIs may not be read by this user; empty when nothing was refused.
  returned: success
  type: str
  sample: ''
nodes:
  description: The nodes.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The node's name.
      type: str
    addresses:
      description: Its internal addresses.
      type: list
      elements: str
    pod_cidrs:
      description: The part of the pod networks that it has.
      type: list
      elements: str
api_requests:
  description: How many requests were sent to the API server.
  returned: success
  type: int
  sample: 8
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.seen import seen
from ansible_collections.netops.kubernetes.plugins.module_utils._edge import run
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import connect
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.connection import argument_spec
from ansible_collections.netops.kubernetes.plugins.module_utils._netplan.cluster import network_of, require_sound


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **argument_spec(),
            "pod_cidrs": {"type": "list", "elements": "str", "default": []},
            "service_cidrs": {"type": "list", "elements": "str", "default": []},
            "kube_proxy_mode": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )

    def job() -> dict[str, Any]:
        client = connect(module.params)
        found = {**network_of(client), **seen(client)}
        for name in ("pod_cidrs", "service_cidrs", "kube_proxy_mode"):
            found[name] = module.params[name] or found[name]
        require_sound(found["pod_cidrs"], found["service_cidrs"], found["nodes"])
        return {"changed": False, "api_requests": client.requests, **found}

    run(module, job)


if __name__ == "__main__":
    main()
