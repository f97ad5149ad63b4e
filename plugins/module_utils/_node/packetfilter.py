# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Chains of iptables, legacy or nft: read, and removed without touching what is beside them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ansible_collections.netops.kubernetes.plugins.module_utils._node.process import exists, require

FAMILIES = ("iptables", "ip6tables")
NOTHING = re.compile(r"(?!)")


@dataclass(frozen=True)
class Table:
    """One table of ``iptables-save``: chains and rules in their order."""

    name: str
    chains: tuple[str, ...]
    rules: tuple[str, ...]


def parse_save(text: str) -> tuple[Table, ...]:
    """The output of ``iptables-save``."""
    tables: list[Table] = []
    name, chains, rules = "", [], []  # type: str, list[str], list[str]
    for line in text.splitlines():
        if line.startswith("*"):
            name, chains, rules = line[1:], [], []
        elif line.startswith(":"):
            chains.append(line[1:].split()[0])
        elif line.startswith("-A"):
            rules.append(line)
        elif line == "COMMIT":
            tables.append(Table(name, tuple(chains), tuple(rules)))
    return tuple(tables)


def removal(
    tables: tuple[Table, ...], pattern: re.Pattern[str], rules: re.Pattern[str] = NOTHING
) -> tuple[str, list[str]]:
    """How to remove the chains whose names match, and the rules elsewhere that do.

    Returns what to feed to ``iptables-restore --noflush``, and the chains that go, as ``TABLE CHAIN``. Each table
    is one transaction: rules that lead there from elsewhere, then the chains.
    """
    parts: list[str] = []
    gone: list[str] = []
    for table in tables:
        stale = [chain for chain in table.chains if pattern.fullmatch(chain)]
        names = frozenset(stale)
        outside = [rule for rule in table.rules if rule.split(None, 2)[1] not in names]
        doomed = [rule for rule in outside if rules.search(rule) or (names and _target(rule) in names)]
        if not stale and not doomed:
            continue
        lines = [f"*{table.name}", *(f":{chain} - [0:0]" for chain in stale)]
        lines += [f"-D{rule[2:]}" for rule in doomed]
        lines += [f"-X {chain}" for chain in stale]
        parts.append("\n".join([*lines, "COMMIT", ""]))
        gone += [f"{table.name} {chain}" for chain in stale]
        gone += [f"{table.name} {rule}" for rule in doomed if _target(rule) not in names]
    return "".join(parts), gone


def _target(rule: str) -> str:
    found = re.search(r" -[jg] (\S+)", rule)
    return found[1] if found else ""


@dataclass(frozen=True)
class ChainRemoval:
    """Which chains of this node go, and the transactions that do it.

    :param transactions: program and its input.
    :param chains: as ``PROGRAM TABLE CHAIN``, and rules as ``PROGRAM TABLE RULE``.
    """

    transactions: tuple[tuple[str, str], ...]
    chains: tuple[str, ...]


def read_tables(program: str) -> tuple[Table, ...]:
    """The tables of one family as this node has them."""
    return parse_save(require([f"{program}-save"]))


def find_chains(pattern: re.Pattern[str], rules: re.Pattern[str] = NOTHING) -> ChainRemoval:
    """The chains of this node whose names match, and the rules beside them that do, in both families."""
    transactions: list[tuple[str, str]] = []
    chains: list[str] = []
    for program in FAMILIES:
        if not exists(f"{program}-save"):
            continue
        text, gone = removal(read_tables(program), pattern, rules)
        if text:
            transactions.append((program, text))
            chains += [f"{program} {chain}" for chain in gone]
    return ChainRemoval(tuple(transactions), tuple(chains))


def remove_chains(found: ChainRemoval) -> None:
    """Carry the removal out.

    :raises NodeError: a table refuses its transaction; it is as it was.
    """
    for program, text in found.transactions:
        require([f"{program}-restore", "--noflush", "-w", "10"], stdin=text)
