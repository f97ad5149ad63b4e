#!/usr/bin/python
# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: manifest
short_description: Apply or delete many Kubernetes objects in one call
version_added: 0.1.0
description:
  - Applies objects by server-side apply over one session, namespaces and CustomResourceDefinitions first, and tells
    for each whether it was created, changed or left as it was.
  - In check mode the server is asked by a dry run. What it does not know yet, since the kind comes with the same call,
    is judged by the schema of that call's CustomResourceDefinition.
  - Every object gets the label C(app.kubernetes.io/managed-by=netops.kubernetes); only objects with this label are
    ever deleted.
  - Needs the verbs C(get), C(patch) and C(create) on the kinds that it applies, C(delete) for O(state=absent).
author:
  - netops.kubernetes contributors (@netops-collections)
extends_documentation_fragment:
  - netops.kubernetes.attributes
  - netops.kubernetes.connection
options:
  definitions:
    description: Objects as mappings, or YAML text of one or more documents. Lists are opened.
    type: list
    elements: raw
    default: []
  src:
    description: Files with such documents, folders with C(.yml), C(.yaml) and C(.json) files, or URLs.
    type: list
    elements: path
    default: []
  checksum:
    description: Checksums as V(sha256:HEX), by the entry of O(src) that they belong to. A URL must have one.
    type: dict
    default: {}
  state:
    description: Whether the objects are to be there.
    type: str
    choices: [present, absent]
    default: present
  owner:
    description:
      - A name for all objects that belong together, such as those of one role.
      - They get the label C(netops.kubernetes/owner) and are listed in the ConfigMap
        C(netops-kubernetes-OWNER) in C(kube-system), so that O(prune) knows them.
    type: str
  prune:
    description:
      - Delete what O(owner) has applied before and what this call does not name. Only objects with the labels of the
        collection and of the owner are deleted.
      - With O(state=absent), delete all that the owner has applied; O(definitions) and O(src) are then left out.
    type: bool
    default: false
  force_conflicts:
    description: Take over fields that another field manager owns, instead of failing with its name.
    type: bool
    default: false
  wait:
    description: Wait until every object is ready (O(state=present)); O(state=absent) always waits until they are gone.
    type: bool
    default: false
  conditions:
    description:
      - With O(wait), what the objects of a kind must say in C(status.conditions). For such a kind this takes the place
        of the rule that the module knows.
    type: list
    elements: dict
    default: []
    suboptions:
      kind:
        description: The kind of objects that must have the condition.
        type: str
        required: true
      type:
        description: Type of the condition.
        type: str
        required: true
      status:
        description: Its status.
        type: str
        choices: ["True", "False", Unknown]
        default: "True"
  wait_timeout:
    description: Seconds to wait for all of them to be ready, or to be gone.
    type: int
    default: 300
"""

EXAMPLES = r"""
- name: Make a namespace with a limit
  netops.kubernetes.manifest:
    definitions:
      - apiVersion: v1
        kind: Namespace
        metadata:
          name: example
      - apiVersion: v1
        kind: LimitRange
        metadata:
          name: memory
          namespace: example
        spec:
          limits:
            - type: Container
              default:
                memory: 128Mi

- name: Apply a file as all that belongs to one owner, and wait until it works
  netops.kubernetes.manifest:
    src:
      - manifests/shop.yml
    owner: shop
    prune: true
    wait: true

- name: Take away all that this owner has applied
  netops.kubernetes.manifest:
    owner: shop
    prune: true
    state: absent
"""

RETURN = r"""
changes:
  description: What happened to each object.
  returned: success
  type: list
  elements: dict
  contains:
    object:
      description: Kind, namespace and name.
      type: str
    action:
      description: One of V(created), V(changed), V(unchanged), V(deleted), V(absent), V(kept).
      type: str
  sample: [{"object": "Namespace 'example'", "action": "created"}]
api_requests:
  description: How many requests were sent to the API server.
  returned: success
  type: int
  sample: 4
"""

from ansible_collections.netops.kubernetes.plugins.module_utils._kube.connection import argument_spec
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.edge import ObjectsModule, run_shown
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.task import manifest


def main() -> None:
    module = ObjectsModule(
        argument_spec={
            **argument_spec(),
            "definitions": {"type": "list", "elements": "raw", "default": []},
            "src": {"type": "list", "elements": "path", "default": []},
            "checksum": {"type": "dict", "default": {}},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "owner": {"type": "str"},
            "prune": {"type": "bool", "default": False},
            "force_conflicts": {"type": "bool", "default": False},
            "wait": {"type": "bool", "default": False},
            "conditions": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "kind": {"type": "str", "required": True},
                    "type": {"type": "str", "required": True},
                    "status": {"type": "str", "choices": ["True", "False", "Unknown"], "default": "True"},
                },
            },
            "wait_timeout": {"type": "int", "default": 300},
        },
        required_if=[("prune", True, ("owner",))],
        supports_check_mode=True,
    )

    run_shown(module, manifest)


if __name__ == "__main__":
    main()
