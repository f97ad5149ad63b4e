#!/usr/bin/python
# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: coredns_rollout
short_description: Let every CoreDNS take a new Corefile, and give the old one back if DNS does not answer
version_added: 0.2.0
description:
  - Goes on where M(netops.kubernetes.corefile) with C(provisional=true) stopped. That module has written the Corefile
    and noted what was there before.
  - O(state=loaded) waits until every CoreDNS runs with the Corefile, and returns what to ask, and where, for a proof.
    M(netops.kubernetes.dns_check) asks it from the nodes. O(state=finished) ends the roll-out by the answers.
  - A pod's annotation is changed so that its kubelet looks at the ConfigMap at once; CoreDNS' plugin C(reload) says in
    its log, and by its metric, which Corefile runs. Where CoreDNS does not say that, or does not take it in half of
    O(wait_timeout), its pods are replaced.
  - What is pending stands on the ConfigMap. A roll-out that was killed goes on with the next run.
  - Needs the verbs C(get) and C(update) on the ConfigMap; C(list) and C(patch) on pods, C(get) on C(pods/log) and
    C(pods/proxy); C(get), C(list) and C(patch) on Deployments and DaemonSets; C(list), C(create), C(patch) and
    C(delete) on Services and EndpointSlices, all in O(namespace); C(get) on Service C(default/kubernetes).
author:
  - netops.kubernetes contributors (@netops-collections)
extends_documentation_fragment:
  - netops.kubernetes.attributes
  - netops.kubernetes.connection
attributes:
  check_mode:
    details: Nothing is pending then, so nothing is done.
options:
  state:
    description:
      - V(loaded) waits for the pods if the Corefile is not proven yet, or if one says that it runs with another, and
        makes the Services that are asked for.
      - V(finished) takes these Services away. Without O(problems) the Corefile counts as proven from then on; with
        them the Corefile from before comes back, and the module fails.
    type: str
    choices: [loaded, finished]
    required: true
  namespace:
    description: Namespace of the ConfigMap.
    type: str
    default: kube-system
  name:
    description: Name of the ConfigMap.
    type: str
    default: coredns
  key:
    description: Which key of the ConfigMap holds the Corefile.
    type: str
    default: Corefile
  digest:
    description: What M(netops.kubernetes.corefile) returned as RV(netops.kubernetes.corefile#module:digest).
    type: str
    required: true
  names:
    description: With O(state=loaded), further names that must resolve.
    type: list
    elements: str
    default: []
  zones:
    description: With O(state=loaded), zones whose servers must be reached, where none of O(names) lies in them.
    type: list
    elements: str
    default: []
  run:
    description: With O(state=finished), what O(state=loaded) returned as RV(run).
    type: str
  corefile:
    description: With O(state=finished), what O(state=loaded) returned as RV(corefile).
    type: str
  problems:
    description: With O(state=finished), what was not answered rightly.
    type: list
    elements: str
    default: []
  wait_timeout:
    description: Seconds for every CoreDNS to have the Corefile, and again for the one from before.
    type: int
    default: 180
"""

EXAMPLES = r"""
- name: Let every CoreDNS take the Corefile
  netops.kubernetes.coredns_rollout:
    state: loaded
    digest: "{{ edited.digest }}"
    names: [www.example.com]
  register: loaded

- name: Ask from this node
  netops.kubernetes.dns_check:
    servers: "{{ loaded.servers }}"
    questions: "{{ loaded.questions }}"
  register: answers
  delegate_to: worker-1

- name: Keep the Corefile, or give the one from before back
  netops.kubernetes.coredns_rollout:
    state: finished
    digest: "{{ edited.digest }}"
    run: "{{ loaded.run }}"
    corefile: "{{ loaded.corefile }}"
    problems: "{{ answers.problems }}"
"""

RETURN = r"""
servers:
  description: Addresses to ask.
  returned: with O(state=loaded)
  type: list
  elements: str
  sample: [10.96.0.10]
questions:
  description: What to ask, in the form of M(netops.kubernetes.dns_check).
  returned: with O(state=loaded)
  type: list
  elements: dict
  sample: [{name: kubernetes.default.svc.cluster.local, type: A, wants: records, values: [10.96.0.1]}]
run:
  description: What tells the Services of this run from those of others.
  returned: with O(state=loaded)
  type: str
  sample: 5f1a0c
corefile:
  description: What every CoreDNS runs with.
  returned: with O(state=loaded)
  type: str
  sample: ".:53 {\n    errors\n}\n"
api_requests:
  description: How many requests were sent to the API server.
  returned: success
  type: int
  sample: 12
"""

import dataclasses
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.netops.kubernetes.plugins.module_utils._coredns import rollout
from ansible_collections.netops.kubernetes.plugins.module_utils._coredns.workload import Place
from ansible_collections.netops.kubernetes.plugins.module_utils._edge import run
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import connect
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.connection import argument_spec
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ObjectRef


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **argument_spec(),
            "state": {"type": "str", "choices": ["loaded", "finished"], "required": True},
            "namespace": {"type": "str", "default": "kube-system"},
            "name": {"type": "str", "default": "coredns"},
            "key": {"type": "str", "default": "Corefile", "no_log": False},
            "digest": {"type": "str", "required": True},
            "names": {"type": "list", "elements": "str", "default": []},
            "zones": {"type": "list", "elements": "str", "default": []},
            "run": {"type": "str"},
            "corefile": {"type": "str"},
            "problems": {"type": "list", "elements": "str", "default": []},
            "wait_timeout": {"type": "int", "default": 180},
        },
        required_if=[("state", "finished", ["run", "corefile"])],
        supports_check_mode=True,
    )

    def job() -> dict[str, Any]:
        asked = module.params
        if module.check_mode:
            return {"changed": False, "servers": [], "questions": [], "run": "", "corefile": "", "api_requests": 0}
        client = connect(asked)
        place = Place(ObjectRef("v1", "ConfigMap", asked["name"], asked["namespace"]), asked["key"])
        written, timeout = asked["digest"], asked["wait_timeout"]
        if asked["state"] == "loaded":
            proof = rollout.load(
                client, place, written=written, names=asked["names"], zones=asked["zones"], timeout=timeout
            )
            told = dataclasses.asdict(proof)
            return {"changed": told.pop("touched"), **told, "api_requests": client.requests}
        is_noted = rollout.finish(
            client,
            place,
            run=asked["run"],
            corefile=asked["corefile"],
            written=written,
            problems=asked["problems"],
            timeout=timeout,
        )
        return {"changed": is_noted, "api_requests": client.requests}

    run(module, job)


if __name__ == "__main__":
    main()
