#!/usr/bin/python
# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: kube_proxy_rollout
short_description: Let kube-proxy take a new configuration, node by node
version_added: 0.2.0
description:
  - Goes on where M(netops.kubernetes.kube_proxy_config) with C(restart=held) stopped. That module has written the
    configuration and holds every node back; this one restarts kube-proxy on the nodes that it is given, ends the
    roll-out, or gives the configuration from before it back.
  - Pods are deleted gracefully, and their successors waited for.
  - What is done and what is left stands in the cluster. A roll-out that was killed goes on where it was.
  - Needs the verbs C(get), C(list), C(watch) and C(delete) on pods in C(kube-system), C(get) on nodes, C(get) and
    C(patch) on the DaemonSet, C(get), C(update) and C(patch) on the ConfigMap.
author:
  - netops.kubernetes contributors (@netops-collections)
extends_documentation_fragment:
  - netops.kubernetes.attributes
  - netops.kubernetes.connection
options:
  state:
    description:
      - V(restarted) restarts kube-proxy on O(nodes), where it does not run with the configuration already.
      - V(finished) gives the DaemonSet its own update strategy back; every node must have been restarted.
      - V(reverted) gives the configuration from before the roll-out back, and then restarts kube-proxy on those of
        O(nodes) that have taken the new one; without O(nodes), on all that have. The other nodes stay held back.
    type: str
    choices: [restarted, finished, reverted]
    required: true
  nodes:
    description: Names of nodes.
    type: list
    elements: str
  wait_timeout:
    description: Seconds to wait until the new kube-proxies are ready.
    type: int
    default: 300
"""

EXAMPLES = r"""
- name: Let one node take the new configuration
  netops.kubernetes.kube_proxy_rollout:
    state: restarted
    nodes: [worker-1]

- name: End the roll-out
  netops.kubernetes.kube_proxy_rollout:
    state: finished
"""

RETURN = r"""
restarted:
  description: The nodes on which kube-proxy was restarted, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: [worker-1]
pending_nodes:
  description: The nodes whose kube-proxy still runs with the configuration that was reverted.
  returned: with O(state=reverted), else empty
  type: list
  elements: str
  sample: [worker-2]
mode:
  description: With O(state=reverted), the mode of the configuration that nodes get again; else empty.
  returned: success
  type: str
  sample: iptables
log:
  description: With O(state=reverted), what kube-proxy had complained of on the nodes that were restarted, by node.
  returned: success
  type: dict
  sample: {worker-1: ["E1125 10:00:00.000000 1 server.go:490] failed complete: unknown mode"]}
api_requests:
  description: How many requests were sent to the API server.
  returned: success
  type: int
  sample: 5
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.netops.kubernetes.plugins.module_utils._edge import run
from ansible_collections.netops.kubernetes.plugins.module_utils._kube import connection
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import connect
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy import rollout


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **connection.argument_spec(),
            "state": {"type": "str", "choices": ["restarted", "finished", "reverted"], "required": True},
            "nodes": {"type": "list", "elements": "str"},
            "wait_timeout": {"type": "int", "default": 300},
        },
        required_if=[("state", "restarted", ["nodes"])],
        supports_check_mode=True,
    )

    def job() -> dict[str, Any]:
        asked = module.params
        client = connect(asked)
        done = rollout.proceed(
            client, asked["state"], asked["nodes"], check=module.check_mode, timeout=asked["wait_timeout"]
        )
        return {
            "changed": bool(done.changes),
            "restarted": list(done.restarted),
            "pending_nodes": list(done.pending_nodes),
            "mode": done.mode,
            "log": {node: list(lines) for node, lines in done.log.items()},
            "api_requests": client.requests,
            "diff": {"before": "".join(f"{line}\n" for line in done.changes), "after": ""},
        }

    run(module, job)


if __name__ == "__main__":
    main()
