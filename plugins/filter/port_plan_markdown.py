# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: port_plan_markdown
short_description: The plans of nodes as a document for an auditor
version_added: 0.2.0
author:
  - netops.kubernetes contributors (@netops-collections)
description:
  - Writes plans, made by the filter P(netops.kubernetes.port_plan#filter), as one Markdown document. The plans
    themselves are the same as JSON.
positional: default_input
options:
  _input:
    description: Plans.
    type: list
    elements: dict
    required: true
  default_input:
    description: What happens to traffic that no rule admits, V(drop), V(reject) or V(accept).
    type: str
    default: drop
"""

EXAMPLES = r"""
- name: Write the ports of this node for the auditor
  ansible.builtin.copy:
    content: "{{ [plan] | netops.kubernetes.port_plan_markdown }}"
    dest: "ports-{{ inventory_hostname }}.md"
    mode: "0644"
  vars:
    plan: >-
      {{ groups | netops.kubernetes.port_plan(hostvars, inventory_hostname, cni='flannel', encapsulation='vxlan') }}
  delegate_to: localhost
"""

RETURN = r"""
_value:
  description: The document.
  type: str
"""

from typing import TYPE_CHECKING, Any, Callable

from ansible.errors import AnsibleFilterError
from ansible_collections.netops.kubernetes.plugins.module_utils._errors import NetopsError
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.plan import from_output
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.report import markdown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def port_plan_markdown(plans: Sequence[Mapping[str, Any]], default_input: str = "drop") -> str:
    """The filter; see DOCUMENTATION."""
    try:
        return markdown([from_output(plan) for plan in plans], default=default_input)
    except NetopsError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"port_plan_markdown": port_plan_markdown}
