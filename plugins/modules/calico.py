#!/usr/bin/python
# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: calico
short_description: Install, configure, upgrade or remove Calico
version_added: 0.1.0
description:
  - Edits Calico's own manifests for the given settings, applies them with its custom resources over one session, and
    waits until Calico works. In mode V(operator) that is what every C(TigeraStatus) says.
  - A pool that is there is never replaced or forgotten; what would do so is an error.
  - Removal goes in the order that ends, the operator's resources before the operator. Only what this module made goes.
  - Needs a cluster administrator's permissions, since Calico's manifests grant permissions themselves.
author:
  - netops.kubernetes contributors (@netops-collections)
extends_documentation_fragment:
  - netops.kubernetes.attributes
  - netops.kubernetes.connection
  - netops.kubernetes.underlay
options:
  state:
    description: Whether Calico is to be there.
    type: str
    choices: [present, absent]
    default: present
  mode:
    description:
      - Whether Calico's operator installs it, or its manifest C(calico.yaml).
      - The mode of a Calico that is there cannot be changed.
    type: str
    choices: [operator, manifest]
    default: operator
  version:
    description: Calico's version, that of O(src).
    type: str
  src:
    description:
      - Calico's manifests, files or URLs - C(operator-crds.yaml) and C(tigera-operator.yaml), or C(calico.yaml), or
        C(calico-typha.yaml) in its place.
      - Without it they are downloaded from Calico's project, for versions whose checksums the collection has.
    type: list
    elements: path
    default: []
  checksum:
    description: Checksums as V(sha256:HEX), by the entry of O(src) that they belong to. A URL must have one.
    type: dict
    default: {}
  pod_cidrs:
    description: The pod networks. Each becomes a pool unless O(pools) says otherwise.
    type: list
    elements: str
    default: []
  encapsulation:
    description: How pools carry packets between nodes, where a pool does not say it.
    type: str
    choices: [IPIP, IPIPCrossSubnet, VXLAN, VXLANCrossSubnet, "None"]
    default: VXLAN
  pools:
    description: The pools.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Its name.
        type: str
        required: true
      cidr:
        description: Its network.
        type: str
        required: true
      encapsulation:
        description: How it carries packets between nodes.
        type: str
        choices: [IPIP, IPIPCrossSubnet, VXLAN, VXLANCrossSubnet, "None"]
      block_size:
        description: Prefix length of the blocks that nodes get; Calico's default is 26, or 122 for IPv6.
        type: int
      nat_outgoing:
        description: Whether packets that leave the pools get the node's address. Yes unless it is said.
        type: bool
      node_selector:
        description: Which nodes take addresses of it; all unless it is said.
        type: str
      disabled:
        description: Whether no new pod gets an address of it. No unless it is said.
        type: bool
  mtu:
    description: MTU of the pods' links in bytes; 0 lets Calico find out.
    type: int
    default: 0
  bgp:
    description: Whether nodes tell each other, and peers, their routes by BGP.
    type: bool
    default: false
  as_number:
    description: The nodes' autonomous system.
    type: int
    default: 64512
  node_mesh:
    description: Whether every node peers with every other.
    type: bool
    default: true
  bgp_peers:
    description: BGP peers.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the BGPPeer.
        type: str
        required: true
      spec:
        description: Its spec.
        type: dict
        required: true
  linux_dataplane:
    description:
      - What enforces policies. V(Nftables) needs Calico 3.31, V(BPF) needs O(api_endpoint).
      - Unless it is said, V(Nftables) where O(kube_proxy_mode) is V(nftables) and Calico has it, else V(Iptables).
    type: str
    choices: [Iptables, Nftables, BPF]
  kube_proxy_mode:
    description:
      - The mode of kube-proxy, as M(netops.kubernetes.cluster_network_info) tells it; empty where there is none.
      - An O(linux_dataplane) that does not go with it is a warning.
    type: str
    default: ""
  api_endpoint:
    description: Address of the API server as V(HOST:PORT), for pods that cannot use its Service.
    type: str
    default: ""
  autodetection:
    description:
      - How a node finds its address, as C(calico/node) says it, such as V(interface=eth0) or V(kubernetes-internal-ip).
      - The first address that is found unless it is said.
    type: str
    default: ""
  wireguard:
    description: Whether nodes encrypt what goes between them.
    type: bool
    default: false
  vxlan_port:
    description: UDP port of VXLAN.
    type: int
    default: 4789
  vxlan_vni:
    description: VXLAN network identifier.
    type: int
    default: 4096
  registry:
    description: Registry that the nodes get the images from, in place of upstream's.
    type: str
    default: ""
  image_path:
    description: Folder of the images in O(registry).
    type: str
    default: ""
  pull_secrets:
    description: Names of Secrets for the registry, in the namespace of the pods.
    type: list
    elements: str
    default: []
  digests:
    description:
      - Digests of images, as sha256:HEX by the image's name, such as V(node). In mode V(operator) by V(operator) for
        its own image, else by upstream's folder and name, such as V(calico/node); there every image must have one that
        the operator starts, or none.
    type: dict
    default: {}
  installation:
    description: Further fields of the spec of the operator's C(Installation).
    type: dict
    default: {}
  felix:
    description: Further fields of the spec of the default C(FelixConfiguration).
    type: dict
    default: {}
  node_selector:
    description: Labels of the nodes that Calico is for; none stands for all.
    type: dict
    default: {}
  tolerations:
    description: What C(calico-node) tolerates, in place of upstream's own, which is every taint.
    type: list
    elements: dict
    default: []
  resources:
    description: Requests and limits of C(calico-node), in place of upstream's own.
    type: dict
    default: {}
  control_plane_tolerations:
    description:
      - What C(calico-kube-controllers) tolerates, in place of upstream's own. In mode V(operator) it is said of
        everything that the operator starts beside C(calico-node) and Typha.
    type: list
    elements: dict
    default: []
  control_plane_node_selector:
    description: Labels of the nodes that these may run on.
    type: dict
    default: {}
  control_plane_resources:
    description: Requests and limits of C(calico-kube-controllers), in place of upstream's own.
    type: dict
    default: {}
  typha_replicas:
    description:
      - How many of Typha there are in mode V(manifest), for which O(src) names upstream's C(calico-typha.yaml).
      - V(0) leaves it as the manifest has it. In mode V(operator) the operator counts them.
    type: int
    default: 0
  typha_tolerations:
    description: What Typha tolerates, in place of upstream's own, which is every taint.
    type: list
    elements: dict
    default: []
  typha_node_selector:
    description: Labels of the nodes that Typha may run on.
    type: dict
    default: {}
  typha_resources:
    description: Typha's requests and limits, in place of upstream's own.
    type: dict
    default: {}
  force_unsupported:
    description:
      - Go on where Calico's project does not support the version of Kubernetes or of a node's kernel, with a warning.
    type: bool
    default: false
  force_conflicts:
    description: Take over fields that another field manager owns, instead of failing with its name.
    type: bool
    default: false
  wait_timeout:
    description: Seconds to wait until Calico works, or is gone.
    type: int
    default: 600
"""

EXAMPLES = r"""
- name: Install Calico by its operator
  netops.kubernetes.calico:
    version: v3.32.1
    src:
      - manifests/operator-crds.yaml
      - manifests/tigera-operator.yaml
    pod_cidrs: [10.244.0.0/16]

- name: Add a pool, and give no new pod an address of the old one
  netops.kubernetes.calico:
    version: v3.32.1
    src:
      - manifests/operator-crds.yaml
      - manifests/tigera-operator.yaml
    pools:
      - name: default-ipv4-ippool
        cidr: 10.244.0.0/16
        disabled: true
      - name: larger
        cidr: 10.128.0.0/14

- name: Remove Calico
  netops.kubernetes.calico:
    state: absent
"""

RETURN = r"""
changes:
  description: What happened to each object.
  returned: success
  type: list
  elements: dict
  contains:
    object:
      description: Kind, namespace and name.
      type: str
    action:
      description: One of V(created), V(changed), V(unchanged), V(deleted), V(absent), V(kept).
      type: str
  sample: [{"object": "Installation 'default'", "action": "created"}]
images:
  description: The images that the manifests name. The operator itself names more, which its version decides.
  returned: with O(state=present)
  type: list
  elements: str
  sample: [quay.io/tigera/operator:v1.42.3]
pool_cidrs:
  description: The networks of the pools that were there, which M(netops.kubernetes.cni_cleanup) wants to know.
  returned: with O(state=absent)
  type: list
  elements: str
  sample: [10.244.0.0/16]
warnings:
  description: What Calico's project does not test, and what is odd about the nodes' MTUs or the data plane.
  returned: when there is something
  type: list
  elements: str
api_requests:
  description: How many requests were sent to the API server.
  returned: success
  type: int
  sample: 110
"""

from typing import Any

from ansible_collections.netops.kubernetes.plugins.module_utils._cni.calico import DATAPLANES, ENCAPSULATIONS
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.calico_task import calico
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.connection import argument_spec
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.edge import ObjectsModule, run_shown


def main() -> None:
    encapsulation: dict[str, Any] = {"type": "str", "choices": list(ENCAPSULATIONS)}
    pool = {
        "name": {"type": "str", "required": True},
        "cidr": {"type": "str", "required": True},
        "encapsulation": encapsulation,
        "block_size": {"type": "int"},
        "nat_outgoing": {"type": "bool"},
        "node_selector": {"type": "str"},
        "disabled": {"type": "bool"},
    }
    tolerations: dict[str, Any] = {"type": "list", "elements": "dict", "default": []}
    peer = {"name": {"type": "str", "required": True}, "spec": {"type": "dict", "required": True}}
    module = ObjectsModule(
        argument_spec={
            **argument_spec(),
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "mode": {"type": "str", "choices": ["operator", "manifest"], "default": "operator"},
            "version": {"type": "str"},
            "src": {"type": "list", "elements": "path", "default": []},
            "checksum": {"type": "dict", "default": {}},
            "pod_cidrs": {"type": "list", "elements": "str", "default": []},
            "encapsulation": {**encapsulation, "default": "VXLAN"},
            "pools": {"type": "list", "elements": "dict", "default": [], "options": pool},
            "mtu": {"type": "int", "default": 0},
            "interfaces": {"type": "dict", "default": {}},
            "service_cidrs": {"type": "list", "elements": "str", "default": []},
            "bgp": {"type": "bool", "default": False},
            "as_number": {"type": "int", "default": 64512},
            "node_mesh": {"type": "bool", "default": True},
            "bgp_peers": {"type": "list", "elements": "dict", "default": [], "options": peer},
            "linux_dataplane": {"type": "str", "choices": list(DATAPLANES)},
            "kube_proxy_mode": {"type": "str", "default": ""},
            "api_endpoint": {"type": "str", "default": ""},
            "autodetection": {"type": "str", "default": ""},
            "wireguard": {"type": "bool", "default": False},
            "vxlan_port": {"type": "int", "default": 4789},
            "vxlan_vni": {"type": "int", "default": 4096},
            "registry": {"type": "str", "default": ""},
            "image_path": {"type": "str", "default": ""},
            "pull_secrets": {"type": "list", "elements": "str", "default": [], "no_log": False},
            "digests": {"type": "dict", "default": {}},
            "installation": {"type": "dict", "default": {}},
            "felix": {"type": "dict", "default": {}},
            "node_selector": {"type": "dict", "default": {}},
            "tolerations": tolerations,
            "resources": {"type": "dict", "default": {}},
            "control_plane_tolerations": tolerations,
            "control_plane_node_selector": {"type": "dict", "default": {}},
            "control_plane_resources": {"type": "dict", "default": {}},
            "typha_replicas": {"type": "int", "default": 0},
            "typha_tolerations": tolerations,
            "typha_node_selector": {"type": "dict", "default": {}},
            "typha_resources": {"type": "dict", "default": {}},
            "force_unsupported": {"type": "bool", "default": False},
            "force_conflicts": {"type": "bool", "default": False},
            "wait_timeout": {"type": "int", "default": 600},
        },
        required_if=[("state", "present", ("version",))],
        supports_check_mode=True,
    )

    run_shown(module, calico)


if __name__ == "__main__":
    main()
