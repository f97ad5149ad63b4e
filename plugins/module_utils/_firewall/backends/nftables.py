# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""A ruleset as one nftables table of our own.

No forward chain: forwarded traffic, that of pods above all, is never judged here. A drop in any chain is final and an
accept is not, so other programs' tables keep their say.

Judgement comes after IPVS, which takes what is for a Service out of the input hook at 98 and 99 (Linux,
net/netfilter/ipvs/ip_vs_core.c: ip_vs_ops). So whoever may use a Service may use it by each of its addresses, those of
load balancers and externalIPs included, however they come and go; and what is for another port of such an address is
judged as everything else. What is for the Service networks is judged before IPVS, in a chain of its own: they are for
nodes and pods.

A change is two transactions. Kernels (6.18 among them, measured) publish what an interval set holds a moment after the
rules that look into it, so that a connection which comes in between is dropped as if the set were empty. Sets of a new
generation, whose names end with the other letter, are therefore there before the transaction that makes rules use them.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from ansible_collections.netops.kubernetes.plugins.module_utils._firewall import boot
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.backends.kept import Change, Undo
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.peers import of_version
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.protocols import (
    ICMP_TYPES,
    WITH_PORTS,
    protocol_number,
    protocol_of,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.ruleset import (
    EVERYBODY,
    LOG_PREFIX,
    NOTHING,
    Admission,
    Ruleset,
    normal,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._node import nfnetlink
from ansible_collections.netops.kubernetes.plugins.module_utils._node.process import NodeError, exists, require, run

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

NAME = "nftables"
FORWARDS = False
FAMILY = "inet"
TABLE = "netops_kubernetes"
GENERATIONS = ("a", "b")
VERSIONS = ((4, "ip", "ipv4_addr"), (6, "ip6", "ipv6_addr"))
CHAINS = ("input", "nodeports", "services")
# Behind IPVS at 99 and others' source NAT at 100; more than ten from any priority that nft has a name for.
AFTER_IPVS = "type filter hook input priority 120; policy accept;"
BEFORE_IPVS = "type filter hook input priority 0; policy accept;"
# Without these two nothing works; ICMP and DHCP are rules of the plan.
ALWAYS = ('iifname "lo" accept', "ct state established,related accept")


def require_usable() -> None:
    """Require nftables on this node.

    :raises NodeError: it is not there.
    """
    if not exists("nft"):
        raise NodeError(
            "node firewall", "the program nft is not installed on this node", "nftables", "Install the package nftables"
        )


# ---- rendering --------------------------------------------------------------------------------------------------


def render(wanted: Ruleset, generation: str = GENERATIONS[0], table: str = TABLE) -> str:
    """The table's definition; the same ruleset and generation always give the same text."""
    return _defined(table, [*_all_sets(wanted, generation), *_chains(wanted, generation)])


def _defined(table: str, lines: Iterable[str]) -> str:
    return "\n".join([f"table {FAMILY} {table} {{", *lines, "}", ""])


def _all_sets(wanted: Ruleset, generation: str) -> list[str]:
    named = sorted({**wanted.peers, "services": wanted.services}.items())
    return [f"  {line}" for name, networks in named for line in _sets(name, networks, generation)]


def _chains(wanted: Ruleset, generation: str) -> list[str]:
    lines = _input_chain(wanted) if wanted.admissions else []
    lines += _service_chain(wanted) if wanted.admissions and wanted.services else []
    lines += _nodeport_chain(wanted) if wanted.nodeports else []
    # Rules name their sets without a generation until here.
    return [re.sub(r"(@\w+_v[46])\b", rf"\1_{generation}", line) for line in lines]


def _input_chain(wanted: Ruleset) -> list[str]:
    lines = ["  chain input {", f"    {AFTER_IPVS}"]
    lines += [f"    {rule}" for rule in ALWAYS]
    for one in sorted(wanted.admissions, key=_order):
        matches = [_match(one), *([_before_dnat(one)] if _may_be_dnat(one) else [])]
        comment = _comment(wanted.ids.get((one.protocol, one.ports), ""))
        lines += [f"    {source}{match} accept{comment}" for match in matches for source in _sources(one, wanted)]
    lines += [f"    {line} accept{_comment('services')}" for line in _service_matches(wanted)]
    if wanted.log:
        lines.append(f"    {_log()}")
    return [*lines, f"    {DEFAULTS[wanted.default]}{_comment('everything else')}", "  }"]


DEFAULTS = {"drop": "drop", "reject": "reject with icmpx type admin-prohibited", "accept": "accept"}


def _comment(text: str) -> str:
    return f' comment "{text}"' if text else ""


def _log() -> str:
    return f'limit rate 5/second log prefix "{LOG_PREFIX}"'


def _order(one: Admission) -> tuple[str, str]:
    return one.protocol, one.ports.rjust(11, "0")


def _sets(name: str, networks: Iterable[str], generation: str) -> list[str]:
    lines: list[str] = []
    for version, _unused, kind in VERSIONS:
        elements = ", ".join(of_version(networks, version))
        if elements:
            body = [f"  type {kind}", "  flags interval", "  auto-merge", f"  elements = {{ {elements} }}"]
            lines += [f"set {name}_v{version}_{generation} {{", *body, "}"]
    return lines


def _sources(one: Admission, wanted: Ruleset) -> list[str]:
    """How rules say that the packet is from one of the sets: once a set and family, or not at all for everybody."""
    if EVERYBODY in one.peers:
        return [""]
    skipped = {"icmp": 6, "icmpv6": 4}.get(one.protocol)
    return [
        f"{word} saddr @{name}_v{version} "
        for name in one.peers
        for version, word, _unused in VERSIONS
        if version != skipped and of_version(wanted.peers[name], version)
    ]


def _match(one: Admission) -> str:
    if one.protocol in ICMP_TYPES:
        return f"{one.protocol} type {{ {one.ports.replace(',', ', ')} }}"
    if one.protocol in WITH_PORTS:
        return f"{one.protocol} dport {one.ports}"
    return f"meta l4proto {protocol_number(one.protocol)}"


def _may_be_dnat(one: Admission) -> bool:
    """A NodePort whose backend is in this node's own network comes to the input chain, after DNAT."""
    return one.protocol in WITH_PORTS and "-" in one.ports


def _before_dnat(one: Admission) -> str:
    return f"meta l4proto {one.protocol} ct status dnat ct original proto-dst {one.ports}"


def _service_chain(wanted: Ruleset) -> list[str]:
    """In IPVS mode a Service's address is the node's own, so its traffic comes in here."""
    lines = [BEFORE_IPVS, *ALWAYS, *(f"{line} accept" for line in _service_matches(wanted))]
    for version, word, _unused in VERSIONS:
        if of_version(wanted.services, version):
            verdicts = [*([_log()] if wanted.log else []), DEFAULTS.get(wanted.default, "")]
            lines += [f"{word} daddr @services_v{version} {verdict}" for verdict in verdicts]
    return ["  chain services {", *(f"    {line}" for line in lines), "  }"]


def _service_matches(wanted: Ruleset) -> list[str]:
    return [
        f"{word} saddr @{name}_v{version} {word} daddr @services_v{version}"
        for version, word, _unused in VERSIONS
        for name in ("all_nodes", "pods")
        if of_version(wanted.services, version) and of_version(wanted.peers.get(name, ()), version)
    ]


def _nodeport_chain(wanted: Ruleset) -> list[str]:
    """Judged at priority mangle, before DNAT at -100 (kube-proxy's in all modes), after conntrack at -200."""
    lines = ["type filter hook prerouting priority -150; policy accept;", *ALWAYS, "fib daddr type != local accept"]
    lines += [
        f"{word} daddr @services_v{version} accept"
        for version, word, _unused in VERSIONS
        if of_version(wanted.services, version)
    ]
    for one in sorted(wanted.nodeports, key=_order):
        lines += [f"{source}{_match(one)} accept" for source in _sources(one, wanted)]
        if wanted.log:
            lines.append(f"{_match(one)} {_log()}")
        if wanted.default != "accept":
            lines.append(f"{_match(one)} drop")
    return ["  chain nodeports {", *(f"    {line}" for line in lines), "  }"]


def transaction(definition: str, table: str = TABLE) -> str:
    """What replaces the table as a whole, in one transaction, whether it is there or not."""
    return f"table {FAMILY} {table} {{ }}\ndelete table {FAMILY} {table}\n{definition}"


def transactions(wanted: Ruleset, reported: str, table: str = TABLE) -> tuple[str, ...]:
    """What changes a table to another, without a moment in which either's rules miss their sets.

    A table that others wrote into is replaced as a whole.
    """
    if parse(reported).strange:
        return (transaction(render(wanted, table=table), table),)
    generation = _next_generation(reported)
    present = [(kind, name) for kind, name, _unused in _blocks(reported)]
    sets, chains = _all_sets(wanted, generation), _chains(wanted, generation)
    return _in_two([], sets, present, chains, table)


def transactions_back(wanted: Ruleset, reported: str, table: str = TABLE) -> tuple[str, ...]:
    """What brings back what was reported, however much of :func:`transactions` was done meanwhile.

    What must go is declared first, for what is not there cannot be deleted.
    """
    blocks = _blocks(reported)
    if not blocks or parse(reported).strange:
        return (transaction(reported, table),)
    declared = [line for line in _all_sets(wanted, _next_generation(reported)) if "elements = " not in line]
    gone = [*(("chain", name) for name in CHAINS), *_heads(declared)]
    declared += [f"  chain {name} {{ }}" for name in CHAINS]
    sets, chains = (
        [line for kind, name, lines in blocks if kind == wanted_kind for line in (f"{kind} {name} {{", *lines, "}")]
        for wanted_kind in ("set", "chain")
    )
    return _in_two(declared, sets, gone, chains, table)


def _in_two(
    declared: list[str], sets: list[str], gone: Iterable[tuple[str, str]], chains: list[str], table: str
) -> tuple[str, ...]:
    """A transaction that adds sets, if there are any, and one in which the chains that use them take others' place."""
    deletions = [f"delete {kind} {FAMILY} {table} {name}" for kind, name in sorted(gone)]
    swap = [_defined(table, declared) + f"flush table {FAMILY} {table}", *deletions, _defined(table, chains)]
    return (*([_defined(table, sets)] if sets else []), "\n".join(swap))


def _next_generation(listing: str) -> str:
    return GENERATIONS[GENERATIONS[0] in _generations(listing)]


def _generations(listing: str) -> set[str]:
    return {name.rpartition("_")[2] for kind, name, _unused in _blocks(listing) if kind == "set"}


# ---- reading back -----------------------------------------------------------------------------------------------

SET = r"_v[46]_[ab]"
HEAD = re.compile(r"(\w+) (\S+) {")
SOURCE = rf"(?:ip6? saddr @(?P<set>\w+?){SET} )?"
RULE = re.compile(SOURCE + r"(?P<match>.+?) accept")
SERVICES = re.compile(rf"ip6? saddr @\w+?{SET} ip6? daddr @services{SET} accept")
TO_SERVICES = re.compile(rf"ip6? daddr @services{SET} accept")
BEFORE_DNAT = re.compile(SOURCE + r"meta l4proto \S+ ct status dnat ct original proto-dst [0-9-]+ accept")
LOGGED = re.compile(rf"(?:\w+ dport \S+ )?limit rate 5/second (?:burst 5 packets )?log prefix \"{LOG_PREFIX}\"")
PASSED = {*ALWAYS, "fib daddr type != local accept"}
ENDS = {
    "drop": "drop",
    "accept": "accept",
    "reject with icmpx type admin-prohibited": "reject",
    "reject with icmpx admin-prohibited": "reject",
}


def parse(listing: str) -> Ruleset:
    """What ``nft --stateless --numeric-protocol list table`` says, as a ruleset; nothing for an empty listing.

    Lines that :func:`render` cannot have written are kept as strange.
    """
    if not listing:
        return NOTHING
    sets: dict[str, list[str]] = {}
    guarded: list[str] = []
    found = Ruleset()
    for kind, name, lines in _blocks(listing):
        if kind == "set" and re.fullmatch(rf"\w+?{SET}", name):
            sets.setdefault(re.sub(rf"{SET}$", "", name), []).extend(_elements(lines))
        elif name == "input":
            found = _input(lines, found)
        elif name == "nodeports":
            found = _nodeports(lines, found)
        elif name == "services":
            guarded = [f"  chain {name} {{", *(f"    {_as_rendered(line)}" for line in lines), "  }"]
        else:
            found = replace(found, strange=(*found.strange, f"{kind} {name}"))
    if len(_generations(listing)) > 1:
        found = replace(found, strange=(*found.strange, "sets of an interrupted change"))
    services = tuple(sets.pop("services", ()))
    found = normal(replace(found, peers={name: tuple(entries) for name, entries in sets.items()}, services=services))
    expected = _service_chain(found) if found.admissions and found.services else []
    if guarded != expected:
        found = replace(found, strange=(*found.strange, "chain services is not as it was written"))
    return found


def _as_rendered(line: str) -> str:
    """A line of a listing in the words of :func:`render`, without the generation of its sets."""
    line = re.sub(rf"(@\w+?_v[46])_[{''.join(GENERATIONS)}]\b", r"\1", line)
    line = line.replace("priority filter;", "priority 0;").replace("5/second burst 5 packets", "5/second")
    return line.replace("icmpx admin-prohibited", "icmpx type admin-prohibited")


def _blocks(listing: str) -> list[tuple[str, str, list[str]]]:
    """Sets and chains: their kind, name and lines."""
    blocks: list[tuple[str, str, list[str]]] = []
    for line in (line.strip() for line in listing.splitlines()[1:]):
        head = HEAD.fullmatch(line)
        if head:
            blocks.append((head[1], head[2], []))
        elif line and line != "}" and blocks:
            blocks[-1][2].append(line)
    return blocks


def _heads(lines: Iterable[str]) -> list[tuple[str, str]]:
    """Kind and name of the sets and chains that lines define."""
    return [(head[1], head[2]) for head in (HEAD.fullmatch(line.strip()) for line in lines) if head]


def _without_comment(line: str) -> tuple[str, str]:
    found = re.fullmatch(r'(.*?)(?: comment "([^"]*)")?', line)
    return (found[1], found[2] or "") if found else (line, "")


def _elements(lines: Iterable[str]) -> list[str]:
    text = " ".join(lines).partition("elements = {")[2].partition("}")[0]
    return [word.strip() for word in text.split(",") if word.strip()]


def _input(lines: list[str], found: Ruleset) -> Ruleset:
    # Where the chain stands is a part of what it does.
    strange = [line for line in lines[:1] if line != AFTER_IPVS]
    peers: dict[tuple[str, str], set[str]] = {}
    ids: dict[tuple[str, str], str] = {}
    default, log = "", False
    for line, comment in map(_without_comment, lines[1:]):
        rule = RULE.fullmatch(line)
        subject = _subject(rule["match"]) if rule else None
        if line in ENDS:
            default = ENDS[line]
        elif LOGGED.fullmatch(line):
            log = True
        elif rule and subject:
            peers.setdefault(subject, set()).add(rule["set"] or EVERYBODY)
            ids[subject] = comment
        elif not (line in PASSED or SERVICES.fullmatch(line) or BEFORE_DNAT.fullmatch(line)):
            strange.append(line)
    return replace(
        found,
        admissions=_admissions(peers),
        default=default,
        log=log,
        strange=(*found.strange, *strange),
        ids=ids,
    )


def _nodeports(lines: list[str], found: Ruleset) -> Ruleset:
    strange: list[str] = []
    peers: dict[tuple[str, str], set[str]] = {}
    for line in lines[1:]:
        rule = RULE.fullmatch(line)
        drop = _subject(line[:-5]) if line.endswith(" drop") else None
        subject = _subject(rule["match"]) if rule else drop
        if rule and subject:
            peers.setdefault(subject, set()).add(rule["set"] or EVERYBODY)
        elif subject:
            peers.setdefault(subject, set())
        elif not (line in PASSED or LOGGED.fullmatch(line) or TO_SERVICES.fullmatch(line)):
            strange.append(line)
    return replace(found, nodeports=_admissions(peers), strange=(*found.strange, *strange))


def _admissions(peers: Mapping[tuple[str, str], set[str]]) -> frozenset[Admission]:
    return frozenset(Admission(*subject, tuple(sorted(names))) for subject, names in peers.items())


def _subject(match: str) -> tuple[str, str] | None:
    """Protocol and ports of a match as nft prints it."""
    ports = re.fullmatch(r"(tcp|udp|sctp) dport ([0-9-]+)", match)
    if ports:
        return ports[1], ports[2]
    types = re.fullmatch(r"(icmp|icmpv6) type (?:{ (.+) }|(\S+))", match)
    if types:
        return types[1], ",".join(sorted((types[2] or types[3]).split(", ")))
    number = re.fullmatch(r"meta l4proto (\d+)", match)
    return (protocol_of("", f"ip:{number[1]}"), "") if number else None


# ---- the node ---------------------------------------------------------------------------------------------------


def listing(table: str = TABLE) -> list[str]:
    """The command that says what a table holds, in the words that :func:`parse` reads."""
    return ["nft", "--stateless", "--numeric-protocol", "list", "table", FAMILY, table]


def live(table: str = TABLE) -> str:
    """The table as this node has it; empty when it has none."""
    if nfnetlink.is_absent(FAMILY, table):
        return ""
    done = run(listing(table))
    return done.stdout if done.returncode == 0 else ""


def is_live(wanted: Ruleset, reported: str, table: str = TABLE) -> bool:
    """Whether what the node reports is what is wanted.

    Should this version of nft print what cannot be read here, it is asked how it would print what is wanted, in a
    network namespace that ends at once.
    """
    # Services' other addresses need no rule here: IPVS comes first.
    wanted = replace(wanted, virtual=())
    observed = parse(reported)
    if observed == wanted or not observed.strange:
        return observed == wanted
    generations = _generations(reported) or {GENERATIONS[0]}
    return any(reported == _printed(render(wanted, generation, table), table) for generation in generations)


def _printed(definition: str, table: str) -> str:
    script = f"nft --file - && exec {' '.join(listing(table))}"
    done = run(["unshare", "--net", "sh", "-c", script], stdin=definition)
    return done.stdout if done.returncode == 0 else ""


def apply(wanted: Ruleset, reported: str, table: str = TABLE) -> None:
    """Exchange the rules in one transaction, after one that adds the sets they need.

    :raises NodeError: the kernel refuses them; the old rules are still there.
    """
    for text in transactions(wanted, reported, table):
        require(["nft", "--file", "-"], stdin=text)


def undo(wanted: Ruleset, reported: str) -> Undo:
    """How to bring back what the node reports now."""
    return Undo(tuple(("nft --file", text) for text in transactions_back(wanted, reported)))


def silencing() -> Change | None:
    """How the table comes to say nothing; nothing where it says nothing already."""
    reported = live() if exists("nft") else ""
    if not any(block[0] == "chain" for block in _blocks(reported)):
        return None
    return Change(lambda: apply(NOTHING, reported), undo(NOTHING, reported))


def boot_files(wanted: Ruleset) -> dict[str, str]:
    """What the next boot loads."""
    return boot.loading(NAME, {"rules.nft": transaction(render(wanted))}, ["nft --file rules.nft"])


def is_persisted(wanted: Ruleset) -> bool:
    """Whether the next boot brings exactly this."""
    return boot.is_committed(boot_files(wanted))


def persist(wanted: Ruleset, leaving: Sequence[Mapping[str, str]] = ()) -> None:
    """Let the next boot bring the table, before the kubelet starts.

    :raises NodeError: this node has no systemd.
    """
    boot.commit(boot_files(wanted), leaving)


def leaving() -> dict[str, str]:
    """What a boot must load until this is removed: nothing, for nobody else calls what is ours."""
    return boot.loading(NAME, {}, ())


def remains(table: str = TABLE) -> list[str]:
    """What there is of ours in the kernel."""
    return [f"table {FAMILY} {table}"] if exists("nft") and live(table) else []


def remove(table: str = TABLE) -> None:
    """Take the table away; what others made is not touched."""
    if remains(table):
        require(["nft", "delete", "table", FAMILY, table])
