# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Policies and ipsets of our own in firewalld: one for what comes to the node, one that lets pods' traffic through.

firewalld makes a policy or an ipset only when it reloads, so empty ones are made first, once; rules then come and go at
run time, in an order that never leaves anybody out (``firewalld_runtime``). NodePorts must be judged before DNAT, which
firewalld has no words for: that is a chain in an nftables table of our own, which no reload of firewalld touches.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._firewall import boot
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.backends import nftables
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.backends.firewalld_runtime import (
    LAST,
    Held,
    commands,
    held,
    make,
    reload,
    steps,
)
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
    in_family,
    normal,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._node import files
from ansible_collections.netops.kubernetes.plugins.module_utils._node.process import NodeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

NAME = "firewalld"
FORWARDS = True
# Version 2, and the hierarchy of systemd in version 1.
CGROUPS = ("/sys/fs/cgroup", "/sys/fs/cgroup/systemd")
FOLDER = "/etc/firewalld"
# Not the table of the back-end nftables: moving from one to the other removes one and keeps the other.
GUARD = f"{nftables.TABLE}_nodeports"
INPUT, PODS = "netops-in", "netops-pods"
ZONES = {INPUT: ("ANY", "HOST"), PODS: ("ANY", "ANY")}
# Before the zones' own rules, whose targets would else be the last word.
PRIORITY = -100
FAMILIES = {4: ("ipv4", "inet"), 6: ("ipv6", "inet6")}
BEFORE_LAST = LAST - 1
# How the names of our policies and ipsets begin.
OWN = "netops-"
# firewalld's names of ICMP types, where they are not nft's.
TYPE_NAMES = {
    "nd-router-solicit": "router-solicitation",
    "nd-router-advert": "router-advertisement",
    "nd-neighbor-solicit": "neighbour-solicitation",
    "nd-neighbor-advert": "neighbour-advertisement",
    "nd-redirect": "redirect",
}
NFT_NAMES = {name: nft for nft, name in TYPE_NAMES.items()}


@dataclass(frozen=True)
class Rich:
    """A rich rule (firewalld.richlanguage(5)), in the form that firewalld prints and in that of its files.

    :param source: an ipset's name with ``@`` before it, or a network; empty for everybody.
    :param element: name and attributes of what it is about.
    """

    verdict: str
    family: str = ""
    source: str = ""
    destination: str = ""
    element: tuple[tuple[str, str], ...] = ()
    kind: str = ""
    priority: int = 0

    def words(self) -> str:
        """As firewalld prints it, and takes it at run time."""
        parts = ["rule"]
        parts += [f'priority="{self.priority}"'] if self.priority else []
        parts += [f'family="{self.family}"'] if self.family else []
        if self.source:
            parts.append(f'source ipset="{self.source[1:]}"' if self._is_set else f'source address="{self.source}"')
        parts += [f'destination address="{self.destination}"'] if self.destination else []
        parts += [f"{self.kind} {self._attributes}"] if self.kind else []
        return " ".join([*parts, LOG_WORDS if self.verdict == "log" else self.verdict])

    def xml(self) -> str:
        """As a line of a policy's file."""
        head = [f' priority="{self.priority}"'] * bool(self.priority) + [f' family="{self.family}"'] * bool(self.family)
        source = f'<source ipset="{self.source[1:]}"/>' if self._is_set else f'<source address="{self.source}"/>'
        destination = f'<destination address="{self.destination}"/>' if self.destination else ""
        element = f"<{self.kind} {self._attributes}/>" if self.kind else ""
        verdict = LOG_XML if self.verdict == "log" else f"<{self.verdict}/>"
        return f"  <rule{''.join(head)}>{source if self.source else ''}{destination}{element}{verdict}</rule>\n"

    @property
    def _attributes(self) -> str:
        return " ".join(f'{key}="{value}"' for key, value in self.element)

    @property
    def _is_set(self) -> bool:
        return self.source.startswith("@")


LOG_WORDS = f'log prefix="{LOG_PREFIX}" level="info" limit value="5/s"'
LOG_XML = f'<log prefix="{LOG_PREFIX}" level="info"><limit value="5/s"/></log>'


def is_active() -> bool:
    """Whether firewalld runs; told without a process, by the control group that systemd keeps for it."""
    return any(
        (files.read(f"{folder}/system.slice/firewalld.service/cgroup.procs") or "").strip() for folder in CGROUPS
    )


# ---- rendering --------------------------------------------------------------------------------------------------


def set_name(name: str, version: int) -> str:
    """The ipset of a peer set in one family."""
    return f"netops-{name}-v{version}"


def sets_for(wanted: Ruleset) -> dict[str, tuple[str, ...]]:
    """The ipsets by name, and what is in them."""
    return {
        set_name(name, version): tuple(entries)
        for name, networks in sorted(wanted.peers.items())
        for version in FAMILIES
        for entries in [of_version(networks, version)]
        if entries
    }


def rules_for(wanted: Ruleset) -> dict[str, list[Rich]]:
    """The rules of each policy."""
    found: dict[str, list[Rich]] = {INPUT: [], PODS: []}
    parts = {version: in_family(wanted, version) for version in FAMILIES}
    for one in sorted(wanted.admissions, key=lambda one: (one.protocol, one.ports)):
        found[INPUT] += _admission(one, parts)
    for version, (family, _unused) in FAMILIES.items():
        part = parts[version]
        found[INPUT] += [
            Rich("accept", family, f"@{set_name(name, version)}", network)
            for network in part.services
            for name in ("all_nodes", "pods")
            if name in part.peers
        ]
        # In IPVS mode these are the node's own, and this comes before IPVS; kube-proxy's rules are in other tables.
        found[INPUT] += [Rich("accept", family, "", network) for network in part.virtual]
        found[PODS] += [Rich("accept", family, network) for network in part.forwarded]
        found[PODS] += [Rich("accept", family, "", network) for network in part.forwarded]
    found[INPUT] += [Rich("log", priority=BEFORE_LAST)] * wanted.log
    # An accept here would be the last word on what the zones are there to judge.
    found[INPUT] += [Rich(wanted.default, priority=LAST)] if wanted.default in {"drop", "reject"} else []
    return found


def _admission(one: Admission, parts: Mapping[int, Ruleset]) -> list[Rich]:
    if EVERYBODY in one.peers and one.protocol not in ICMP_TYPES:
        return [Rich("accept", kind=kind, element=element) for kind, element in _elements(one)]
    rules: list[Rich] = []
    for version, (family, _unused) in FAMILIES.items():
        if one.protocol == {4: "icmpv6", 6: "icmp"}[version]:
            continue
        part = parts[version]
        sources = [
            "" if name == EVERYBODY else f"@{set_name(name, version)}"
            for name in one.peers
            if name == EVERYBODY or name in part.peers
        ]
        rules += [
            Rich("accept", family, source, kind=kind, element=element)
            for source in sources
            for kind, element in _elements(one)
        ]
    return rules


def _elements(one: Admission) -> list[tuple[str, tuple[tuple[str, str], ...]]]:
    if one.protocol in ICMP_TYPES:
        return [("icmp-type", (("name", TYPE_NAMES.get(name, name)),)) for name in one.ports.split(",")]
    if one.protocol in WITH_PORTS:
        return [("port", (("port", one.ports), ("protocol", one.protocol)))]
    return [("protocol", (("value", str(protocol_number(one.protocol))),))]


HEAD = '<?xml version="1.0" encoding="utf-8"?>\n<!-- Managed by netops.kubernetes -->\n'


def policy_file(name: str, rules: Iterable[Rich]) -> str:
    """A policy as firewalld.policy(5) has it; a verdict of its own has only its last rule."""
    zones = "".join(f'  <{way}-zone name="{zone}"/>\n' for way, zone in zip(("ingress", "egress"), ZONES[name]))
    lines = "".join(rule.xml() for rule in rules)
    return f'{HEAD}<policy priority="{PRIORITY}" target="CONTINUE">\n{zones}{lines}</policy>\n'


def set_file(name: str, entries: Iterable[str]) -> str:
    """An ipset as firewalld.ipset(5) has it."""
    family = FAMILIES[int(name[-1])][1]
    lines = "".join(f"  <entry>{entry}</entry>\n" for entry in entries)
    return f'{HEAD}<ipset type="hash:net">\n  <option name="family" value="{family}"/>\n{lines}</ipset>\n'


def files_for(wanted: Ruleset) -> dict[str, str]:
    """firewalld's files by their path below its folder."""
    sets = {f"ipsets/{name}.xml": set_file(name, entries) for name, entries in sets_for(wanted).items()}
    return {**sets, **{f"policies/{name}.xml": policy_file(name, rules) for name, rules in rules_for(wanted).items()}}


def _empty_files(wanted: Ruleset) -> dict[str, str]:
    """The same objects without a say."""
    sets = {f"ipsets/{name}.xml": set_file(name, ()) for name in sets_for(wanted)}
    return {**sets, **{f"policies/{name}.xml": policy_file(name, ()) for name in ZONES}}


# ---- reading back -----------------------------------------------------------------------------------------------

PORT = re.compile(r'port port="([0-9-]+)" protocol="(\w+)"')
PROTOCOL = re.compile(r'protocol value="(\d+)"')
ICMP = re.compile(r'icmp-type name="([\w-]+)"')
RULE = re.compile(
    r'rule(?: priority="(?P<priority>\d+)")?(?: family="ipv(?P<version>[46])")?'
    r'(?: source (?:ipset="netops-(?P<set>\w+)-v[46]"|address="(?P<source>[^"]+)"))?'
    r'(?: destination address="(?P<destination>[^"]+)")?'
    r"(?: (?P<element>(?:port|protocol|icmp-type) [^ ]+(?: protocol=\"\w+\")?))? (?P<verdict>accept|drop|reject|log .*)"
)


def parse(listing: str) -> Ruleset:
    """What :func:`live` says, as a ruleset; nothing where there is no rule of ours."""
    observed = json.loads(listing or "{}")
    if not observed.get("rules") and not observed.get("table"):
        return NOTHING
    reader = _Reader()
    for name, rules in observed.get("rules", {}).items():
        for rule in rules:
            found = RULE.fullmatch(rule)
            if not (found and reader.read(name, found)):
                reader.strange.append(f"policy {name}: {rule}")
    peers: dict[str, tuple[str, ...]] = {}
    for name, entries in observed.get("sets", {}).items():
        plain = name[len("netops-") : -len("-v4")]
        peers[plain] = (*peers.get(plain, ()), *entries)
    guard = nftables.parse(observed.get("table", ""))
    return normal(reader.ruleset(peers, guard))


class _Reader:
    """Gathers the rules of the policies; the mutable middle of a parse."""

    def __init__(self) -> None:
        self.admissions: dict[tuple[str, str], set[str]] = {}
        self.services: list[str] = []
        self.forwarded: list[str] = []
        self.virtual: list[str] = []
        # Without a last rule the zones decide.
        self.default, self.log = "accept", False
        self.strange: list[str] = []

    def read(self, policy: str, rule: re.Match[str]) -> bool:
        """Take a rule in; whether it can have been written here."""
        if policy == INPUT and rule["source"]:
            # It stands in for an entry of a set while that changes, or somebody else wrote it.
            return False
        if policy == PODS:
            self.forwarded += [rule["source"]] if rule["source"] else []
            return rule["verdict"] == "accept" and bool(rule["source"] or rule["destination"])
        if rule["verdict"].startswith("log "):
            self.log = True
            return True
        if rule["priority"]:
            self.default = rule["verdict"]
            return rule["priority"] == str(LAST) and self.default in {"drop", "reject"}
        if rule["destination"]:
            (self.services if rule["set"] else self.virtual).append(rule["destination"])
            return True
        subject = self._subject(rule["element"] or "", rule["version"])
        if subject is None or rule["verdict"] != "accept":
            return False
        self.admissions.setdefault(subject, set()).add(rule["set"] or EVERYBODY)
        return True

    def _subject(self, element: str, version: str | None) -> tuple[str, str] | None:
        port, protocol, icmp = PORT.fullmatch(element), PROTOCOL.fullmatch(element), ICMP.fullmatch(element)
        if port:
            return port[2], port[1]
        if icmp:
            return "icmp" if version == "4" else "icmpv6", NFT_NAMES.get(icmp[1], icmp[1])
        return (protocol_of("", f"ip:{protocol[1]}"), "") if protocol else None

    def ruleset(self, peers: Mapping[str, tuple[str, ...]], guard: Ruleset) -> Ruleset:
        """What was read, NodePorts as the table of our own has them."""
        return Ruleset(
            frozenset(Admission(*subject, tuple(sorted(names))) for subject, names in self.admissions.items()),
            guard.nodeports,
            {name: entries for name, entries in {**guard.peers, **peers}.items() if entries},
            tuple(dict.fromkeys(self.services)),
            tuple(dict.fromkeys(self.forwarded)),
            self.default,
            self.log,
            (*self.strange, *guard.strange),
            virtual=tuple(dict.fromkeys(self.virtual)),
        )


def by_type(ruleset: Ruleset) -> Ruleset:
    """The same ruleset with an admission for each ICMP type: firewalld keeps no comments that would join them."""
    admissions = {
        Admission(one.protocol, name, one.peers)
        for one in ruleset.admissions
        for name in (one.ports.split(",") if one.protocol in ICMP_TYPES else [one.ports])
    }
    return replace(ruleset, admissions=frozenset(admissions))


# ---- the node ---------------------------------------------------------------------------------------------------


def require_usable() -> None:
    """Require a running firewalld, and its Python library.

    :raises NodeError: one is missing.
    """
    if not is_active():
        raise NodeError(
            "node firewall",
            "firewalld does not run on this node",
            "a running firewalld",
            "Run: systemctl enable --now firewalld; or set backend to another one",
        )
    _client()


def _client() -> Any:
    """A session with firewalld.

    :raises NodeError: its library is not there for this Python.
    """
    try:
        from firewall.client import FirewallClient
    except ImportError as error:
        raise NodeError(
            "node firewall",
            "this Python has no firewalld library (module firewall)",
            "the Python that firewalld runs with",
            "Set ansible_python_interpreter to /usr/bin/python3, where the package python3-firewall is",
        ) from error
    return FirewallClient()


def live() -> str:
    """Rules and sets of ours that firewalld has at run time, as JSON.

    :raises NodeError: firewalld does not say so.
    """
    found = held(_client(), ZONES, OWN)
    return json.dumps({"rules": found.rules, "sets": found.sets, "table": nftables.live(GUARD)})


def _reported(reported: str) -> tuple[Held, str]:
    """What :func:`live` said: what firewalld holds, and the guard."""
    observed = json.loads(reported)
    return Held(observed["rules"], observed["sets"]), observed["table"]


def _target(wanted: Ruleset) -> Held:
    rules = {name: [rule.words() for rule in rules] for name, rules in rules_for(wanted).items()}
    return Held(rules, sets_for(wanted))


def is_live(wanted: Ruleset, reported: str) -> bool:
    """Whether firewalld has what is wanted at run time, no set missing or left over."""
    observed = json.loads(reported)
    # An empty set that nothing refers to any more goes with the next reload.
    filled = {name for name, entries in observed["sets"].items() if entries}
    return filled == set(sets_for(wanted)) and by_type(parse(reported)) == by_type(wanted)


def apply(wanted: Ruleset, reported: str) -> None:
    """Bring it to firewalld's run time: what is new first, then what is old goes.

    :raises NodeError: firewalld refuses a rule.
    """
    observed, table = _reported(reported)
    client = _client()
    if set(sets_for(wanted)) - set(observed.sets) or set(observed.rules) != set(ZONES):
        _make_empty_objects(client, wanted, observed)
    make(client, steps(observed, _target(wanted)))
    _apply_guard(wanted, table)


def _apply_guard(wanted: Ruleset, listed: str) -> None:
    guard = _guard(wanted)
    if guard.nodeports and not nftables.is_live(guard, listed, GUARD):
        nftables.apply(guard, listed, GUARD)
    if listed and not guard.nodeports:
        nftables.remove(GUARD)


def _guard(wanted: Ruleset) -> Ruleset:
    """What the table of our own holds: NodePorts alone."""
    used = {name for one in wanted.nodeports for name in one.peers}
    peers = {name: networks for name, networks in wanted.peers.items() if name in used}
    services = wanted.services if wanted.nodeports else ()
    return Ruleset(nodeports=wanted.nodeports, peers=peers, services=services, default=wanted.default, log=wanted.log)


def _make_empty_objects(client: Any, wanted: Ruleset, observed: Held) -> None:
    """Make what can only be made by a reload, without a say; what is there keeps its permanent rules.

    What was there at run time only is brought back, ours and others', so that nothing is lost.
    """
    for path, text in _empty_files(wanted).items():
        name = path.rpartition("/")[2][: -len(".xml")]
        if name not in observed.sets and name not in observed.rules:
            files.write(f"{FOLDER}/{path}", text, 0o600)
    reload(client, OWN)
    loaded = held(client, observed.rules, OWN)
    make(client, steps(Held(loaded.rules, {name: loaded.sets[name] for name in observed.sets}), observed))


def undo(wanted: Ruleset, reported: str) -> Undo:
    """How to bring back what is reported, without a reload: that would take away what others have at run time only."""
    observed, table = _reported(reported)
    texts = nftables.transactions_back(_guard(wanted), table, GUARD) if table or wanted.nodeports else ()
    inputs = tuple(("nft --file", text) for text in texts)
    # A policy that is not there yet will be empty.
    before = Held({name: observed.rules.get(name, ()) for name in ZONES}, observed.sets)
    return Undo(inputs, commands(steps(_target(wanted), before)))


def silencing() -> Change | None:
    """How policies and guard come to say nothing; nothing where they say nothing already.

    Without firewalld there is the guard alone, and who takes that away shuts nobody out.
    """
    if not is_active():
        return None
    observed, table = _reported(live())
    if not any(observed.rules.values()) and not table:
        return None
    silent = Held(dict.fromkeys(observed.rules, ()), observed.sets)

    def silence() -> None:
        make(_client(), steps(observed, silent))
        nftables.remove(GUARD)

    texts = nftables.transactions_back(NOTHING, table, GUARD) if table else ()
    return Change(silence, Undo(tuple(("nft --file", text) for text in texts), commands(steps(silent, observed))))


CLEARING = tuple(f"rm -f {FOLDER}/{kind}/netops-*.xml" for kind in ("policies", "ipsets"))


def boot_files(wanted: Ruleset) -> dict[str, str]:
    """What the next boot loads: the guard, and firewalld's files, which are laid down before it starts."""
    contents = {path.replace("/", "_"): text for path, text in files_for(wanted).items()}
    lines = [*CLEARING, *(f"cp {path.replace('/', '_')} {FOLDER}/{path}" for path in files_for(wanted))]
    guard = _guard(wanted)
    if guard.nodeports:
        contents["rules.nft"] = nftables.transaction(nftables.render(guard, table=GUARD), GUARD)
        lines.append("nft --file rules.nft")
    return boot.loading(NAME, contents, lines)


def is_persisted(wanted: Ruleset) -> bool:
    """Whether the next boot, and the next reload, bring exactly this."""
    same = all(files.read(f"{FOLDER}/{path}") == text for path, text in files_for(wanted).items())
    return same and boot.is_committed(boot_files(wanted))


def persist(wanted: Ruleset, leaving: Sequence[Mapping[str, str]] = ()) -> None:
    """Let the next boot, and the next reload, bring it.

    :raises NodeError: this node has no systemd.
    """
    boot.commit(boot_files(wanted), leaving)
    for path, text in files_for(wanted).items():
        files.write(f"{FOLDER}/{path}", text, 0o600)
    for own in _own_files():
        if str(own.relative_to(FOLDER)) not in files_for(wanted):
            files.remove(str(own))


def leaving() -> dict[str, str]:
    """What a boot must load until this is removed: our files go before firewalld starts."""
    return boot.loading(NAME, {}, CLEARING)


def _own_files() -> list[Path]:
    return [path for kind in ("policies", "ipsets") for path in sorted(Path(FOLDER, kind).glob("netops-*.xml"))]


def remains() -> list[str]:
    """What there is of ours in firewalld's files and in the kernel."""
    return [*map(str, _own_files()), *nftables.remains(GUARD)]


def remove() -> None:
    """Take away policies, sets and the guard; firewalld goes on as it was."""
    own = _own_files()
    for path in own:
        files.remove(str(path))
    if own and is_active():
        reload(_client(), OWN)
    nftables.remove(GUARD)
