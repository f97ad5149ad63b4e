#!/usr/bin/python
# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: network_policy_baseline
short_description: Apply a baseline of network policies to any number of namespaces
version_added: 0.1.0
description:
  - Applies allow rules and default denies to the chosen namespaces in one call, allows before denies, so that no
    namespace is ever denied without them. O(state=absent) removes in the reverse order.
  - Only policies with the label C(app.kubernetes.io/managed-by=netops.kubernetes) are changed or removed.
  - Says so when nothing on the cluster enforces policies.
  - Needs the verbs C(list), C(patch), C(create) and C(delete) on networkpolicies, C(list) on namespaces, nodes,
    daemonsets, deployments and endpointslices, C(get) on services.
author:
  - netops.kubernetes contributors (@netops-collections)
extends_documentation_fragment:
  - netops.kubernetes.attributes
  - netops.kubernetes.connection
options:
  state:
    description: V(absent) removes every policy of ours from the chosen namespaces.
    type: str
    choices: [present, absent]
    default: present
  profile:
    description: >-
      Which policies. V(ingress-deny) closes what comes in, V(zero-trust) also what goes out, V(audit-only) neither, and
      removes what an earlier run applied.
    type: str
    choices: [audit-only, ingress-deny, zero-trust]
    default: ingress-deny
  policies:
    description: Templates by name, instead of those of O(profile).
    type: list
    elements: str
    choices:
      - allow-all-ingress
      - allow-all-egress
      - allow-dns
      - allow-same-namespace
      - allow-from-ingress
      - allow-from-monitoring
      - allow-to-apiserver
      - allow-nodes
      - default-deny-ingress
      - default-deny-egress
      - default-deny-all
  namespaces:
    description: Namespaces by name.
    type: list
    elements: str
    default: []
  namespace_selector:
    description: Further namespaces by label values. System namespaces are never chosen so.
    type: dict
    default: {}
  exclude_namespaces:
    description: Namespaces that are left out.
    type: list
    elements: str
    default: []
  ingress_namespaces:
    description: Where Ingress or Gateway controllers run, beyond those that are detected.
    type: list
    elements: str
    default: []
  monitoring_namespaces:
    description: Where the monitoring runs.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Close what comes into the namespaces of a team
  netops.kubernetes.network_policy_baseline:
    profile: ingress-deny
    namespace_selector:
      team: shop
    monitoring_namespaces: [monitoring]
"""

RETURN = r"""
namespaces:
  description: The chosen namespaces.
  returned: success
  type: list
  elements: str
  sample: [shop]
policies:
  description: What was done, or would be in check mode.
  returned: success
  type: list
  elements: dict
  contains:
    object:
      description: Kind, namespace and name.
      type: str
    action:
      description: V(created), V(changed) or V(deleted).
      type: str
  sample: [{"object": "NetworkPolicy 'shop/default-deny-ingress'", "action": "created"}]
enforcement:
  description: What enforces policies on this cluster; empty when nothing does.
  returned: success
  type: str
  sample: Calico
api_requests:
  description: How many requests were sent to the API server.
  returned: success
  type: int
  sample: 9
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.netops.kubernetes.plugins.module_utils._edge import run
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import connect
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.connection import argument_spec
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.documents import dump
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ref_of
from ansible_collections.netops.kubernetes.plugins.module_utils._policy import cluster
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.baseline import chosen_namespaces, steps
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.templates import PROFILES, TEMPLATES


def main() -> None:
    names = {"type": "list", "elements": "str", "default": []}
    module = AnsibleModule(
        argument_spec={
            **argument_spec(),
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "profile": {"type": "str", "choices": list(PROFILES), "default": "ingress-deny"},
            "policies": {"type": "list", "elements": "str", "choices": list(TEMPLATES)},
            "namespaces": names,
            "namespace_selector": {"type": "dict", "default": {}},
            "exclude_namespaces": names,
            "ingress_namespaces": names,
            "monitoring_namespaces": names,
        },
        supports_check_mode=True,
    )

    def job() -> dict[str, Any]:
        asked = module.params
        client = connect(asked)
        chosen = chosen_namespaces(
            list(client.list("v1", "Namespace")),
            asked["namespaces"],
            asked["namespace_selector"],
            asked["exclude_namespaces"],
        )
        wanted = PROFILES[asked["profile"]] if asked["policies"] is None else asked["policies"]
        around = cluster.surroundings(client, asked["ingress_namespaces"], asked["monitoring_namespaces"])
        live = cluster.live_policies(client)
        changes = steps(live, chosen, wanted, around, present=asked["state"] == "present")
        enforcer, warning = cluster.enforcement(client)
        if warning and wanted and chosen and asked["state"] == "present":
            module.warn(warning)
        cluster.carry_out(client, changes, check=module.check_mode)
        return {
            "changed": bool(changes),
            "namespaces": chosen,
            "policies": [{"object": str(ref_of(step.subject)), "action": step.action} for step in changes],
            "enforcement": enforcer,
            "api_requests": client.requests,
            "diff": [cluster.shown(step, dump) for step in changes],
        }

    run(module, job)


if __name__ == "__main__":
    main()
