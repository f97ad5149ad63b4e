# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""A node's way past NodeLocal DNSCache, for the time in which the cache comes, changes or goes.

The cache takes the DNS Service's address: it has it on a link, and rules of its own keep connection tracking, and with
it kube-proxy's translation, away from questions (kubernetes/dns ``cmd/node-cache/app/cache_app.go``). It lays these
rules one by one, and takes its link away before them, so that questions of these moments go nowhere. Such rules leave
a packet alone that has a zone of connection tracking already (``nft_notrack_eval`` and ``xt_ct_target`` of the kernel);
the bypass gives it the default zone before they see it. So questions go to CoreDNS whatever the cache's rules are, and
with the bypass' end, in one step, to the cache.
"""

from __future__ import annotations

import ipaddress
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ansible_collections.netops.kubernetes.plugins.module_utils._node.process import NodeError, exists, require, run

if TYPE_CHECKING:
    from collections.abc import Sequence

FAMILY, TABLE = "inet", "netops_dns_bypass"
# Before iptables' table raw (NF_IP_PRI_RAW).
PRIORITY = -310
POLL_SECONDS = 0.5
LINK = "nodelocaldns"
# Of each address in table raw: questions from outside, questions of the node, and answers, over UDP and TCP; and what
# its health is asked and answers.
RAW_RULES = 8
_RULE = re.compile(r"-A (PREROUTING|INPUT|OUTPUT) .*--[ds]port (53|8080) .*-j (NOTRACK|CT --notrack|ACCEPT)$")


@dataclass(frozen=True)
class Bypassed:
    """What became of it.

    :param reason: why questions may not reach the cache although the bypass is gone; empty where they do.
    """

    changed: bool
    before: str = ""
    after: str = ""
    reason: str = ""


def render(addresses: Sequence[str]) -> str:
    """The transaction that makes the bypass anew; for nft's standard input.

    :raises NodeError: an address is none; nft would look it up as a name.
    """
    for address in addresses:
        try:
            ipaddress.ip_address(address)
        except ValueError as error:
            raise NodeError("addresses", str(error), "addresses that the cache takes") from error
    rules = "".join(
        f"{'ip6' if ':' in address else 'ip'} daddr {address} meta l4proto {{ tcp, udp }} th dport 53 ct zone set 0\n"
        for address in addresses
    )
    chains = "".join(
        f"chain {hook} {{\ntype filter hook {hook} priority {PRIORITY}; policy accept;\n{rules}}}\n"
        for hook in ("prerouting", "output")
    )
    return f"table {FAMILY} {TABLE}\ndelete table {FAMILY} {TABLE}\ntable {FAMILY} {TABLE} {{\n{chains}}}\n"


def bring(addresses: Sequence[str], *, check: bool) -> Bypassed:
    """Let questions to these addresses pass the cache by.

    :raises NodeError: an address is none, nft is not there, or refuses.
    """
    before = _listed() if addresses else ""
    is_there = all(f" daddr {address} " in before for address in addresses)
    if not is_there:
        require(["nft", *(["--check"] if check else []), "--file", "-"], stdin=render(addresses))
    # A cache that came behind a bypass has made its link since then.
    for address in () if check else addresses:
        _let_node_keep_its_source(address)
    return Bypassed(False) if is_there else Bypassed(True, before, _shown(addresses))


def _let_node_keep_its_source(address: str) -> None:
    """Let the node's own questions come from an address that it has without the cache, too.

    While the cache has a link with the address that is asked, the kernel takes just this one for their source. Answers
    that arrive after the link went would be nobody's then.
    """
    family = "-6" if ":" in address else "-4"
    link = _LINK.search(run(["ip", family, "route", "show", "table", "local", address]).stdout)
    own = _SOURCE.search(run(["ip", family, "route", "get", _ELSEWHERE[family]]).stdout)
    # Without a way out of this node no answer comes from outside either.
    if link and own:
        where = ["local", address, "dev", link[1], "table", "local", "proto", "kernel", "scope", "host"]
        run(["ip", family, "route", "replace", *where, "src", own[1]])


# A documentation address: only the way there is asked for.
_ELSEWHERE = {"-4": "192.0.2.1", "-6": "2001:db8::1"}
_LINK = re.compile(r"\bdev (\S+)")
_SOURCE = re.compile(r"\bsrc (\S+)")


def lift(addresses: Sequence[str], *, patience: float, check: bool) -> Bypassed:
    """End that.

    :param addresses: for which the cache's rules are waited for; it lays them some time after it serves.
    :param patience: seconds; 0 where no cache is to be. Then what is left of one is removed first.
    :raises NodeError: a program refuses.
    """
    before = _listed() if addresses else ""
    if not before:
        return Bypassed(False)
    reason = ""
    if not check:
        for address in () if patience else addresses:
            _clear(address)
        deadline = time.monotonic() + patience
        while patience and (lacking := [one for one in addresses if not has_rules(one)]):
            if time.monotonic() > deadline:
                reason = f"after {patience:.0f} s the cache has no rules for {', '.join(lacking)}"
                break
            time.sleep(POLL_SECONDS)
        require(["nft", "delete", "table", FAMILY, TABLE])
    return Bypassed(True, before, "", reason)


def has_rules(address: str) -> bool:
    """Whether the cache has laid all its rules for an address.

    :raises NodeError: no program is there to read them.
    """
    programs = _programs(address)
    if not programs:
        raise NodeError("program 'iptables-save'", "it is not installed on this node", remedy="Install iptables")
    saves = [run([f"{program}-save", "-t", "raw"]).stdout for program in programs]
    return any(len(rules_of(saved, address)) >= RAW_RULES for saved in saves)


def rules_of(saved: str, address: str) -> list[str]:
    """The cache's rules for an address, of those that iptables-save tells of a table."""
    place = f" {address}/{128 if ':' in address else 32} "
    return [line for line in saved.splitlines() if place in line and _RULE.match(line)]


def _clear(address: str) -> None:
    """Remove what a cache left that was killed before it had taken all away."""
    for program in _programs(address):
        for table in ("raw", "filter"):
            for rule in rules_of(run([f"{program}-save", "-t", table]).stdout, address):
                require([program, "-w", "-t", table, "-D", *rule.split()[1:]])
    link = _LINK.search(run(["ip", *_family(address), "route", "show", "table", "local", address]).stdout)
    if link and link[1] == LINK:
        require(["ip", "link", "delete", LINK])


def _programs(address: str) -> list[str]:
    """iptables of each of its kinds that this node has."""
    programs = ("ip6tables", "ip6tables-legacy") if ":" in address else ("iptables", "iptables-legacy")
    return [program for program in programs if exists(f"{program}-save")]


def _family(address: str) -> list[str]:
    return ["-6" if ":" in address else "-4"]


def _listed() -> str:
    done = run(["nft", "--stateless", "list", "table", FAMILY, TABLE])
    return done.stdout if done.returncode == 0 else ""


def _shown(addresses: Sequence[str]) -> str:
    return f"table {FAMILY} {TABLE}: {', '.join(addresses)}\n"
