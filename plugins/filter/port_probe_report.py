# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: port_probe_report
short_description: What the probes of all nodes mean
version_added: 0.1.0
author:
  - netops.kubernetes contributors (@netops-collections)
description:
  - From the results of M(netops.kubernetes.port_probe) in state C(probed), tells what is not as expected, the likely
    culprit and the remedy. Pure; it changes nothing.
options:
  _input:
    description: The modules' results, one of each node.
    type: list
    elements: dict
    required: true
  plans:
    description: The plans that P(netops.kubernetes.port_plan#filter) made, by node name; culprits are told from them.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Show who reaches what
  ansible.builtin.debug:
    msg: "{{ (results | netops.kubernetes.port_probe_report(plans=plans)).text }}"
"""

RETURN = r"""
_value:
  description: >-
    C(matrix) with the verdicts by source, target and port; C(failures) with C(culprit) and C(remedy); C(unproven), what
    could not be found out; C(missing), nodes with a plan and without results; C(text), all of it for a person.
  type: dict
"""

from typing import TYPE_CHECKING, Any, Callable

from ansible.errors import AnsibleFilterError
from ansible_collections.netops.kubernetes.plugins.module_utils._errors import NetopsError
from ansible_collections.netops.kubernetes.plugins.module_utils._probe.matrix import plans_from, report

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def port_probe_report(results: Sequence[Mapping[str, Any]], plans: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The filter; see DOCUMENTATION."""
    try:
        # A node that could not be reached has no results.
        rows = [row for result in results for row in result.get("results", [])]
        return report(rows, plans_from(plans or {}))
    except NetopsError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"port_probe_report": port_probe_report}
