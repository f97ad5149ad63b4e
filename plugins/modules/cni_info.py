#!/usr/bin/python
# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: cni_info
short_description: Tell which CNIs are configured on a node
version_added: 0.1.0
description:
  - Reads the network configuration lists of the node that the module runs on, asks the CNIs' programs for versions, and
    looks for links, files and folders that bear a CNI's own name.
  - Needs to read C(/etc/cni/net.d). Only Python is needed on the node.
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
"""

EXAMPLES = r"""
- name: Require that no other CNI than Flannel is configured
  netops.kubernetes.cni_info:
    expected: flannel
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
traces:
  description: Links, files and folders that bear a name of Calico's, Cilium's, Flannel's or Weave Net's own, by CNI.
  returned: success
  type: dict
  sample: {"flannel": ["link cni0", "link flannel.1", "file /run/flannel"]}
versions:
  description: The version of each CNI whose program on this node tells it, which Calico's does.
  returned: success
  type: dict
  sample: {"calico": "v3.28.5"}
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.links import links_by_cni, told_mtu
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.node import (
    configurations,
    require_alone,
    require_plugins,
    state_of,
    traces_of,
    versions,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._edge import run


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "expected": {"type": "str"},
            "plugins": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )

    def job() -> dict[str, Any]:
        found = configurations()
        if module.params["expected"]:
            require_alone(found, module.params["expected"])
        require_plugins(module.params["plugins"])
        traces = traces_of(links_by_cni())
        active = next(iter(found.values()), "")
        return {
            "changed": False,
            "configurations": found,
            "active": active,
            "mtu": told_mtu(active),
            "state": state_of(found, traces),
            "traces": traces,
            "versions": versions(),
        }

    run(module, job)


if __name__ == "__main__":
    main()
