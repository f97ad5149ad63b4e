#!/usr/bin/python
# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: network_policy_baseline
short_description: Apply a baseline of network policies to any number of namespaces
version_added: 0.1.0
description:
  - Applies allow rules and default denies to the chosen namespaces in one call. In each, a policy that says what all of
    them say comes first and goes last, so that no namespace is ever denied without its allows, nor opened.
  - Tells before it acts which connections that work would break, the first ones in a warning, more in the diff, and all
    in RV(impact).
  - Only policies with the labels C(netops.kubernetes/baseline=network-policy) and
    C(app.kubernetes.io/managed-by=netops.kubernetes) are changed or removed, and those that an earlier release wrote,
    which bear the second one alone and the name of a template. Other policies that the collection applied are not.
  - Says so when nothing on the cluster enforces policies.
  - Needs the verbs C(list), C(patch), C(create) and C(delete) on networkpolicies, C(list) on namespaces, nodes,
    daemonsets, deployments, endpointslices, webhook configurations, apiservices and customresourcedefinitions, C(get)
    and C(list) on services, with Cilium C(get) on the ConfigMap C(cilium-config). To tell the impact, C(list) on pods,
    ingresses, and what is served of Gateway API routes, ServiceMonitors, PodMonitors and cluster-wide policies.
author:
  - netops.kubernetes contributors (@netops-collections)
extends_documentation_fragment:
  - netops.kubernetes.attributes
  - netops.kubernetes.connection
options:
  state:
    description: >-
      V(absent) removes every policy of ours from the chosen namespaces, and from all but O(exclude_namespaces) where
      neither O(namespaces) nor O(namespace_selector) is given. Cluster-wide ones of every kind go in the latter case,
      with O(cluster_wide), and where all the namespaces that they are for are chosen.
    type: str
    choices: [present, absent]
    default: present
  profile:
    description: >-
      Which policies. V(ingress-deny) closes what comes in, V(zero-trust) also what goes out, V(audit-only) neither, and
      removes what an earlier run applied.
    type: str
    choices: [audit-only, ingress-deny, zero-trust]
    default: ingress-deny
  policies:
    description: Templates by name, instead of those of O(profile).
    type: list
    elements: str
    choices:
      - allow-all-ingress
      - allow-all-egress
      - allow-dns
      - allow-same-namespace
      - allow-from-ingress
      - allow-from-monitoring
      - allow-to-apiserver
      - allow-from-apiserver
      - allow-nodes
      - default-deny-ingress
      - default-deny-egress
      - default-deny-all
  cluster_wide:
    description:
      - Write one cluster-wide policy, C(netops-baseline), instead of policies in each namespace. It holds for the
        namespaces that O(namespaces) or O(namespace_selector) mean, one of the two, and for new ones at once.
      - V(detect) takes the first of V(ClusterNetworkPolicy), V(GlobalNetworkPolicy) and
        V(CiliumClusterwideNetworkPolicy) that the cluster serves. V(StagedGlobalNetworkPolicy) only logs what it would
        do.
      - Policies of other kinds that an earlier run wrote go after the new one is there, but for
        V(StagedGlobalNetworkPolicy), which makes nothing go. So do those of the chosen namespaces, and with V(none) a
        cluster-wide one that is for chosen namespaces alone.
      - None of them knows "the same namespace", so C(allow-same-namespace) is said for each namespace that is there;
        a new one has it after the next run.
      - With V(ClusterNetworkPolicy), V(AdminNetworkPolicy) and V(BaselineAdminNetworkPolicy), ingress is denied from
        pods only.
      - V(AdminNetworkPolicy) decides before NetworkPolicies. What the baseline allows, it passes on to them; what it
        denies, they cannot open.
      - Of V(BaselineAdminNetworkPolicy) there is only one on a cluster, C(default). It cannot say
        C(allow-same-namespace) but for one namespace by name.
      - RV(impact) of V(GlobalNetworkPolicy), V(StagedGlobalNetworkPolicy) and V(CiliumClusterwideNetworkPolicy) is told
        as of NetworkPolicies that say the same. What such a policy that stands already does is not taken into account.
    type: str
    choices:
      - none
      - detect
      - ClusterNetworkPolicy
      - AdminNetworkPolicy
      - BaselineAdminNetworkPolicy
      - GlobalNetworkPolicy
      - StagedGlobalNetworkPolicy
      - CiliumClusterwideNetworkPolicy
    default: none
  custom_policies:
    description:
      - Allows of your own, in each chosen namespace and for all of its pods. With O(profile=audit-only) there are none.
      - They are written in the form of a NetworkPolicy's rules and read as strictly as the API server does.
      - A policy isolates in each direction that it has rules for. So of one with both, only the rules of the directions
        count that the chosen policies deny.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the policy; a template's name is taken.
        type: str
        required: true
      ingress:
        description: Rules with C(from) and C(ports).
        type: list
        elements: dict
      egress:
        description: Rules with C(to) and C(ports).
        type: list
        elements: dict
  namespaces:
    description: Namespaces by name.
    type: list
    elements: str
    default: []
  namespace_selector:
    description: Further namespaces by label values. System namespaces are never chosen so.
    type: dict
    default: {}
  exclude_namespaces:
    description: Namespaces that are left out.
    type: list
    elements: str
    default: []
  deselected:
    description:
      - What becomes of policies that an earlier run wrote for namespaces that this one is not for.
      - V(warn) leaves them as they are and names the namespaces, V(keep) does so in silence, for namespaces that
        another play is for. V(remove) removes them, but for those in O(exclude_namespaces).
    type: str
    choices: [warn, keep, remove]
    default: warn
  ingress_namespaces:
    description: Where Ingress or Gateway controllers run, beyond those that are detected.
    type: list
    elements: str
    default: []
  monitoring_namespaces:
    description: Where the monitoring runs.
    type: list
    elements: str
    default: []
  flow_logs:
    description:
      - Files with observed flows, a JSON object a line, as C(hubble observe -o json) or Calico's flow logs print them.
      - What was let through there counts as needed in RV(impact).
    type: list
    elements: path
    default: []
  max_broken:
    description:
      - The task fails, before it changes anything and in check mode too, when more connections that work would break.
        V(0) lets nothing break that is known to be needed.
      - Without it, RV(impact) tells and nothing fails. V(StagedGlobalNetworkPolicy) of O(cluster_wide) breaks nothing.
    type: int
  batch_size:
    description:
      - How many namespaces are changed at once. After each batch, each workload must have as many ready pods as before,
        or the batch is undone and the task fails. Pods that were replaced meanwhile count for their workload; one that
        was scaled down is as it should be.
      - With O(cluster_wide), any number but V(0) means a look at the pods of all chosen namespaces.
      - V(0) changes all at once and does not look, as O(state=absent) does in any case.
    type: int
    default: 20
  batch_wait:
    description:
      - Seconds between the change of a batch and the look at its pods. A batch without ready pods does not wait.
      - The default is what a readiness probe takes to fail that has Kubernetes' own numbers, three times in 30 seconds,
        with some to spare. Slower probes need more.
    type: int
    default: 35
"""

EXAMPLES = r"""
- name: Close what comes into the namespaces of a team
  netops.kubernetes.network_policy_baseline:
    profile: ingress-deny
    namespace_selector:
      team: shop
    monitoring_namespaces: [monitoring]

- name: Close both directions, a few namespaces at a time, and break nothing that is known to be needed
  netops.kubernetes.network_policy_baseline:
    profile: zero-trust
    namespaces: [shop, data]
    custom_policies:
      - name: allow-mail
        egress:
          - to:
              - ipBlock:
                  cidr: 192.0.2.0/24
                  except: [192.0.2.128/25]
            ports:
              - port: 587
    flow_logs: [flows.json]
    max_broken: 0
    batch_size: 1
    batch_wait: 60
"""

RETURN = r"""
namespaces:
  description: The chosen namespaces.
  returned: success
  type: list
  elements: str
  sample: [shop]
policies:
  description: What was done, or would be in check mode.
  returned: success
  type: list
  elements: dict
  contains:
    object:
      description: Kind, namespace and name.
      type: str
    action:
      description: V(created), V(changed) or V(deleted).
      type: str
  sample: [{"object": "NetworkPolicy 'shop/default-deny-ingress'", "action": "created"}]
impact:
  description:
    - Connections that work now and that the change would forbid or has forbidden, by namespace.
    - They are told from Services, routes, webhooks, conversions, aggregated APIs, monitors, accounts for the API
      server, and flow logs. A connection that none of them tells of is not known.
  returned: success
  type: list
  elements: dict
  contains:
    namespace:
      description: Whose policies forbid it.
      type: str
    source:
      description: A pod, a node or an address.
      type: str
    destination:
      description: A pod, a node or an address.
      type: str
    protocol:
      description: TCP, UDP or SCTP.
      type: str
    port:
      description: The destination's.
      type: int
    reason:
      description: How it is known.
      type: str
    why:
      description: What forbids it.
      type: str
enforcement:
  description: What enforces policies on this cluster; empty when nothing does.
  returned: success
  type: str
  sample: Calico
api_requests:
  description: How many requests were sent to the API server.
  returned: success
  type: int
  sample: 9
"""

from functools import partial

from ansible_collections.netops.kubernetes.plugins.module_utils._kube.connection import argument_spec
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.edge import ObjectsModule, run_shown
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.baseline_task import baseline
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.everywhere import API_VERSIONS
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.templates import PROFILES, TEMPLATES


def main() -> None:
    names = {"type": "list", "elements": "str", "default": []}
    rules = {"type": "list", "elements": "dict"}
    module = ObjectsModule(
        argument_spec={
            **argument_spec(),
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "profile": {"type": "str", "choices": list(PROFILES), "default": "ingress-deny"},
            "policies": {"type": "list", "elements": "str", "choices": list(TEMPLATES)},
            "cluster_wide": {"type": "str", "choices": ["none", "detect", *API_VERSIONS], "default": "none"},
            "custom_policies": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {"name": {"type": "str", "required": True}, "ingress": rules, "egress": rules},
            },
            "namespaces": names,
            "namespace_selector": {"type": "dict", "default": {}},
            "exclude_namespaces": names,
            "deselected": {"type": "str", "choices": ["warn", "keep", "remove"], "default": "warn"},
            "ingress_namespaces": names,
            "monitoring_namespaces": names,
            "flow_logs": {"type": "list", "elements": "path", "default": []},
            "max_broken": {"type": "int"},
            "batch_size": {"type": "int", "default": 20},
            "batch_wait": {"type": "int", "default": 35},
        },
        supports_check_mode=True,
    )

    run_shown(module, partial(baseline, warn=module.warn))


if __name__ == "__main__":
    main()
