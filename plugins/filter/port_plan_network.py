# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: port_plan_network
short_description: Which CNI's ports a plan has to open, and which ports those are
version_added: 0.2.0
author:
  - netops.kubernetes contributors (@netops-collections)
description:
  - Takes what is said of the CNI, else what runs in the cluster, else Flannel, which is to come. Pure; it changes
    nothing.
  - Fails when O(variables) name another C(cni_plugin) than the CNI that runs, whose traffic the plan would drop; when
    several run, or what runs may not be read, and nobody says which one it is.
options:
  _input:
    description: >-
      What M(netops.kubernetes.cluster_network_info) returns; RV(netops.kubernetes.cluster_network_info#module:cnis) and
      RV(netops.kubernetes.cluster_network_info#module:cnis_unread) are looked at.
    type: dict
    required: true
  cni:
    description: The CNI to open ports for, whatever runs.
    type: str
    default: ''
  encapsulation:
    description: How that CNI carries packets, whatever its role is told.
    type: str
    default: ''
  variables:
    description: >-
      Variables of the roles of the CNIs that are set, by name. Those that are none count as not set.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Read what runs
  netops.kubernetes.cluster_network_info:
  delegate_to: localhost
  register: cluster

- name: Tell whose ports are needed
  ansible.builtin.debug:
    msg: "{{ cluster | netops.kubernetes.port_plan_network }}"
"""

RETURN = r"""
_value:
  description:
    - C(cni), C(encapsulations), C(ports) by rule id and C(add_ons), for the filter
      P(netops.kubernetes.port_plan#filter).
    - C(notices), sentences about what is said and differs from what runs.
  type: dict
"""

from typing import TYPE_CHECKING, Any, Callable

from ansible.errors import AnsibleFilterError
from ansible_collections.netops.kubernetes.plugins.module_utils._errors import NetopsError
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.network import network_for

if TYPE_CHECKING:
    from collections.abc import Mapping


def port_plan_network(
    cluster: Mapping[str, Any],
    cni: str = "",
    encapsulation: str = "",
    variables: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The filter; see DOCUMENTATION."""
    asked = {"cni": cni, "encapsulation": encapsulation}
    try:
        found = network_for(cluster.get("cnis") or {}, cluster.get("cnis_unread") or "", asked, variables or {})
        return found.to_output()
    except NetopsError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"port_plan_network": port_plan_network}
