#!/usr/bin/python
# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: node_kernel
short_description: Load and persist the kernel modules and sysctls that a part of the network needs
version_added: 0.1.0
description:
  - Loads modules and sets sysctls now, and writes both to files of their own for the next boot.
  - A module that is built into the kernel counts as loaded.
  - Needs root on the node. Only Python is needed there.
author:
  - netops.kubernetes contributors (@netops-collections)
extends_documentation_fragment:
  - netops.kubernetes.attributes
options:
  name:
    description: For which part; it becomes part of the names of the files.
    type: str
    required: true
  modules:
    description: Kernel modules.
    type: list
    elements: str
    default: []
  sysctls:
    description: Values by sysctl.
    type: dict
    default: {}
  state:
    description: >-
      V(absent) removes the files and gives back the sysctls' values from before, but for those that another part still
      sets; the last one gives them back. Modules stay loaded: others may use
      them by now.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: Let bridged traffic pass the packet filter
  netops.kubernetes.node_kernel:
    name: bridge
    modules: [br_netfilter]
    sysctls:
      net.bridge.bridge-nf-call-iptables: 1
"""

RETURN = r"""
loaded:
  description: The modules that were loaded, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: [br_netfilter]
"""

import re
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.netops.kubernetes.plugins.module_utils._edge import run
from ansible_collections.netops.kubernetes.plugins.module_utils._node import kernel
from ansible_collections.netops.kubernetes.plugins.module_utils._node.process import NodeError


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "modules": {"type": "list", "elements": "str", "default": []},
            "sysctls": {"type": "dict", "default": {}},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )

    def job() -> dict[str, Any]:
        asked = module.params
        name, modules = asked["name"], asked["modules"]
        for word in (name, *modules, *asked["sysctls"]):
            if not re.fullmatch(r"[A-Za-z0-9_.-]+", word):
                raise NodeError(f"name {word!r}", "it has other characters", "letters, digits, '.', '_' and '-'")
        sysctls = {sysctl: " ".join(str(value).split()) for sysctl, value in asked["sysctls"].items()}
        state = kernel.observe(name, modules, tuple(sysctls))
        wanted = kernel.plan(state, modules, sysctls, present=asked["state"] == "present")
        changed = kernel.is_change(state, wanted)
        if changed and not module.check_mode:
            kernel.carry_out(name, wanted)
        result: dict[str, Any] = {"changed": changed, "loaded": list(wanted.load)}
        if changed:
            result["diff"] = kernel.describe(name, state, wanted)
        return result

    run(module, job)


if __name__ == "__main__":
    main()
