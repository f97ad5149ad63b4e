# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counters of CoreDNS and search paths of pods, taken apart."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._coredns.load import (
    Counts,
    SearchPath,
    read_counts,
    search_path,
    search_paths,
    total,
)

METRICS = """\
# HELP coredns_dns_requests_total Counter of DNS requests made per zone, protocol and family.
# TYPE coredns_dns_requests_total counter
coredns_dns_requests_total{family="1",proto="udp",server="dns://:53",type="A",view="",zone="."} 120
coredns_dns_requests_total{family="1",proto="tcp",server="dns://:53",type="AAAA",view="",zone="."} 1.5e+02
coredns_dns_request_duration_seconds_count{server="dns://:53",view="",zone="."} 999
coredns_dns_responses_total{plugin="cache",rcode="NOERROR",server="dns://:53",view="",zone="."} 100
coredns_dns_responses_total{plugin="",rcode="NXDOMAIN",server="dns://:53",view="",zone="."} 150
coredns_dns_responses_total{plugin="",rcode="SERVFAIL",server="dns://:53",view="",zone="."} 15
coredns_dns_responses_total{plugin="",rcode="REFUSED",server="dns://:53",view="",zone="."} 5
coredns_cache_hits_total{server="dns://:53",type="denial",view="",zones="."} 60
coredns_cache_hits_total{server="dns://:53",type="success",view="",zones="."} 30
coredns_cache_misses_total{server="dns://:53",view="",zones="."} 10
go_goroutines 21
"""


def test_counters_of_all_labels_are_summed() -> None:
    counts = read_counts(METRICS)
    assert counts == Counts(requests=270, responses=270, failed=20, not_there=150, hits=90, misses=10)
    assert counts.hit_share == 0.9
    assert counts.questions_per_answer == 270 / 120


def test_a_coredns_that_has_answered_nothing_yet() -> None:
    counts = read_counts("go_goroutines 21\n")
    assert counts == Counts()
    assert (counts.hit_share, counts.questions_per_answer) == (0.0, 0.0)
    assert total([]) == Counts()


def test_between_two_looks() -> None:
    then = Counts(requests=100, responses=99, hits=10)
    assert Counts(requests=130, responses=129, hits=15).since(then) == Counts(requests=30, responses=30, hits=5)
    # It was started anew.
    assert Counts(requests=7, responses=7).since(then) == Counts(requests=7, responses=7)
    assert total([then, Counts(requests=1, failed=2)]) == Counts(requests=101, responses=99, failed=2, hits=10)


def pod(name: str = "one", phase: str = "Running", **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "shop"}, "spec": spec, "status": {"phase": phase}}


def ndots(value: str | None) -> dict[str, Any]:
    return {"options": [{"name": "edns0"}, {"name": "ndots", **({"value": value} if value is not None else {})}]}


@pytest.mark.parametrize(
    ("spec", "path", "questions"),
    [
        ({}, SearchPath(5, 3), 8),
        ({"dnsPolicy": "ClusterFirst", "dnsConfig": ndots("3")}, SearchPath(3, 3), 8),
        ({"dnsConfig": ndots("2")}, SearchPath(2, 3), 2),
        ({"dnsConfig": ndots(None)}, SearchPath(5, 3), 8),
        ({"dnsConfig": ndots("many")}, SearchPath(5, 3), 8),
        ({"hostNetwork": True, "dnsPolicy": "ClusterFirstWithHostNet"}, SearchPath(5, 3), 8),
        # These ask as their node does.
        ({"hostNetwork": True}, None, 0),
        ({"dnsPolicy": "Default", "dnsConfig": ndots("5")}, None, 0),
        (
            {"dnsPolicy": "None", "dnsConfig": {"searches": ["a.example", "b.com"], **ndots("5")}},
            SearchPath(5, 2),
            6,
        ),
    ],
)
def test_search_path(spec: dict[str, Any], path: SearchPath | None, questions: int) -> None:
    found = search_path(pod(**spec))
    assert found == path
    assert (found.questions if found else 0) == questions


def test_pods_of_one_search_path_are_counted_together() -> None:
    several = [pod(f"web-{number}") for number in range(7)]
    found = search_paths([*several, pod("done", "Succeeded"), pod("few", dnsConfig=ndots("1"))])
    assert [(path.questions, path.pods) for path in found] == [(8, 7), (2, 1)]
    assert found[0].examples == tuple(f"shop/web-{number}" for number in range(5))
