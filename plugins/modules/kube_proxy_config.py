#!/usr/bin/python
# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: kube_proxy_config
short_description: Change the mode and settings of a running cluster's kube-proxy
version_added: 0.1.0
description:
  - Edits the configuration in ConfigMap C(kube-system/kube-proxy), field by field; every other line stays as it is.
  - When something changed, restarts kube-proxy's DaemonSet by a rolling update and waits for it. A run that was killed
    in between is completed by the next one.
  - The first configuration found is kept in an annotation; O(state=absent) gives it back.
  - Needs the verbs C(get), C(update) and C(patch) on the ConfigMap, C(get) and C(patch) on the DaemonSet.
author:
  - netops.kubernetes contributors (@netops-collections)
extends_documentation_fragment:
  - netops.kubernetes.attributes
  - netops.kubernetes.connection
options:
  state:
    description: V(absent) gives back the configuration from before the first edit.
    type: str
    choices: [present, absent]
    default: present
  mode:
    description: How Services are served. V(ipvs) is deprecated since Kubernetes 1.35.
    type: str
    choices: [iptables, ipvs, nftables]
  ipvs:
    description: Settings of mode V(ipvs).
    type: dict
    suboptions:
      scheduler:
        description: Which end point a new connection gets; the kernel needs the module of that name.
        type: str
        choices: [rr, wrr, lc, wlc, lblc, lblcr, sh, dh, sed, nq, mh]
      strict_arp:
        description: Answer ARP only for addresses of the interface that is asked; MetalLB and kube-vip need it.
        type: bool
      exclude_cidrs:
        description: Virtual servers in these networks are left alone.
        type: list
        elements: str
      sync_period:
        description: How often rules are refreshed at least, such as V(30s).
        type: str
      min_sync_period:
        description: How often rules are refreshed at most.
        type: str
      tcp_timeout:
        description: How long an idle TCP connection is kept; V(0s) keeps the kernel's.
        type: str
      tcp_fin_timeout:
        description: How long a TCP connection is kept after its end.
        type: str
      udp_timeout:
        description: How long a UDP flow is kept.
        type: str
  node_port_addresses:
    description: Networks whose addresses serve NodePorts; an empty list means all.
    type: list
    elements: str
  metrics_bind_address:
    description: Address and port of the metrics server.
    type: str
  wait:
    description: Wait until every kube-proxy runs with the new configuration.
    type: bool
    default: true
  wait_timeout:
    description: Seconds to wait.
    type: int
    default: 300
"""

EXAMPLES = r"""
- name: Serve Services by IPVS with the least-connection scheduler
  netops.kubernetes.kube_proxy_config:
    mode: ipvs
    ipvs:
      scheduler: lc

- name: Give back what was there before
  netops.kubernetes.kube_proxy_config:
    state: absent
"""

RETURN = r"""
mode:
  description: The mode after this run; an empty string is kube-proxy's own default, iptables.
  returned: success
  type: str
  sample: ipvs
restarted:
  description: Whether kube-proxy was restarted, or would be in check mode.
  returned: success
  type: bool
api_requests:
  description: How many requests were sent to the API server.
  returned: success
  type: int
  sample: 4
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.netops.kubernetes.plugins.module_utils._edge import run
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import connect
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.connection import argument_spec
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.configuration import (
    edit,
    fields_of,
    ipvs_notice,
    read,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.rollout import (
    CONFIG_MAP,
    configure,
    restore,
)


def main() -> None:
    text = {"type": "str"}
    ipvs = {
        "scheduler": {
            "type": "str",
            "choices": ["rr", "wrr", "lc", "wlc", "lblc", "lblcr", "sh", "dh", "sed", "nq", "mh"],
        },
        "strict_arp": {"type": "bool"},
        "exclude_cidrs": {"type": "list", "elements": "str"},
        "sync_period": text,
        "min_sync_period": text,
        "tcp_timeout": text,
        "tcp_fin_timeout": text,
        "udp_timeout": text,
    }
    module = AnsibleModule(
        argument_spec={
            **argument_spec(),
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "mode": {"type": "str", "choices": ["iptables", "ipvs", "nftables"]},
            "ipvs": {"type": "dict", "options": ipvs},
            "node_port_addresses": {"type": "list", "elements": "str"},
            "metrics_bind_address": text,
            "wait": {"type": "bool", "default": True},
            "wait_timeout": {"type": "int", "default": 300},
        },
        supports_check_mode=True,
    )

    def job() -> dict[str, Any]:
        asked = module.params
        fields = fields_of(asked)
        client = connect(asked)
        patience = asked["wait_timeout"] if asked["wait"] else 0
        if asked["state"] == "absent":
            outcome = restore(client, check=module.check_mode, wait_timeout=patience)
        else:
            outcome = configure(client, lambda text: edit(text, fields), check=module.check_mode, wait_timeout=patience)
        mode = read(outcome.after).get("mode") or ""
        if mode == "ipvs" and outcome.restarted:
            notice = ipvs_notice(client.server_version)
            if notice:
                module.warn(notice)
        name = str(CONFIG_MAP)
        return {
            "changed": outcome.before != outcome.after or outcome.restarted,
            "mode": mode,
            "restarted": outcome.restarted,
            "api_requests": client.requests,
            "diff": {
                "before": outcome.before + "\n",
                "after": outcome.after + "\n",
                "before_header": name,
                "after_header": name,
            },
        }

    run(module, job)


if __name__ == "__main__":
    main()
