# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: port_probe_targets
short_description: What one node probes on all others, and what is right
version_added: 0.1.0
author:
  - netops.kubernetes contributors (@netops-collections)
description:
  - From the nodes' plans, and from what they listen on, makes the targets of one node for the module
    M(netops.kubernetes.port_probe). Pure; it changes nothing.
  - A port is expected to be open when a peer set of its rule holds the probing node's address, and closed otherwise.
    Where only some of the node's addresses are in such a set nothing is probed.
positional: hostvars, node_name, listening
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
    description: Who probes.
    type: str
    required: true
  listening:
    description: The results of M(netops.kubernetes.port_probe) in state C(listening), by node name.
    type: dict
    required: true
  negative:
    description: Probe also what must be closed.
    type: bool
    default: true
  source_addresses:
    description: >-
      For a prober that is none of the nodes, such as Ansible's controller, the addresses by which the nodes know it.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Probe all other nodes
  netops.kubernetes.port_probe:
    state: probed
    node_name: "{{ inventory_hostname }}"
    targets: "{{ plans | netops.kubernetes.port_probe_targets(hostvars, inventory_hostname, listening) }}"
"""

RETURN = r"""
_value:
  description: The targets.
  type: list
  elements: dict
"""

from typing import TYPE_CHECKING, Any, Callable

from ansible.errors import AnsibleFilterError
from ansible_collections.netops.kubernetes.plugins.module_utils._errors import NetopsError
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.inventory import addresses_of
from ansible_collections.netops.kubernetes.plugins.module_utils._probe.matrix import (
    plans_from,
    targets_for,
    targets_output,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def port_probe_targets(
    plans: Mapping[str, Any],
    hostvars: Mapping[str, Mapping[str, Any]],
    node_name: str,
    listening: Mapping[str, Mapping[str, Any]],
    negative: bool = True,
    source_addresses: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """The filter; see DOCUMENTATION."""
    try:
        addresses = addresses_of({"kube_node": list(plans)}, hostvars)
        # A node that could not be reached has no listeners.
        status = {name: result.get("listeners", []) for name, result in listening.items()}
        found = targets_for(
            plans_from(plans), addresses, node_name, status, negative=negative, source_addresses=source_addresses
        )
        return targets_output(found)
    except NetopsError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"port_probe_targets": port_probe_targets}
