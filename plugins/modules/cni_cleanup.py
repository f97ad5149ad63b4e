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
  - Removes links, chains, tables and files of one CNI after its objects are gone. What others made stays.
  - Needs root on the node. Only Python is needed there.
author:
  - netops.kubernetes contributors (@netops-collections)
extends_documentation_fragment:
  - netops.kubernetes.attributes
options:
  cni:
    description: Whose leftovers.
    type: str
    choices: [flannel]
    required: true
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
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.node import clean, flannel_leftovers
from ansible_collections.netops.kubernetes.plugins.module_utils._edge import run


def main() -> None:
    module = AnsibleModule(
        argument_spec={"cni": {"type": "str", "choices": ["flannel"], "required": True}},
        supports_check_mode=True,
    )

    def job() -> dict[str, Any]:
        found = flannel_leftovers()
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
