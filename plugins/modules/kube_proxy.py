#!/usr/bin/python
# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: kube_proxy
short_description: Remove kube-proxy where another serves Services, and bring it back
version_added: 0.2.0
description:
  - V(absent) keeps kube-proxy's DaemonSet and ConfigMap in ConfigMap C(kube-system/netops-kubernetes-kube-proxy), tells
    kubeadm to leave the addon out at upgrades (C(proxy.disabled), from its v1beta4), and deletes both.
  - V(present) restores them from there and takes the word to kubeadm back.
  - What it wrote on the nodes goes with M(netops.kubernetes.kube_proxy_cleanup) and C(in_use=none).
  - V(absent) refuses where neither Cilium nor Calico's eBPF data plane serves Services in its place.
  - Needs the verbs C(get), C(create) and C(delete) on ConfigMaps and DaemonSets in C(kube-system), C(update) on
    ConfigMap C(kubeadm-config), C(list) on DaemonSets and on pods in C(kube-system), and C(get) on
    FelixConfigurations where Calico runs.
author:
  - netops.kubernetes contributors (@netops-collections)
extends_documentation_fragment:
  - netops.kubernetes.attributes
  - netops.kubernetes.connection
options:
  state:
    description: Whether kube-proxy is to be there.
    type: str
    choices: [present, absent]
    required: true
  force:
    description: With V(absent), remove it although nobody is seen who serves Services in its place.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Remove kube-proxy, since Cilium replaces it
  netops.kubernetes.kube_proxy:
    state: absent

- name: Bring it back
  netops.kubernetes.kube_proxy:
    state: present
"""

RETURN = r"""
changes:
  description: What was done, or would be in check mode, one thing an item.
  returned: success
  type: list
  elements: str
  sample: ["DaemonSet 'kube-system/kube-proxy' deleted"]
exclude_cidrs:
  description:
    - With O(state=absent), the networks whose virtual services were never kube-proxy's; for
      M(netops.kubernetes.kube_proxy_cleanup).
  returned: success
  type: list
  elements: str
  sample: []
api_requests:
  description: How many requests were sent to the API server.
  returned: success
  type: int
  sample: 7
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.netops.kubernetes.plugins.module_utils._edge import run
from ansible_collections.netops.kubernetes.plugins.module_utils._kube import connection
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import connect
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy import presence


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **connection.argument_spec(),
            "state": {"type": "str", "choices": ["present", "absent"], "required": True},
            "force": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )

    def job() -> dict[str, Any]:
        client = connect(module.params)
        if module.params["state"] == "absent":
            changes = presence.remove(client, check=module.check_mode, force=module.params["force"])
            excluded = presence.excluded(client)
        else:
            changes, excluded = presence.restore(client, check=module.check_mode), []
        return {
            "changed": bool(changes),
            "changes": changes,
            "exclude_cidrs": excluded,
            "api_requests": client.requests,
            "diff": {"before": "", "after": "".join(f"{line}\n" for line in changes)},
        }

    run(module, job)


if __name__ == "__main__":
    main()
