#!/usr/bin/python
# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: node_drain
short_description: Free every node of pods on the pod network, and let them come back
version_added: 0.1.0
description:
  - Cordons the cluster's nodes and deletes the pods that use the pod network, before that network is taken away. Pods
    of DaemonSets on the pod network, static pods there, and pods without an owner are an error that names them.
  - Nothing is done where the cluster has nothing of the CNI whose network is to go, so a removal can be repeated.
  - V(released) uncordons the nodes that this module cordoned, and no others.
  - A CNI that somebody else installed is an error before anything is done. Its removal would leave it as it is.
  - Needs the verbs C(list) and C(patch) on nodes, C(list), C(get) and C(delete) on pods, C(list) on daemonsets, and
    C(get) on configmaps in namespace kube-system.
author:
  - netops.kubernetes contributors (@netops-collections)
extends_documentation_fragment:
  - netops.kubernetes.attributes
  - netops.kubernetes.connection
options:
  state:
    description: Whether pods on the pod network are to be away, or may come back.
    type: str
    choices: [drained, released]
    required: true
  cni:
    description: Whose network is to be taken away; required for O(state=drained).
    type: str
    choices: [calico, cilium, flannel]
  timeout:
    description: Seconds for the pods to go away.
    type: int
    default: 120
"""

EXAMPLES = r"""
- name: Free the nodes before the CNI goes
  netops.kubernetes.node_drain:
    state: drained
    cni: flannel
"""

RETURN = r"""
done:
  description: What was done, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: ["Node 'worker' cordoned"]
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.cluster import free_nodes
from ansible_collections.netops.kubernetes.plugins.module_utils._edge import run
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import connect
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.connection import argument_spec
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.drain import release


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **argument_spec(),
            "state": {"type": "str", "choices": ["drained", "released"], "required": True},
            "cni": {"type": "str", "choices": ["calico", "cilium", "flannel"]},
            "timeout": {"type": "int", "default": 120},
        },
        required_if=[("state", "drained", ["cni"])],
        supports_check_mode=True,
    )

    def job() -> dict[str, Any]:
        asked = module.params
        client = connect(asked)
        if asked["state"] == "drained":
            done = free_nodes(client, asked["cni"], check=module.check_mode, timeout=asked["timeout"])
        else:
            done = release(client, check=module.check_mode)
        return {
            "changed": bool(done),
            "done": done,
            "diff": {"before": "", "after": "".join(f"{line}\n" for line in done)},
        }

    run(module, job)


if __name__ == "__main__":
    main()
