# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: port_probe_listeners
short_description: What one node listens on, so that others can probe it
version_added: 0.1.0
author:
  - netops.kubernetes contributors (@netops-collections)
description:
  - Takes from a node's plan the ports that stand for it, for the module M(netops.kubernetes.port_probe). Of a range
    they are the first, the last and one between. Pure; it changes nothing.
  - ICMP is left out.
positional: hostvars, node_name
options:
  _input:
    description: The plans that P(netops.kubernetes.port_plan#filter) made, by node name.
    type: dict
    required: true
  hostvars:
    description: >-
      The variables of every host; the nodes' addresses are found as by P(netops.kubernetes.port_plan#filter).
    type: dict
    required: true
  node_name:
    description: Whose listeners.
    type: str
    required: true
  negative:
    description: Listen also on one TCP and one UDP port that no rule names, which must be closed to everybody.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Listen on what the plan opens
  netops.kubernetes.port_probe:
    state: listening
    node_name: "{{ inventory_hostname }}"
    listeners: "{{ plans | netops.kubernetes.port_probe_listeners(hostvars, inventory_hostname) }}"
"""

RETURN = r"""
_value:
  description: The listeners.
  type: list
  elements: dict
"""

from typing import TYPE_CHECKING, Any, Callable

from ansible.errors import AnsibleFilterError
from ansible_collections.netops.kubernetes.plugins.module_utils._errors import NetopsError
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.inventory import addresses_of
from ansible_collections.netops.kubernetes.plugins.module_utils._probe.matrix import listeners_for, plans_from

if TYPE_CHECKING:
    from collections.abc import Mapping


def port_probe_listeners(
    plans: Mapping[str, Any], hostvars: Mapping[str, Mapping[str, Any]], node_name: str, negative: bool = True
) -> list[dict[str, Any]]:
    """The filter; see DOCUMENTATION."""
    try:
        addresses = addresses_of({"kube_node": list(plans)}, hostvars)
        return listeners_for(plans_from(plans), addresses, node_name, negative=negative)
    except NetopsError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"port_probe_listeners": port_probe_listeners}
