# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must be served, and the table of IPVS; the other tables are written by the real kube-proxy in tests/api."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.dataplane import (
    VirtualServer,
    other_schedulers,
    outside,
    parse_ip_vs,
    problems,
    served_by_ipvs,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.services import Server, rows_of, servers

PROC = """\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
TCP  0A600001:01BB lc
  -> C612000B:192B      Masq    1      0          0
  -> C612000C:192B      Masq    0      2          0
UDP  0A60000A:0035 rr persistent 10800
TCP  [2001:0db8:0000:0000:0000:0000:0000:000a]:0035 rr
  -> [2001:0db8:0000:0000:0000:0000:0000:00ff]:1F90      Masq    1      0          0
"""
IPVSADM = """\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
TCP  10.96.0.1:443 lc
  -> 198.18.0.11:6443             Masq    1      0          0
  -> 198.18.0.12:6443             Masq    0      2          0
UDP  10.96.0.10:53 rr persistent 10800
TCP  [2001:db8::a]:53 rr
  -> [2001:db8::ff]:8080          Masq    1      0          0
"""
TABLE = (
    VirtualServer("TCP", "10.96.0.1", 443, "lc", ("198.18.0.11:6443",)),
    VirtualServer("UDP", "10.96.0.10", 53, "rr", ()),
    VirtualServer("TCP", "2001:db8::a", 53, "rr", ("[2001:db8::ff]:8080",)),
)


@pytest.mark.parametrize(("text", "is_hexadecimal"), [(PROC, True), (IPVSADM, False)])
def test_the_table_of_ipvs_as_the_kernel_and_ipvsadm_write_it(text: str, is_hexadecimal: bool) -> None:
    """A real server of weight 0 gets nothing new, so it does not count."""
    assert parse_ip_vs(text, is_hexadecimal=is_hexadecimal) == TABLE


def test_no_table_has_no_servers() -> None:
    assert parse_ip_vs("", is_hexadecimal=True) == ()


def test_a_node_port_is_served_on_every_address() -> None:
    table = (
        VirtualServer("TCP", "198.18.0.11", 30080, "rr", ("10.1.0.1:80",)),
        VirtualServer("TCP", "10.1.0.254", 30080, "rr", ("10.1.0.2:80",)),
    )
    assert served_by_ipvs(table, [("TCP", 30080)])["TCP", "", 30080] == {"10.1.0.1:80", "10.1.0.2:80"}
    assert ("UDP", "", 30080) not in served_by_ipvs(table, [("UDP", 30080)])


def test_another_scheduler_is_named_where_the_server_is_a_services() -> None:
    rows = [row(cluster_ips=["10.96.0.10"], protocol="UDP", port=53, node_port=0, external_ips=[])]
    rows.append(row(cluster_ips=["2001:db8::a"], port=53))
    foreign = VirtualServer("TCP", "192.0.2.80", 80, "wlc", ())
    node_port = VirtualServer("TCP", "198.18.0.11", 30080, "sh", ())
    assert other_schedulers(servers(rows, "a"), (*TABLE, foreign, node_port), "lc") == [
        "virtual server UDP 10.96.0.10:53: its scheduler is rr; expected lc",
        "virtual server TCP [2001:db8::a]:53: its scheduler is rr; expected lc",
        "virtual server TCP 198.18.0.11:30080: its scheduler is sh; expected lc",
    ]


def test_excluded_networks_are_another_programs() -> None:
    assert tuple(outside(TABLE, [])) == TABLE
    assert tuple(outside(TABLE, ["10.96.0.0/28", "2001:db8::/64"])) == ()
    assert tuple(outside(TABLE, ["10.96.0.1/32"])) == TABLE[1:]


def row(*ends: list[Any], **changes: Any) -> dict[str, Any]:
    return {
        "service": "shop/web:http",
        "protocol": "TCP",
        "port": 80,
        "node_port": 30080,
        "cluster_ips": ["10.96.4.7"],
        "external_ips": ["192.0.2.7"],
        "internal_local": False,
        "external_local": False,
        "endpoints": [list(end) for end in ends],
        **changes,
    }


HERE, THERE, ENDING = (
    ["10.1.0.1:80", "a", "ready", False],
    ["10.1.0.2:80", "b", "ready", False],
    ["10.1.0.3:80", "b", "terminating", False],
)


def choices(one: dict[str, Any], node: str = "a") -> dict[str, tuple[set[str], set[str]]]:
    return {server.address: (set(server.must), set(server.may)) for server in servers([one], node)}


def test_all_ready_end_points_on_every_address() -> None:
    both = {"10.1.0.1:80", "10.1.0.2:80"}
    assert choices(row(HERE, THERE, ENDING)) == dict.fromkeys(("10.96.4.7", "192.0.2.7", ""), (both, both))


def test_those_that_end_serve_when_nobody_else_does() -> None:
    assert choices(row(ENDING))["10.96.4.7"] == ({"10.1.0.3:80"}, {"10.1.0.3:80"})


def test_traffic_that_stays_on_its_node() -> None:
    found = choices(row(HERE, THERE, internal_local=True, external_local=True))
    assert found["10.96.4.7"] == ({"10.1.0.1:80"}, {"10.1.0.1:80"})
    # A pod of the node reaches all of them from inside.
    assert found["192.0.2.7"] == ({"10.1.0.1:80"}, {"10.1.0.1:80", "10.1.0.2:80"})
    assert choices(row(THERE, internal_local=True))["10.96.4.7"] == (set(), set())


def test_hints_leave_a_node_a_part() -> None:
    hinted = [[*end[:3], True] for end in (HERE, THERE)]
    assert choices(row(*hinted))["10.96.4.7"] == (set(), {"10.1.0.1:80", "10.1.0.2:80"})


SERVER = Server("shop/web:http", "TCP", "10.96.4.7", 80, frozenset({"a:1", "b:1"}), frozenset({"a:1", "b:1", "c:1"}))


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        ({"a:1", "b:1"}, []),
        ({"a:1", "b:1", "c:1"}, []),
        ({"a:1"}, ["Service shop/web:http, TCP 10.96.4.7:80: b:1 is missing"]),
        ({"a:1", "b:1", "x:1"}, ["Service shop/web:http, TCP 10.96.4.7:80: x:1 is no end point of it"]),
        (None, ["Service shop/web:http, TCP 10.96.4.7:80: the node serves it not at all; expected a:1, b:1"]),
    ],
)
def test_what_lacks_and_what_is_too_much(seen: set[str] | None, said: list[str]) -> None:
    assert problems([SERVER], {} if seen is None else {("TCP", "10.96.4.7", 80): seen}) == said


def test_a_service_without_end_points_needs_no_entry() -> None:
    empty = Server("shop/web:http", "TCP", "", 30080, frozenset(), frozenset())
    assert problems([empty], {}) == []
    assert problems([empty], {("TCP", "", 30080): {"x:1"}}) == [
        "Service shop/web:http, TCP NodePort 30080: x:1 is no end point of it"
    ]


def test_a_dual_stack_service_has_a_row_for_each_family() -> None:
    service = {
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"clusterIP": "10.96.4.7", "clusterIPs": ["10.96.4.7", "2001:db8::7"], "ports": [{"port": 80}]},
        "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.8", "ipMode": "Proxy"}, {"ip": "2001:db8::8"}]}},
    }
    slices = {
        ("shop", "web", "IPv6"): [
            {"ports": [{"port": 8080}], "endpoints": [{"addresses": ["2001:db8:1::1"]}]},
            {"ports": [{"name": "other", "port": 1}], "endpoints": [{"addresses": ["2001:db8:1::2"]}]},
        ]
    }
    four, six = rows_of(service, slices)
    assert (four["cluster_ips"], four["external_ips"], four["endpoints"]) == (["10.96.4.7"], [], [])
    assert (six["cluster_ips"], six["external_ips"]) == (["2001:db8::7"], ["2001:db8::8"])
    assert six["endpoints"] == [["[2001:db8:1::1]:8080", "", "ready", False]]
