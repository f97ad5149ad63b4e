# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""What changed between versions of CoreDNS, with the edit that each change asks for.

From the release notes (``notes/``) and the sources of ``github.com/coredns/coredns``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Callable, Optional

from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.edit import Edit, taken_out
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.lexer import quote
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.versions import Version, version_of

if TYPE_CHECKING:
    from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.tree import (
        Corefile,
        Directive,
        Option,
        ServerBlock,
    )

# The edits, and what they do in words.
Done = tuple[list[Edit], str]
# Gives what is to be done about one use of a plugin; nothing when there is nothing to do.
Action = Callable[["Corefile", "ServerBlock", "Directive"], Optional[Done]]


@dataclass(frozen=True)
class Change:
    """A change that a Corefile must follow.

    :param since: the first version that refuses the old form.
    :param up: makes the new form of the old; taken again until it finds nothing.
    :param down: the other way.
    :param is_harmless: whether what is taken out had no effect.
    """

    plugin: str
    since: str
    reason: str
    source: str
    up: Action | None = None
    down: Action | None = None
    is_harmless: bool = False

    @property
    def version(self) -> Version:
        return version_of(self.since)

    def lies_between(self, old: Version, new: Version) -> bool:
        """Whether one of the versions is older than the change and the other is not."""
        return min(old, new) < self.version <= max(old, new)


@dataclass(frozen=True)
class Behaviour:
    """A change that no edit follows."""

    plugin: str
    since: str
    reason: str
    source: str
    option: str = ""


# ---- edits -----------------------------------------------------------------------------------------------------------


def _drop(*names: str, words: Callable[[tuple[str, ...]], bool] = lambda _words: True) -> Action:
    """Take options out."""

    def action(corefile: Corefile, _block: ServerBlock, directive: Directive) -> Done | None:
        for option in directive.options:
            if option.name in names and words(option.words):
                return [_out(corefile, option)], f"take out option {' '.join(option.words)}"
        return None

    return action


def _drop_but(*names: str) -> Action:
    """Take every other option out."""

    def action(corefile: Corefile, _block: ServerBlock, directive: Directive) -> Done | None:
        for option in directive.options:
            if option.name not in names:
                return [_out(corefile, option)], f"take out option {' '.join(option.words)}"
        return None

    return action


def _out(corefile: Corefile, option: Option) -> Edit:
    return taken_out(corefile.text, option.tokens[0].start, option.tokens[-1].end)


def _rewrite(old: tuple[str, ...], new: tuple[str, ...]) -> Action:
    """Write options that begin with some words with others instead."""

    def action(_corefile: Corefile, _block: ServerBlock, directive: Directive) -> Done | None:
        for option in directive.options:
            if option.words[: len(old)] == old:
                tokens = option.tokens[: len(old)]
                edit = (tokens[0].start, tokens[-1].end, " ".join(map(quote, new)))
                return [edit], f"write {' '.join(old)} as {' '.join(new)}"
        return None

    return action


def _rename(new: str, unless: str = "") -> Action:
    """Write the plugin's name otherwise, unless an argument begins with a word."""

    def action(_corefile: Corefile, _block: ServerBlock, directive: Directive) -> Done | None:
        if unless and any(word.startswith(unless) for word in directive.arguments):
            return None
        token = directive.tokens[0]
        return [(token.start, token.end, new)], f"write {directive.name} as {new}"

    return action


def _event(name: str) -> Action:
    """``on startup`` as ``startup``."""

    def action(_corefile: Corefile, _block: ServerBlock, directive: Directive) -> Done | None:
        if directive.arguments[:1] != (name,):
            return None
        return [(directive.start, directive.tokens[1].end, name)], f"write on {name} as {name}"

    return action


def _timeout_of_directory(corefile: Corefile, _block: ServerBlock, directive: Directive) -> Done | None:
    option = directive.option("directory")
    if option is None or len(option.tokens) < 5:
        return None
    seconds = option.words[4]
    indent = _indent_before(corefile.text, option.tokens[0].start)
    line = f"{_newline(corefile.text)}{indent}reload {seconds}{'s' if seconds.isdecimal() else ''}"
    edit = (option.tokens[3].end, option.tokens[4].end, line)
    return [edit], f"write the time {seconds} of option directory as option reload"


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _indent_before(text: str, offset: int) -> str:
    before = text[text.rfind("\n", 0, offset) + 1 : offset]
    return before[: len(before) - len(before.lstrip())]


def _transfer_to_plugin(corefile: Corefile, _block: ServerBlock, directive: Directive) -> Done | None:
    """``transfer to`` inside a plugin as a plugin ``transfer`` behind it."""
    options = [one for one in directive.options if one.words[:2] == ("transfer", "to")]
    if not options:
        return None
    targets = " ".join(word for option in options for word in option.words[2:])
    newline, indent = _newline(corefile.text), _indent_before(corefile.text, directive.start)
    head = " ".join(["transfer", *(quote(zone) for zone in _zones_of(directive))])
    inner = _indent_before(corefile.text, options[0].tokens[0].start)
    plugin = f"{newline}{indent}{head} {{{newline}{inner}to {targets}{newline}{indent}}}"
    edits = [*(_out(corefile, option) for option in options), (directive.end, directive.end, plugin)]
    return edits, f"write option transfer to of {directive.name} as plugin transfer"


def _zones_of(directive: Directive) -> tuple[str, ...]:
    """The zones whose transfer is meant: the first of ``kubernetes``, all of the others."""
    if directive.name == "kubernetes":
        return directive.arguments[:1]
    return directive.arguments[1:] if directive.name == "file" else directive.arguments


def _transfer_to_option(corefile: Corefile, block: ServerBlock, directive: Directive) -> Done | None:
    """The other way, where the plugin stands whose zone is transferred."""
    to = [option for option in directive.options if option.name == "to"]
    owner = next(
        (
            one
            for one in block.directives
            if one.name in ("kubernetes", "file", "auto") and one.closing and _zones_of(one) == directive.arguments
        ),
        None,
    )
    if owner is None or owner.closing is None or not to:
        return None
    text = corefile.text
    indent = _indent_before(text, owner.start)
    inner = _indent_before(text, owner.options[0].tokens[0].start) if owner.options else indent + indent
    targets = " ".join(word for option in to for word in option.words[1:])
    at = text.rfind("\n", 0, owner.closing.start) + 1
    edits = [
        (at, at, f"{inner}transfer to {targets}{_newline(text)}"),
        taken_out(text, directive.start, directive.end),
    ]
    return edits, f"write plugin transfer as option transfer to of {owner.name}"


def _word_out(option_name: str, word: str) -> Action:
    """Take one word out of an option; the option goes with its last word."""

    def action(corefile: Corefile, _block: ServerBlock, directive: Directive) -> Done | None:
        option = directive.option(option_name)
        if option is None:
            return None
        for before, token in zip(option.tokens, option.tokens[1:]):
            if token.text.upper() == word:
                if len(option.tokens) == 2:
                    return [_out(corefile, option)], f"take out option {' '.join(option.words)}"
                return [(before.end, token.end, "")], f"take out {word} of option {option_name}"
        return None

    return action


_NOTES = "release notes of CoreDNS"
CHANGES: tuple[Change, ...] = (
    *(
        Change(
            name,
            "1.1.0",
            f"plugin {name} became an event of plugin on",
            f"{_NOTES} 1.0.6; plugin.cfg at v1.1.0",
            up=_rename(f"on {name}"),
        )
        for name in ("startup", "shutdown")
    ),
    *(
        Change("on", "1.1.0", f"there was a plugin {name}", "plugin.cfg at v1.0.6", down=_event(name))
        for name in ("startup", "shutdown")
    ),
    Change(
        "proxy",
        "1.2.0",
        "the protocol https_google is gone",
        f"{_NOTES} 1.1.4",
        up=_drop("protocol", words=lambda words: words[1:2] == ("https_google",)),
    ),
    # On the way down the last comes first.
    *(
        Change("forward", "1.0.5", reason, "plugin/forward at v1.0.5; plugin/proxy at v1.0.4", down=action)
        for reason, action in (
            ("plugin proxy was there before it", _rename("proxy", unless="tls://")),
            ("proxy calls it so", _rewrite(("force_tcp",), ("protocol", "dns", "force_tcp"))),
            ("proxy calls it so", _rewrite(("policy", "sequential"), ("policy", "first"))),
            ("proxy has no such option", _drop_but("except", "max_fails", "policy", "force_tcp", "protocol")),
        )
    ),
    # The options first, while the plugin still has its name.
    *(
        Change("proxy", "1.5.0", reason, "plugin/forward/README.md of CoreDNS 1.5.0", up=action, is_harmless=harmless)
        for reason, action, harmless in (
            ("forward calls it so", _rewrite(("policy", "first"), ("policy", "sequential")), True),
            ("forward calls it so", _rewrite(("protocol", "dns", "force_tcp"), ("force_tcp",)), True),
            ("forward calls it so", _rewrite(("protocol", "force_tcp"), ("force_tcp",)), True),
            ("DNS is what forward speaks", _drop("protocol", words=lambda words: words == ("protocol", "dns")), True),
            (
                "forward does not count connections; it takes a server at random",
                _drop("policy", words=lambda words: words[1:] == ("least_conn",)),
                False,
            ),
            ("forward looks after its servers by itself", _drop("fail_timeout", "spray"), False),
            ("forward asks its servers by DNS, not by HTTP", _drop("health_check"), False),
        )
    ),
    Change("proxy", "1.5.0", "plugin forward took its place", f"{_NOTES} 1.4.0 and 1.5.0", up=_rename("forward")),
    *(
        Change(
            name,
            "1.5.0",
            "option reload took its place",
            f"{_NOTES} 1.4.0 and 1.5.0",
            up=_rewrite(("no_reload",), ("reload", "0")),
        )
        for name in ("file", "auto")
    ),
    Change("auto", "1.5.0", "option reload took its place", f"{_NOTES} 1.5.0", up=_timeout_of_directory),
    Change(
        "file",
        "1.2.3",
        "there was no option reload",
        "plugin/file/setup.go at v1.2.2",
        down=_rewrite(("reload", "0"), ("no_reload",)),
    ),
    Change(
        "kubernetes",
        "1.7.0",
        "it had no effect since 1.5.0, and resyncperiod none since 1.6.0",
        f"{_NOTES} 1.7.0",
        up=_drop("upstream", "resyncperiod"),
        is_harmless=True,
    ),
    Change(
        "secondary",
        "1.8.0",
        "it had no effect since 1.5.2",
        "plugin/secondary/setup.go at v1.8.0",
        up=_drop("upstream"),
        is_harmless=True,
    ),
    *(
        Change(
            name,
            "1.8.0",
            "plugin transfer took its place",
            f"{_NOTES} 1.8.0",
            up=_transfer_to_plugin,
        )
        for name in ("kubernetes", "file", "auto", "secondary")
    ),
    Change(
        "transfer",
        "1.8.0",
        "only from 1.8.0 on plugin transfer sends the zones of other plugins",
        f"{_NOTES} 1.8.0",
        down=_transfer_to_option,
    ),
    *(
        Change(
            "header",
            "1.12.4",
            "whether questions or answers are meant must be said",
            "plugin/header/setup.go at v1.12.4",
            up=_rewrite((verb,), ("response", verb)),
        )
        for verb in ("set", "clear")
    ),
    *(
        Change(
            "header",
            "1.9.4",
            "only answers were meant",
            "plugin/header/setup.go at v1.9.3",
            down=_rewrite(("response", verb), (verb,)),
        )
        for verb in ("set", "clear")
    ),
    Change(
        "forward",
        "1.13.2",
        "success is no failure",
        f"{_NOTES} 1.13.2",
        up=_word_out("failover", "NOERROR"),
    ),
)

BEHAVIOUR: tuple[Behaviour, ...] = (
    Behaviour("kubernetes", "1.4.0", "of several end points only the first is used", f"{_NOTES} 1.4.0", "endpoint"),
    Behaviour("health", "1.5.0", "it says no more whether plugins are ready; plugin ready does", f"{_NOTES} 1.5.0"),
    Behaviour("tls", "1.6.0", "with an authority, clients must show a certificate", f"{_NOTES} 1.6.0"),
    Behaviour("prometheus", "1.7.0", "names of metrics end in _total instead of _count_total", f"{_NOTES} 1.7.0"),
    Behaviour("kubernetes", "1.8.1", "it needs list and watch on endpointslices", f"{_NOTES} 1.8.1"),
    Behaviour("kubernetes", "1.9.0", "questions with wildcards are not answered any more", f"{_NOTES} 1.9.0"),
    Behaviour("kubernetes", "1.11.0", "it does without Endpoints and EndpointSlice v1beta1", f"{_NOTES} 1.11.0"),
    Behaviour("bufsize", "1.11.0", "without an argument it means 1232, not 512", f"{_NOTES} 1.11.0"),
    Behaviour("kubernetes", "1.12.3", "the start waits up to 5 seconds for the API server", f"{_NOTES} 1.12.3"),
    Behaviour("acl", "1.14.2", "plugin rewrite runs before it", f"{_NOTES} 1.14.2"),
    Behaviour("acl", "1.14.7", "it runs behind autopath", f"{_NOTES} 1.14.7"),
    Behaviour("cache", "1.15.0", "answers out of it are not said to be authoritative any more", f"{_NOTES} 1.15.0"),
)


@dataclass(frozen=True)
class Outdated:
    """A plugin, or an option of it, that a version takes and that does nothing, or will go.

    :param state: what it is, in words.
    """

    plugin: str
    since: str
    state: str
    remedy: str
    option: str = ""


_NO_EFFECT = "has no effect"
OUTDATED: tuple[Outdated, ...] = (
    Outdated("startup", "1.0.6", "goes with 1.1.0", "Write on startup"),
    Outdated("shutdown", "1.0.6", "goes with 1.1.0", "Write on shutdown"),
    Outdated("reverse", "1.1.3", "goes with 1.2.0", "Use plugin template"),
    Outdated("proxy", "1.4.0", "goes with 1.5.0", "Use plugin forward"),
    Outdated("federation", "1.6.3", "goes with 1.7.0", "Do without it, or use the external plugin"),
    Outdated("kubernetes", "1.5.0", _NO_EFFECT, "Remove it", "upstream"),
    Outdated("kubernetes", "1.6.0", _NO_EFFECT, "Remove it", "resyncperiod"),
    *(
        Outdated(plugin, "1.5.2", _NO_EFFECT, "Remove it", "upstream")
        for plugin in ("auto", "clouddns", "etcd", "file", "route53", "secondary", "template")
    ),
    Outdated("etcd", "1.4.0", _NO_EFFECT, "Remove it", "stubzones"),
    Outdated("header", "1.9.4", "goes with 1.12.4", "Write response set", "set"),
    Outdated("header", "1.9.4", "goes with 1.12.4", "Write response clear", "clear"),
    Outdated("route53", "1.9.2", "is deprecated", "Give the key as environment variables", "aws_access_key"),
)
