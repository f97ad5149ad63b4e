# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""What each CNI makes on a node, by names that are its own: a table, and nothing but names.

A name that others use too (a bridge daemon's routes, a kernel's fallback device) is not in it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ansible_collections.netops.kubernetes.plugins.module_utils._netplan.routes import CALICO_PROTOCOLS

NOTHING = re.compile(r"(?!)")
CONFIGURATIONS = "/etc/cni/net.d"
PROGRAMS = "/opt/cni/bin"


@dataclass(frozen=True)
class Traces:
    """What one CNI makes.

    :param links: names of network devices.
    :param vxlan_links: names of VXLAN devices that end in their network's number, its first group: such a name is not
        the CNI's alone, so the device must also be made as the CNI makes it.
    :param chains: names of iptables chains.
    :param rules: rules in chains of others, as ``iptables-save`` writes them.
    :param ipsets: names of ipsets.
    :param nft_tables: family and name.
    :param files: files, ``*`` stands for anything.
    :param folders: folders that go with all that is in them; what is mounted there is unmounted first.
    :param parents: folders that others may use too; they go when nothing is in them any more.
    :param filters: in names of traffic control's BPF filters, as tc(8) tells them.
    :param route_protocols: who made a route, as ip(8) names it; only routes into the pod networks count.
    :param rule_tables: routing tables that ``ip rule`` leads to, with what is in them.
    :param local_rule: the priority that the kernel's own rule for local addresses was moved to, from 0.
    :param source: where the names come from.
    """

    links: re.Pattern[str]
    chains: re.Pattern[str]
    files: tuple[str, ...]
    folders: tuple[str, ...]
    source: str
    vxlan_links: re.Pattern[str] = NOTHING
    parents: tuple[str, ...] = ()
    filters: re.Pattern[str] = NOTHING
    rules: re.Pattern[str] = NOTHING
    ipsets: re.Pattern[str] = NOTHING
    nft_tables: tuple[tuple[str, str], ...] = ()
    route_protocols: frozenset[str] = frozenset()
    rule_tables: frozenset[str] = frozenset()
    local_rule: int = 0


TRACES = {
    "flannel": Traces(
        links=re.compile(r"cni0|flannel0|flannel\.1|flannel-v6\.1|flannel-wg|flannel-wg-v6"),
        vxlan_links=re.compile(r"flannel(?:-v6)?\.(\d+)"),
        chains=re.compile(r"FLANNEL-POSTRTG|FLANNEL-FWD"),
        nft_tables=(("ip", "flannel-ipv4"), ("ip6", "flannel-ipv6")),
        files=(f"{CONFIGURATIONS}/10-flannel.conflist", f"{PROGRAMS}/flannel", "/var/lib/cni/results/cbr0-*"),
        folders=("/run/flannel", "/var/lib/cni/flannel", "/var/lib/cni/networks/cbr0"),
        source="github.com/flannel-io/flannel, pkg/trafficmngr and pkg/backend",
    ),
    "calico": Traces(
        links=re.compile(
            r"cali[0-9a-f]{11}|vxlan\.calico|vxlan-v6\.calico|wireguard\.cali|wg-v6\.cali|bpf(in|out)\.cali"
        ),
        chains=re.compile(r"cali-.+"),
        rules=re.compile(r'--comment "cali:[A-Za-z0-9_-]+"'),
        ipsets=re.compile(r"cali[46].+"),
        nft_tables=(("ip", "calico"), ("ip6", "calico")),
        files=(
            f"{CONFIGURATIONS}/10-calico.conflist",
            f"{CONFIGURATIONS}/calico-kubeconfig",
            f"{PROGRAMS}/calico",
            f"{PROGRAMS}/calico-ipam",
            "/var/lib/cni/results/k8s-pod-network-*",
            "/sys/fs/bpf/tc/globals/cali_*",
            # Links to the cgroup, which end with their last name.
            "/sys/fs/bpf/ctlb/cali*",
        ),
        folders=(
            "/run/calico",
            "/var/lib/calico",
            "/var/log/calico",
            "/etc/calico",
            "/var/lib/cni/networks/k8s-pod-network",
        ),
        parents=("/sys/fs/bpf/tc/globals", "/sys/fs/bpf/tc", "/sys/fs/bpf/ctlb"),
        filters=re.compile(r"\bcali(co)?_"),
        route_protocols=CALICO_PROTOCOLS,
        source="github.com/projectcalico/calico, felix/rules, felix/dataplane/linux, felix/bpf and felix/bpf-gpl",
    ),
    "cilium": Traces(
        links=re.compile(r"cilium_(host|net|vxlan|geneve|wg0|ipip4|ipip6|tunl|ip6tnl)|lxc_health|lxc[0-9a-f]{12}"),
        chains=re.compile(r"(OLD_)?CILIUM_.+"),
        rules=re.compile(r'--comment "cilium[:-]'),
        ipsets=re.compile(r"cilium_.+"),
        files=(
            f"{CONFIGURATIONS}/05-cilium.conflist",
            f"{PROGRAMS}/cilium-cni",
            "/etc/sysctl.d/99-zzz-override_cilium.conf",
            "/sys/fs/bpf/tc/globals/cilium_*",
        ),
        folders=("/sys/fs/bpf/cilium", "/run/cilium", "/var/lib/cilium"),
        parents=("/sys/fs/bpf/tc/globals", "/sys/fs/bpf/tc"),
        # Where the kernel has no other way, before Linux 6.6; called as their functions are since Cilium 1.13.1.
        filters=re.compile(r"\bcil_|cilium"),
        rule_tables=frozenset({"2004", "2005"}),
        local_rule=100,
        source="github.com/cilium/cilium, cilium-dbg/cmd/post_uninstall_cleanup.go and pkg/datapath/linux",
    ),
    "weave": Traces(
        links=re.compile(r"weave|datapath|vxlan-6784|vethwe-bridge|vethwe-datapath|vethwepl[0-9a-f]{7}"),
        chains=re.compile(r"WEAVE(-.+)?"),
        ipsets=re.compile(r"weave-.+"),
        files=(
            f"{CONFIGURATIONS}/10-weave.conflist",
            f"{CONFIGURATIONS}/10-weave.conf",
            f"{PROGRAMS}/weave-net",
            f"{PROGRAMS}/weave-ipam",
            f"{PROGRAMS}/weave-plugin-*",
        ),
        folders=("/var/lib/weave", "/run/weave"),
        source="github.com/weaveworks/weave, weave reset",
    ),
}
