#!/usr/bin/python
# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: dns_check
short_description: Ask name servers from this host, over UDP and TCP, and judge their answers
version_added: 0.2.0
description:
  - Sends each question to each server, over UDP and over TCP, without the host's own resolver and its caches. What is
    not answered rightly is asked again until O(timeout) is over.
  - Problems are returned, not failed on, so that a play can gather those of all hosts before it decides.
  - The host needs Python's standard library alone.
author:
  - netops.kubernetes contributors (@netops-collections)
extends_documentation_fragment:
  - netops.kubernetes.attributes.reading
options:
  servers:
    description: Addresses of name servers.
    type: list
    elements: str
    required: true
  port:
    description: Their port.
    type: int
    default: 53
  questions:
    description: What to ask.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The name, complete; no search path is tried.
        type: str
        required: true
      type:
        description: V(A), V(AAAA), V(CNAME), V(NS), V(PTR), V(SOA), V(SRV) or V(TXT).
        type: str
        default: A
      wants:
        description: >-
          V(records) wants at least one record; V(word) is content with the word that there is no such name, which
          tells that somebody who knows was reached.
        type: str
        choices: [records, word]
        default: records
      values:
        description: Addresses, or names without the last dot, that must be among the records.
        type: list
        elements: str
        default: []
  source:
    description: What problems call this host.
    type: str
    default: this host
  timeout:
    description: Seconds for all answers to become right.
    type: int
    default: 20
"""

EXAMPLES = r"""
- name: Ask the cluster's DNS from every node
  netops.kubernetes.dns_check:
    servers: [10.96.0.10]
    questions:
      - name: kubernetes.default.svc.cluster.local
        values: [10.96.0.1]
      - name: corp.example.com
        type: SOA
        wants: word
  register: dns
  failed_when: dns.problems | length > 0
"""

RETURN = r"""
problems:
  description: One line for each question that was not answered rightly in time.
  returned: success
  type: list
  elements: str
  sample: ["from worker-1, www.example.com A at 10.96.0.10 over UDP: SERVFAIL"]
answers:
  description: How many answers were right.
  returned: success
  type: int
  sample: 4
slowest_ms:
  description: How long the slowest right answer took, in milliseconds.
  returned: success
  type: int
  sample: 3
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.netops.kubernetes.plugins.module_utils._dns.client import ask_until_right
from ansible_collections.netops.kubernetes.plugins.module_utils._dns.questions import WANTS, askings, question_of
from ansible_collections.netops.kubernetes.plugins.module_utils._edge import run


def main() -> None:
    question = {
        "name": {"type": "str", "required": True},
        "type": {"type": "str", "default": "A"},
        "wants": {"type": "str", "choices": list(WANTS), "default": "records"},
        "values": {"type": "list", "elements": "str", "default": []},
    }
    module = AnsibleModule(
        argument_spec={
            "servers": {"type": "list", "elements": "str", "required": True},
            "port": {"type": "int", "default": 53},
            "questions": {"type": "list", "elements": "dict", "options": question, "required": True},
            "source": {"type": "str", "default": "this host"},
            "timeout": {"type": "int", "default": 20},
        },
        supports_check_mode=True,
    )

    def job() -> dict[str, Any]:
        asked = module.params
        questions = [question_of(one) for one in asked["questions"]]
        outcomes = ask_until_right(askings(questions, asked["servers"], asked["port"]), asked["timeout"])
        right = [outcome.seconds for outcome in outcomes if not outcome.problem]
        wrong = [outcome for outcome in outcomes if outcome.problem]
        return {
            "changed": False,
            "problems": [f"from {asked['source']}, {one.asking}: {one.problem}" for one in wrong],
            "answers": len(right),
            "slowest_ms": round(1000 * max(right, default=0.0)),
        }

    run(module, job)


if __name__ == "__main__":
    main()
