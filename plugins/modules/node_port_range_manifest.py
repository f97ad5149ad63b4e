#!/usr/bin/python
# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: node_port_range_manifest
short_description: Give this node's kube-apiserver another range of NodePorts
version_added: 0.2.0
description:
  - Changes C(--service-node-port-range) in the manifest of the static pod; every other character stays as it is.
  - Waits until the very process that has the new range answers C(/readyz). When it does not, the manifest from before
    comes back, and the task fails with the end of its log.
  - The manifest from before the first change is kept outside the folder that the kubelet reads.
  - Needs root on the node, and PyYAML there.
author:
  - netops.kubernetes contributors (@netops-collections)
extends_documentation_fragment:
  - netops.kubernetes.attributes
options:
  state:
    description: V(absent) gives back the range from before the first change.
    type: str
    choices: [present, absent]
    default: present
  range:
    description: The first and the last port, such as V(30000-32767).
    type: str
  path:
    description: The manifest.
    type: path
    default: /etc/kubernetes/manifests/kube-apiserver.yaml
  backup:
    description: Where the manifest from before the first change is kept.
    type: path
    default: /etc/kubernetes/netops-kubernetes/kube-apiserver.yaml
  ca_cert:
    description: Who signed the API server's certificate; the manifest's C(--client-ca-file) by default.
    type: path
    default: ""
  timeout:
    description: Seconds to wait for the API server.
    type: int
    default: 180
"""

EXAMPLES = r"""
- name: Let this API server give NodePorts from 30000 to 31000
  netops.kubernetes.node_port_range_manifest:
    range: 30000-31000
"""

RETURN = r"""
range:
  description: What the manifest says after this run; empty for the API server's own default.
  returned: success
  type: str
  sample: 30000-31000
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.netops.kubernetes.plugins.module_utils._apiserver import node
from ansible_collections.netops.kubernetes.plugins.module_utils._apiserver.manifest import flags_of
from ansible_collections.netops.kubernetes.plugins.module_utils._apiserver.node_ports import FLAG, parse_range
from ansible_collections.netops.kubernetes.plugins.module_utils._edge import run


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "range": {"type": "str"},
            "path": {"type": "path", "default": "/etc/kubernetes/manifests/kube-apiserver.yaml"},
            "backup": {"type": "path", "default": "/etc/kubernetes/netops-kubernetes/kube-apiserver.yaml"},
            "ca_cert": {"type": "path", "default": ""},
            "timeout": {"type": "int", "default": 180},
        },
        required_if=[("state", "present", ["range"])],
        supports_check_mode=True,
    )

    def job() -> dict[str, Any]:
        asked = module.params
        value = str(parse_range(asked["range"])) if asked["state"] == "present" else None
        wanted = node.Job(asked["path"], FLAG, value, asked["backup"], asked["ca_cert"], asked["timeout"])
        before, after = node.carry_out(wanted, check=module.check_mode)
        return {
            "changed": before != after,
            "range": flags_of(after, wanted.subject).get(FLAG, ""),
            "diff": {"before": before, "after": after, "before_header": wanted.path, "after_header": wanted.path},
        }

    run(module, job)


if __name__ == "__main__":
    main()
