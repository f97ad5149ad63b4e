# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""A CNI's chains, nftables tables and ipsets on a node, known by the names that are its own."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ansible_collections.netops.kubernetes.plugins.module_utils._cni.traces import TRACES
from ansible_collections.netops.kubernetes.plugins.module_utils._node.kernel import is_present
from ansible_collections.netops.kubernetes.plugins.module_utils._node.packetfilter import (
    FAMILIES,
    read_tables,
    removal,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._node.process import NodeError, exists, require

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from ansible_collections.netops.kubernetes.plugins.module_utils._cni.traces import Traces

# A node at work has thousands of chains; a few of them tell whose they are.
MOST = 10


def nft_tables() -> frozenset[str]:
    """The tables of nftables as ``nft`` lists them; none where it is not installed.

    :raises NodeError: it refuses.
    """
    return frozenset(require(["nft", "list", "tables"]).splitlines()) if exists("nft") else frozenset()


def own_nft_tables(traces: Traces, there: Collection[str]) -> tuple[tuple[str, str], ...]:
    """Family and name of each that is the CNI's.

    :param there: as :func:`nft_tables` lists them.
    """
    return tuple(table for table in traces.nft_tables if f"table {' '.join(table)}" in there)


def ipsets() -> tuple[str, ...]:
    """The names of the node's ipsets; none where ``ipset`` is not installed.

    :raises NodeError: it refuses.
    """
    return tuple(require(["ipset", "list", "-name"]).split()) if exists("ipset") else ()


def own_ipsets(traces: Traces, there: Iterable[str]) -> tuple[str, ...]:
    """Those that are the CNI's.

    :param there: as :func:`ipsets` lists them.
    """
    return tuple(name for name in there if traces.ipsets.fullmatch(name))


def netfilter_traces() -> tuple[dict[str, list[str]], list[str]]:
    """What is there of each CNI, in the words of the clean-up and a few of each kind, and what could not be read.

    Nothing is asked that would load a module into the kernel: without it there is nothing.
    """
    found: dict[str, list[str]] = {cni: [] for cni in TRACES}
    unread: list[str] = []
    readers: list[tuple[str, Callable[[], dict[str, list[str]]]]] = [
        *((f"chain {program}", partial(_chains, program)) for program in FAMILIES),
        ("nftables table", _tables),
        ("ipset", _sets),
    ]
    for what, reader in readers:
        try:
            own = reader()
        except NodeError as error:
            # Who is not root, or has tables of a kind that the program does not know, learns the rest all the same.
            unread.append(str(error))
            continue
        for cni, lines in own.items():
            found[cni] += lines[:MOST]
            if len(lines) > MOST:
                found[cni].append(f"{what}, {len(lines) - MOST} more")
    return found, unread


def _chains(program: str) -> dict[str, list[str]]:
    save = f"{program}-save"
    if not exists(save) or ("nf_tables" in require([save, "--version"]) and not is_present("nf_tables")):
        return {}
    tables = read_tables(program)
    return {
        cni: [f"chain {program} {one}" for one in removal(tables, traces.chains, traces.rules)[1]]
        for cni, traces in TRACES.items()
    }


def _tables() -> dict[str, list[str]]:
    there = nft_tables() if is_present("nf_tables") else frozenset()
    return {
        cni: [f"nftables table {family} {name}" for family, name in own_nft_tables(traces, there)]
        for cni, traces in TRACES.items()
    }


def _sets() -> dict[str, list[str]]:
    there = ipsets() if is_present("ip_set") else ()
    return {cni: [f"ipset {name}" for name in own_ipsets(traces, there)] for cni, traces in TRACES.items()}
