#!/usr/bin/python
# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: cni_links
short_description: Bring a node's links to what its CNI is configured for now
version_added: 0.1.0
description:
  - A CNI gives a changed MTU to new pods alone. This module sets it on the links of running pods, at both ends, and
    with Flannel on its bridge and its tunnel.
  - Flannel leaves the tunnels of a back-end that it no longer uses. They are removed as soon as no route leads over
    them.
  - Run it when the CNI runs with its new configuration on every node. In check mode it compares with the configuration
    that the CNI has on the node at that moment, and finds nothing to change where it has none yet.
  - Pods are found in network namespaces below C(/run/netns), where containerd and CRI-O have them.
  - Needs root on the node. Only Python is needed there.
author:
  - netops.kubernetes contributors (@netops-collections)
extends_documentation_fragment:
  - netops.kubernetes.attributes
options:
  cni:
    description: Whose links.
    type: str
    choices: [calico, flannel]
    required: true
  backend:
    description: Flannel's back-end. Tunnels of another are removed.
    type: str
    choices: [vxlan, host-gw, wireguard, udp]
    default: vxlan
  vni:
    description: Flannel's VXLAN network identifier, which is a part of its tunnel's name.
    type: int
    default: 1
"""

EXAMPLES = r"""
- name: Give running pods Flannel's new MTU
  netops.kubernetes.cni_links:
    cni: flannel
    backend: host-gw
"""

RETURN = r"""
mtu:
  description: What the CNI gives to new pods on this node.
  returned: success
  type: int
  sample: 1450
steps:
  description: What was changed, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: ["link cni0: MTU 1450 -> 1400", "link flannel.1: removed"]
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.links import (
    awaited_mtu,
    carry_out,
    configured_mtu,
    listed,
    observe,
    plan,
    tunnels,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._edge import run


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "cni": {"type": "str", "choices": ["calico", "flannel"], "required": True},
            "backend": {"type": "str", "choices": ["vxlan", "host-gw", "wireguard", "udp"], "default": "vxlan"},
            "vni": {"type": "int", "default": 1},
        },
        supports_check_mode=True,
    )

    def job() -> dict[str, Any]:
        asked = module.params
        mtu = (configured_mtu if module.check_mode else awaited_mtu)(asked["cni"])
        steps = plan(asked["cni"], mtu, tunnels(asked["backend"], asked["vni"]), listed(), observe()) if mtu else []
        if steps and not module.check_mode:
            carry_out(steps)
        lines = [step.line for step in steps]
        return {
            "changed": bool(steps),
            "mtu": mtu,
            "steps": lines,
            "diff": {"before": "", "after": "".join(f"{line}\n" for line in lines)},
        }

    run(module, job)


if __name__ == "__main__":
    main()
