#!/usr/bin/python
# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: cilium
short_description: Install, configure, upgrade or remove Cilium by its chart
version_added: 0.1.0
description:
  - Makes values of the settings, judges them by the chart's own schema, renders the chart by C(helm template), applies
    its objects over one session and waits until agents, operator and Hubble are ready, and until every agent can give
    pods their network, for which it asks each in its pod.
  - No release is kept by Helm, so check mode and the diff are those of each object, and C(helm list) does not show it.
  - Certificates that are there stay, so a rerun changes nothing. They are made anew when their Secrets are deleted.
  - Removal takes the definitions that Cilium's operator has made along, and all policies in them.
  - Needs a cluster administrator's permissions, since the chart grants permissions itself, and the program C(helm) of
    version 3 where the module runs.
author:
  - netops.kubernetes contributors (@netops-collections)
extends_documentation_fragment:
  - netops.kubernetes.attributes
  - netops.kubernetes.connection
  - netops.kubernetes.underlay
options:
  state:
    description: Whether Cilium is to be there.
    type: str
    choices: [present, absent]
    default: present
  version:
    description: Cilium's version, that of the chart. It goes up, or back, by one minor version at most.
    type: str
  chart_ref:
    description: The chart - a folder, a C(.tgz) file, or the URL of one.
    type: str
    default: ""
  src:
    description:
      - In place of the chart, what C(helm template) has made of it elsewhere - files, folders or URLs.
      - Settings that are values of the chart are then those of whoever rendered it.
    type: list
    elements: path
    default: []
  checksum:
    description: Checksums as V(sha256:HEX), by O(chart_ref) or by the entry of O(src). A URL must have one.
    type: dict
    default: {}
  helm:
    description: The program.
    type: str
    default: helm
  pod_cidrs:
    description: The pod networks; one, or one of each address family.
    type: list
    elements: str
    default: []
  tunnel:
    description: How packets go between nodes; V(none) routes them, for nodes of one subnet.
    type: str
    choices: [vxlan, geneve, none]
    default: vxlan
  mtu:
    description: MTU of the nodes' network in bytes; 0 lets Cilium find out.
    type: int
    default: 0
  kube_proxy_replacement:
    description: Whether Cilium serves Services in kube-proxy's place. Needs O(api_endpoint).
    type: bool
    default: false
  api_endpoint:
    description: Address of the API server as V(HOST:PORT).
    type: str
    default: ""
  wireguard:
    description: Whether nodes encrypt what goes between them.
    type: bool
    default: false
  hubble:
    description: Whether Hubble observes flows.
    type: bool
    default: true
  operator_replicas:
    description: How many operators run; more than one need more than one node.
    type: int
    default: 2
  values:
    description:
      - Further values of the chart; these win over the settings.
      - Texts whose names end in key, password, secret or token are hidden in the system's log and with C(-vvv).
    type: dict
    default: {}
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
    description: Digests of images, as sha256:HEX by the image's name, such as V(cilium).
    type: dict
    default: {}
  node_selector:
    description: Labels of the nodes that Cilium's agents and Envoy are for, with O(src) too; none stands for all.
    type: dict
    default: {}
  force_unsupported:
    description: Go on where Cilium's project does not support the version of Kubernetes or of a node's kernel.
    type: bool
    default: false
  force_conflicts:
    description: Take over fields that another field manager owns, instead of failing with its name.
    type: bool
    default: false
  wait_timeout:
    description: Seconds to wait until Cilium works, or is gone.
    type: int
    default: 600
"""

EXAMPLES = r"""
- name: Install Cilium
  netops.kubernetes.cilium:
    version: 1.20.0
    chart_ref: charts/cilium-1.20.0.tgz
    pod_cidrs: [10.244.0.0/16]
    values:
      bpf:
        masquerade: true

- name: Remove Cilium
  netops.kubernetes.cilium:
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
  sample: [{"object": "DaemonSet 'kube-system/cilium'", "action": "created"}]
images:
  description: The images that the chart names.
  returned: with O(state=present)
  type: list
  elements: str
  sample: ["quay.io/cilium/cilium:v1.20.0"]
warnings:
  description: What Cilium's project does not test, and what is odd about the nodes' MTUs.
  returned: when there is something
  type: list
  elements: str
api_requests:
  description: How many requests were sent to the API server.
  returned: success
  type: int
  sample: 40
"""

from ansible_collections.netops.kubernetes.plugins.module_utils._cni.cilium import TUNNELS
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.cilium_task import cilium
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.connection import argument_spec
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.edge import ObjectsModule, run_shown


def main() -> None:
    module = ObjectsModule(
        argument_spec={
            **argument_spec(),
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "version": {"type": "str"},
            "chart_ref": {"type": "str", "default": ""},
            "src": {"type": "list", "elements": "path", "default": []},
            "checksum": {"type": "dict", "default": {}},
            "helm": {"type": "str", "default": "helm"},
            "pod_cidrs": {"type": "list", "elements": "str", "default": []},
            "tunnel": {"type": "str", "choices": list(TUNNELS), "default": "vxlan"},
            "mtu": {"type": "int", "default": 0},
            "interfaces": {"type": "dict", "default": {}},
            "service_cidrs": {"type": "list", "elements": "str", "default": []},
            "kube_proxy_replacement": {"type": "bool", "default": False},
            "api_endpoint": {"type": "str", "default": ""},
            "wireguard": {"type": "bool", "default": False},
            "hubble": {"type": "bool", "default": True},
            "operator_replicas": {"type": "int", "default": 2},
            "values": {"type": "dict", "default": {}},
            "registry": {"type": "str", "default": ""},
            "image_path": {"type": "str", "default": ""},
            "pull_secrets": {"type": "list", "elements": "str", "default": [], "no_log": False},
            "digests": {"type": "dict", "default": {}},
            "node_selector": {"type": "dict", "default": {}},
            "force_unsupported": {"type": "bool", "default": False},
            "force_conflicts": {"type": "bool", "default": False},
            "wait_timeout": {"type": "int", "default": 600},
        },
        required_if=[("state", "present", ("version",))],
        supports_check_mode=True,
    )

    run_shown(module, cilium)


if __name__ == "__main__":
    main()
