#!/usr/bin/python
# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: cni_info
short_description: Tell which CNIs are configured on a node, and which networks are around it
version_added: 0.1.0
description:
  - Reads the network configuration lists of the node that the module runs on, asks the CNIs' programs for versions, and
    looks for links, files, folders, chains, nftables tables and ipsets that bear a CNI's own name.
  - With the cluster's networks it looks for the node's routes into them, and tells which interfaces carry the packets
    between nodes.
  - Needs to read C(/etc/cni/net.d), and root for chains, nftables tables and ipsets. Only Python is needed on the node;
    of C(iptables), C(nft) and C(ipset) those that are installed are asked, and none that would load a kernel module.
author:
  - netops.kubernetes contributors (@netops-collections)
extends_documentation_fragment:
  - netops.kubernetes.attributes.reading
options:
  expected:
    description:
      - The one CNI that may be configured here; any other is an error that names it. Multus may be beside it, since it
        calls the others.
    type: str
  plugins:
    description:
      - Reference plugins that a CNI calls and that must be here; those that are missing are an error. Looked for where
        container runtimes have them, in C(/opt/cni/bin), C(/usr/libexec/cni) and C(/usr/lib/cni).
    type: list
    elements: str
    default: []
  pod_cidrs:
    description:
      - The networks of pods. A route of this node that overlaps one, and is not a CNI's, is an error that names both;
        where the CNI that is O(expected) is in use here already, it is a warning.
      - A CNI's routes lead over a device of its own, or into these networks by another node or by Calico's protocol.
        Default routes overlap nothing, and neither do blackholes.
    type: list
    elements: str
    default: []
  service_cidrs:
    description: The networks of Services, of which the same is required.
    type: list
    elements: str
    default: []
  node_addresses:
    description: The addresses of all nodes, by which the cluster knows them.
    type: list
    elements: str
    default: []
  shared_routes:
    description:
      - Networks to which routes may lead though they overlap, since the cluster's own networks were taken out of them.
        Such as a company's V(10.0.0.0/8).
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Require that no other CNI than Flannel is configured
  netops.kubernetes.cni_info:
    expected: flannel

- name: Require that no route of the node leads into the cluster's networks
  netops.kubernetes.cni_info:
    pod_cidrs: [10.244.0.0/16]
    service_cidrs: [10.96.0.0/16]
    node_addresses: [192.0.2.11, 192.0.2.12]
"""

RETURN = r"""
configurations:
  description: The CNI by the name of each configuration file; that of the loopback device, as CRI-O has one, is none.
  returned: success
  type: dict
  sample: {"10-flannel.conflist": "flannel"}
active:
  description: The CNI that a container runtime uses, that of the first file by name; empty where there is none.
  returned: success
  type: str
  sample: flannel
mtu:
  description:
    - What that CNI gives to new pods here, in bytes; 0 where it says so nowhere on the node. Flannel and Calico say it.
  returned: success
  type: int
  sample: 1450
state:
  description:
    - V(none) or V(one) CNI is configured; V(mixed) when it is more than one, V(leftovers) when traces are there of one
      that is not configured, or not any more.
    - Canal counts as Calico and Flannel together, and Multus beside those that it calls.
  returned: success
  type: str
  sample: one
underlay:
  description:
    - MTU by interface, of the interfaces that carry the packets between nodes. They bear one of O(node_addresses), be
      they cards, VLANs, bonds, bridges or tunnels; where none does, those of the default routes.
    - The filter P(netops.kubernetes.pod_network_plan#filter) takes them as C(interfaces), by node.
  returned: when O(pod_cidrs) or O(node_addresses) is set
  type: dict
  sample: {"eth0": 1500}
routes:
  description:
    - Routes to networks around the cluster, which are not a CNI's and no default routes, each with C(network),
      C(device), C(gateway), C(protocol) and C(node).
    - The filter P(netops.kubernetes.pod_network_plan#filter) takes them as C(routes).
  returned: when O(pod_cidrs) or O(node_addresses) is set
  type: list
  elements: dict
  sample: [{"network": "172.17.0.0/16", "device": "docker0", "gateway": "", "protocol": "kernel", "node": "worker-1"}]
traces:
  description:
    - Links, files, folders, chains of iptables and rules beside them, nftables tables and ipsets that bear a name of
      Calico's, Cilium's, Flannel's or Weave Net's own, by CNI. Of chains, tables and ipsets ten each, and how many more
      there are.
  returned: success
  type: dict
  sample: {"flannel": ["link cni0", "link flannel.1", "file /run/flannel", "chain iptables nat FLANNEL-POSTRTG"]}
traces_unread:
  description:
    - Why chains, tables or ipsets could not be read, which needs root; empty where all were. A program that is not
      installed, or whose part of the kernel is not loaded, has none.
  returned: success
  type: list
  elements: str
  sample: []
versions:
  description: The version of each CNI whose program on this node tells it, which Calico's does.
  returned: success
  type: dict
  sample: {"calico": "v3.28.5"}
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.links import links_by_cni, told_mtu
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.netfilter import netfilter_traces
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.node import (
    configurations,
    require_alone,
    require_plugins,
    state_of,
    traces_of,
    versions,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.surroundings import surroundings
from ansible_collections.netops.kubernetes.plugins.module_utils._edge import run

LISTS = ("plugins", "pod_cidrs", "service_cidrs", "node_addresses", "shared_routes")


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "expected": {"type": "str"},
            **{name: {"type": "list", "elements": "str", "default": []} for name in LISTS},
        },
        supports_check_mode=True,
    )

    def job() -> dict[str, Any]:
        asked = module.params
        found = configurations()
        if asked["expected"]:
            require_alone(found, asked["expected"])
        require_plugins(asked["plugins"])
        netfilter, unread = netfilter_traces()
        traces = traces_of(links_by_cni(), netfilter=netfilter)
        active = next(iter(found.values()), "")
        planned = asked["pod_cidrs"] or asked["node_addresses"]
        return {
            "changed": False,
            "configurations": found,
            "active": active,
            "mtu": told_mtu(active),
            "state": state_of(found, traces),
            "traces": traces,
            "traces_unread": unread,
            "versions": versions(),
            **(surroundings(asked, serves=bool(active) and active == asked["expected"]) if planned else {}),
        }

    run(module, job)


if __name__ == "__main__":
    main()
