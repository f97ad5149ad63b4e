#!/usr/bin/python
# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: network_policy_enforcement_info
short_description: Find out with two throw-away pods whether a cluster enforces network policies
version_added: 0.1.0
description:
  - Makes two pods in a namespace of their own, one policy for ingress and one for egress, and connects the pods where
    both policies let them, where the one forbids it, and where the other does. How the connections end tells what the
    cluster enforces, whatever its CNI is called.
  - Warns when one direction is not enforced.
  - The namespace is removed afterwards, that of a run that was killed by the next one.
    M(netops.kubernetes.network_policy_verify) must not run at the same time.
  - In check mode nothing is run; RV(enforcer) is told, from names.
  - Needs C(list) as M(netops.kubernetes.network_policy_audit) does; C(get), C(create), C(patch) and C(delete) on
    namespaces; and in that namespace C(create) and C(patch) on NetworkPolicies, C(create) and C(delete) on pods, and
    C(get) and C(create) on C(pods/exec).
author:
  - netops.kubernetes contributors (@netops-collections)
extends_documentation_fragment:
  - netops.kubernetes.attributes.reading
  - netops.kubernetes.connection
  - netops.kubernetes.agnhost
options:
  timeout:
    description: Seconds for the pods to run, and again for everything to go.
    type: int
    default: 180
  patience:
    description: >-
      Seconds for policies to be enforced; a cluster that does not enforce them takes all of it. V(0) is one look.
    type: int
    default: 30
"""

EXAMPLES = r"""
- name: Find out what the cluster enforces
  netops.kubernetes.network_policy_enforcement_info:
  register: enforced

- name: Require that both directions are
  ansible.builtin.assert:
    that: enforced.ingress and enforced.egress
"""

RETURN = r"""
enforcer:
  description: What enforces policies by the name of its DaemonSet; empty when none is known.
  returned: success
  type: str
  sample: Calico
ingress:
  description: Whether policies for ingress are enforced; nothing in check mode.
  returned: success
  type: bool
  sample: true
egress:
  description: Whether policies for egress are enforced; nothing in check mode.
  returned: success
  type: bool
  sample: true
api_requests:
  description: How many requests were sent to the API server.
  returned: success
  type: int
  sample: 40
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.netops.kubernetes.plugins.module_utils._edge import run
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.connection import argument_spec
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.probing import probe


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **argument_spec(),
            "image": {"type": "str", "default": "registry.k8s.io/e2e-test-images/agnhost:2.63.0"},
            "pull_secrets": {"type": "list", "elements": "str", "default": [], "no_log": False},
            "timeout": {"type": "int", "default": 180},
            "patience": {"type": "int", "default": 30},
        },
        supports_check_mode=True,
    )
    run(module, lambda: probe(module.params, module.warn, check=module.check_mode))


if __name__ == "__main__":
    main()
