#!/usr/bin/python
# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: port_probe
short_description: Prove which ports of a node other nodes reach
version_added: 0.1.0
description:
  - Listens on a node, probes other nodes from it, and stops listening. The filters
    P(netops.kubernetes.port_probe_listeners#filter) and P(netops.kubernetes.port_probe_targets#filter) say on what and
    whom; P(netops.kubernetes.port_probe_report#filter) says what the results mean.
  - The listening process ends by itself. A port that is in use stays with whoever has it.
  - Nothing of the node's configuration changes, so every state acts in check mode too and none reports a change.
  - Needs root on the node. Only Python is needed there.
author:
  - netops.kubernetes contributors (@netops-collections)
extends_documentation_fragment:
  - netops.kubernetes.attributes.reading
options:
  state:
    description: >-
      V(listening) starts a process that answers probes, in place of one that an earlier run started; V(probed) probes
      all O(targets) at once; V(stopped) ends the process.
    type: str
    choices: [listening, probed, stopped]
    required: true
  node_name:
    description: The name of this node; required unless O(state=stopped).
    type: str
  listeners:
    description: Where to listen; required for O(state=listening).
    type: list
    elements: dict
    suboptions:
      protocol:
        description: >-
          V(tcp), V(udp), V(sctp); or an IP protocol without ports, such as V(ipip), V(esp) or V(ip:97).
        type: str
        required: true
      port:
        description: The port; V(0) where there are none.
        type: int
        default: 0
      addresses:
        description: Which of this node's addresses, IPv4 and IPv6.
        type: list
        elements: str
        required: true
  deadline:
    description: Seconds after which the listening process ends by itself.
    type: int
    default: 120
  targets:
    description: What to probe; required for O(state=probed).
    type: list
    elements: dict
    suboptions:
      node_name:
        description: Who must answer.
        type: str
        required: true
      address:
        description: The address to probe.
        type: str
        required: true
      protocol:
        description: >-
          V(tcp), V(udp), V(sctp); or an IP protocol without ports, such as V(ipip), V(esp) or V(ip:97).
        type: str
        required: true
      port:
        description: The port; V(0) where there are none.
        type: int
        default: 0
      rule:
        description: Which rule of the target's plan this is about.
        type: str
        default: ''
      kind:
        description: >-
          V(echo) where the listening process is, V(service) where a real service is, V(kernel) where VXLAN, Geneve or
          WireGuard is, V(unsupported) where the target's kernel lacks the protocol, so that nothing is sent.
        type: str
        choices: [echo, service, kernel, unsupported]
        default: echo
      expected:
        description: What is right.
        type: str
        choices: [open, closed]
        default: open
      source_address:
        description: Probe from this address of the node instead of the one that its routes choose.
        type: str
        default: ''
      control_port:
        description: >-
          For V(kernel), a TCP port of the target's listening process at the same address, to ask for its counters
          through; 0 for none.
        type: int
        default: 0
  timeout:
    description: Seconds that one attempt at a target may take.
    type: float
    default: 2.0
  tries:
    description: Attempts at a target that does not answer.
    type: int
    default: 2
  burst:
    description: How many datagrams at least a port of the kernel is sent, 1 to 1000.
    type: int
    default: 40
"""

EXAMPLES = r"""
- name: Listen for two minutes
  netops.kubernetes.port_probe:
    state: listening
    node_name: worker-1
    listeners:
      - {protocol: tcp, port: 30000, addresses: [192.0.2.11, "2001:db8::11"]}

- name: Probe it from another node
  netops.kubernetes.port_probe:
    state: probed
    node_name: worker-2
    targets:
      - {node_name: worker-1, address: 192.0.2.11, protocol: tcp, port: 30000, rule: nodeport-tcp}
"""

RETURN = r"""
listeners:
  description: >-
    What became of each port on each address. Its C(status) is C(bound), C(in_use) by a service, C(kernel) for a
    device such as VXLAN, or C(unsupported) where this kernel lacks the protocol.
  returned: O(state=listening)
  type: list
  elements: dict
  sample: [{protocol: tcp, port: 10250, address: 192.0.2.11, status: in_use}]
token:
  description: Process id and start time of the listening process.
  returned: O(state=listening)
  type: str
  sample: 4711-123456
results:
  description: >-
    The targets with C(source), C(source_address), C(verdict) (C(open), C(refused), C(rejected), C(dropped), C(no_route)
    or C(unknown)) and C(detail).
  returned: O(state=probed)
  type: list
  elements: dict
verdicts:
  description: How many targets there are of each verdict.
  returned: O(state=probed)
  type: dict
  sample: {open: 19, dropped: 1}
ended:
  description: >-
    How the listening process ended, C(stopped) by this run, at its C(deadline) or C(killed); C(absent) when there was
    none.
  returned: O(state=stopped)
  type: str
  sample: stopped
answered:
  description: How many probes were answered on each port; nothing when the process was killed.
  returned: O(state=stopped)
  type: list
  elements: dict
  sample: [{protocol: tcp, port: 30000, address: 192.0.2.11, answered: 4}]
counters:
  description: How many UDP datagrams sockets of this node were given since boot, by address family.
  returned: O(state=listening) or O(state=stopped)
  type: dict
  sample: {udp_in_datagrams: 4000, udp6_in_datagrams: 17}
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.netops.kubernetes.plugins.module_utils._edge import run
from ansible_collections.netops.kubernetes.plugins.module_utils._probe import node

LISTENER = {
    "protocol": {"type": "str", "required": True},
    "port": {"type": "int", "default": 0},
    "addresses": {"type": "list", "elements": "str", "required": True},
}
TARGET = {
    "node_name": {"type": "str", "required": True},
    "address": {"type": "str", "required": True},
    "protocol": {"type": "str", "required": True},
    "port": {"type": "int", "default": 0},
    "rule": {"type": "str", "default": ""},
    "kind": {"type": "str", "choices": ["echo", "service", "kernel", "unsupported"], "default": "echo"},
    "expected": {"type": "str", "choices": ["open", "closed"], "default": "open"},
    "source_address": {"type": "str", "default": ""},
    "control_port": {"type": "int", "default": 0},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["listening", "probed", "stopped"], "required": True},
            "node_name": {"type": "str"},
            "listeners": {"type": "list", "elements": "dict", "options": LISTENER},
            "deadline": {"type": "int", "default": 120},
            "targets": {"type": "list", "elements": "dict", "options": TARGET},
            "timeout": {"type": "float", "default": 2.0},
            "tries": {"type": "int", "default": 2},
            "burst": {"type": "int", "default": 40},
        },
        required_if=[("state", "listening", ["node_name", "listeners"]), ("state", "probed", ["node_name", "targets"])],
        supports_check_mode=True,
    )

    def job() -> dict[str, Any]:
        asked = module.params
        if asked["state"] == "listening":
            return node.listening(asked["listeners"], asked["node_name"], asked["deadline"])
        if asked["state"] == "probed":
            settings = node.settings(asked["node_name"], asked["timeout"], asked["tries"], asked["burst"])
            return node.probed(asked["targets"], settings)
        return node.stopped()

    run(module, job)


if __name__ == "__main__":
    main()
