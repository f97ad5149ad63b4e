#!/usr/bin/python
# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: network_policy_audit
short_description: Tell who can reach whom under the network policies, why, and what is wrong with them
version_added: 0.2.0
description:
  - Evaluates NetworkPolicy, ClusterNetworkPolicy (v1alpha2), AdminNetworkPolicy and BaselineAdminNetworkPolicy
    (v1alpha1) of a live cluster or of manifests, in one call and without changing anything.
  - Answers single questions with the policies and rules that decide, shows what every namespace reaches of every other
    and of the outside, how many pods are isolated, and what is wrong with the policies.
  - Compares two sets of policies by what they connect.
  - Policies of Calico, Cilium and Antrea are named as not evaluated.
  - On a live cluster it needs the verb C(list) on namespaces, pods, nodes, services, networkpolicies, endpointslices
    and on the cluster-wide policies that the cluster serves.
author:
  - netops.kubernetes contributors (@netops-collections)
extends_documentation_fragment:
  - netops.kubernetes.attributes.reading
  - netops.kubernetes.connection
options:
  src:
    description:
      - Files with manifests, or folders, which are searched through. Lists are opened; documents that are no
        Kubernetes objects are passed over.
    type: list
    elements: path
    default: []
  definitions:
    description: Objects as mappings, or YAML text of one or more documents.
    type: list
    elements: raw
    default: []
  live:
    description:
      - Whether a live cluster is read. By default it is when neither O(src) nor O(definitions) is given.
      - V(true) with O(src) or O(definitions) audits the cluster as it would be with these objects applied, and
        compares it with what it is.
    type: bool
  before_src:
    description: Like O(src), the set of objects that the audited one is compared with.
    type: list
    elements: path
    default: []
  before_definitions:
    description: Like O(definitions), for the set that the audited one is compared with.
    type: list
    elements: raw
    default: []
  pod_networks:
    description:
      - The pod networks, for pods that have no address, such as those of manifests. Without them blocks of addresses
        are taken not to mean such pods, but for a block of all addresses without exceptions.
    type: list
    elements: str
    default: []
  reachable:
    description: Questions about single connections.
    type: list
    elements: dict
    default: []
    suboptions:
      source:
        description: >-
          A pod or workload as V(NAMESPACE/NAME) or V(NAMESPACE/KIND/NAME), V(node:NAME), or an address.
        type: str
        required: true
      destination:
        description: The same, or V(service:NAMESPACE/NAME).
        type: str
        required: true
      protocol:
        description: V(TCP), V(UDP) or V(SCTP); the specification says nothing about others.
        type: str
        default: TCP
      port:
        description: The destination's port; of a Service, the Service's. Without it, which ports are reached.
        type: int
  formats:
    description: In which forms the whole report is returned.
    type: list
    elements: str
    choices: [text, json, markdown, sarif, html]
    default: []
  fail_on:
    description: The task fails when a finding is of this severity or worse. Its result holds everything all the same.
    type: str
    choices: [never, note, warning, error]
    default: never
"""

EXAMPLES = r"""
- name: Ask why the cart does not reach its data base
  netops.kubernetes.network_policy_audit:
    reachable:
      - source: shop/cart
        destination: service:shop/database
        port: 5432

- name: Review a change of policies without a cluster
  netops.kubernetes.network_policy_audit:
    src: [manifests]
    before_src: [main/manifests]
    pod_networks: [10.244.0.0/16]
    formats: [markdown, sarif]
    fail_on: error
"""

RETURN = r"""
summary:
  description: How many namespaces, pods and policies there are, and findings of each severity.
  returned: success
  type: dict
  sample: {"namespaces": 1, "pods": 2, "policies": 1, "findings": {"error": 0, "warning": 1, "note": 0}}
findings:
  description: What is wrong, errors first.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: Of the check; it stays the same from release to release.
      type: str
    check:
      description: Its name.
      type: str
    severity:
      description: V(error), V(warning) or V(note).
      type: str
    subject:
      description: The object.
      type: str
    path:
      description: Where in the object.
      type: str
    text:
      description: What was seen.
      type: str
    remedy:
      description: What to do.
      type: str
    file:
      description: Where the object is written.
      type: str
    line:
      description: On which line its document begins.
      type: int
reachability:
  description: An answer to each question, in their order.
  returned: success
  type: list
  elements: dict
  contains:
    verdict:
      description: >-
        V(allowed), V(denied), V(undefined) where the specification leaves it open, V(partly) where it differs between
        ports, pods or families of addresses.
      type: str
    decisions:
      description: What egress of the source and ingress of the destination decide, with tier, policies and rules.
      type: list
      elements: dict
    ports:
      description: The ports that are reached, where no port was asked for.
      type: list
      elements: str
    notes:
      description: What to know beside it.
      type: list
      elements: str
coverage:
  description: >-
    For each namespace with pods, how many of them policies restrict, by direction, in each family of addresses that
    they have. C(open_over) names the family of those that are open in one alone.
  returned: success
  type: list
  elements: dict
matrix:
  description: >-
    What namespaces reach of each other; pairs that are not among C(cells) are as C(usual) says. C(differing) lists
    pairs of which IPv6 says otherwise than IPv4.
  returned: success
  type: dict
exposure:
  description: What pods let in from outside of the cluster and out to it, by networks and ports.
  returned: success
  type: list
  elements: dict
differences:
  description: What is connected that was not before, and the other way round, where two sets are compared.
  returned: success
  type: list
  elements: dict
not_evaluated:
  description: Policies of kinds that are not evaluated.
  returned: success
  type: list
  elements: str
  sample: ["GlobalNetworkPolicy 'deny-all'"]
reports:
  description: The whole report by format.
  returned: success
  type: dict
objects:
  description: How many objects were read from manifests.
  returned: success
  type: int
  sample: 12
api_requests:
  description: How many requests were sent to the API server.
  returned: success
  type: int
  sample: 14
"""

from typing import Any

from ansible_collections.netops.kubernetes.plugins.module_utils._edge import run
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.connection import argument_spec
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.edge import ObjectsModule
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.audit_task import FORMATS, run_audit


def main() -> None:
    paths = {"type": "list", "elements": "path", "default": []}
    objects = {"type": "list", "elements": "raw", "default": []}
    module = ObjectsModule(
        argument_spec={
            **argument_spec(),
            "src": paths,
            "definitions": objects,
            "live": {"type": "bool"},
            "before_src": paths,
            "before_definitions": objects,
            "pod_networks": {"type": "list", "elements": "str", "default": []},
            "reachable": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "source": {"type": "str", "required": True},
                    "destination": {"type": "str", "required": True},
                    "protocol": {"type": "str", "default": "TCP"},
                    "port": {"type": "int"},
                },
            },
            "formats": {"type": "list", "elements": "str", "choices": list(FORMATS), "default": []},
            "fail_on": {"type": "str", "choices": ["never", "note", "warning", "error"], "default": "never"},
        },
        supports_check_mode=True,
    )

    def job() -> dict[str, Any]:
        return run_audit(module.params)

    run(module, job)


if __name__ == "__main__":
    main()
