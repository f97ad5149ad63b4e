#!/usr/bin/python
# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: kubeconfig_info
short_description: Tell which kubeconfig reaches the cluster, and read one from a node where there is none
version_added: 0.1.0
description:
  - Where the controller has no kubeconfig, an administrator's is read from the host of the task, a control-plane node,
    into a file that only the user who runs Ansible can read, in the folder that Ansible removes when it ends.
  - What is in it is neither shown nor logged. Nothing is changed on the node.
  - Needs to read O(node_path) on the node, which kubeadm leaves to root.
author:
  - netops.kubernetes contributors (@netops-collections)
extends_documentation_fragment:
  - netops.kubernetes.attributes.reading
options:
  path:
    description:
      - A kubeconfig on the controller. One that is there is used, whatever is on the node.
      - Only where this is C(~/.kube/config) and not there, the node's is read. Another one that is not there is named
        by whoever uses it.
    type: path
    default: ~/.kube/config
  node_path:
    description: Where the node has an administrator's kubeconfig.
    type: path
    default: /etc/kubernetes/admin.conf
  server:
    description:
      - URL by which the controller reaches the API server, when it is not the one in the node's kubeconfig.
      - The server's certificate is still required to bear the host that the node's kubeconfig names.
    type: str
"""

EXAMPLES = r"""
- name: Find a kubeconfig, or read it from the first control-plane node
  netops.kubernetes.kubeconfig_info:
  delegate_to: "{{ groups['kube_control_plane'][0] }}"
  run_once: true
  register: access
"""

RETURN = r"""
path:
  description: The kubeconfig on the controller.
  returned: success
  type: str
  sample: /home/me/.kube/config
read_from_node:
  description: Whether it was read from the node, and is gone when Ansible ends.
  returned: success
  type: bool
  sample: false
"""
