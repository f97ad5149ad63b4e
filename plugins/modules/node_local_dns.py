#!/usr/bin/python
# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: node_local_dns
short_description: A cache of the cluster's DNS on every node
version_added: 0.2.0
description:
  - Makes the objects of NodeLocal DNSCache and waits until it is ready on every node, or takes them away and waits
    until its pods are gone.
  - Reads what decides about it. In modes V(iptables) and V(nftables) of kube-proxy the cache takes the address of
    Service C(kube-dns), and pods ask it without knowing; in mode V(ipvs) it has O(address) alone, and RV(advice) says
    what people do so that pods ask it.
  - Refuses a second NodeLocal DNSCache, a cluster without kube-proxy, and the removal while a kubelet sends its pods
    to O(address).
  - By itself it cuts off nobody for long, but single questions may be lost while the cache comes or goes;
    M(netops.kubernetes.node_local_dns_bypass) prevents that, and role C(node_local_dns) shows the order.
  - Needs the verbs C(get) on Service C(kube-dns) and on ConfigMaps C(coredns) and C(kube-proxy), C(list) on nodes,
    pods and DaemonSets, C(get) on C(nodes/proxy) for RV(kubelets), and C(get), C(create), C(patch) and C(delete) on
    what it makes.
author:
  - netops.kubernetes contributors (@netops-collections)
extends_documentation_fragment:
  - netops.kubernetes.attributes
  - netops.kubernetes.connection
options:
  state:
    description: Whether the cache is there.
    type: str
    choices: [present, absent]
    default: present
  address:
    description: The cache's own address on every node; nobody else has it. One of the DNS Service's address family.
    type: str
    default: 169.254.20.10
  outside:
    description: >-
      Who is asked for names outside the cluster. V(coredns) gives the answers that CoreDNS gives, with its stub
      domains, hosts and rewrites; V(node) asks the servers of the node, or those of ConfigMap C(kube-dns).
    type: str
    choices: [coredns, node]
    default: coredns
  names:
    description: Names that RV(questions) asks for besides the API's.
    type: list
    elements: str
    default: []
  image:
    description: The image of node-cache.
    type: str
    default: registry.k8s.io/dns/k8s-dns-node-cache:1.26.4
  wait_timeout:
    description: Seconds for the cache to be ready on every node, or gone from it.
    type: int
    default: 180
"""

EXAMPLES = r"""
- name: Cache the cluster's DNS on every node
  netops.kubernetes.node_local_dns:
  register: cache

- name: Say what is left to do
  ansible.builtin.debug:
    msg: "{{ cache.advice or 'Pods ask the cache.' }}"
"""

RETURN = r"""
mode:
  description: The mode of kube-proxy.
  returned: success
  type: str
  sample: iptables
servers:
  description: All addresses at which the cache answers on its node.
  returned: success
  type: list
  elements: str
  sample: [169.254.20.10, 10.96.0.10]
taken:
  description: Those of them that are not its own.
  returned: success
  type: list
  elements: str
  sample: [10.96.0.10]
bypass:
  description: >-
    Those of them at which questions should pass the cache by while this change happens, as
    M(netops.kubernetes.node_local_dns_bypass) takes them; none when nothing changes. Ask for them in check mode first.
  returned: success
  type: list
  elements: str
  sample: [10.96.0.10]
questions:
  description: What to ask it in order to prove it, as M(netops.kubernetes.dns_check) takes it.
  returned: success
  type: list
  elements: dict
  sample: [{name: kubernetes.default.svc.cluster.local, type: A}]
kubelets:
  description: >-
    What each kubelet tells its pods to ask; nothing where it could not be asked itself. Read for O(state=present).
  returned: success
  type: list
  elements: dict
  sample: [{node: worker-1, cluster_dns: [10.96.0.10]}]
advice:
  description: What people must do before pods ask the cache; empty when nothing is left to do.
  returned: success
  type: str
changes:
  description: What happened to each object.
  returned: success
  type: list
  elements: dict
  sample: [{object: "DaemonSet 'kube-system/node-local-dns'", action: created}]
api_requests:
  description: How many requests were sent to the API server.
  returned: success
  type: int
  sample: 14
"""

from ansible_collections.netops.kubernetes.plugins.module_utils._coredns import node_local
from ansible_collections.netops.kubernetes.plugins.module_utils._coredns.node_local_task import node_local_dns
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.connection import argument_spec
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.edge import ObjectsModule, run_shown


def main() -> None:
    module = ObjectsModule(
        argument_spec={
            **argument_spec(),
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "address": {"type": "str", "default": node_local.ADDRESS},
            "outside": {"type": "str", "choices": [node_local.COREDNS, node_local.NODE], "default": node_local.COREDNS},
            "names": {"type": "list", "elements": "str", "default": []},
            "image": {"type": "str", "default": node_local.IMAGE},
            "wait_timeout": {"type": "int", "default": 180},
        },
        supports_check_mode=True,
    )
    run_shown(module, node_local_dns)


if __name__ == "__main__":
    main()
