# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: port_plan
short_description: What one Kubernetes node must accept, and from whom
version_added: 0.1.0
author:
  - netops.kubernetes contributors (@netops-collections)
description:
  - Makes the plan of one node from the inventory's groups, the nodes' addresses and the port matrix. Pure; it changes
    nothing.
positional: hostvars, node_name
options:
  _input:
    description: The inventory's C(groups).
    type: dict
    required: true
  hostvars:
    description: >-
      The variables of every host. A node's addresses are its variables C(ip), C(access_ip), C(ip6) and C(access_ip6),
      and those of the default routes among its facts.
    type: dict
    required: true
  node_name:
    description: Whose plan.
    type: str
    required: true
  pod_cidrs:
    description: The pod networks.
    type: list
    elements: str
    default: []
  service_cidrs:
    description: The Service networks.
    type: list
    elements: str
    default: []
  cni:
    description: Which CNI; its own ports are opened.
    type: str
    default: ''
  encapsulation:
    description: >-
      How the CNI carries packets between nodes, or a list of several ways; required when the port matrix knows O(cni).
      An unknown one is refused with the list of those that this CNI has.
    type: raw
    default: ''
  add_ons:
    description: >-
      What else needs ports, such as V(metallb), V(node-exporter), V(nodelocaldns), V(wireguard). An unknown one is
      refused with the list of all.
    type: list
    elements: str
    default: []
  ports:
    description: Other ports than the port matrix has, by rule id; ids that this node has no rule for are passed over.
    type: dict
    default: {}
  nodeport_range:
    description: The API server's C(--service-node-port-range).
    type: str
    default: 30000-32767
  ssh_port:
    description: Where sshd listens.
    type: int
    default: 22
  load_balancer_cidrs:
    description: >-
      Networks that Services of type LoadBalancer, and externalIPs, have addresses from, such as the pools of MetalLB.
      Where kube-proxy runs in mode ipvs, firewalld, ufw and iptables need them. Everybody may reach these addresses,
      and kube-proxy refuses what is no Service's port. None may be a node's, or in a pod network.
    type: list
    elements: str
    default: []
  peers:
    description: >-
      By peer set, instead of what the inventory gives, networks, or hosts and groups of the inventory. The sets
      C(admins), C(load_balancers), C(monitoring), C(bgp_peers) and C(remote_clusters) are for users to fill; new names
      are allowed.
    type: dict
    default: {}
  rules:
    description: >-
      Rules of your own, or changes of rules by their C(id), with any of C(component), C(protocol), C(ports), C(peers)
      and C(state=absent). A change of a rule of the port matrix holds where that rule does, and is passed over on other
      nodes.
    type: list
    elements: dict
    default: []
"""

EXAMPLES = r"""
- name: Show what this node would accept
  ansible.builtin.debug:
    msg: >-
      {{ groups | netops.kubernetes.port_plan(hostvars, inventory_hostname, cni='flannel', encapsulation='vxlan') }}
"""

RETURN = r"""
_value:
  description: The plan, for the module M(netops.kubernetes.node_firewall).
  type: dict
"""

from typing import TYPE_CHECKING, Any, Callable

from ansible.errors import AnsibleFilterError
from ansible_collections.netops.kubernetes.plugins.module_utils._errors import NetopsError
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.inventory import (
    addresses_of,
    require_families,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.plan import Cluster, plan_for

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def port_plan(
    groups: Mapping[str, Sequence[str]],
    hostvars: Mapping[str, Mapping[str, Any]],
    node_name: str,
    pod_cidrs: Sequence[str] = (),
    service_cidrs: Sequence[str] = (),
    cni: str = "",
    encapsulation: str | Sequence[str] = "",
    nodeport_range: str = "30000-32767",
    ssh_port: int = 22,
    peers: Mapping[str, Sequence[str]] | None = None,
    rules: Sequence[Mapping[str, Any]] = (),
    add_ons: Sequence[str] = (),
    ports: Mapping[str, Any] | None = None,
    load_balancer_cidrs: Sequence[str] = (),
) -> dict[str, Any]:
    """The filter; see DOCUMENTATION."""
    try:
        addresses = addresses_of(groups, hostvars, peers)
        require_families(node_name, groups, hostvars, addresses)
        cluster = Cluster(
            groups=groups,
            addresses=addresses,
            pod_cidrs=tuple(pod_cidrs),
            service_cidrs=tuple(service_cidrs),
            cni=cni,
            encapsulations=(encapsulation,) if isinstance(encapsulation, str) else tuple(encapsulation),
            add_ons=tuple(add_ons),
            nodeport_range=nodeport_range,
            ssh_port=int(ssh_port),
            peers=peers or {},
            ports=ports or {},
            load_balancer_cidrs=tuple(load_balancer_cidrs),
        )
        return plan_for(node_name, cluster, rules).to_output()
    except NetopsError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"port_plan": port_plan}
