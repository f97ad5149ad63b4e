#!/usr/bin/python
# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: cni_cleanup
short_description: Remove from a node what a CNI left behind
version_added: 0.1.0
description:
  - Removes links, routes, rules, chains, ipsets, nftables tables, pinned BPF objects, mounts and files of one CNI after
    its objects are gone. Only what bears a name of that CNI's own goes; what others made stays as it is.
  - A configuration that Cilium has put aside as C(*.cilium_bak) is another's, and stays. So do the address on C(tunl0),
    which is the kernel's, filters of C(tc) that Cilium attached on kernels before 6.6, and the 1 that Cilium's agent
    writes to C(kernel.unprivileged_bpf_disabled), which the kernel lets nobody set back. A reboot ends all three.
  - Needs root on the node. Only Python is needed there.
author:
  - netops.kubernetes contributors (@netops-collections)
extends_documentation_fragment:
  - netops.kubernetes.attributes
options:
  cni:
    description: Whose leftovers.
    type: str
    choices: [calico, cilium, flannel, weave]
    required: true
  pod_cidrs:
    description:
      - The pod networks. Routes of the CNI's own routing protocol count when they lead into them.
      - Without it no route is removed.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Remove what Flannel left
  netops.kubernetes.cni_cleanup:
    cni: flannel
"""

RETURN = r"""
removed:
  description: What was removed, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: ["link cni0"]
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.leftovers import clean, leftovers
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.traces import TRACES
from ansible_collections.netops.kubernetes.plugins.module_utils._edge import run


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "cni": {"type": "str", "choices": sorted(TRACES), "required": True},
            "pod_cidrs": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )

    def job() -> dict[str, Any]:
        found = leftovers(module.params["cni"], module.params["pod_cidrs"])
        removed = found.lines
        if removed and not module.check_mode:
            clean(found)
        return {
            "changed": bool(removed),
            "removed": removed,
            "diff": {"before": "".join(f"{line}\n" for line in removed), "after": ""},
        }

    run(module, job)


if __name__ == "__main__":
    main()
