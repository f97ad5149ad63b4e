# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: pod_network_plan
short_description: Plan a pod network - overlaps, capacity and MTU
version_added: 0.1.0
author:
  - netops.kubernetes contributors (@netops-collections)
description:
  - Requires that pod networks overlap nothing else, that nodes and pods fit, that address families go together, and
    tells which MTU pods get and what the CNI is to be told about it. Pure; it changes nothing.
  - When several things cannot be, the failure names all of them.
options:
  _input:
    description: The pod networks; one, or one of each address family.
    type: list
    elements: str
    required: true
  cni:
    description: Which CNI.
    type: str
    choices: [calico, cilium, flannel]
    default: flannel
  service_cidrs:
    description: The Service networks.
    type: list
    elements: str
    default: []
  nodes:
    description:
      - The nodes with C(name), C(addresses) and C(pod_cidrs), as M(netops.kubernetes.cluster_network_info) tells.
    type: list
    elements: dict
    default: []
  networks:
    description: Networks around the cluster by what they are, such as a VPN.
    type: dict
    default: {}
  routes:
    description:
      - The nodes' routes, each with C(network) and C(device), and C(node), C(gateway) and C(protocol) where they are
        known, as M(netops.kubernetes.cni_info) tells them.
      - Those of CNIs are left out, which lead over a device of the CNI's, or into the pod networks by another of
        O(nodes) or by Calico's protocol.
    type: list
    elements: dict
    default: []
  interfaces:
    description:
      - By node its facts, as M(ansible.builtin.setup) gathers them of the network, or MTU by interface. Without it no
        MTU is planned.
      - Of the facts those interfaces count that bear an address of O(nodes), be they cards, VLANs, bonds, bridges or
        tunnels; where none does, those of the default routes. Of interfaces that are named, all but those whose names a
        CNI, a container runtime or a hypervisor gives.
    type: dict
    default: {}
  encapsulation:
    description:
      - How the CNI carries packets, V(vxlan) unless it is said. Flannel knows V(vxlan), V(host-gw), V(wireguard) and
        V(udp), Calico V(vxlan), V(ipip) and V(none), Cilium V(vxlan), V(geneve) and V(none). Calico's own names,
        such as V(VXLANCrossSubnet), are taken too.
      - What is only used across subnets counts as used.
    type: str
    default: ''
  wireguard:
    description: Whether Calico or Cilium encrypts between nodes by WireGuard.
    type: bool
    default: false
  block_sizes:
    description: Prefix length of what a node gets, by address family, where it is not the CNI's default.
    type: dict
    default: {}
  expected_nodes:
    description: How many nodes are to fit; those in O(nodes) at least.
    type: int
    default: 0
  pods_per_node:
    description: How many pods a node may run.
    type: int
    default: 110
  mtu:
    description: The CNI's own MTU setting as it is wanted; 0 plans it.
    type: int
    default: 0
"""

EXAMPLES = r"""
- name: Plan before anything is installed
  ansible.builtin.debug:
    msg: >-
      {{ ['10.244.0.0/16'] | netops.kubernetes.pod_network_plan(cni='calico', service_cidrs=['10.96.0.0/16'],
      networks={'vpn': '10.8.0.0/16'}, interfaces={'node-a': {'eth0': 1500}}, expected_nodes=50) }}
"""

RETURN = r"""
_value:
  description:
    - C(pod_cidrs) and C(families).
    - C(capacity), of each network C(cidr), C(block_size), C(blocks), C(pods_per_block) and C(nodes) that fit.
    - C(mtu) with C(underlay), C(encapsulation), C(overhead), C(pod), and the CNI's C(setting), its C(value) and
      C(meaning).
    - C(warnings), sentences.
  type: dict
"""

from typing import TYPE_CHECKING, Any, Callable

from ansible.errors import AnsibleFilterError
from ansible_collections.netops.kubernetes.plugins.module_utils._errors import NetopsError
from ansible_collections.netops.kubernetes.plugins.module_utils._netplan.plan import Wanted
from ansible_collections.netops.kubernetes.plugins.module_utils._netplan.plan import pod_network_plan as plan

if TYPE_CHECKING:
    from collections.abc import Sequence


def pod_network_plan(pod_cidrs: Sequence[str], **options: Any) -> dict[str, Any]:
    """The filter; see DOCUMENTATION."""
    if isinstance(pod_cidrs, str):
        raise AnsibleFilterError(f"pod_network_plan: {pod_cidrs!r} is a text; expected a list of networks")
    try:
        return plan(Wanted(pod_cidrs=pod_cidrs, **options))
    except TypeError as error:
        raise AnsibleFilterError(f"pod_network_plan: {error}") from error
    except NetopsError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"pod_network_plan": pod_network_plan}
