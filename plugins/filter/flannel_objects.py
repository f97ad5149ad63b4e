# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: flannel_objects
short_description: Flannel with given settings as Kubernetes objects
version_added: 0.1.0
author:
  - netops.kubernetes contributors (@netops-collections)
description:
  - Makes every object of a Flannel with the given settings, for the module M(netops.kubernetes.manifest). Pure; it
    changes nothing.
options:
  _input:
    description: The pod networks; one, or one of each address family.
    type: list
    elements: str
    required: true
  backend:
    description: How packets are carried between nodes.
    type: str
    choices: [vxlan, host-gw, wireguard, udp]
    default: vxlan
  mtu:
    description: Of the nodes' network, in bytes; Flannel subtracts its own overhead. 0 lets it find out.
    type: int
    default: 0
  vni:
    description: VXLAN network identifier.
    type: int
    default: 1
  port:
    description: UDP port of VXLAN.
    type: int
    default: 8472
  direct_routing:
    description: Without VXLAN between nodes of one network.
    type: bool
    default: false
  nftables:
    description: Write nftables rules; right where kube-proxy runs in mode nftables.
    type: bool
    default: false
  image:
    description: Image of flanneld.
    type: str
    default: ghcr.io/flannel-io/flannel:v0.28.9
  cni_image:
    description: Image with Flannel's CNI plugin.
    type: str
    default: ghcr.io/flannel-io/flannel-cni-plugin:v1.9.1-flannel3
  node_selector:
    description: Labels of the nodes that Flannel is for; none stands for all.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Install Flannel
  netops.kubernetes.manifest:
    definitions: "{{ ['10.244.0.0/16'] | netops.kubernetes.flannel_objects(backend='host-gw') }}"
"""

RETURN = r"""
_value:
  description: The objects.
  type: list
  elements: dict
"""

from typing import TYPE_CHECKING, Any, Callable

from ansible.errors import AnsibleFilterError
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.flannel import Flannel, objects
from ansible_collections.netops.kubernetes.plugins.module_utils._errors import NetopsError

if TYPE_CHECKING:
    from collections.abc import Sequence


def flannel_objects(pod_cidrs: Sequence[str], **settings: Any) -> list[dict[str, Any]]:
    """The filter; see DOCUMENTATION."""
    try:
        return objects(Flannel(pod_cidrs=tuple(pod_cidrs), **settings))
    except TypeError as error:
        raise AnsibleFilterError(f"flannel_objects: {error}") from error
    except NetopsError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"flannel_objects": flannel_objects}
