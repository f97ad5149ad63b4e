#!/usr/bin/python
# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: cni_cluster_info
short_description: Tell which CNIs a cluster has
version_added: 0.1.0
description:
  - Looks at the API for the DaemonSets, API groups and annotations of nodes that bear a CNI's own name.
    M(netops.kubernetes.cni_info) tells what is on a node itself.
  - Needs the verb C(list) on DaemonSets and nodes.
author:
  - netops.kubernetes contributors (@netops-collections)
extends_documentation_fragment:
  - netops.kubernetes.attributes.reading
  - netops.kubernetes.connection
options:
  expected:
    description:
      - The one CNI that may run here; any other is an error that names it, whether it is configured on a node yet or
        not. Multus may be beside it, since it calls the others.
      - Agents of it that would run beside those of the collection's role are an error too, such as a DaemonSet of
        Flannel in C(kube-system) by an older manifest.
    type: str
    choices: [calico, cilium, flannel]
"""

EXAMPLES = r"""
- name: Read which CNI the cluster has
  netops.kubernetes.cni_cluster_info:
  register: cni

- name: Require one CNI, and no other's leftovers
  ansible.builtin.assert:
    that: cni.state == 'one'
"""

RETURN = r"""
state:
  description:
    - V(none), V(one) CNI runs, V(mixed) when it is more than one, V(leftovers) when something is there of one that does
      not run. Canal counts as Calico and Flannel together, and Multus beside those that it calls.
  returned: success
  type: str
  sample: one
cnis:
  description: What is there of each CNI, by its name.
  returned: success
  type: dict
  contains:
    running:
      description: Whether its DaemonSet is there.
      type: bool
    version:
      description: The tag of its image.
      type: str
    mode:
      description:
        - Of Calico V(operator) or V(manifest). Of Canal and Flannel the back-end, such as V(vxlan) or V(host-gw). Of
          Cilium V(vxlan), V(geneve) or V(native), with V(, in place of kube-proxy) where it serves Services.
        - Empty where its ConfigMap is not there or may not be read, and of other CNIs.
      type: str
    managed_by:
      description: What the label C(app.kubernetes.io/managed-by) says, such as V(netops.kubernetes) or V(Helm).
      type: str
    agents:
      description: Its DaemonSets.
      type: list
    nodes:
      description: On how many nodes they are to run.
      type: int
    nodes_ready:
      description: On how many they are ready.
      type: int
    not_ready:
      description: What they still lack.
      type: list
    api_groups:
      description: The groups of the API that it has added.
      type: list
    annotated_nodes:
      description: How many nodes bear its annotations.
      type: int
  sample: {"flannel": {"running": true, "version": "v0.28.9", "mode": "vxlan", "nodes": 2, "nodes_ready": 2}}
api_requests:
  description: How many requests were sent to the API server.
  returned: success
  type: int
  sample: 4
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.cluster import presence, require_own_place
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.preflight import require_alone
from ansible_collections.netops.kubernetes.plugins.module_utils._edge import run
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import connect
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.connection import argument_spec


def main() -> None:
    module = AnsibleModule(
        argument_spec={**argument_spec(), "expected": {"type": "str", "choices": ["calico", "cilium", "flannel"]}},
        supports_check_mode=True,
    )

    def job() -> dict[str, Any]:
        client, expected = connect(module.params), module.params["expected"]
        found = presence(client)
        if expected:
            require_own_place(found["cnis"], expected)
            require_alone(found["cnis"], expected)
        return {"changed": False, **found, "api_requests": client.requests}

    run(module, job)


if __name__ == "__main__":
    main()
