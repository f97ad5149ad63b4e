# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""kube-proxy on one node: what it says of itself, what it has written, and what others left."""

from __future__ import annotations

import http.client
import json
import re
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy import addresses, dataplane, services
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.leftovers import (
    BRIDGE_TABLES,
    IPVS_LINK,
    NFT_TABLES,
    is_kube_set,
    stale_chains,
    stale_rules,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.preflight import HEALTH_PORT, METRICS_PORT
from ansible_collections.netops.kubernetes.plugins.module_utils._node import files
from ansible_collections.netops.kubernetes.plugins.module_utils._node.packetfilter import (
    FAMILIES,
    ChainRemoval,
    find_chains,
    read_tables,
    remove_chains,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._node.process import NodeError, exists, require, run

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

# How IPVS' own program names a protocol.
IPVSADM = {"TCP": "-t", "UDP": "-u", "SCTP": "--sctp-service"}
CONNECT_SECONDS = 2.0
LOOKS = 5
# Port and path of its metrics server and of its health check.
MODE = (METRICS_PORT, "/proxyMode")
HEALTH = (HEALTH_PORT, "/healthz")
METRICS = (METRICS_PORT, "/metrics")


@dataclass(frozen=True)
class Leftovers:
    """What is nobody's on this node; each line names one thing."""

    chains: ChainRemoval
    sets: tuple[str, ...]
    services: tuple[dataplane.VirtualServer, ...]
    link: bool
    nft_tables: tuple[tuple[str, str], ...]
    kept: tuple[str, ...] = ()

    @property
    def lines(self) -> list[str]:
        return [
            *(f"chain {chain}" for chain in self.chains.chains),
            *(f"ipset {name}" for name in self.sets),
            *(f"ipvs service {' '.join(_ipvsadm(service))}" for service in self.services),
            *([f"link {IPVS_LINK}"] if self.link else []),
            *(f"local route {address}" for address in self.kept),
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
        serves = bool(seen) and healthy and mode in ("", seen)
        if serves and has_written(seen):
            return seen
        if time.monotonic() > deadline:
            without = ", but it has written no rules yet" if serves else ""
            raise NodeError(
                "kube-proxy on this node",
                f"after {timeout:.0f} s its mode is {seen or 'not to be had'}, and it is "
                f"{'healthy' if healthy else 'not healthy'}{without}",
                f"mode {mode or 'of any kind'} and a healthy kube-proxy",
                "Read its log: kubectl -n kube-system logs -l k8s-app=kube-proxy",
            )
        time.sleep(0.5)


def has_written(mode: str) -> bool:
    """Whether kube-proxy's own rules of a mode are there: it names its mode before it has written any."""
    if mode == "ipvs":
        return bool(virtual_services())
    if mode == "nftables":
        return bool(nft_tables())
    stale = stale_chains(mode)
    programs = [program for program in FAMILIES if exists(f"{program}-save")]
    rules = [rule for program in programs for table in read_tables(program) for rule in table.rules]
    # Chains that both modes have still name IPVS' sets until mode iptables has rewritten them.
    return not any("--match-set KUBE-" in rule and not stale.fullmatch(rule.split()[1]) for rule in rules)


def virtual_services() -> tuple[dataplane.VirtualServer, ...]:
    """The IPVS services of this node; none when the kernel has no IPVS loaded."""
    return dataplane.parse_ip_vs(files.read("/proc/net/ip_vs") or "", is_hexadecimal=True)


def _ipvsadm(service: dataplane.VirtualServer) -> tuple[str, str]:
    """A virtual service as ipvsadm(8) names it."""
    return IPVSADM[service.protocol], services.socket(service.address, service.port)


def observe(mode: str, exclude_cidrs: Sequence[str] = ()) -> Leftovers:
    """What is nobody's while ``mode`` is in use.

    :param exclude_cidrs: networks whose virtual services are another program's.
    """
    chains = find_chains(stale_chains(mode), stale_rules(mode))
    if mode == "ipvs":
        return Leftovers(chains, (), (), False, nft_tables(*NFT_TABLES, *BRIDGE_TABLES), tuple(addresses.kept()))
    sets = (
        [name for name in require(["ipset", "list", "-name"]).split() if is_kube_set(name)] if exists("ipset") else []
    )
    link = addresses.has_link()
    # Without its link the services are another program's: kube-proxy binds each of its addresses there.
    services = tuple(dataplane.outside(virtual_services(), exclude_cidrs)) if link else ()
    tables = nft_tables(*(() if mode == "nftables" else NFT_TABLES), *BRIDGE_TABLES)
    return Leftovers(chains, tuple(sets), services, link, tables, tuple(addresses.kept()))


def nft_tables(*tables: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    """Those that are there, of these or of kube-proxy's."""
    if not exists("nft"):
        return ()
    listed = set(require(["nft", "list", "tables"]).splitlines())
    return tuple((family, name) for family, name in tables or NFT_TABLES if f"table {family} {name}" in listed)


def clear(mode: str, exclude_cidrs: Sequence[str] = ()) -> list[str]:
    """Take away what is nobody's while ``mode`` is in use; returns what that was, one thing an item.

    kube-proxy rewrites its tables at any time. Where something is not as it was just seen, the node is looked at anew.

    :raises NodeError: a program refuses again and again, or ipvsadm is needed and missing.
    """
    first = found = observe(mode, exclude_cidrs)
    for remaining in reversed(range(LOOKS)):
        try:
            clean(found)
            break
        except NodeError:
            if not remaining:
                raise
            found = observe(mode, exclude_cidrs)
    return first.lines


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
        require(["ipvsadm", "-D", *_ipvsadm(service)])
    if found.link:
        addresses.delete_link()
    if found.kept:
        addresses.release()
    for family, name in found.nft_tables:
        # Gone meanwhile is as good.
        run(["nft", "delete", "table", family, name])


# ---- what it has written, against what it must serve ----------------------------------------------------------------


def served(mode: str, wanted: Iterable[services.Server]) -> dict[dataplane.Key, set[str]]:
    """Where this node's data plane leads, by protocol, address and port."""
    if mode == "ipvs":
        node_ports = {(server.protocol, server.port) for server in wanted if server.address == services.ANY}
        return dataplane.served_by_ipvs(virtual_services(), node_ports)
    if mode == "nftables":
        listings = [require(["nft", "-j", "list", "table", *table]) for table in nft_tables()]
        return dataplane.served_by_nftables(listings)
    programs = [program for program in FAMILIES if exists(f"{program}-save")]
    return dataplane.served_by_iptables(table for program in programs for table in read_tables(program))


def problems(
    mode: str, rows: Sequence[Mapping[str, Any]], node: str, *, scheduler: str, sample: int, timeout: float
) -> list[str]:
    """What this node's data plane lacks, once it has had its time; one line each.

    :param rows: what the API says (``services.read_services``).
    :param node: this node's name.
    :param scheduler: what each virtual server's must be; empty for any.
    :param sample: how many servers to open a connection to.
    :param timeout: seconds; kube-proxy writes Services a while after it serves.
    """
    wanted = services.servers(rows, node)
    deadline = time.monotonic() + timeout
    while True:
        found = dataplane.problems(wanted, served(mode, wanted))
        if mode == "ipvs" and scheduler:
            found += dataplane.other_schedulers(wanted, virtual_services(), scheduler)
        if not found or time.monotonic() > deadline:
            return found or list(_unanswered(wanted, sample))
        time.sleep(0.5)


def _unanswered(wanted: Sequence[services.Server], sample: int) -> Iterator[str]:
    """Servers of a sample to which no packet comes through; a refusal is an answer, since end points may refuse."""
    tried = [one for one in wanted if one.protocol == "TCP" and one.may and ":" not in one.address]
    # Some of all, wherever in the list they are.
    step = max(1, len(tried) // sample) if sample else len(tried) + 1
    for server in tried[::step][:sample]:
        try:
            # On its own address: kube-proxy need not serve NodePorts on the loopback one.
            address = server.address or addresses.own_address(4)
            socket.create_connection((address, server.port), timeout=CONNECT_SECONDS).close()
        except ConnectionRefusedError:
            continue
        except OSError as error:
            yield f"{server}: no answer within {CONNECT_SECONDS:.0f} s ({error})"


def version() -> str:
    """kube-proxy's own version, of its metric ``kubernetes_build_info``; empty when it does not say."""
    found = re.search(r'^kubernetes_build_info\{.*git_version="([^"]+)"', ask(METRICS), re.MULTILINE)
    return found[1] if found else ""


def counts() -> dict[str, int]:
    """How much kube-proxy has written: rules of its chains, virtual servers, rules and elements of its tables."""
    programs = [program for program in FAMILIES if exists(f"{program}-save")]
    rules = [rule for program in programs for table in read_tables(program) for rule in table.rules]
    listings = [json.loads(require(["nft", "-j", "list", "table", *table]))["nftables"] for table in nft_tables()]
    return {
        "iptables_rules": sum(rule.split()[1].startswith("KUBE-") for rule in rules),
        "virtual_servers": len(virtual_services()),
        "real_servers": sum(len(one.real_servers) for one in virtual_services()),
        "nftables_rules": sum("rule" in item for listing in listings for item in listing),
    }


def tell(asked: Mapping[str, Any], *, is_waiting: bool) -> dict[str, Any]:
    """All that the module ``kube_proxy_info`` tells.

    :param asked: the module's options.
    :raises NodeError: kube-proxy is waited for, and does not come.
    """
    timeout = asked["timeout"] if is_waiting else 0
    mode = wait_for_mode(asked["mode"] or "", timeout) if is_waiting else ask(MODE)
    found = []
    if asked["services"] is not None and mode:
        settings = {"scheduler": asked["scheduler"], "sample": asked["sample"], "timeout": timeout}
        found = problems(mode, asked["services"], asked["node_name"], **settings)
    return {
        "mode": mode,
        "healthy": bool(ask(HEALTH)),
        "version": version(),
        "counts": counts(),
        "ipvs_services": [" ".join(_ipvsadm(service)) for service in virtual_services()],
        "problems": found,
        "leftovers": observe(mode).lines if mode else [],
    }
