#!/usr/bin/python
# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: node_port_range
short_description: Judge a range of NodePorts against those in use, and let kubeadm keep it
version_added: 0.2.0
description:
  - Lists the NodePorts in use that a range would leave out, and fails when there are some.
  - Writes the range into kubeadm's C(ClusterConfiguration), so that an upgrade keeps it; every other character there
    stays as it is. A cluster that is not kubeadm's has none, which is fine.
  - The API servers themselves get the range by M(netops.kubernetes.node_port_range_manifest), on each control-plane
    node.
  - Needs the verbs C(list) on Services, C(get) and C(update) on ConfigMap C(kube-system/kubeadm-config).
author:
  - netops.kubernetes contributors (@netops-collections)
extends_documentation_fragment:
  - netops.kubernetes.attributes
  - netops.kubernetes.connection
options:
  state:
    description: V(absent) gives back what kubeadm's configuration said before the first change.
    type: str
    choices: [present, absent]
    default: present
  range:
    description: The first and the last port, such as V(30000-32767).
    type: str
  force:
    description: Go on although ports in use lie outside. Their Services keep them until they are edited.
    type: bool
    default: false
  record:
    description: Write the range into kubeadm's configuration; without it, only judge.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Look which NodePorts a range would leave out
  netops.kubernetes.node_port_range:
    range: 30000-31000
    record: false
"""

RETURN = r"""
outside:
  description: The ports in use that lie outside, one an item.
  returned: success
  type: list
  elements: str
  sample: ["shop/web: TCP NodePort 31500"]
api_requests:
  description: How many requests were sent to the API server.
  returned: success
  type: int
  sample: 2
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.netops.kubernetes.plugins.module_utils._apiserver import node_ports
from ansible_collections.netops.kubernetes.plugins.module_utils._edge import run
from ansible_collections.netops.kubernetes.plugins.module_utils._kube import connection
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import connect


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **connection.argument_spec(),
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "range": {"type": "str"},
            "force": {"type": "bool", "default": False},
            "record": {"type": "bool", "default": True},
        },
        required_if=[("state", "present", ["range"])],
        supports_check_mode=True,
    )

    def job() -> dict[str, Any]:
        client = connect(module.params)
        outside, before, after = node_ports.settle(client, module.params, check=module.check_mode)
        return {
            "changed": before != after,
            "outside": outside,
            "api_requests": client.requests,
            "diff": {"before": before, "after": after},
        }

    run(module, job)


if __name__ == "__main__":
    main()
