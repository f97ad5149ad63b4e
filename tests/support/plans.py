# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random plans, as a user could have made them."""

from __future__ import annotations

from typing import Any

from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.plan import Cluster, Plan, plan_for
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.ports import ADD_ONS, ENCAPSULATIONS
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.protocols import ICMP_TYPES
from hypothesis import strategies as st

CNIS = [(cni, encapsulation) for cni, names in ENCAPSULATIONS.items() for encapsulation in names]
SETS = ("all_nodes", "control_plane", "etcd", "pods", "admins", "anywhere", "monitoring", "office")

# No network of examples, for these are what addresses of nodes are drawn from.
VIRTUAL = ("44.128.9.0/28", "2a0e:fd45::/64")


def addresses(version: int) -> st.SearchStrategy[str]:
    return st.ip_addresses(v=4 if version == 4 else 6).map(str)


def networks() -> st.SearchStrategy[list[str]]:
    four = st.tuples(st.integers(0, 255), st.integers(0, 255)).map(lambda two: f"10.{two[0]}.{two[1]}.0/24")
    six = st.integers(0, 0xFFFF).map(lambda number: f"2001:db8:{number:x}::/48")
    return st.lists(st.one_of(four, six, addresses(4), addresses(6)), min_size=1, max_size=6)


def plans() -> st.SearchStrategy[Plan]:
    """The plan of a node of a random cluster with random changes by its user."""
    return inputs().map(lambda given: plan_for(*given))


@st.composite
def inputs(draw: st.DrawFn) -> tuple[str, Cluster, list[dict[str, Any]]]:
    """What a plan is made from: a node, its cluster, and changes."""
    count = draw(st.integers(1, 5))
    names = [f"node{number}" for number in range(count)]
    cni, encapsulation = draw(st.sampled_from([("", ""), *CNIS]))
    cluster = Cluster(
        groups={"kube_control_plane": names[:2], "kube_node": names, "etcd": draw(st.sampled_from([[], names[-1:]]))},
        addresses={name: [draw(addresses(4)), draw(addresses(6))] for name in names},
        pod_cidrs=draw(st.sampled_from([(), ("10.244.0.0/16",), ("10.244.0.0/16", "2001:db8:244::/56")])),
        service_cidrs=draw(st.sampled_from([(), ("10.96.0.0/16",), ("10.96.0.0/16", "2001:db8:96::/112")])),
        load_balancer_cidrs=draw(st.sampled_from([(), VIRTUAL[:1], VIRTUAL])),
        cni=cni,
        encapsulations=(encapsulation,),
        add_ons=tuple(draw(st.lists(st.sampled_from(sorted(ADD_ONS)), unique=True, max_size=4))),
        peers={
            "office": draw(networks()),
            "monitoring": draw(networks()),
            "bgp_peers": draw(networks()),
            **draw(st.sampled_from([{}, {"admins": ["198.51.100.0/24"]}])),
        },
    )
    return draw(st.sampled_from(names)), cluster, draw(changes(bool(cluster.pod_cidrs)))


@st.composite
def changes(draw: st.DrawFn, pods: bool) -> list[dict[str, Any]]:
    known = [name for name in SETS if pods or name != "pods"]
    peers = st.lists(st.sampled_from(known), min_size=1, max_size=3, unique=True)
    made: list[dict[str, Any]] = []
    for number in range(draw(st.integers(0, 4))):
        low = 20000 + 100 * number
        ports = draw(st.sampled_from([str(low), f"{low}-{low + 50}"]))
        protocol = draw(st.sampled_from(["tcp", "udp", "sctp"]))
        made.append({"id": f"mine-{number}", "protocol": protocol, "ports": ports, "peers": draw(peers)})
    if draw(st.booleans()):
        made.append({"id": "mine-ip", "protocol": f"ip:{draw(st.sampled_from([33, 89, 103]))}", "peers": draw(peers)})
    if draw(st.booleans()):
        unused = {"icmp": "timestamp-request,echo-reply", "icmpv6": "mld-listener-done"}
        protocol = draw(st.sampled_from(sorted(ICMP_TYPES)))
        made.append({"id": "mine-icmp", "protocol": protocol, "ports": unused[protocol], "peers": draw(peers)})
    if draw(st.booleans()):
        made.append(
            draw(
                st.sampled_from(
                    [{"id": "nodeport-tcp", "state": "absent"}, {"id": "nodeport-udp", "peers": ["office"]}]
                )
            )
        )
    return made
