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
  - Edits the configuration in ConfigMap C(kube-system/kube-proxy), field by field; every other character stays as it
    is, comments and unknown fields too. When somebody else writes in between, it reads and edits again.
  - Values are judged as the kube-proxy that runs judges them; a configuration with which it would not start is
    refused before anything is written.
  - When something changed that kube-proxy acts on, restarts it, all nodes by the DaemonSet's rolling update, or node
    by node with M(netops.kubernetes.kube_proxy_rollout). A run that was killed in between is completed by the next
    one. Settings of a mode that is not in use restart nothing.
  - The first configuration found is kept in an annotation; O(state=absent) gives it back.
  - Needs the verbs C(get), C(update) and C(patch) on the ConfigMap, C(get) and C(patch) on the DaemonSet, and C(list)
    on pods in C(kube-system) for O(restart=held).
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
  path:
    description:
      - A file on the host that the module runs on, instead of the ConfigMap, where systemd runs kube-proxy. The first
        text found is kept beside it.
      - Restarts nothing; RV(restarted) says that a restart is needed.
      - Needs C(PyYAML) on that host.
    type: path
  version:
    description:
      - The version of the kube-proxy that reads O(path), such as V(v1.36.3).
      - For a ConfigMap it is read from the DaemonSet.
    type: str
  restart:
    description:
      - V(rolling) lets the DaemonSet restart every kube-proxy in its own way.
      - V(held) restarts none and holds every node back, by update strategy C(OnDelete); RV(pending_nodes) are those to
        restart with M(netops.kubernetes.kube_proxy_rollout).
    type: str
    choices: [rolling, held]
    default: rolling
  mode:
    description:
      - How Services are served.
      - V(ipvs) is deprecated since Kubernetes 1.35 (KEP-5495). Upstream plans to turn it off by default in 1.40, where
        its feature gate, which this module sets, still allows it, and to remove it in 1.43, where this module refuses.
        V(nftables) is its successor.
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
  iptables:
    description: Settings of mode V(iptables); masquerading is used by mode V(ipvs) too.
    type: dict
    suboptions:
      masquerade_all:
        description: Masquerade all traffic to Services.
        type: bool
      masquerade_bit:
        description: Which bit of a packet's mark says that it is to be masqueraded.
        type: int
      localhost_node_ports:
        description: Serve NodePorts on the loopback address too.
        type: bool
      sync_period:
        description: How often rules are refreshed at least.
        type: str
      min_sync_period:
        description: How often rules are refreshed at most.
        type: str
  nftables:
    description: Settings of mode V(nftables).
    type: dict
    suboptions:
      masquerade_all:
        description: Masquerade all traffic to Services.
        type: bool
      masquerade_bit:
        description: Which bit of a packet's mark says that it is to be masqueraded.
        type: int
      sync_period:
        description: How often rules are refreshed at least.
        type: str
      min_sync_period:
        description: How often rules are refreshed at most.
        type: str
  conntrack:
    description: Settings of the kernel's connection tracking.
    type: dict
    suboptions:
      max_per_core:
        description: How many connections are tracked at most, for each processor; V(0) leaves the kernel's limit.
        type: int
      min:
        description: The least number of connections that are tracked, however few processors there are.
        type: int
      tcp_established_timeout:
        description: How long an idle TCP connection is tracked.
        type: str
      tcp_close_wait_timeout:
        description: How long a TCP connection is tracked that one side has closed.
        type: str
      tcp_be_liberal:
        description: Let packets outside of a connection's window pass.
        type: bool
      udp_timeout:
        description: How long a UDP flow is tracked that was not answered.
        type: str
      udp_stream_timeout:
        description: How long a UDP flow is tracked that was answered.
        type: str
  node_port_addresses:
    description:
      - Networks whose addresses serve NodePorts; an empty list means all, in mode V(nftables) the node's own address.
      - V(primary) is the node's own address; from Kubernetes 1.37 there are V(localhost) and V(all) too.
    type: list
    elements: str
  cluster_cidrs:
    description: The pod network, or one of each family; traffic from elsewhere to a Service is masqueraded.
    type: list
    elements: str
  detect_local_mode:
    description: How traffic of the node's own pods is told.
    type: str
    choices: [ClusterCIDR, NodeCIDR, BridgeInterface, InterfaceNamePrefix]
  detect_local:
    description: What O(detect_local_mode) looks for.
    type: dict
    suboptions:
      bridge_interface:
        description: The bridge of the pods.
        type: str
      interface_name_prefix:
        description: How the names of the pods' interfaces begin.
        type: str
  metrics_bind_address:
    description: Address and port of the metrics server.
    type: str
  healthz_bind_address:
    description: Address and port of the health check.
    type: str
  wait:
    description: With O(restart=rolling), wait until every kube-proxy runs with the new configuration.
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

- name: Serve Services by nftables, and restart the nodes later, one after the other
  netops.kubernetes.kube_proxy_config:
    mode: nftables
    restart: held
  register: kube_proxy

- name: Edit the file of a kube-proxy that systemd runs
  netops.kubernetes.kube_proxy_config:
    path: /var/lib/kube-proxy/config.conf
    version: v1.36.3
    mode: nftables

- name: Give back what was there before
  netops.kubernetes.kube_proxy_config:
    state: absent
"""

RETURN = r"""
mode:
  description: The mode after this run.
  returned: success
  type: str
  sample: ipvs
settings:
  description:
    - What the configuration demands of the nodes after this run, by the names of the options; where it says nothing,
      what kube-proxy takes.
  returned: success
  type: dict
  sample:
    scheduler: rr
    strict_arp: false
    exclude_cidrs: []
    metrics_bind_address: 127.0.0.1:10249
    healthz_bind_address: 0.0.0.0:10256
restarted:
  description: Whether kube-proxy was restarted, or must be, or would be in check mode.
  returned: success
  type: bool
pending_nodes:
  description: With O(restart=held), the nodes whose kube-proxy runs with another configuration still.
  returned: success
  type: list
  elements: str
  sample: [worker-1]
api_requests:
  description: How many requests were sent to the API server.
  returned: success
  type: int
  sample: 2
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.netops.kubernetes.plugins.module_utils._edge import run
from ansible_collections.netops.kubernetes.plugins.module_utils._kube import connection
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy import fields, task


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **connection.argument_spec(),
            **fields.argument_spec(),
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "path": {"type": "path"},
            "version": {"type": "str"},
            "restart": {"type": "str", "choices": ["rolling", "held"], "default": "rolling"},
            "wait": {"type": "bool", "default": True},
            "wait_timeout": {"type": "int", "default": 300},
        },
        required_by={"path": ["version"]},
        supports_check_mode=True,
    )

    def job() -> dict[str, Any]:
        result = task.configure(module.params, check=module.check_mode)
        for warning in result.pop("notices"):
            module.warn(warning)
        return result

    run(module, job)


if __name__ == "__main__":
    main()
