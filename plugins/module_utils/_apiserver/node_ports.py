# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""The range of NodePorts: what it may be, which ports in use lie outside, and where kubeadm keeps it for upgrades.

``--service-node-port-range``: k8s.io/apimachinery/pkg/util/net/port_range.go. ``apiServer.extraArgs``: a mapping up to
kubeadm's v1beta3, a list of names and values from v1beta4 (cmd/kubeadm/app/apis/kubeadm).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._errors import NetopsError
from ansible_collections.netops.kubernetes.plugins.module_utils._kube import yamltext
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import Object, ObjectRef
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.update import update

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient

FLAG = "service-node-port-range"
KUBEADM = ObjectRef("v1", "ConfigMap", "kubeadm-config", "kube-system")
ENTRY = "ClusterConfiguration"
# On kubeadm's ConfigMap: the range before the first change; empty when there was none.
BEFORE = "netops.kubernetes/node-port-range-before"
LAST_PORT = 65535


class NodePortRangeError(NetopsError):
    """A range that is none, or that leaves ports in use outside."""


@dataclass(frozen=True)
class PortRange:
    """From the first port to the last, both in it."""

    first: int
    last: int

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"

    def __contains__(self, port: object) -> bool:
        return isinstance(port, int) and self.first <= port <= self.last


def parse_range(text: str) -> PortRange:
    """A range such as ``30000-32767``.

    :raises NodePortRangeError: it is none.
    """
    found = re.fullmatch(r"([0-9]{1,5})-([0-9]{1,5})", text)
    if not found or not 1 <= int(found[1]) <= int(found[2]) <= LAST_PORT:
        raise NodePortRangeError(
            f"range of NodePorts {text!r}", "it is none", f"FIRST-LAST, 1 to {LAST_PORT}, such as 30000-32767"
        )
    return PortRange(int(found[1]), int(found[2]))


def outside(services: Iterable[Mapping[str, Any]], wanted: PortRange) -> list[str]:
    """The NodePorts in use that a range leaves out, health checks of load balancers included; one line each."""
    return [
        f"{service['metadata']['namespace']}/{service['metadata']['name']}: {what} {port}"
        for service in services
        for what, port in _ports(service["spec"])
        if port not in wanted
    ]


def _ports(spec: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    for port in spec.get("ports") or []:
        if port.get("nodePort"):
            yield f"{port.get('protocol', 'TCP')} NodePort", port["nodePort"]
    if spec.get("healthCheckNodePort"):
        yield "healthCheckNodePort", spec["healthCheckNodePort"]


def require_inside(lines: Sequence[str], wanted: PortRange) -> None:
    """Require that no port in use is left out.

    :raises NodePortRangeError: some are; all of them are named.
    """
    if lines:
        raise NodePortRangeError(
            f"range of NodePorts {wanted}",
            f"{len(lines)} ports in use lie outside: {'; '.join(lines)}",
            "a range with all of them",
            "Widen it, give these Services other ports, or set force: they keep theirs until they are edited",
        )


def settle(client: KubeClient, asked: Mapping[str, Any], *, check: bool) -> tuple[list[str], str, str]:
    """What one task of the module ``node_port_range`` does.

    :param asked: the module's options.
    :returns: the ports in use that lie outside, and kubeadm's configuration before and after.
    :raises NodePortRangeError: the range is none, or leaves ports in use out and is not forced to.
    """
    if asked["state"] == "absent":
        return [], *record(client, None, check=check)
    wanted = parse_range(asked["range"])
    lines = outside(client.list("v1", "Service"), wanted)
    if not asked["force"]:
        require_inside(lines, wanted)
    return lines, *(record(client, str(wanted), check=check) if asked["record"] else ("", ""))


# ---- kubeadm's configuration ----------------------------------------------------------------------------------------


def argument(text: str) -> str:
    """The range that kubeadm would give to the API server at its next upgrade; empty when it gives none."""
    found = yamltext.at(yamltext.read(text, ENTRY), _place(text))
    return "" if found is None else str(found)


def with_argument(text: str, wanted: str) -> str:
    """kubeadm's configuration with another range; empty takes it out."""
    place = _place(text)
    if wanted:
        if place[-1] != "value" or yamltext.at(yamltext.read(text, ENTRY), place) is not None:
            return yamltext.put(text, place, wanted, ENTRY)
        return yamltext.put(text, place[:-1], {"name": FLAG, "value": wanted}, ENTRY)
    return yamltext.drop(text, place[:-1] if place[-1] == "value" else place, ENTRY)


def _place(text: str) -> yamltext.Place:
    content = yamltext.read(text, ENTRY)
    arguments = yamltext.at(content, ("apiServer", "extraArgs"))
    root: yamltext.Place = ("apiServer", "extraArgs")
    is_mapping = str(yamltext.at(content, ("apiVersion",))).rpartition("/")[2] in {"v1beta2", "v1beta3"}
    if isinstance(arguments, dict) or (not arguments and is_mapping):
        return (*root, FLAG)
    return (*root, yamltext.index_of(arguments or [], "name", FLAG), "value")


def record(client: KubeClient, wanted: str | None, *, check: bool) -> tuple[str, str]:
    """Let kubeadm's next upgrade keep the range.

    :param wanted: the range; nothing gives back what was there before the first change.
    :returns: kubeadm's configuration before and after; both empty where the cluster is not kubeadm's.
    """

    def change(live: Object | None) -> tuple[tuple[str, str], bool]:
        before = str(((live or {}).get("data") or {}).get(ENTRY) or "")
        if live is None or not before:
            return ("", ""), False
        notes = live["metadata"].setdefault("annotations", {})
        had_note = BEFORE in notes
        if wanted is None:
            after = with_argument(before, notes.pop(BEFORE)) if had_note else before
        else:
            after = with_argument(before, wanted)
            if after != before:
                notes.setdefault(BEFORE, argument(before))
        live["data"][ENTRY] = after
        return (before, after), after != before or (wanted is None and had_note)

    return update(client, KUBEADM, change, check=check)
