#!/usr/bin/python
# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: coredns_info
short_description: Measure what CoreDNS has to do, and what makes it so much
version_added: 0.2.0
description:
  - Looks twice at the metrics of every CoreDNS, through the API server, and tells what came in between. Compares the
    number of CoreDNS with what nodes, cores and this load ask for, as filter
    P(netops.kubernetes.coredns_plan#filter) plans it.
  - Tells which search paths pods have, and how many questions each look-up of a name outside the cluster becomes
    with them.
  - Needs the verbs C(get) on ConfigMaps, C(list) on Deployments, DaemonSets, pods, Services and nodes, and C(get) on
    C(pods/proxy).
author:
  - netops.kubernetes contributors (@netops-collections)
extends_documentation_fragment:
  - netops.kubernetes.attributes.reading
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
  interval:
    description: Seconds between the two looks. Measure at the peak.
    type: int
    default: 10
"""

EXAMPLES = r"""
- name: Measure the load of the cluster's DNS
  netops.kubernetes.coredns_info:
    interval: 60
  register: dns

- name: Let as many CoreDNS run as it asks for
  netops.kubernetes.coredns_workload:
    replicas: "{{ dns.replicas.wanted }}"
"""

RETURN = r"""
pods:
  description: >-
    Each CoreDNS. Where C(measured), questions and failures a second, the share of questions that its cache answered,
    and how many questions came for each whose answer is not that there is no such name.
  returned: success
  type: list
  elements: dict
  sample:
    - {name: coredns-5d78c9869d-4wq2x, node: worker-1, ready: true, measured: true, queries: 812.4, failures: 0.0,
       cache_hits: 0.914, questions_per_answer: 3.4}
queries:
  description: Questions a second of all together.
  returned: success
  type: float
  sample: 1602.1
questions_per_answer:
  description: >-
    How many questions came for each whose answer is not that there is no such name. What is above 1 are search paths,
    and names that are nowhere. 0 when all are.
  returned: success
  type: float
  sample: 3.6
replicas:
  description: How many run and are ready, how many are wanted, the memory that each needs in MiB, and the reasons.
  returned: success
  type: dict
  sample: {running: 2, wanted: 3, memory_mib: 58, reasons: ["3 for 40 nodes at 16 a replica"]}
autopath:
  description: Whether CoreDNS walks the search path itself.
  returned: success
  type: bool
search_paths:
  description: >-
    The search paths of pods that ask the cluster's DNS, without the domains that their nodes add. C(questions) is what
    one look-up of a name such as www.example.com becomes, for IPv4 and IPv6.
  returned: success
  type: list
  elements: dict
  sample: [{ndots: 5, domains: 3, questions: 8, pods: 412, examples: [shop/web-0]}]
problems:
  description: What people should look at; one line each.
  returned: success
  type: list
  elements: str
  sample: ["2 CoreDNS are ready, the plan wants 3"]
api_requests:
  description: How many requests were sent to the API server.
  returned: success
  type: int
  sample: 12
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.netops.kubernetes.plugins.module_utils._coredns.load_task import coredns_info
from ansible_collections.netops.kubernetes.plugins.module_utils._edge import run
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.connection import argument_spec


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **argument_spec(),
            "namespace": {"type": "str", "default": "kube-system"},
            "name": {"type": "str", "default": "coredns"},
            "interval": {"type": "int", "default": 10},
        },
        supports_check_mode=True,
    )
    run(module, lambda: coredns_info(module.params))


if __name__ == "__main__":
    main()
