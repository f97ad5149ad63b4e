#!/usr/bin/python
# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: kube_proxy_node_info
short_description: Tell what a node offers kube-proxy
version_added: 0.2.0
description:
  - Reads the kernel's release and modules, the version of nft, the kubelet's configuration and firewalld's, for
    M(netops.kubernetes.kube_proxy_preflight) to judge.
  - Only Python is needed on the node.
author:
  - netops.kubernetes contributors (@netops-collections)
extends_documentation_fragment:
  - netops.kubernetes.attributes.reading
options:
  name:
    description: How the node is called in messages.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Read what this node offers
  netops.kubernetes.kube_proxy_node_info:
    name: "{{ inventory_hostname }}"
  register: node
"""

RETURN = r"""
facts:
  description: What the node offers.
  returned: success
  type: dict
  contains:
    name:
      description: How the node is called.
      type: str
    kernel:
      description: The kernel's release.
      type: str
      sample: 6.12.9-amd64
    modules:
      description: V(loaded), V(built-in) or V(loadable) by the name of a module that kube-proxy may need.
      type: dict
      sample: {ip_vs: loaded, ip_vs_rr: loadable, nf_tables: built-in}
    nft:
      description: The version of the program nft; empty without one.
      type: str
      sample: 1.0.9
    kubelet_configuration:
      description: The text of the kubelet's configuration file.
      type: str
    strict_forward_ports:
      description: Whether firewalld drops forwarded traffic that it did not forward itself.
      type: bool
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.netops.kubernetes.plugins.module_utils._edge import run
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.surroundings import node_facts


def main() -> None:
    module = AnsibleModule(argument_spec={"name": {"type": "str", "required": True}}, supports_check_mode=True)
    run(module, lambda: {"changed": False, "facts": node_facts(module.params["name"])})


if __name__ == "__main__":
    main()
