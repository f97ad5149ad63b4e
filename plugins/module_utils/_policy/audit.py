# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""An audit from its objects to its report: pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Optional

from ansible_collections.netops.kubernetes.plugins.module_utils._errors import sentence
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.addresses import family_of
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.baseline import system_namespaces
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.checks import (
    SEVERITIES,
    Finding,
    worst_first,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.difference import (
    Difference,
    differences,
    findings_of,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.explain import Reachability, Verdict
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.inventory import inventory
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.lint import lint_policies
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.model import BlockPeer, Inventory
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.overview import (
    Coverage,
    Exposure,
    Matrix,
    coverage,
    exposure,
    lint_coverage,
    lint_dns,
    matrix,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.sources import overlaid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import Object


@dataclass(frozen=True)
class Question:
    """One connection that is asked about; see ``Reachability.reachable``."""

    source: str
    destination: str
    protocol: str = "TCP"
    port: Optional[int] = None


@dataclass(frozen=True)
class Report:
    """What an audit found.

    :param unread: policies that were not evaluated.
    :param places: file and line by object, of those that came from files.
    """

    pods: int
    policies: int
    findings: tuple[Finding, ...]
    coverage: tuple[Coverage, ...]
    matrix: Matrix
    exposure: tuple[Exposure, ...]
    answers: tuple[Verdict, ...] = ()
    differences: tuple[Difference, ...] = ()
    unread: tuple[str, ...] = ()
    places: Mapping[str, tuple[str, int]] = field(default_factory=dict)

    def counts(self) -> dict[str, int]:
        """How many findings of each severity."""
        return {severity: sum(one.severity == severity for one in self.findings) for severity in SEVERITIES}

    def to_output(self) -> dict[str, Any]:
        """For a module's result, and as JSON."""
        return {
            "summary": {
                "namespaces": len(self.coverage),
                "pods": self.pods,
                "policies": self.policies,
                "findings": self.counts(),
            },
            "findings": [self._placed(one) for one in self.findings],
            "coverage": [asdict(one) for one in self.coverage],
            "matrix": self.matrix.to_output(),
            "exposure": [asdict(one) for one in self.exposure],
            "reachability": [asdict(one) for one in self.answers],
            "differences": [one.to_output() for one in self.differences],
            "not_evaluated": list(self.unread),
        }

    def _placed(self, one: Finding) -> dict[str, Any]:
        file, line = self.places.get(one.subject, ("", 0))
        return {**one.to_output(), **({"file": file, "line": line} if file else {})}


def audit(
    objects: Sequence[Object],
    questions: Sequence[Question] = (),
    before: Optional[Sequence[Object]] = None,
    pod_networks: Sequence[str] = (),
    places: Optional[Mapping[str, tuple[str, int]]] = None,
) -> Report:
    """The report about a set of objects.

    :param before: what the objects are compared with; pods that only one set has count in both.
    :param pod_networks: where pods without an address will have theirs.
    :raises PolicyError: an object cannot be read, or a question names what is not there.
    """
    now = inventory(objects)
    reachability = Reachability(now, pod_networks=pod_networks)
    families = families_of(now)
    evaluations = [reachability.evaluation(family) for family in families]
    rows = coverage(evaluations)
    changes = _changes(objects, before, now, families, pod_networks)
    findings = [
        *lint_policies(evaluations, _api_server(now)),
        *lint_dns(evaluations),
        *lint_coverage(rows, system_namespaces(one.namespace for one in rows)),
        *findings_of(changes),
    ]
    return Report(
        len(now.pods),
        len(now.policies),
        tuple(worst_first(findings)),
        tuple(rows),
        matrix(evaluations),
        tuple(one for evaluation in evaluations for one in exposure(evaluation)),
        tuple(reachability.reachable(one.source, one.destination, one.protocol, one.port) for one in questions),
        tuple(changes),
        tuple(map(str, now.unread)),
        places or {},
    )


def families_of(now: Inventory) -> list[int]:
    """The families of addresses that are in use; IPv4 where nothing says."""
    texts = [text for pod in now.pods for text in pod.addresses]
    if not texts:
        texts = [peer.network for policy in now.policies for rule in policy.rules for peer in _blocks(rule.peers)]
    return sorted({family_of(text) for text in texts}) or [4]


def _blocks(peers: Any) -> list[BlockPeer]:
    return [peer for peer in peers or () if isinstance(peer, BlockPeer)]


def _api_server(now: Inventory) -> list[str]:
    """The API server's addresses, its Service's among them, where the objects tell them."""
    found = [
        address
        for piece in now.others.get("EndpointSlice", ())
        if ((piece["metadata"].get("labels") or {}).get("kubernetes.io/service-name")) == "kubernetes"
        and piece["metadata"].get("namespace") == "default"
        for endpoint in piece.get("endpoints") or []
        for address in endpoint.get("addresses") or []
    ]
    if found:
        found += [text for one in now.services if str(one) == "default/kubernetes" for text in one.addresses]
    return found


def _changes(
    objects: Sequence[Object],
    before: Optional[Sequence[Object]],
    now: Inventory,
    families: Sequence[int],
    pod_networks: Sequence[str],
) -> list[Difference]:
    if before is None:
        return []
    was = inventory(before)
    both = inventory([one for one in overlaid(before, objects) if not one["kind"].endswith("NetworkPolicy")])
    found: dict[Difference, list[int]] = {}
    for family in families:
        for one in differences(both, was.policies, now.policies, family, pod_networks):
            found.setdefault(replace(one, family=0), []).append(family)
    return [one if len(some) == len(families) else replace(one, family=some[0]) for one, some in found.items()]


def breach(report: Report, threshold: str) -> str:
    """Why an audit fails: what is as bad as a severity, or worse; empty: nothing is.

    :param threshold: a severity, or ``never``.
    """
    if threshold == "never":
        return ""
    bad = [one for one in report.findings if SEVERITIES.index(one.severity) <= SEVERITIES.index(threshold)]
    if not bad:
        return ""
    first = bad[0]
    return (
        f"audit: {len(bad)} findings of severity {threshold} or worse; expected none. The first is {first.check.id} "
        f"{first.check.name} of {first.subject}: {sentence(first.text)} {first.check.remedy}, or raise fail_on."
    )
