# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""A node's links brought to what its CNI is configured for now.

A CNI gives its MTU to new pods alone, Flannel not even to a tunnel that is there (pkg/backend/vxlan/device.go,
``ensureLink``), and leaves the tunnels of a back-end that it no longer uses.
"""

from __future__ import annotations

import json
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._cni.traces import CONFIGURATIONS, TRACES
from ansible_collections.netops.kubernetes.plugins.module_utils._node import files
from ansible_collections.netops.kubernetes.plugins.module_utils._node.process import NodeError, require

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

BRIDGE = "cni0"
SUBNET_FILE = "/run/flannel/subnet.env"
CALICO_CONFIGURATION = f"{CONFIGURATIONS}/10-calico.conflist"
# What Felix has found out, for the plugin to use where nobody has set another.
CALICO_FOUND = "/var/lib/calico/mtu"
# Cilium gives its pods' links the MTU of the nodes' network, and tells what fits in routes within the pods alone.
SAYING_MTU = ("calico", "flannel")
NAMESPACES = "/run/netns"
SUBNET_MTU = re.compile(r"^FLANNEL_MTU=(\d+)$", re.MULTILINE)
# Flannel hears of a node's new back-end when that node starts it, and replaces its route then.
ROUTE_SECONDS = 30.0
START_SECONDS = 60.0


@dataclass(frozen=True)
class Step:
    """One change.

    :param mtu: what it gets; 0 takes the link away.
    :param namespace: the network namespace that it is in; empty for the node's own.
    """

    link: str
    before: int
    mtu: int
    namespace: str = ""

    @property
    def line(self) -> str:
        inside = f" in {self.namespace}" if self.namespace else ""
        change = f"MTU {self.before} -> {self.mtu}" if self.mtu else "removed"
        return f"link {self.link}{inside}: {change}"


def tunnels(backend: str, vni: int) -> set[str]:
    """The tunnels that Flannel has with a back-end."""
    named = {
        "vxlan": {f"flannel.{vni}", f"flannel-v6.{vni}"},
        "wireguard": {"flannel-wg", "flannel-wg-v6"},
        "udp": {"flannel0"},
    }
    return named.get(backend, set())


def configured_mtu(cni: str) -> int:
    """What the CNI gives to new pods on this node; 0 where it has not said it."""
    if cni == "flannel":
        found = SUBNET_MTU.search(files.read(SUBNET_FILE) or "")
        return int(found[1]) if found else 0
    configuration = json.loads(files.read(CALICO_CONFIGURATION) or "{}")
    mtu = next((int(plugin["mtu"]) for plugin in configuration.get("plugins", []) if plugin.get("mtu")), 0)
    return mtu or int((files.read(CALICO_FOUND) or "0").strip())


def told_mtu(cni: str) -> int:
    """The same where it can be read; 0 of a CNI that says it nowhere, and of a file that cannot be understood."""
    if cni not in SAYING_MTU:
        return 0
    try:
        return configured_mtu(cni)
    except (ValueError, TypeError, AttributeError):
        return 0


def awaited_mtu(cni: str) -> int:
    """The same, once the CNI has said it: a pod without a readiness probe is ready before its program has begun.

    :raises NodeError: it does not say it.
    """
    deadline = time.monotonic() + START_SECONDS
    while True:
        mtu = configured_mtu(cni)
        if mtu:
            return mtu
        if time.monotonic() > deadline:
            raise NodeError(
                f"MTU of {cni} on this node",
                f"the CNI has not said it for {START_SECONDS:.0f} s",
                "its own pod running here",
                "Install it first, or look at its log",
            )
        time.sleep(0.5)


def is_own(cni: str, link: Mapping[str, Any]) -> bool:
    """Whether a link of a node is the CNI's: by its name, or by its name and by how it was made.

    Flannel's tunnel bears the number of its VXLAN network in its name, and does not learn from packets where other
    nodes are (pkg/backend/vxlan/vxlan.go); what somebody else calls ``flannel.2`` is not both.

    :param link: as ``ip -details -j link`` lists it.
    """
    traces = TRACES[cni]
    if traces.links.fullmatch(link["ifname"]):
        return True
    numbered = traces.vxlan_links.fullmatch(link["ifname"])
    made = link.get("linkinfo") or {}
    told = made.get("info_data") or {}
    is_vxlan = made.get("info_kind") == "vxlan" and told.get("learning") is False
    return bool(numbered and is_vxlan and told.get("id") == int(numbered[1]))


def links_by_cni() -> dict[str, tuple[str, ...]]:
    """The names of this node's links that are a CNI's, by CNI.

    :raises NodeError: ``ip`` refuses.
    """
    there = listed()
    return {cni: tuple(sorted(link["ifname"] for link in there if is_own(cni, link))) for cni in TRACES}


def plan(
    cni: str,
    mtu: int,
    kept: set[str],
    host: Sequence[Mapping[str, Any]],
    pods: Mapping[str, Sequence[Mapping[str, Any]]],
) -> list[Step]:
    """What is to change.

    :param kept: tunnels of the CNI's own that it uses now; others of Flannel's go, Calico removes its own.
    :param host: the node's links as ``ip -details -j link`` lists them.
    :param pods: likewise those of each network namespace.
    """
    own = [link for link in host if is_own(cni, link)]
    ports = {
        link["ifindex"]: link
        for link in host
        if (link.get("master") == BRIDGE if cni == "flannel" else link["ifname"].startswith("cali"))
    }
    steps: list[Step] = []
    for namespace, links in sorted(pods.items()):
        for link in links:
            port = ports.get(link.get("link_index", 0))
            if port and port.get("link_index") == link["ifindex"]:
                pair = [Step(link["ifname"], link["mtu"], mtu, namespace), Step(port["ifname"], port["mtu"], mtu)]
                # What is sent into a pair must fit at its other end.
                steps += pair if link["mtu"] > mtu else reversed(pair)
    if cni == "flannel":
        # A bridge without ports has 1500 and takes on its first port's (net/bridge/br_if.c, br_mtu_auto_adjust).
        lasting = kept | {BRIDGE} if any(link.get("master") == BRIDGE for link in host) else kept
        steps += [Step(link["ifname"], link["mtu"], mtu) for link in own if link["ifname"] in lasting]
        gone = [link for link in own if link["ifname"] not in {BRIDGE, *kept}]
        return [step for step in steps if step.before != step.mtu] + [
            Step(link["ifname"], link["mtu"], 0) for link in gone
        ]
    return [step for step in steps if step.before != step.mtu]


def listed(namespace: str = "") -> list[dict[str, Any]]:
    """The links of a network namespace."""
    inside = ["-n", namespace] if namespace else []
    found: list[dict[str, Any]] = json.loads(require(["ip", *inside, "-details", "-j", "link", "show"]) or "[]")
    return found


def observe() -> dict[str, list[dict[str, Any]]]:
    """The links of every network namespace that has a name; one that comes or goes meanwhile is left out."""
    folder = Path(NAMESPACES)
    found: dict[str, list[dict[str, Any]]] = {}
    for name in sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []:
        try:
            found[name] = listed(name)
        except NodeError:
            # The file is there before the namespace is mounted on it, and after that has gone.
            if os.path.ismount(folder / name):
                raise
    return found


def carry_out(steps: Sequence[Step]) -> None:
    """Change the links.

    :raises NodeError: ``ip`` refuses, and the link is still there; the next run goes on.
    """
    deadline = time.monotonic() + ROUTE_SECONDS
    for step in steps:
        if not step.mtu:
            _wait_for_routes(step.link, deadline)
        inside = ["-n", step.namespace] if step.namespace else []
        words = ["link", "set", step.link, "mtu", str(step.mtu)] if step.mtu else ["link", "delete", step.link]
        try:
            require(["ip", *inside, *words])
        except NodeError:
            # A pod may have ended meanwhile, and its links with it.
            if _is_there(step):
                raise


def _wait_for_routes(link: str, deadline: float) -> None:
    """Until no route leads over a link; one to a node that will not come back does not hold for long."""
    while time.monotonic() < deadline:
        routes = [route for route in json.loads(require(["ip", "-j", "route", "show", "dev", link]) or "[]") if route]
        if not any(route.get("gateway") for route in routes):
            return
        time.sleep(0.5)


def _is_there(step: Step) -> bool:
    if step.namespace and not os.path.ismount(Path(NAMESPACES, step.namespace)):
        return False
    return any(link["ifname"] == step.link for link in listed(step.namespace))
