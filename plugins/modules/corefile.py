#!/usr/bin/python
# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: corefile
short_description: Edit CoreDNS' Corefile without losing anything in it
version_added: 0.1.0
description:
  - Changes what is asked for in a Corefile and leaves every other byte, comments included, as it is.
  - Refuses to write a Corefile that CoreDNS would not parse, and names the line.
  - The Corefile lives in a ConfigMap, or in a file for people who keep it elsewhere. A ConfigMap is written only over
    the version that was read, so that two editors at once lose nothing.
  - The first Corefile found is kept in an annotation of the ConfigMap; O(state=absent) gives it back.
  - Needs the verbs C(get) and C(update) on the ConfigMap.
author:
  - netops.kubernetes contributors (@netops-collections)
extends_documentation_fragment:
  - netops.kubernetes.attributes
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
  path:
    description: A Corefile on disk, instead of a ConfigMap.
    type: path
  state:
    description: V(present) fulfils the wishes below; V(absent) gives back the Corefile from before the first edit.
    type: str
    choices: [present, absent]
    default: present
  content:
    description: A whole Corefile. The other wishes are applied to it.
    type: str
  zone:
    description: The server block that the wishes below are about.
    type: str
    default: .
  upstreams:
    description: Where names outside the cluster are asked for, plugin C(forward).
    type: dict
    suboptions:
      servers:
        description: Addresses with or without a port, C(tls://) URLs, or the path of a resolv.conf; at most 15.
        type: list
        elements: str
      policy:
        description: Which server is asked first.
        type: str
        choices: [random, round_robin, sequential]
      max_concurrent:
        description: How many questions may wait for an answer at once; 0 means no limit.
        type: int
  cache_ttl:
    description: Seconds for which answers are kept at most, plugin C(cache).
    type: int
  kubernetes_ttl:
    description: Seconds for which answers about the cluster itself are valid, plugin C(kubernetes).
    type: int
  log:
    description: Whether every question is logged. V(false) leaves plugin C(log) as it is.
    type: bool
    default: false
  stub_domains:
    description: Zones that servers of their own answer.
    type: list
    elements: dict
    suboptions:
      domain:
        description: The zone.
        type: str
        required: true
      servers:
        description: Who answers for it. An empty list removes the zone's server block.
        type: list
        elements: str
        required: true
  external_plugins:
    description: Names of plugins that the running CoreDNS has beyond its own.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Ask two resolvers in turn and keep answers for five minutes
  netops.kubernetes.corefile:
    upstreams:
      servers: [192.0.2.53, 192.0.2.54]
      policy: sequential
    cache_ttl: 300
    stub_domains:
      - domain: corp.example.com
        servers: [198.51.100.53]

- name: Give back the Corefile from before
  netops.kubernetes.corefile:
    state: absent
"""

RETURN = r"""
corefile:
  description: The Corefile as it is now, or would be in check mode.
  returned: success
  type: str
  sample: ".:53 {\n    errors\n}\n"
api_requests:
  description: How many requests were sent to the API server.
  returned: success
  type: int
  sample: 4
"""

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.storage import (
    edit_config_map,
    edit_file,
    require_reload,
    restore_config_map,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.tree import CorefileError, parse
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.validate import require_valid, validate
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.wishes import fulfil, wishes_of
from ansible_collections.netops.kubernetes.plugins.module_utils._edge import run
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import connect
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.connection import argument_spec
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ObjectRef


def main() -> None:
    upstreams = {
        "servers": {"type": "list", "elements": "str"},
        "policy": {"type": "str", "choices": ["random", "round_robin", "sequential"]},
        "max_concurrent": {"type": "int"},
    }
    stub_domain = {
        "domain": {"type": "str", "required": True},
        "servers": {"type": "list", "elements": "str", "required": True},
    }
    module = AnsibleModule(
        argument_spec={
            **argument_spec(),
            "namespace": {"type": "str", "default": "kube-system"},
            "name": {"type": "str", "default": "coredns"},
            "path": {"type": "path"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "content": {"type": "str"},
            "zone": {"type": "str", "default": "."},
            "upstreams": {"type": "dict", "options": upstreams},
            "cache_ttl": {"type": "int"},
            "kubernetes_ttl": {"type": "int"},
            "log": {"type": "bool", "default": False},
            "stub_domains": {"type": "list", "elements": "dict", "options": stub_domain},
            "external_plugins": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )

    def job() -> dict[str, Any]:
        asked = module.params
        wishes = wishes_of(asked)
        ref = ObjectRef("v1", "ConfigMap", asked["name"], asked["namespace"])
        name = asked["path"] or str(ref)

        def edit(before: str) -> str:
            text = before if asked["content"] is None else asked["content"]
            after = fulfil(parse(text, name), wishes).text
            require_valid(validate(after, name, external_plugins=asked["external_plugins"]))
            return after

        if asked["path"] and asked["state"] == "absent":
            raise CorefileError(
                name, "state=absent with a path", "a ConfigMap", "Restore the file from where you keep it"
            )
        client = None if asked["path"] else connect(asked)
        if client is None:
            before, after = edit_file(Path(asked["path"]), edit, check=module.check_mode)
        elif asked["state"] == "absent":
            before, after = restore_config_map(client, ref, check=module.check_mode)
        else:
            before, after = edit_config_map(client, ref, edit, check=module.check_mode)
        if before != after:
            for warning in require_reload(after, ref):
                module.warn(warning)
        return {
            "changed": before != after,
            "corefile": after,
            "api_requests": client.requests if client else 0,
            "diff": {"before_header": name, "after_header": name, "before": before, "after": after},
        }

    run(module, job)


if __name__ == "__main__":
    main()
