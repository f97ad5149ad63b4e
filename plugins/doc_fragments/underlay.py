# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations


class ModuleDocFragment:
    """What is around the pods' networks, for those who judge whether these, and an MTU, can be."""

    DOCUMENTATION = r"""
options:
  interfaces:
    description:
      - By node the MTUs of the interfaces that packets between nodes take, as C(underlay) of
        M(netops.kubernetes.cni_info) tells them. An MTU that does not fit into the smallest is an error then, and nodes
        that differ are a warning where none is set.
    type: dict
    default: {}
  service_cidrs:
    description:
      - The Service networks of the cluster, as M(netops.kubernetes.cluster_network_info) tells them. An overlap of a
        network of pods with one of them is an error, as it is with a node or with reserved addresses.
    type: list
    elements: str
    default: []
"""
