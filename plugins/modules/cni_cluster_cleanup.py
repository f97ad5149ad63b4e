#!/usr/bin/python
# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: cni_cluster_cleanup
short_description: Remove from the API what a CNI left behind
version_added: 0.1.0
description:
  - Removes annotations and taints of nodes that bear a CNI's own name, and the CustomResourceDefinitions of its groups
    with all their objects, policies included. M(netops.kubernetes.cni_cleanup) removes what is on the nodes themselves.
  - Finalizers that only the CNI's own programs would remove are taken away with it. Others are left to whoever serves
    them, and named.
  - Refuses while a DaemonSet of the CNI is there. Check mode warns of it, since a task before may take it away.
  - Needs C(list) on DaemonSets, C(list), C(get) and C(update) on nodes, C(list), C(get) and C(delete) on
    CustomResourceDefinitions, and C(list), C(get) and C(update) on the objects of those that go.
author:
  - netops.kubernetes contributors (@netops-collections)
extends_documentation_fragment:
  - netops.kubernetes.attributes
  - netops.kubernetes.connection
options:
  cni:
    description: Whose leftovers.
    type: str
    choices: [calico, cilium, flannel, weave]
    required: true
  wait_timeout:
    description: Seconds to wait until its definitions are gone.
    type: int
    default: 300
"""

EXAMPLES = r"""
- name: Remove what Calico left at the API
  netops.kubernetes.cni_cluster_cleanup:
    cni: calico
"""

RETURN = r"""
removed:
  description: What was removed, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: ["Node 'worker': annotation projectcalico.org/IPv4Address"]
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.cluster import agents_of, clean_cluster
from ansible_collections.netops.kubernetes.plugins.module_utils._edge import run
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import connect
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.connection import argument_spec


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **argument_spec(),
            "cni": {"type": "str", "choices": ["calico", "cilium", "flannel", "weave"], "required": True},
            "wait_timeout": {"type": "int", "default": 300},
        },
        supports_check_mode=True,
    )

    def job() -> dict[str, Any]:
        asked = module.params
        client = connect(asked)
        removed = clean_cluster(client, asked["cni"], check=module.check_mode, timeout=float(asked["wait_timeout"]))
        running = agents_of(client, asked["cni"]) if module.check_mode else []
        return {
            "changed": bool(removed),
            "removed": removed,
            "warnings": [f"{agent} is still there; the run refuses unless it is gone by then" for agent in running],
            "diff": {"before": "".join(f"{line}\n" for line in removed), "after": ""},
        }

    run(module, job)


if __name__ == "__main__":
    main()
