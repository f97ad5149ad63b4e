# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""What a CoreDNS does, by its own counters, and what pods' search paths make of one look-up.

The counters are those of CoreDNS' plugins ``metrics`` and ``cache``; search paths are as the kubelet writes them
(``pkg/kubelet/network/dns``) and resolv.conf(5) reads them.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

REQUESTS = "coredns_dns_requests_total"
RESPONSES = "coredns_dns_responses_total"
HITS, MISSES = "coredns_cache_hits_total", "coredns_cache_misses_total"
# Of answers that tell nobody anything.
FAILED = ("SERVFAIL", "REFUSED")
NOT_THERE = "NXDOMAIN"
_SAMPLE = re.compile(r"^(coredns_\w+)(?:\{(.*)\})? (\S+)", re.MULTILINE)
_RCODE = re.compile(r'rcode="(\w+)"')
# The kubelet's, for pods that ask the cluster's DNS; resolv.conf's own is 1.
NDOTS, RESOLVER_NDOTS = 5, 1
# As many as www.example.com has.
DOTS = 2
# Resolvers ask for IPv4 and IPv6.
FAMILIES = 2
EXAMPLES_SHOWN = 5


@dataclass(frozen=True)
class Counts:
    """How often something happened since CoreDNS started, or between two looks.

    :param failed: answers that say that nobody could answer.
    :param not_there: answers that say that there is no such name.
    """

    requests: float = 0.0
    responses: float = 0.0
    failed: float = 0.0
    not_there: float = 0.0
    hits: float = 0.0
    misses: float = 0.0

    def since(self, earlier: Counts) -> Counts:
        """What came since then; all of it where CoreDNS has started anew."""
        if self.requests < earlier.requests:
            return self
        return Counts(*(now - then for now, then in zip(_values(self), _values(earlier))))

    @property
    def questions_per_answer(self) -> float:
        """How many questions came for each that was not asked in vain: the cost of search paths and of wrong names."""
        found = self.responses - self.not_there
        return self.responses / found if found > 0 else 0.0

    @property
    def hit_share(self) -> float:
        """Of what the cache was asked, the part that it knew."""
        asked = self.hits + self.misses
        return self.hits / asked if asked else 0.0


def _values(counts: Counts) -> tuple[float, ...]:
    return (counts.requests, counts.responses, counts.failed, counts.not_there, counts.hits, counts.misses)


def total(several: Iterable[Counts]) -> Counts:
    """The sum of several."""
    return Counts(*map(sum, zip(*map(_values, several))))


def read_counts(metrics: str) -> Counts:
    """The counters in what plugin ``prometheus`` serves."""
    sums: dict[str, float] = defaultdict(float)
    for name, labels, value in _SAMPLE.findall(metrics):
        sums[name] += float(value)
        rcode = _RCODE.search(labels)
        if name == RESPONSES and rcode:
            sums[rcode[1]] += float(value)
    return Counts(
        requests=sums[REQUESTS],
        responses=sums[RESPONSES],
        failed=sum(sums[rcode] for rcode in FAILED),
        not_there=sums[NOT_THERE],
        hits=sums[HITS],
        misses=sums[MISSES],
    )


# ---- search paths ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SearchPath:
    """What pods of one kind do with a name outside the cluster.

    :param ndots: names with fewer dots are tried with each domain of the search path first.
    :param domains: how many domains the search path has, those of the node left out.
    :param pods: how many pods have it.
    :param examples: some of them.
    """

    ndots: int
    domains: int
    pods: int = 0
    examples: tuple[str, ...] = ()

    @property
    def questions(self) -> int:
        """How many questions one look-up of a name like www.example.com becomes."""
        return FAMILIES * (self.domains + 1 if self.ndots > DOTS else 1)


def search_path(pod: Mapping[str, Any]) -> SearchPath | None:
    """The search path of a pod that asks the cluster's DNS; nothing of one that asks as its node does."""
    spec = pod["spec"]
    policy = spec.get("dnsPolicy") or "ClusterFirst"
    is_cluster = policy == "ClusterFirstWithHostNet" or (policy == "ClusterFirst" and not spec.get("hostNetwork"))
    if not is_cluster and policy != "None":
        return None
    given = spec.get("dnsConfig") or {}
    options = {one["name"]: one.get("value") or "" for one in given.get("options") or ()}
    ndots = options.get("ndots", "")
    # NAMESPACE.svc.DOMAIN, svc.DOMAIN, DOMAIN.
    domains = (3 if is_cluster else 0) + len(given.get("searches") or ())
    usual = NDOTS if is_cluster else RESOLVER_NDOTS
    return SearchPath(int(ndots) if ndots.isdigit() else usual, domains)


def search_paths(pods: Sequence[Mapping[str, Any]]) -> list[SearchPath]:
    """All search paths of running pods, those first that become most questions; each with who has it."""
    found: dict[SearchPath, list[str]] = defaultdict(list)
    for pod in pods:
        path = search_path(pod)
        if path and (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed"):
            found[path].append(f"{pod['metadata']['namespace']}/{pod['metadata']['name']}")
    told = [
        replace(path, pods=len(names), examples=tuple(sorted(names)[:EXAMPLES_SHOWN])) for path, names in found.items()
    ]
    return sorted(told, key=lambda path: (-path.questions, -path.pods, path.ndots))
