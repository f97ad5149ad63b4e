#!/usr/bin/python
# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: kube_proxy_services_info
short_description: Tell which Services kube-proxy must serve, and where they lead
version_added: 0.2.0
description:
  - Reads Services and EndpointSlices once, for M(netops.kubernetes.kube_proxy_info) to compare on every node.
  - Services without a cluster address, and those of another proxy, are left out.
  - Needs the verb C(list) on Services and EndpointSlices of all namespaces.
author:
  - netops.kubernetes contributors (@netops-collections)
extends_documentation_fragment:
  - netops.kubernetes.attributes.reading
  - netops.kubernetes.connection
"""

EXAMPLES = r"""
- name: Read what must be served
  netops.kubernetes.kube_proxy_services_info:
  register: wanted

- name: Prove that this node serves it
  netops.kubernetes.kube_proxy_info:
    services: "{{ wanted.services }}"
"""

RETURN = r"""
services:
  description: A row for each port and address family of a Service.
  returned: success
  type: list
  elements: dict
  contains:
    service:
      description: Namespace, name and port.
      type: str
      sample: shop/web:http
    protocol:
      description: Its protocol.
      type: str
    port:
      description: Its port.
      type: int
    node_port:
      description: Its NodePort; 0 when it has none.
      type: int
    cluster_ips:
      description: Its cluster addresses.
      type: list
      elements: str
    external_ips:
      description: Its external addresses, those of a load balancer included.
      type: list
      elements: str
    internal_local:
      description: Whether traffic to its cluster addresses stays on a node.
      type: bool
    external_local:
      description: Whether traffic from outside stays on a node.
      type: bool
    endpoints:
      description: Address with port, node, state and whether topology hints are there, of each end point.
      type: list
      elements: list
api_requests:
  description: How many requests were sent to the API server.
  returned: success
  type: int
  sample: 2
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.netops.kubernetes.plugins.module_utils._edge import run
from ansible_collections.netops.kubernetes.plugins.module_utils._kube import connection
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import connect
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.services import read_services


def main() -> None:
    module = AnsibleModule(argument_spec=connection.argument_spec(), supports_check_mode=True)

    def job() -> dict[str, Any]:
        client = connect(module.params)
        return {"changed": False, "services": read_services(client), "api_requests": client.requests}

    run(module, job)


if __name__ == "__main__":
    main()
