# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: cni_choice
short_description: Rank Calico, Flannel and Cilium for a cluster, with reasons
version_added: 0.1.0
author:
  - netops.kubernetes contributors (@netops-collections)
description:
  - Ranks the CNIs by what is said of a cluster. Each reason names its source. What a project does not support is ruled
    out unless C(force) is set. Pure; it changes nothing.
options:
  _input:
    description: The answers; each that is left out has the default below.
    type: dict
    required: true
    suboptions:
      environment:
        description: What the nodes are.
        type: str
        choices: [bare_metal, virtual, cloud]
        default: virtual
      policies:
        description: Which network policies are to be enforced.
        type: str
        choices: [none, kubernetes, cluster, l7]
        default: kubernetes
      encryption:
        description: Whether traffic between nodes is to be encrypted.
        type: bool
        default: false
      reachability:
        description: Whether pods' addresses are to be reached from outside by routes.
        type: str
        choices: [none, routed]
        default: none
      latency:
        description: Whether every microsecond counts.
        type: bool
        default: false
      one_subnet:
        description: Whether all nodes are in one subnet.
        type: bool
        default: true
      nodes:
        description: How many nodes there will be.
        type: int
        default: 0
      kernels:
        description: Kernel versions of the nodes.
        type: list
        elements: str
        default: []
      kubernetes_version:
        description: Version of Kubernetes.
        type: str
      kube_proxy_mode:
        description: Mode of kube-proxy, V(none) where there is to be none.
        type: str
        choices: [iptables, ipvs, nftables, none]
        default: iptables
      api_endpoint:
        description: HOST:PORT of the API server, which the settings need where there is no kube-proxy.
        type: str
        default: ""
      versions:
        description: Versions of the CNIs, by CNI, where they are not the roles' defaults.
        type: dict
        default: {}
      force:
        description: Rank what a project does not support too.
        type: bool
        default: false
"""

EXAMPLES = r"""
- name: Choose
  ansible.builtin.debug:
    msg: "{{ {'environment': 'bare_metal', 'policies': 'kubernetes', 'nodes': 40} | netops.kubernetes.cni_choice }}"
"""

RETURN = r"""
_value:
  description:
    - C(choice), the first that fits, or empty.
    - C(ranking), of each CNI C(cni), C(version), C(score), C(fits), C(reasons) with C(text), C(weight), C(rules_out)
      and C(source), C(refused), C(warnings), and C(settings), variables of its role.
    - C(advice), what none of these CNIs can answer.
  type: dict
"""

from typing import TYPE_CHECKING, Any, Callable

from ansible.errors import AnsibleFilterError
from ansible_collections.netops.kubernetes.plugins.module_utils._errors import NetopsError
from ansible_collections.netops.kubernetes.plugins.module_utils._netplan.choice import Answers
from ansible_collections.netops.kubernetes.plugins.module_utils._netplan.choice import cni_choice as choose

if TYPE_CHECKING:
    from collections.abc import Mapping


def cni_choice(answers: Mapping[str, Any]) -> dict[str, Any]:
    """The filter; see DOCUMENTATION."""
    try:
        return choose(Answers(**answers))
    except TypeError as error:
        raise AnsibleFilterError(f"cni_choice: {error}") from error
    except NetopsError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"cni_choice": cni_choice}
