# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""A ruleset as chains of our own in iptables and ip6tables, legacy or nft: what the back-ends iptables and ufw share.

A set of peers is a chain that accepts their addresses, so rules and peers add up and are never multiplied, and no set
of another subsystem has to be there before the rules.
"""

from __future__ import annotations

import re
import shlex
import socket
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ansible_collections.netops.kubernetes.plugins.module_utils._firewall import boot
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.backends.kept import Change, Undo
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
    in_family,
    joined,
    normal,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._node.packetfilter import (
    Table,
    find_chains,
    parse_save,
    remove_chains,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._node.process import NodeError, exists, require

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

PROGRAMS = {4: "iptables", 6: "ip6tables"}
RESTORE = "{}-restore --noflush -w 10"
LOG = f'-m limit --limit 5/sec -j LOG --log-prefix "{LOG_PREFIX}"'
REFUSALS = {4: "icmp-admin-prohibited", 6: "icmp6-adm-prohibited"}
EVERYWHERE = {4: "0.0.0.0/0", 6: "::/0"}
VIRTUAL = "load-balancers"
ESTABLISHED = "-m conntrack --ctstate RELATED,ESTABLISHED"

# Table, chain, rules: what is ours in one family.
Chains = dict[tuple[str, str], list[str]]


@dataclass(frozen=True)
class Names:
    """Our chains' names; a chain's name has 28 characters at most (xtables: XT_EXTENSION_MAXNAMELEN).

    :param own: what each of them begins with, and nobody else's.
    """

    own: str

    @property
    def input(self) -> str:
        """What is for this node."""
        return f"{self.own}INPUT"

    @property
    def end(self) -> str:
        """What no rule admits."""
        return f"{self.own}END"

    @property
    def forward(self) -> str:
        """What is for pods."""
        return f"{self.own}FORWARD"

    @property
    def nodeports(self) -> str:
        """What is for a NodePort, before DNAT."""
        return f"{self.own}NODEPORTS"

    @property
    def peers(self) -> str:
        """How the chain of a peer set begins."""
        return f"{self.own}P-"

    @property
    def only(self) -> str:
        """How the chain of a protocol's NodePorts begins."""
        return f"{self.own}N-"


@dataclass(frozen=True)
class Hook:
    """A jump from somebody else's chain to one of ours.

    :param before: which rule of that chain it must stand before, as a regular expression; empty for its end.
    :param behind: which rules at the start of that chain it must stand behind.
    """

    table: str
    chain: str
    target: str
    before: str = ""
    behind: str = ""

    @property
    def jump(self) -> tuple[str, str, str]:
        """Table, chain and words of its rule, as :func:`own_hooks` gives those that are there."""
        return self.table, self.chain, f"-j {self.target}"


@dataclass(frozen=True)
class Layout:
    """How a back-end calls our chains.

    :param backend: whose it is.
    :param names: of our chains.
    :param hooks: by IP version.
    :param passes: the verdict for what kube-proxy is to judge: RETURN, or ACCEPT where who comes next would drop it.
    """

    backend: str
    names: Names
    hooks: Mapping[int, tuple[Hook, ...]]
    passes: str

    @property
    def forwards(self) -> bool:
        """Whether forwarded traffic passes a chain of ours."""
        return any(hook.target == self.names.forward for hook in self.hooks[4])


def hooks_for(wanted: Ruleset, layout: Layout, version: int) -> tuple[Hook, ...]:
    """The jumps that must be there, once each."""
    judge = Hook("mangle", "PREROUTING", layout.names.nodeports)
    return (*layout.hooks[version], *([judge] if wanted.nodeports else []))


# ---- rendering --------------------------------------------------------------------------------------------------


def chains_for(wanted: Ruleset, layout: Layout, version: int) -> Chains:
    """Our chains in one family, in the words of iptables-save, without ``-A CHAIN``."""
    part, names = in_family(wanted, version), layout.names
    first = ["-i lo -j ACCEPT", f"{ESTABLISHED} -j ACCEPT"]
    chains: Chains = {("filter", names.input): first, ("filter", names.end): []}
    for one in sorted(part.admissions, key=lambda one: (one.protocol, one.ports.rjust(11, "0"))):
        comment = _comment(wanted.ids.get((one.protocol, one.ports), ""))
        targets = ["ACCEPT" if name == EVERYBODY else f"{names.peers}{name}" for name in one.peers]
        matches = [*_matches(one, version), *_after_dnat(one)]
        chains["filter", names.input] += [f"{match}{comment} -j {target}" for match in matches for target in targets]
    for network in part.services:
        for name in ("all_nodes", "pods"):
            if name in part.peers:
                chains["filter", names.input].append(f"-d {network}{_comment('services')} -j {names.peers}{name}")
    # In IPVS mode these are the node's own, and filter comes before IPVS. Others' rules go on where they can:
    # kube-proxy's refuse what is no Service's port, and whoever is not in a Service's loadBalancerSourceRanges. Its
    # ipsets name both, but are not there at boot, and a rule of ours would keep them when kube-proxy changes its mode.
    chains["filter", names.input] += [f"-d {one}{_comment(VIRTUAL)} -j {layout.passes}" for one in part.virtual]
    end = {"drop": "-j DROP", "reject": f"-j REJECT --reject-with {REFUSALS[version]}"}
    if part.default:
        # In mode accept the traffic goes back to others' rules, which decide as they did.
        chains["filter", names.end] = [*([LOG] if part.log else []), end.get(part.default, "-j RETURN")]
    for name, networks in part.peers.items():
        chains["filter", names.peers + name] = [f"-s {network} -j ACCEPT" for network in networks]
    if layout.forwards:
        chains["filter", names.forward] = [
            f"{way} {network} -j ACCEPT" for network in part.forwarded for way in ("-s", "-d")
        ]
    else:
        chains["filter", names.input].append(f"-j {names.end}")
    if part.nodeports:
        _add_nodeports(chains, part, names)
    return chains


def _comment(text: str) -> str:
    return f" -m comment --comment {shlex.quote(text)}" if text else ""


def _matches(one: Admission, version: int) -> list[str]:
    if one.protocol in ICMP_TYPES:
        program = "-p icmp -m icmp --icmp-type" if version == 4 else "-p ipv6-icmp -m icmp6 --icmpv6-type"
        return [f"{program} {ICMP_TYPES[one.protocol][name]}" for name in one.ports.split(",")]
    if one.protocol in WITH_PORTS:
        return [f"-p {one.protocol} -m {one.protocol} --dport {one.ports.replace('-', ':')}"]
    return [f"-p {protocol_number(one.protocol)}"]


def _after_dnat(one: Admission) -> list[str]:
    """A NodePort whose backend is in this node's own network comes to the input chain, after DNAT."""
    if one.protocol not in WITH_PORTS or "-" not in one.ports:
        return []
    return [f"-p {one.protocol} -m conntrack --ctstate DNAT --ctorigdstport {one.ports.replace('-', ':')}"]


def _add_nodeports(chains: Chains, part: Ruleset, names: Names) -> None:
    """Judged in mangle, before DNAT; RETURN instead of ACCEPT leaves others' rules of that table their say."""
    judge = chains["mangle", names.nodeports] = ["-i lo -j RETURN", f"{ESTABLISHED} -j RETURN"]
    judge.append("-m addrtype ! --dst-type LOCAL -j RETURN")
    judge += [f"-d {network} -j RETURN" for network in (*part.services, *part.virtual)]
    for one in sorted(part.nodeports, key=lambda one: one.protocol):
        target = f"{names.only}{one.protocol}"
        judge.append(f"-p {one.protocol} -m {one.protocol} --dport {one.ports.replace('-', ':')} -g {target}")
        admitted = [(name, network) for name in one.peers for network in part.peers[name]]
        chains["mangle", target] = [f"-s {network}{_comment(name)} -j RETURN" for name, network in admitted]
        chains["mangle", target] += [LOG] if part.log else []
        chains["mangle", target] += ["-j DROP"] if part.default != "accept" else []


def _lines(chains: Chains, table: str) -> list[str]:
    return [f"-A {chain} {rule}" for (place, chain), rules in chains.items() if place == table for rule in rules]


def as_file(chains: Chains) -> str:
    """Our chains as a file for ``iptables-restore --noflush``; without the jumps to them."""
    parts: list[str] = []
    for table in ("mangle", "filter"):
        names = [chain for place, chain in chains if place == table]
        if names:
            parts += [f"*{table}", *(f":{name} - [0:0]" for name in names), *_lines(chains, table), "COMMIT"]
    return "\n".join([*parts, ""])


def boot_files(wanted: Ruleset, layout: Layout, managed: Sequence[int], *, jumps: Sequence[str]) -> dict[str, str]:
    """What the next boot loads, whether the chains are there already or not.

    :param jumps: tables whose jumps nobody else brings.
    """
    contents: dict[str, str] = {}
    commands: list[str] = []
    for version in managed:
        program = PROGRAMS[version]
        # Named by the back-end too: the rules of two may lie in one folder for a moment.
        contents[f"{layout.backend}.{program}"] = as_file(chains_for(wanted, layout, version))
        commands.append(f"{RESTORE.format(program)} {layout.backend}.{program}")
        for hook in hooks_for(wanted, layout, version):
            if hook.table in jumps:
                jump = f"-t {hook.table} {{}} {hook.chain} -j {hook.target}"
                check, insert = (f"{program} -w 10 {jump.format(action)}" for action in ("-C", "-I"))
                commands.append(f"{check} 2>/dev/null || {insert}")
    return boot.loading(layout.backend, contents, commands)


# ---- reading back -----------------------------------------------------------------------------------------------


def live() -> str:
    """What both families hold, as iptables-save and ip6tables-save say it."""
    return "\0".join(require([f"{program}-save"]) if exists(f"{program}-save") else "" for program in PROGRAMS.values())


def split(reported: str) -> dict[int, tuple[Table, ...]]:
    """The tables of each family out of :func:`live`."""
    four, _unused, six = reported.partition("\0")
    return {4: parse_save(four), 6: parse_save(six)}


def own_chains(tables: Iterable[Table], names: Names) -> Chains:
    """Our chains among others'."""
    chains: Chains = {}
    for table in tables:
        for chain in table.chains:
            if chain.startswith(names.own):
                chains[table.name, chain] = []
        for rule in table.rules:
            _unused, chain, words = rule.split(" ", 2)
            if chain.startswith(names.own):
                chains[table.name, chain].append(words)
    return chains


def own_hooks(tables: Iterable[Table], names: Names) -> list[tuple[str, str, str]]:
    """Every jump from others' chains to ours: table, chain, and the rule's words after that."""
    found: list[tuple[str, str, str]] = []
    for table in tables:
        for rule in table.rules:
            _unused, chain, words = rule.split(" ", 2)
            if not chain.startswith(names.own) and re.search(rf"(^| )-[jg] {names.own}", words):
                found.append((table.name, chain, words))
    return found


def parse(reported: str, layout: Layout) -> Ruleset:
    """What a node reports, as a ruleset; nothing where it has no chain of ours."""
    tables = split(reported)
    parts = {version: _family(tables[version], layout, version) for version in (4, 6) if tables[version]}
    if all(part == NOTHING for part in parts.values()):
        return NOTHING
    return normal(joined(parts.get(4, NOTHING), parts.get(6, parts.get(4, NOTHING))))


def _family(tables: tuple[Table, ...], layout: Layout, version: int) -> Ruleset:
    chains = own_chains(tables, layout.names)
    if not chains:
        return NOTHING
    reader = _Reader(version, layout.names)
    for (table, chain), rules in chains.items():
        for rule in rules:
            if not reader.read(table, chain, Words.of(rule)):
                reader.strange.append(f"{PROGRAMS[version]} {table}: -A {chain} {rule}")
    found = reader.ruleset()
    wanted = [hook.jump for hook in hooks_for(found, layout, version)]
    present = own_hooks(tables, layout.names)
    lost = [f"{PROGRAMS[version]} {hook[0]}: no rule -A {hook[1]} {hook[2]}" for hook in wanted if hook not in present]
    extra = [*present]
    for hook in wanted:
        if hook in extra:
            extra.remove(hook)
    more = [f"{PROGRAMS[version]} {hook[0]}: -A {hook[1]} {hook[2]}" for hook in extra]
    return replace(found, strange=(*found.strange, *lost, *more))


@dataclass(frozen=True)
class Words:
    """A rule's options; ``!`` goes with the name that follows it."""

    options: Mapping[str, str]

    @classmethod
    def of(cls, rule: str) -> Words:
        options: dict[str, str] = {}
        name, negation = "", ""
        for word in shlex.split(rule):
            if word == "!":
                negation = "! "
            elif word.startswith("-"):
                name, negation = negation + word, ""
                options[name] = ""
            elif name != "-m":
                options[name] = word
        options.pop("-m", None)
        return cls(options)

    def get(self, name: str) -> str:
        return self.options.get(name, "")

    def are(self, *names: str) -> bool:
        """Whether these are the names, besides the comment."""
        return set(self.options) - {"--comment"} == set(names)


class _Reader:
    """Gathers one family's rules; the mutable middle of a parse."""

    def __init__(self, version: int, names: Names) -> None:
        self.version, self.names = version, names
        self.admissions: dict[tuple[str, str], set[str]] = {}
        self.nodeports: dict[str, tuple[str, set[str]]] = {}
        self.peers: dict[str, list[str]] = {}
        self.services: list[str] = []
        self.forwarded: list[str] = []
        self.virtual: list[str] = []
        self.ids: dict[tuple[str, str], str] = {}
        self.default, self.log = "", False
        self.strange: list[str] = []

    def read(self, table: str, chain: str, rule: Words) -> bool:
        """Take a rule in; whether it can have been written here."""
        if table == "mangle":
            return self._judge(rule) if chain == self.names.nodeports else self._only(chain, rule)
        if chain.startswith(self.names.peers):
            self.peers.setdefault(chain[len(self.names.peers) :], []).append(rule.get("-s") or EVERYWHERE[self.version])
            return rule.are("-s", "-j") or rule.are("-j")
        known = {self.names.input: self._input, self.names.end: self._end, self.names.forward: self._forward}
        return chain in known and known[chain](rule)

    def _input(self, rule: Words) -> bool:
        target = rule.get("-j")
        if target == self.names.end or (rule.are("-i", "-j") and rule.get("-i") == "lo"):
            return True
        if rule.are("--ctstate", "-j") or rule.get("--ctorigdstport"):
            return True
        if rule.get("--comment") == VIRTUAL and rule.get("-d"):
            self.virtual.append(rule.get("-d"))
            return target in {"RETURN", "ACCEPT"} and rule.are("-d", "-j")
        name = (
            EVERYBODY
            if target == "ACCEPT"
            else target[len(self.names.peers) :]
            if target.startswith(self.names.peers)
            else ""
        )
        if rule.get("--comment") == "services" and rule.get("-d") and name:
            self.services.append(rule.get("-d"))
            return True
        subject = self._subject(rule) if name else None
        if subject is None:
            return False
        self.admissions.setdefault(subject, set()).add(name)
        self.ids[subject] = rule.get("--comment")
        return True

    def _subject(self, rule: Words) -> tuple[str, str] | None:
        ports = rule.get("--dport").replace(":", "-")
        if rule.are("-p", "--dport", "-j"):
            return rule.get("-p"), ports
        number = rule.get("--icmp-type") or rule.get("--icmpv6-type")
        if number:
            protocol = "icmp" if self.version == 4 else "icmpv6"
            names = {str(value): name for name, value in ICMP_TYPES[protocol].items()}
            return (protocol, names[number]) if number in names else None
        if rule.are("-p", "-j"):
            return protocol_of("", f"ip:{_number(rule.get('-p'))}"), ""
        return None

    def _end(self, rule: Words) -> bool:
        target = rule.get("-j")
        if target == "LOG":
            self.log = True
            return True
        ends = {"DROP": "drop", "REJECT": "reject", "RETURN": "accept"}
        self.default = ends.get(target, "")
        return bool(self.default) and (rule.are("-j") or rule.are("-j", "--reject-with"))

    def _forward(self, rule: Words) -> bool:
        if rule.are("-s", "-j"):
            self.forwarded.append(rule.get("-s"))
        return rule.get("-j") == "ACCEPT" and (rule.are("-s", "-j") or rule.are("-d", "-j"))

    def _judge(self, rule: Words) -> bool:
        target = rule.get("-g")
        if target.startswith(self.names.only):
            ports = rule.get("--dport").replace(":", "-")
            names = self.nodeports.setdefault(target[len(self.names.only) :], (ports, set()))[1]
            self.nodeports[target[len(self.names.only) :]] = (ports, names)
        return bool(target) or rule.get("-j") == "RETURN"

    def _only(self, chain: str, rule: Words) -> bool:
        names = self.nodeports.setdefault(chain[len(self.names.only) :], ("", set()))[1]
        if rule.get("-j") == "RETURN" and rule.get("--comment"):
            names.add(rule.get("--comment"))
            self.peers.setdefault(rule.get("--comment"), []).append(rule.get("-s") or EVERYWHERE[self.version])
            return True
        return rule.get("-j") in {"LOG", "DROP"}

    def ruleset(self) -> Ruleset:
        """What was read."""
        admissions = self._with_types_joined()
        return Ruleset(
            frozenset(Admission(*subject, tuple(sorted(names))) for subject, names in admissions.items()),
            frozenset(
                Admission(protocol, ports, tuple(sorted(names))) for protocol, (ports, names) in self.nodeports.items()
            ),
            {name: tuple(dict.fromkeys(networks)) for name, networks in self.peers.items()},
            tuple(dict.fromkeys(self.services)),
            tuple(self.forwarded),
            self.default,
            self.log,
            tuple(self.strange),
            self.ids,
            tuple(self.virtual),
        )

    def _with_types_joined(self) -> dict[tuple[str, str], set[str]]:
        """ICMP has one rule a type here; rules of one id are one again."""
        joined_types: dict[tuple[str, str], set[str]] = {}
        kept: dict[tuple[str, str], set[str]] = {}
        for (protocol, ports), names in self.admissions.items():
            if protocol in ICMP_TYPES:
                joined_types.setdefault((protocol, self.ids[protocol, ports]), set()).add(ports)
            else:
                kept[protocol, ports] = names
        for (protocol, identity), types in joined_types.items():
            subject = (protocol, ",".join(sorted(types)))
            kept[subject] = set().union(*(self.admissions[protocol, one] for one in types))
            self.ids[subject] = identity
        return kept


def _number(protocol: str) -> int:
    """The number of an IP protocol as iptables prints it: a number, or a name of /etc/protocols."""
    try:
        return int(protocol) if protocol.isdigit() else socket.getprotobyname(protocol)
    except OSError:
        return 255


# ---- the node ---------------------------------------------------------------------------------------------------


def transaction(wanted: Ruleset, layout: Layout, version: int, tables: tuple[Table, ...]) -> str:
    """What brings one family's tables from what they are to what is wanted, a transaction a table."""
    new, old = chains_for(wanted, layout, version), own_chains(tables, layout.names)
    hooks, present = hooks_for(wanted, layout, version), own_hooks(tables, layout.names)
    parts: list[str] = []
    for table in ("mangle", "filter"):
        names = [chain for place, chain in new if place == table]
        stale = [chain for place, chain in old if place == table and (place, chain) not in new]
        if not names and not stale:
            continue
        jumps = _jumps(
            [hook for hook in hooks if hook.table == table], [one for one in present if one[0] == table], tables
        )
        parts += [f"*{table}", *(f":{chain} - [0:0]" for chain in [*names, *stale]), *_lines(new, table), *jumps]
        parts += [*(f"-X {chain}" for chain in stale), "COMMIT"]
    return "\n".join([*parts, ""]) if parts else ""


def _jumps(hooks: Sequence[Hook], present: list[tuple[str, str, str]], tables: tuple[Table, ...]) -> list[str]:
    """Jumps that are missing, put in their place; jumps that must not be, or are there twice, taken away."""
    lines: list[str] = []
    left = [*present]
    for hook in hooks:
        if hook.jump in left:
            left.remove(hook.jump)
        else:
            lines.append(f"-I {hook.chain} {_position(hook, tables)} -j {hook.target}")
    return [*lines, *(f"-D {chain} {words}" for _unused, chain, words in left)]


def _position(hook: Hook, tables: tuple[Table, ...]) -> int:
    rules = [
        rule.split(" ", 2)[2]
        for table in tables
        if table.name == hook.table
        for rule in table.rules
        if rule.split(" ", 2)[1] == hook.chain
    ]
    if hook.behind:
        ahead = next((number for number, rule in enumerate(rules) if not re.search(hook.behind, rule)), len(rules))
        return ahead + 1
    found = [number for number, rule in enumerate(rules) if hook.before and re.search(hook.before, rule)]
    return (found[0] if found else len(rules)) + 1


def versions() -> tuple[int, ...]:
    """The IP versions that this node has a program for."""
    return tuple(version for version, program in PROGRAMS.items() if exists(f"{program}-restore"))


def apply(wanted: Ruleset, layout: Layout, reported: str, managed: Sequence[int]) -> None:
    """Bring the families of these IP versions to what is wanted.

    :raises NodeError: a table refuses its transaction; it is as it was.
    """
    tables = split(reported)
    for version in managed:
        text = transaction(wanted, layout, version, tables[version])
        require(RESTORE.format(PROGRAMS[version]).split(), stdin=text)


def undo(wanted: Ruleset, layout: Layout, reported: str, managed: Sequence[int]) -> Undo:
    """How to bring back what the tables of these IP versions were.

    A jump that is not there cannot be deleted, so a table that never was changed refuses this and stays as it is.
    """
    inputs: list[tuple[str, str]] = []
    families = split(reported)
    for version in managed:
        tables = families[version]
        new, old = chains_for(wanted, layout, version), own_chains(tables, layout.names)
        hooks = [hook.jump for hook in hooks_for(wanted, layout, version)]
        present = own_hooks(tables, layout.names)
        for table in ("mangle", "filter"):
            names = [chain for place, chain in {**new, **old} if place == table]
            fresh = [chain for place, chain in new if place == table and (place, chain) not in old]
            added = [one for one in hooks if one[0] == table and one not in present]
            gone = [one for one in present if one[0] == table and one not in hooks]
            lines = [*_lines(old, table), *(f"-D {chain} {words}" for _unused, chain, words in added)]
            lines += [*(f"-I {chain} {words}" for _unused, chain, words in gone), *(f"-X {one}" for one in fresh)]
            text = "\n".join([f"*{table}", *(f":{one} - [0:0]" for one in names), *lines, "COMMIT", ""])
            if names:
                inputs.append((f"{RESTORE.format(PROGRAMS[version])} <", text))
    return Undo(tuple(inputs))


def silencing(layout: Layout, reported: str) -> Change | None:
    """How our chains come to say nothing; nothing where they say nothing already.

    A chain without rules is as good as none, so the jumps to it stay, and with them their places among others' rules.
    """
    said = {version: own_chains(tables, layout.names) for version, tables in split(reported).items()}
    said = {version: chains for version, chains in said.items() if any(chains.values())}
    if not said:
        return None

    def make() -> None:
        for version, chains in said.items():
            require(RESTORE.format(PROGRAMS[version]).split(), stdin=as_file({place: [] for place in chains}))

    inputs = [(f"{RESTORE.format(PROGRAMS[version])} <", as_file(chains)) for version, chains in said.items()]
    return Change(make, Undo(tuple(inputs)))


def require_programs() -> None:
    """Require iptables on this node.

    :raises NodeError: it is not there.
    """
    if not exists("iptables-restore"):
        raise NodeError(
            "node firewall",
            "the program iptables-restore is not installed on this node",
            "iptables",
            "Install iptables",
        )


def remains(reported: str, layout: Layout) -> list[str]:
    """Our chains and jumps, in words for people."""
    found: list[str] = []
    for version, tables in split(reported).items():
        found += [f"{PROGRAMS[version]} {table} {chain}" for table, chain in own_chains(tables, layout.names)]
        found += [
            f"{PROGRAMS[version]} {table} -A {chain} {words}" for table, chain, words in own_hooks(tables, layout.names)
        ]
    return found


def remove(layout: Layout) -> None:
    """Take our chains and the jumps to them away."""
    remove_chains(find_chains(re.compile(f"{layout.names.own}.*")))
