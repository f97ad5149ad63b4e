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
    description: Files with such documents, or folders with C(.yml), C(.yaml) and C(.json) files.
    type: list
    elements: path
    default: []
  state:
    description: Whether the objects are to be there.
    type: str
    choices: [present, absent]
    default: present
  force_conflicts:
    description: Take over fields that another field manager owns, instead of failing with its name.
    type: bool
    default: false
  wait:
    description: Wait until every object is ready (O(state=present)); O(state=absent) always waits until they are gone.
    type: bool
    default: false
  wait_timeout:
    description: Seconds to wait for all of them.
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
"""

RETURN = r"""
objects:
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

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.netops.kubernetes.plugins.module_utils._edge import run
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.apply import (
    apply_all,
    delete_all,
    result_of,
    wait_ready,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import connect
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.connection import argument_spec
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.documents import dump, load


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **argument_spec(),
            "definitions": {"type": "list", "elements": "raw", "default": []},
            "src": {"type": "list", "elements": "path", "default": []},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "force_conflicts": {"type": "bool", "default": False},
            "wait": {"type": "bool", "default": False},
            "wait_timeout": {"type": "int", "default": 300},
        },
        supports_check_mode=True,
    )

    def job() -> dict[str, Any]:
        asked = module.params
        objects = load(asked["definitions"], asked["src"])
        client = connect(asked)
        if asked["state"] == "absent":
            changes = delete_all(client, objects, check=module.check_mode, timeout=asked["wait_timeout"])
        else:
            changes = apply_all(client, objects, force=asked["force_conflicts"], check=module.check_mode)
            if asked["wait"] and not module.check_mode:
                wait_ready(client, objects, asked["wait_timeout"])
        return result_of(client, changes, dump)

    run(module, job)


if __name__ == "__main__":
    main()
