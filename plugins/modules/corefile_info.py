#!/usr/bin/python
# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: corefile_info
short_description: Tell what a Corefile says, what CoreDNS refuses in it, and what another version would ask for
version_added: 0.1.0
description:
  - Reads a Corefile from a ConfigMap or a file, holds it against a version of CoreDNS, and plans its migration to
    another. Nothing is written.
  - Needs the verb C(get) on the ConfigMap. With C(list) on Deployments and DaemonSets of the namespace it finds the
    version of CoreDNS by itself.
author:
  - netops.kubernetes contributors (@netops-collections)
extends_documentation_fragment:
  - netops.kubernetes.attributes.reading
  - netops.kubernetes.connection
options:
  namespace:
    description: Namespace of the ConfigMap.
    type: str
    default: kube-system
  name:
    description: Name of the ConfigMap.
    type: str
    default: coredns
  key:
    description: Which key of the ConfigMap holds the Corefile.
    type: str
    default: Corefile
  path:
    description: A Corefile on disk, instead of a ConfigMap. Files that it imports are looked at too.
    type: path
  version:
    description: >-
      The version of CoreDNS that reads it. By default it is read from the image of the workload that mounts the
      ConfigMap; where that does not tell, it is the newest that is known.
    type: str
  target_version:
    description: The version of CoreDNS that a migration is planned to.
    type: str
  target_kubernetes_version:
    description: >-
      Likewise, to the CoreDNS that kubeadm installs with this version of Kubernetes, such as V(1.36).
    type: str
  external_plugins:
    description: Names of plugins that CoreDNS has beyond its own. Their arguments are not looked at.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Read what CoreDNS is configured to do
  netops.kubernetes.corefile_info:
    target_kubernetes_version: "1.36"
  register: dns

- name: Stop before an upgrade that would take something away
  ansible.builtin.assert:
    that: dns.migration.lossless
    fail_msg: "{{ dns.migration.steps | map(attribute='what') | join(', ') }}"
"""

RETURN = r"""
corefile:
  description: The text.
  returned: success
  type: str
  sample: ".:53 {\n    errors\n}\n"
version:
  description: The version of CoreDNS that it was held against.
  returned: success
  type: str
  sample: 1.14.2
valid:
  description: Whether that version takes it.
  returned: success
  type: bool
  sample: true
findings:
  description: >-
    What CoreDNS refuses (C(level) V(refused)), what it does otherwise than one would think (V(warning)), and what else
    is worth knowing (V(note)), each with C(file), C(line), C(plugin), C(seen), C(expected), C(remedy), C(text) and
    C(id). The last is a name of the kind that stays the same from release to release, empty for what is refused; those
    that begin with C(add-) are what newer default Corefiles have.
  returned: success
  type: list
  elements: dict
  sample: []
server_blocks:
  description: >-
    The server blocks with their C(zones), C(line) and C(plugins); of a text that cannot be read to its end, those
    before the fault.
  returned: success
  type: list
  elements: dict
  sample: []
migration:
  description: >-
    The plan, with C(steps), the C(corefile) that it ends in, and whether it is C(complete) and C(lossless).
  returned: success
  type: dict
  sample: {}
api_requests:
  description: How many requests were sent to the API server.
  returned: success
  type: int
  sample: 2
"""

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.task import run_info
from ansible_collections.netops.kubernetes.plugins.module_utils._edge import run
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import connect
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.connection import argument_spec


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **argument_spec(),
            "namespace": {"type": "str", "default": "kube-system"},
            "name": {"type": "str", "default": "coredns"},
            "key": {"type": "str", "default": "Corefile", "no_log": False},
            "path": {"type": "path"},
            "version": {"type": "str"},
            "target_version": {"type": "str"},
            "target_kubernetes_version": {"type": "str"},
            "external_plugins": {"type": "list", "elements": "str", "default": []},
        },
        mutually_exclusive=[("target_version", "target_kubernetes_version")],
        supports_check_mode=True,
    )

    def job() -> dict[str, Any]:
        place = module.params["path"]
        client = None if place else connect(module.params)
        return run_info(module.params, client=client, path=Path(place) if place else None)

    run(module, job)


if __name__ == "__main__":
    main()
