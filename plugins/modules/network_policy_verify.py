#!/usr/bin/python
# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: network_policy_verify
short_description: Test whether the cluster enforces its network policies as they are written
version_added: 0.1.0
description:
  - Makes throw-away pods with the labels and ports of workloads, opens new connections from each to every other, and
    compares how they end with what the policies of the cluster say. The task fails when any ends otherwise.
  - A connection that does not end as predicted is tried again, and predicted again, for O(recheck_seconds).
  - The pods run the Kubernetes project's own test image, C(agnhost). Connections are opened by a program in the pod,
    which no policy has to admit.
  - No workload is disturbed. The pods are never ready, so that no Service sends them anything, and have a controller,
    so that no other adopts them. A Service with C(publishNotReadyAddresses) does name them.
  - The pods are removed afterwards, those of a run that was killed by the next one; they end by themselves in an hour.
    Only one test may run on a cluster at a time.
  - SCTP is not tried.
  - In check mode nothing is run; the result tells whom pods would stand for.
  - Needs C(list) as M(netops.kubernetes.network_policy_audit) does, C(create) and C(delete) on C(pods) in the
    namespaces, and C(get) and C(create) on C(pods/exec) there.
author:
  - netops.kubernetes contributors (@netops-collections)
extends_documentation_fragment:
  - netops.kubernetes.attributes.reading
  - netops.kubernetes.connection
options:
  namespaces:
    description:
      - Namespaces whose running pods are stood for, one pod for all that have the same ports and that no policy tells
        apart by their labels. Pods on their node's network are left out.
    type: list
    elements: str
    default: []
  workloads:
    description: Further ones to stand for, whether they run or not.
    type: list
    elements: dict
    default: []
    suboptions:
      namespace:
        description: Where; it must be there.
        type: str
        required: true
      labels:
        description: The labels of its pods.
        type: dict
        default: {}
      ports:
        description: The ports of its containers.
        type: list
        elements: dict
        default: []
        suboptions:
          name:
            description: Its name, which policies may use.
            type: str
          port:
            description: Its number.
            type: int
            required: true
          protocol:
            description: Its protocol.
            type: str
            choices: [TCP, UDP]
            default: TCP
  ports:
    description: What every pod serves and is asked at, beside its own ports.
    type: list
    elements: dict
    default:
      - port: 8080
        protocol: TCP
    suboptions:
      port:
        description: Its number.
        type: int
        required: true
      protocol:
        description: Its protocol.
        type: str
        choices: [TCP, UDP]
        default: TCP
  image:
    description: Where the nodes get agnhost from.
    type: str
    default: registry.k8s.io/e2e-test-images/agnhost:2.63.0
  pull_secrets:
    description:
      - Names of Secrets by which the nodes pull it. Each pod looks for them in its own namespace; none is copied there,
        for whoever may make pods there could read it.
    type: list
    elements: str
    default: []
  timeout:
    description: Seconds for the pods to run, and again for them to go.
    type: int
    default: 180
  recheck_seconds:
    description: How long connections are tried again that do not end as predicted; once more in any case.
    type: int
    default: 30
"""

EXAMPLES = r"""
- name: Test the policies between the workloads of two namespaces
  netops.kubernetes.network_policy_verify:
    namespaces: [shop, data]

- name: Test that a client that does not run yet will reach the data base and nothing else
  netops.kubernetes.network_policy_verify:
    namespaces: [data]
    workloads:
      - namespace: shop
        labels: {app: cart}
        ports:
          - name: http
            port: 8080
    ports:
      - port: 53
        protocol: UDP
"""

RETURN = r"""
stand_ins:
  description: Whom pods stood for, or would in check mode.
  returned: success or failure
  type: list
  elements: str
  sample: [shop/cart-7d4b9c, data/postgres-0]
connections:
  description: How many connections were compared; 0 in check mode.
  returned: success or failure
  type: int
  sample: 6
summary:
  description: The test in a few lines.
  returned: success or failure
  type: list
  elements: str
  sample: ["2 pods, 6 connections: 6 as predicted", "allowed: 2 predicted, 2 of them connected"]
disagreements:
  description: Connections that end otherwise than predicted.
  returned: success or failure
  type: list
  elements: dict
  contains:
    source:
      description: The pod that connects.
      type: str
    destination:
      description: The pod that serves.
      type: str
    protocol:
      description: TCP or UDP.
      type: str
    port:
      description: The destination's.
      type: int
    family:
      description: Of addresses, 4 or 6.
      type: int
    predicted:
      description: What the policies say, as M(netops.kubernetes.network_policy_audit) reads them.
      type: str
    observed:
      description: V(allowed), V(denied), or V(unknown) where the connection could not be tried.
      type: str
    seen:
      description: How it ended, in agnhost's words.
      type: str
    why:
      description: The reasons of the prediction.
      type: str
not_evaluated:
  description: Policies of kinds that are not evaluated; they may explain a disagreement.
  returned: success or failure
  type: list
  elements: str
  sample: ["GlobalNetworkPolicy 'deny-all'"]
api_requests:
  description: How many requests were sent to the API server.
  returned: success or failure
  type: int
  sample: 60
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.netops.kubernetes.plugins.module_utils._edge import run
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.connection import argument_spec
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.verification import verify


def main() -> None:
    port = {
        "port": {"type": "int", "required": True},
        "protocol": {"type": "str", "choices": ["TCP", "UDP"], "default": "TCP"},
    }
    module = AnsibleModule(
        argument_spec={
            **argument_spec(),
            "namespaces": {"type": "list", "elements": "str", "default": []},
            "workloads": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "namespace": {"type": "str", "required": True},
                    "labels": {"type": "dict", "default": {}},
                    "ports": {
                        "type": "list",
                        "elements": "dict",
                        "default": [],
                        "options": {"name": {"type": "str"}, **port},
                    },
                },
            },
            "ports": {
                "type": "list",
                "elements": "dict",
                "default": [{"port": 8080, "protocol": "TCP"}],
                "options": port,
            },
            "image": {"type": "str", "default": "registry.k8s.io/e2e-test-images/agnhost:2.63.0"},
            "pull_secrets": {"type": "list", "elements": "str", "default": [], "no_log": False},
            "timeout": {"type": "int", "default": 180},
            "recheck_seconds": {"type": "int", "default": 30},
        },
        supports_check_mode=True,
    )

    def job() -> dict[str, Any]:
        return verify(module.params, check=module.check_mode)

    run(module, job)


if __name__ == "__main__":
    main()
