#!/usr/bin/python
# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: coredns_workload
short_description: How many CoreDNS run, where, with how much, and what scales them
version_added: 0.2.0
description:
  - Sets fields of CoreDNS' Deployment, and makes a PodDisruptionBudget and the proportional autoscaler beside it.
  - Of each field the value from before is kept in an annotation. A field that is asked for no more goes back to it,
    unless somebody else has changed it since; so do all with O(state=absent). Objects beside the Deployment go too, and
    the annotations with which M(netops.kubernetes.coredns_rollout) made pods take a Corefile.
  - Refuses what would never come to be, such as more replicas than nodes where each wants a node of its own.
  - Nothing is waited for; M(netops.kubernetes.coredns_rollout) does that.
  - Needs the verbs C(list) on Deployments and DaemonSets, C(get) and C(update) on the Deployment; C(list) on nodes for
    O(anti_affinity=required); C(list), C(get) and C(patch) on pods for O(state=absent); C(get), C(create), C(patch) and
    C(delete) on what is made beside it.
author:
  - netops.kubernetes contributors (@netops-collections)
extends_documentation_fragment:
  - netops.kubernetes.attributes
  - netops.kubernetes.connection
options:
  namespace:
    description: Namespace of CoreDNS.
    type: str
    default: kube-system
  name:
    description: Name of the ConfigMap that it mounts.
    type: str
    default: coredns
  state:
    description: V(present) fulfils the wishes below; V(absent) gives everything back.
    type: str
    choices: [present, absent]
    default: present
  provisional:
    description: >-
      Note on the Deployment what was there before, until M(netops.kubernetes.coredns_rollout) has proven that DNS
      answers, or has given it back. With O(state=absent), what was made beside the Deployment and the annotations stay
      until a last run without this.
    type: bool
    default: false
  replicas:
    description: How many; filter P(netops.kubernetes.coredns_plan#filter) plans it.
    type: int
  image:
    description: >-
      The image of CoreDNS. M(netops.kubernetes.corefile) brings the Corefile to its version with its option of the same
      name. Permission to watch EndpointSlices is given along.
    type: str
  anti_affinity:
    description: >-
      Whether replicas keep to nodes of their own; V(preferred) as kubeadm has it, V(required) even where a replica
      then has no place.
    type: str
    choices: [preferred, required, none]
  topology_spread:
    description: How evenly replicas are spread. An empty list takes all such rules out.
    type: list
    elements: dict
    suboptions:
      topology_key:
        description: The label of nodes over whose values they are spread, such as V(topology.kubernetes.io/zone).
        type: str
        required: true
      max_skew:
        description: How many more one value may have than another.
        type: int
        default: 1
      when_unsatisfiable:
        description: What happens to a replica that would break the rule.
        type: str
        choices: [DoNotSchedule, ScheduleAnyway]
        default: ScheduleAnyway
  resources:
    description: Amounts by resource, such as C(memory) and C(cpu).
    type: dict
    suboptions:
      requests:
        description: What a node must have free.
        type: dict
      limits:
        description: What a replica may use.
        type: dict
  priority_class:
    description: The class that decides who goes first when a node is full.
    type: str
  disruption_budget:
    description: How many replicas may be taken away at a time, as when nodes are drained. One of the two.
    type: dict
    suboptions:
      max_unavailable:
        description: A number or a share, such as V(1) or V(50%).
        type: str
      min_available:
        description: A number or a share.
        type: str
  autoscaler:
    description: >-
      Lets the cluster-proportional-autoscaler set the number of replicas by nodes and cores, by one of its two
      controllers.
    type: dict
    suboptions:
      image:
        description: Where the nodes get it from.
        type: str
        default: registry.k8s.io/cpa/cluster-proportional-autoscaler:v1.9.0
      linear:
        description: So many replicas as the larger of two quotients.
        type: dict
        suboptions:
          cores_per_replica:
            description: Cores of the cluster for each replica.
            type: float
          nodes_per_replica:
            description: Nodes for each replica.
            type: float
          min:
            description: At least so many.
            type: int
          max:
            description: At most so many.
            type: int
          prevent_single_point_failure:
            description: Two where there are two nodes.
            type: bool
          include_unschedulable_nodes:
            description: Count nodes that take no pods too.
            type: bool
      ladder:
        description: So many replicas as the larger of two steps.
        type: dict
        suboptions:
          cores_to_replicas:
            description: Pairs of cores and replicas; the last pair that the cluster reaches counts.
            type: list
            elements: list
          nodes_to_replicas:
            description: Pairs of nodes and replicas.
            type: list
            elements: list
          include_unschedulable_nodes:
            description: Count nodes that take no pods too.
            type: bool
"""

EXAMPLES = r"""
- name: Three replicas in three zones, one of them away at a time
  netops.kubernetes.coredns_workload:
    replicas: 3
    topology_spread:
      - topology_key: topology.kubernetes.io/zone
    disruption_budget:
      max_unavailable: 1

- name: Let their number follow the cluster
  netops.kubernetes.coredns_workload:
    autoscaler:
      linear:
        cores_per_replica: 256
        nodes_per_replica: 16
        prevent_single_point_failure: true
"""

RETURN = r"""
image:
  description: The image of CoreDNS as it is now, or would be in check mode.
  returned: success
  type: str
  sample: registry.k8s.io/coredns/coredns:v1.14.2
changes:
  description: What happened to each object.
  returned: success
  type: list
  elements: dict
  sample: [{object: "Deployment 'kube-system/coredns'", action: changed}]
api_requests:
  description: How many requests were sent to the API server.
  returned: success
  type: int
  sample: 6
"""

from typing import Any

from ansible_collections.netops.kubernetes.plugins.module_utils._coredns.beside import IMAGE
from ansible_collections.netops.kubernetes.plugins.module_utils._coredns.workload_task import (
    ANTI_AFFINITIES,
    coredns_workload,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.connection import argument_spec
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.edge import ObjectsModule, run_shown


def wishes_spec() -> dict[str, Any]:
    spread = {
        # A label's name, nothing secret.
        "topology_key": {"type": "str", "required": True, "no_log": False},
        "max_skew": {"type": "int", "default": 1},
        "when_unsatisfiable": {
            "type": "str",
            "choices": ["DoNotSchedule", "ScheduleAnyway"],
            "default": "ScheduleAnyway",
        },
    }
    linear = {
        "cores_per_replica": {"type": "float"},
        "nodes_per_replica": {"type": "float"},
        "min": {"type": "int"},
        "max": {"type": "int"},
        "prevent_single_point_failure": {"type": "bool"},
        "include_unschedulable_nodes": {"type": "bool"},
    }
    ladder = {
        "cores_to_replicas": {"type": "list", "elements": "list"},
        "nodes_to_replicas": {"type": "list", "elements": "list"},
        "include_unschedulable_nodes": {"type": "bool"},
    }
    autoscaler = {
        "image": {"type": "str", "default": IMAGE},
        "linear": {"type": "dict", "options": linear},
        "ladder": {"type": "dict", "options": ladder},
    }
    return {
        "replicas": {"type": "int"},
        "image": {"type": "str"},
        "anti_affinity": {"type": "str", "choices": list(ANTI_AFFINITIES)},
        "topology_spread": {"type": "list", "elements": "dict", "options": spread},
        "resources": {"type": "dict", "options": {"requests": {"type": "dict"}, "limits": {"type": "dict"}}},
        "priority_class": {"type": "str"},
        "disruption_budget": {
            "type": "dict",
            "options": {"max_unavailable": {"type": "str"}, "min_available": {"type": "str"}},
        },
        "autoscaler": {"type": "dict", "options": autoscaler},
    }


def main() -> None:
    module = ObjectsModule(
        argument_spec={
            **argument_spec(),
            "namespace": {"type": "str", "default": "kube-system"},
            "name": {"type": "str", "default": "coredns"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "provisional": {"type": "bool", "default": False},
            **wishes_spec(),
        },
        supports_check_mode=True,
    )
    run_shown(module, coredns_workload)


if __name__ == "__main__":
    main()
