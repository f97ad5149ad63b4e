# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""kube-proxy on one node: what it says of itself, and what others left."""

from __future__ import annotations

import http.client
import time
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.leftovers import (
    IPVS_LINK,
    NFT_TABLES,
    VirtualService,
    is_kube_set,
    parse_ip_vs,
    stale_chains,
    stale_rules,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._node import files
from ansible_collections.netops.kubernetes.plugins.module_utils._node.packetfilter import (
    FAMILIES,
    ChainRemoval,
    find_chains,
    read_tables,
    remove_chains,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._node.process import NodeError, exists, require, run

# Port and path of its metrics server and of its health check.
MODE = (10249, "/proxyMode")
HEALTH = (10256, "/healthz")


@dataclass(frozen=True)
class Leftovers:
    """What is nobody's on this node; each line names one thing."""

    chains: ChainRemoval
    sets: tuple[str, ...]
    services: tuple[VirtualService, ...]
    link: bool
    nft_tables: tuple[tuple[str, str], ...]

    @property
    def lines(self) -> list[str]:
        return [
            *(f"chain {chain}" for chain in self.chains.chains),
            *(f"ipset {name}" for name in self.sets),
            *(f"ipvs service {service}" for service in self.services),
            *([f"link {IPVS_LINK}"] if self.link else []),
            *(f"nftables table {family} {name}" for family, name in self.nft_tables),
        ]


def ask(question: tuple[int, str]) -> str:
    """What this node's kube-proxy answers; empty when it does not, or with an error."""
    port, path = question
    connection = http.client.HTTPConnection("localhost", port, timeout=2.0)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.read().decode().strip() if answer.status == 200 else ""
    except (http.client.HTTPException, OSError):
        return ""
    finally:
        connection.close()


def wait_for_mode(mode: str, timeout: float) -> str:
    """Wait until kube-proxy serves in a mode and is healthy; returns the mode.

    :param mode: empty for any.
    :param timeout: seconds.
    :raises NodeError: it does not.
    """
    deadline = time.monotonic() + timeout
    while True:
        seen, healthy = ask(MODE), bool(ask(HEALTH))
        if seen and healthy and mode in ("", seen) and has_written(seen):
            return seen
        if time.monotonic() > deadline:
            raise NodeError(
                "kube-proxy on this node",
                f"after {timeout:.0f} s its mode is {seen or 'not to be had'}, and it is "
                f"{'healthy' if healthy else 'not healthy'}",
                f"mode {mode or 'of any kind'} and a healthy kube-proxy",
                "Read its log: kubectl -n kube-system logs -l k8s-app=kube-proxy",
            )
        time.sleep(0.5)


def has_written(mode: str) -> bool:
    """Whether kube-proxy's own rules of a mode are there: it names its mode before it has written any."""
    if mode == "ipvs":
        return bool(virtual_services())
    if mode == "nftables":
        return bool(_nft_tables())
    stale = stale_chains(mode)
    programs = [program for program in FAMILIES if exists(f"{program}-save")]
    rules = [rule for program in programs for table in read_tables(program) for rule in table.rules]
    # Chains that both modes have still name IPVS' sets until mode iptables has rewritten them.
    return not any("--match-set KUBE-" in rule and not stale.fullmatch(rule.split()[1]) for rule in rules)


def virtual_services() -> tuple[VirtualService, ...]:
    """The IPVS services of this node; none when the kernel has no IPVS loaded."""
    return parse_ip_vs(files.read("/proc/net/ip_vs") or "")


def observe(mode: str) -> Leftovers:
    """What is nobody's while ``mode`` is in use."""
    chains = find_chains(stale_chains(mode), stale_rules(mode))
    if mode == "ipvs":
        return Leftovers(chains, (), (), False, _nft_tables())
    sets = (
        [name for name in require(["ipset", "list", "-name"]).split() if is_kube_set(name)] if exists("ipset") else []
    )
    link = Path("/sys/class/net", IPVS_LINK).exists()
    # Without its link the services are another program's: kube-proxy binds each of its addresses there.
    services = virtual_services() if link else ()
    tables = () if mode == "nftables" else _nft_tables()
    return Leftovers(chains, tuple(sets), services, link, tables)


def _nft_tables() -> tuple[tuple[str, str], ...]:
    if not exists("nft"):
        return ()
    listed = set(require(["nft", "list", "tables"]).splitlines())
    return tuple((family, name) for family, name in NFT_TABLES if f"table {family} {name}" in listed)


def clean(found: Leftovers) -> None:
    """Take the leftovers away: rules before the sets that they name, services before their link.

    :raises NodeError: a program refuses, or ipvsadm is needed and missing.
    """
    remove_chains(found.chains)
    for name in found.sets:
        require(["ipset", "destroy", name])
    if found.services and not exists("ipvsadm"):
        raise NodeError(
            "IPVS services of kube-proxy",
            f"{len(found.services)} are left, and ipvsadm is not installed",
            remedy="Install ipvsadm, or restart the node",
        )
    for service in found.services:
        require(["ipvsadm", "-D", service.option, service.address])
    if found.link:
        require(["ip", "link", "delete", IPVS_LINK])
    for family, name in found.nft_tables:
        # Gone meanwhile is as good.
        run(["nft", "delete", "table", family, name])
