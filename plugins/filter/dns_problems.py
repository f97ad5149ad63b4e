# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: dns_problems
short_description: What is wrong with DNS as many hosts see it
version_added: 0.2.0
author:
  - netops.kubernetes contributors (@netops-collections)
description:
  - Gathers the problems that M(netops.kubernetes.dns_check) found from several hosts. A host on which the check itself
    failed, or that could not be reached for it, is a problem too; one that was skipped is none. Pure.
options:
  _input:
    description: What the module returned, by the host's name.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Ask from every node
  netops.kubernetes.dns_check:
    servers: [10.96.0.10]
    questions:
      - name: kubernetes.default.svc.cluster.local
    source: "{{ inventory_hostname }}"
  register: answers
  # A host that cannot ask must stay in the play, and counts as one that got no answer.
  failed_when: false
  ignore_unreachable: true

- name: Show what is wrong
  ansible.builtin.debug:
    msg: "{{ dict(hosts | zip(hosts | map('extract', hostvars, 'answers'))) | netops.kubernetes.dns_problems }}"
  run_once: true
  vars:
    hosts: "{{ ansible_play_batch }}"
"""

RETURN = r"""
_value:
  description: One line for each problem.
  type: list
  elements: str
"""

from typing import TYPE_CHECKING, Any, Callable

from ansible_collections.netops.kubernetes.plugins.module_utils._dns.questions import problems_of

if TYPE_CHECKING:
    from collections.abc import Mapping


def dns_problems(answers: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The filter; see DOCUMENTATION."""
    return problems_of(answers)


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"dns_problems": dns_problems}
