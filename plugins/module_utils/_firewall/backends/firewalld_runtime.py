# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""firewalld at run time: how its rules and sets get from one state to another, and what a reload would take away.

firewalld changes what it holds one rule and one entry at a time, in no order of its own (its lists are sets on the
way), and refuses an entry that overlaps another one. So the order is made here: whoever is admitted both before and
after is admitted at each moment between.
"""

from __future__ import annotations

import ipaddress
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._node.process import NodeError, require

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

# A rule that is the last word of its policy stands at the largest priority there is.
LAST = 32767
RULES, ADD, REMOVE, EMPTY = "rules", "add", "remove", "empty"
# What shell commands begin with. A policy of thousands of rules takes its time.
ASK = (
    "busctl --quiet --timeout=600 call org.fedoraproject.FirewallD1 /org/fedoraproject/FirewallD1"
    " org.fedoraproject.FirewallD1"
)

RELOAD = "firewall-cmd --quiet --reload"


@dataclass(frozen=True)
class Held:
    """What firewalld holds of ours at run time.

    :param rules: rich rules by policy, in firewalld's words.
    :param sets: entries by ipset.
    """

    rules: Mapping[str, Sequence[str]] = field(default_factory=dict)
    sets: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """One change.

    :param kind: the rules of a policy are these from now on; entries are added to a set, or removed; it is emptied.
    :param name: of the policy or the ipset.
    """

    kind: str
    name: str
    items: tuple[str, ...] = ()


def steps(old: Held, new: Held) -> list[Step]:
    """How to get from one state to the other, or, for an undoing, from anywhere between.

    What is new comes before what is old goes, and a last word comes when all rules before it are there. An entry that
    must go before one that overlaps it can come is covered meanwhile by rules about its addresses.
    """
    displaced = {name: _displaced(old.sets.get(name, ()), entries) for name, entries in new.sets.items()}
    way = {
        name: _Way(old.rules.get(name, ()), new.rules.get(name, ()), displaced) for name in {**old.rules, **new.rules}
    }
    found = [step for name, one in way.items() for step in one.before(name)]
    for name, entries in new.sets.items():
        there = old.sets.get(name, ())
        found.append(Step(REMOVE, name, displaced[name]))
        found.append(Step(ADD, name, tuple(entry for entry in entries if entry not in there)))
    found += [step for name, one in way.items() for step in one.after(name)]
    for name, entries in old.sets.items():
        wanted = new.sets.get(name, ())
        gone = (entry for entry in entries if entry not in {*wanted, *displaced.get(name, ())})
        found.append(Step(REMOVE, name, tuple(gone)) if wanted else Step(EMPTY, name, tuple(entries)))
    return [step for step in found if step.items or step.kind == RULES]


def _displaced(old: Iterable[str], new: Iterable[str]) -> tuple[str, ...]:
    """The old entries that overlap one that is to be added."""
    before, after = set(old), set(new)
    added = [ipaddress.ip_network(entry) for entry in after - before]
    return tuple(
        entry
        for entry in sorted(before - after)
        for network in [ipaddress.ip_network(entry)]
        if any(network.version == one.version and network.overlaps(one) for one in added)
    )


class _Way:
    """How one policy's rules change."""

    def __init__(self, old: Sequence[str], new: Sequence[str], displaced: Mapping[str, Sequence[str]]) -> None:
        self.old, self.new = list(old), list(new)
        self.all = list(dict.fromkeys([*_without_last(old), *_without_last(new)]))
        self.cover = [
            rule.replace(f'ipset="{name}"', f'address="{entry}"')
            for rule in self.all
            for name, entries in displaced.items()
            if f'ipset="{name}"' in rule
            for entry in entries
        ]

    def before(self, name: str) -> list[Step]:
        """What must be there before sets change."""
        return [Step(RULES, name, (*self.old, *self.cover))] if self.cover else []

    def after(self, name: str) -> list[Step]:
        """The rules once the sets are filled."""
        both, first, last = [*self.all, *self.cover], _last(self.old), _last(self.new)
        stages = [[*both, *first], [*both, *dict.fromkeys([*first, *last])], [*both, *last], self.new]
        found: list[Step] = []
        now = {*self.old, *self.cover}
        for stage in stages:
            if set(stage) != now:
                found.append(Step(RULES, name, tuple(stage)))
            now = set(stage)
        return found


def _last(rules: Iterable[str]) -> list[str]:
    return [rule for rule in rules if f'priority="{LAST}"' in rule]


def _without_last(rules: Iterable[str]) -> list[str]:
    return [rule for rule in rules if f'priority="{LAST}"' not in rule]


# ---- as shell commands ------------------------------------------------------------------------------------------


def commands(planned: Iterable[Step]) -> tuple[str, ...]:
    """The same steps for a node that goes back by itself; one that cannot be made does not keep the next from it."""
    return tuple(_command(step) for step in planned)


def _command(step: Step) -> str:
    if step.kind == RULES:
        words = ["sa{sv}", step.name, "1", "rich_rules", "as", str(len(step.items)), *step.items]
        # More rules than a command line holds, or no busctl (sh: 126, 127): then what the files say, which is the old.
        return f"{ASK}.policy setPolicySettings {shlex.join(words)} || test $? -lt 126 || {RELOAD}"
    if step.kind == EMPTY:
        return f"{ASK}.ipset setEntries sas {shlex.quote(step.name)} 0"
    entries = shlex.join(f"--{step.kind}-entry={entry}" for entry in step.items)
    return f"firewall-cmd --quiet --ipset={shlex.quote(step.name)} {entries}"


# ---- by D-Bus ---------------------------------------------------------------------------------------------------


def held(client: Any, policies: Iterable[str], prefix: str) -> Held:
    """What firewalld holds of these policies, and of the ipsets whose names begin so.

    :raises NodeError: firewalld does not say so.
    """
    there = set(_asked("firewalld", client.getPolicies))
    rules = {
        name: list(map(str, _asked(f"firewalld policy {name}", client.getPolicySettings, name).getRichRules()))
        for name in policies
        if name in there
    }
    names = [str(name) for name in _asked("firewalld", client.getIPSets) if str(name).startswith(prefix)]
    return Held(rules, {name: _entries(client, name) for name in names})


def make(client: Any, planned: Iterable[Step]) -> None:
    """Take the steps.

    :raises NodeError: firewalld refuses one.
    """
    for step in planned:
        if step.kind == RULES:
            subject = f"firewalld policy {step.name}"
            settings = _asked(subject, client.getPolicySettings, step.name)
            settings.setRichRules(list(step.items))
            _asked(subject, client.setPolicySettings, step.name, settings)
            continue
        subject, there = f"firewalld ipset {step.name}", set(_entries(client, step.name))
        if step.kind == EMPTY:
            _asked(subject, client.setEntries, step.name, [])
            continue
        change = client.addEntry if step.kind == ADD else client.removeEntry
        for entry in step.items:
            # A reload may have done it.
            if (entry in there) != (step.kind == ADD):
                _asked(subject, change, step.name, entry)


def _entries(client: Any, name: str) -> list[str]:
    return list(map(str, _asked(f"firewalld ipset {name}", client.getEntries, name)))


def _asked(subject: str, method: Callable[..., Any], *arguments: Any) -> Any:
    """One call.

    :raises NodeError: firewalld refuses it.
    """
    from dbus.exceptions import DBusException

    try:
        return method(*arguments)
    except DBusException as error:
        raise NodeError(subject, f"it is refused: {error.get_dbus_message()}") from error


# ---- a reload ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Others:
    """What firewalld holds of others at run time.

    :param zones: settings by zone; likewise policies.
    :param sets: entries by ipset.
    :param direct: chains, rules and passthroughs of the direct interface, each as the words that add it.
    """

    zones: Mapping[str, Any]
    policies: Mapping[str, Any]
    sets: Mapping[str, Sequence[str]]
    direct: Mapping[str, Sequence[Sequence[Any]]]


def reload(client: Any, own: str) -> None:
    """Let firewalld load its files, and bring back what others had at run time only: ports, bans, zones of interfaces.

    Rules that end by themselves (``--timeout``) come back without their end, for firewalld does not tell it.

    :param own: how the names of what is ours begin; of that comes what the files say.
    :raises NodeError: firewalld refuses its files, or something that it had.
    """
    before = _others(client, own)
    require(RELOAD.split())
    after = _others(client, own)
    for name, settings in before.zones.items():
        if name in after.zones and _differ(settings, after.zones[name]):
            subject = f"firewalld zone {name}"
            # An interface has one zone, so it leaves the one that the files say.
            for interface in settings.getInterfaces():
                _asked(subject, client.changeZoneOfInterface, name, interface)
            for source in settings.getSources():
                _asked(subject, client.changeZoneOfSource, name, source)
            _asked(subject, client.setZoneSettings, name, settings)
    for name, settings in before.policies.items():
        if name in after.policies and _differ(settings, after.policies[name]):
            _asked(f"firewalld policy {name}", client.setPolicySettings, name, settings)
    there = Held({}, {name: entries for name, entries in before.sets.items() if name in after.sets})
    make(client, steps(Held({}, {name: after.sets[name] for name in there.sets}), there))
    for kind, entries in before.direct.items():
        for words in entries:
            if words not in after.direct[kind]:
                _asked(f"firewalld's direct {kind.lower()}", getattr(client, f"add{kind}"), *words)


def _others(client: Any, own: str) -> Others:
    def names(found: Iterable[Any]) -> list[str]:
        return [str(name) for name in found if not str(name).startswith(own)]

    subject = "firewalld"
    return Others(
        {name: _asked(subject, client.getZoneSettings, name) for name in names(_asked(subject, client.getZones))},
        {name: _asked(subject, client.getPolicySettings, name) for name in names(_asked(subject, client.getPolicies))},
        {name: _entries(client, name) for name in names(_asked(subject, client.getIPSets))},
        {
            kind: [list(words) for words in _asked(subject, getattr(client, f"getAll{kind}s"))]
            for kind in ("Chain", "Rule", "Passthrough")
        },
    )


def _differ(one: Any, other: Any) -> bool:
    """Whether two settings differ at run time, in whatever order their lists are."""

    def plain(settings: Any) -> dict[str, Any]:
        found = settings.getSettingsDict()
        return {key: sorted(map(str, value)) if isinstance(value, list) else value for key, value in found.items()}

    return plain(one) != plain(other)
