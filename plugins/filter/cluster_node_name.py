# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: cluster_node_name
short_description: The name under which the cluster knows a machine
version_added: 0.2.0
author:
  - netops.kubernetes contributors (@netops-collections)
description:
  - Finds the node that has one of a machine's addresses. Pure.
options:
  _input:
    description: The machine's addresses.
    type: list
    elements: str
    required: true
  nodes:
    description: The nodes, as M(netops.kubernetes.cluster_network_info) tells them.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the node's name
  ansible.builtin.debug:
    msg: "{{ ansible_facts.all_ipv4_addresses | netops.kubernetes.cluster_node_name(cluster.nodes) }}"
"""

RETURN = r"""
_value:
  description: The node's name.
  type: str
"""

from typing import TYPE_CHECKING, Any, Callable

from ansible.errors import AnsibleFilterError
from ansible_collections.netops.kubernetes.plugins.module_utils._errors import NetopsError
from ansible_collections.netops.kubernetes.plugins.module_utils._netplan.cluster import node_name_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def cluster_node_name(addresses: Sequence[str], nodes: Sequence[Mapping[str, Any]]) -> str:
    """The filter; see DOCUMENTATION."""
    try:
        return node_name_of(nodes, addresses)
    except NetopsError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"cluster_node_name": cluster_node_name}
