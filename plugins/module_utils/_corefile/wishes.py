# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""What people want of CoreDNS, as edits of a Corefile.

Whether a value is right is for ``validate`` to say; here only what could not be told apart afterwards is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.edit import (
    Wanted,
    put,
    put_block,
    remove,
    remove_block,
    require_block,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.lexer import tokenize
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.tree import Corefile, CorefileError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

POLICIES = ("random", "round_robin", "sequential")
MATCHES = ("exact", "prefix", "suffix", "substring", "regex")
ACL_ACTIONS = ("allow", "block", "filter", "drop")
POD_MODES = ("disabled", "insecure", "verified")


@dataclass(frozen=True)
class PluginWish:
    """A plugin in general form.

    :param is_wanted: ``False`` takes it out.
    """

    wanted: Wanted
    is_wanted: bool = True


@dataclass(frozen=True)
class ZoneWish:
    """A server block; an unwanted one is taken out whole."""

    zone: str
    plugins: tuple[PluginWish, ...]
    is_wanted: bool = True


def fulfil(corefile: Corefile, params: Mapping[str, Any]) -> Corefile:
    """The Corefile as wished; equal to the given one when it is so already.

    :param params: the parameters of module ``corefile``; what is ``None`` or empty stays as it is.
    :raises CorefileError: there is no server block for the zone, a wish that no text can hold, or a text that lacks a
        brace which CoreDNS does not miss.
    """
    zone = params.get("zone") or "."
    corefile.require_ends()
    for wish in _wished_plugins(corefile, zone, params):
        corefile = _fulfil_plugin(corefile, zone, wish)
    for one in _wished_zones(corefile, params):
        if not one.is_wanted:
            corefile = remove_block(corefile, one.zone)
            continue
        corefile = put_block(corefile, one.zone, tuple(wish.wanted for wish in one.plugins if wish.is_wanted))
        for wish in one.plugins:
            if not wish.is_wanted:
                corefile = _fulfil_plugin(corefile, one.zone, wish)
    return corefile


def _fulfil_plugin(corefile: Corefile, zone: str, wish: PluginWish) -> Corefile:
    if wish.is_wanted:
        return put(corefile, zone, wish.wanted)
    return remove(corefile, zone, wish.wanted.name, wish.wanted.arguments)


# ---- the block of one zone -------------------------------------------------------------------------------------------


def _wished_plugins(corefile: Corefile, zone: str, params: Mapping[str, Any]) -> list[PluginWish]:
    wishes = [PluginWish(one) for one in _forward(corefile, zone, params.get("upstreams") or {})]
    if params.get("cache_ttl") is not None:
        wishes.append(PluginWish(Wanted("cache", _cache_arguments(corefile, zone, params["cache_ttl"]))))
    kubernetes = [
        (option, (str(params[name]),))
        for name, option in (("kubernetes_ttl", "ttl"), ("kubernetes_pods", "pods"))
        if params.get(name) is not None
    ]
    if kubernetes:
        wishes.append(PluginWish(Wanted("kubernetes", None, tuple(kubernetes))))
    entries = tuple((entry["address"], tuple(entry["names"]) or None) for entry in params.get("hosts") or ())
    if entries:
        # What is not listed must be asked for elsewhere.
        present = require_block(corefile, zone).find("hosts")
        through = (("fallthrough", ()),) if present is None else ()
        wishes.append(PluginWish(Wanted("hosts", None, (*entries, *through))))
    wishes += [PluginWish(Wanted(name)) for name in ("log", "errors") if params.get(name)]
    if params.get("autopath"):
        wishes.append(PluginWish(Wanted("autopath", ("@kubernetes",))))
        wishes.append(PluginWish(Wanted("kubernetes", None, (("pods", ("verified",)),))))
    wishes += [_rewrite(one) for one in params.get("rewrites") or ()]
    wishes += [_template(one) for one in params.get("templates") or ()]
    if params.get("acl") is not None:
        wishes.append(_acl(params["acl"]))
    if params.get("dns64"):
        wishes.append(_dns64(params["dns64"]))
    return [*wishes, *(_plugin_wish(one) for one in params.get("plugins") or ())]


def _rewrite(asked: Mapping[str, Any]) -> PluginWish:
    """One rule of plugin ``rewrite`` about names."""
    match = asked.get("match") or "exact"
    # The short form, which people write, is the exact one.
    kind = () if match == "exact" and not asked.get("answer") else (match,)
    answer = ("answer", "auto") if asked.get("answer") else ()
    words = ("name", *kind, asked["name"], asked["target"], *answer)
    return PluginWish(Wanted("rewrite", words), asked.get("state", "present") == "present")


def _template(asked: Mapping[str, Any]) -> PluginWish:
    """One use of plugin ``template``, known by class, type and zones."""
    words = (asked.get("dns_class") or "IN", asked["type"], *(asked.get("zones") or ()))
    lines = [("match", *asked["match"])] if asked.get("match") else []
    lines += [("answer", answer) for answer in asked.get("answers") or ()]
    lines += [("rcode", asked["rcode"])] if asked.get("rcode") else []
    lines += [("fallthrough",)] if asked.get("fallthrough") else []
    return PluginWish(Wanted("template", words, (), tuple(lines)), asked.get("state", "present") == "present")


def _acl(rules: Sequence[Mapping[str, Any]]) -> PluginWish:
    """Plugin ``acl`` of all zones, rule by rule; without a rule it goes."""
    lines = tuple(
        (
            rule["action"],
            *(("type", *rule["types"]) if rule.get("types") else ()),
            *(("net", *rule["networks"]) if rule.get("networks") else ()),
        )
        for rule in rules
    )
    return PluginWish(Wanted("acl", (), (), lines), bool(rules))


def _dns64(asked: Mapping[str, Any]) -> PluginWish:
    options: list[tuple[str, tuple[str, ...] | None]] = []
    if asked.get("prefix"):
        options.append(("prefix", (asked["prefix"],)))
    options += [
        (name, () if asked[name] else None) for name in ("translate_all", "allow_ipv4") if asked.get(name) is not None
    ]
    return PluginWish(Wanted("dns64", None, tuple(options)))


def _forward(corefile: Corefile, zone: str, upstreams: Mapping[str, Any]) -> list[Wanted]:
    """The plugin ``forward`` of everything that no other plugin answers."""
    options: list[tuple[str, tuple[str, ...] | None]] = [
        (option, (str(upstreams[option]),))
        for option in ("policy", "max_concurrent", "tls_servername", "health_check")
        if upstreams.get(option) is not None
    ]
    servers = tuple(upstreams.get("servers") or ())
    if servers:
        return [Wanted("forward", (".", *servers), tuple(options))]
    if not options:
        return []
    present = require_block(corefile, zone).find("forward", ".")
    if present is None:
        raise CorefileError("upstreams", f"the block of {zone!r} forwards nothing", "upstreams.servers")
    return [Wanted("forward", present.arguments, tuple(options))]


def _cache_arguments(corefile: Corefile, zone: str, ttl: int) -> tuple[str, ...]:
    """The time to live, and the zones that the cache already names."""
    present = require_block(corefile, zone).find("cache")
    zones = [word for word in (present.arguments if present else ()) if not word.isdecimal()]
    return (str(ttl), *zones)


# ---- further blocks --------------------------------------------------------------------------------------------------


def _wished_zones(corefile: Corefile, params: Mapping[str, Any]) -> list[ZoneWish]:
    zones = [_stub(corefile, one["domain"], one["servers"]) for one in params.get("stub_domains") or ()]
    for one in params.get("zones") or ():
        _require_name(f"zone {one['zone']!r}", one["zone"])
        plugins = tuple(_plugin_wish(plugin) for plugin in one.get("plugins") or ())
        zones.append(ZoneWish(one["zone"], plugins, one.get("state", "present") == "present"))
    return zones


def _stub(corefile: Corefile, domain: str, servers: Sequence[str]) -> ZoneWish:
    _require_name(f"stub domain {domain!r}", domain)
    answered = PluginWish(Wanted("forward", (".", *servers)))
    plugins = (PluginWish(Wanted("errors")), PluginWish(Wanted("cache", ("30",))), answered)
    return ZoneWish(f"{domain}:53", plugins if corefile.server(domain) is None else (answered,), bool(servers))


def _require_name(what: str, name: str) -> None:
    if not name or any(char.isspace() or char in ',{}"#' for char in name):
        raise CorefileError(what, "it is no domain name", "a name such as corp.example.com")


def _plugin_wish(plugin: Mapping[str, Any]) -> PluginWish:
    """A plugin in the general form of the module's option."""
    name = plugin["name"]
    arguments, lines = plugin.get("arguments"), plugin.get("lines")
    if len(words_of(name)) != 1:
        raise CorefileError(f"plugin {name!r}", "it is no name", "one word")
    options = tuple((option, _option_words(name, words)) for option, words in (plugin.get("options") or {}).items())
    if lines is not None and options:
        raise CorefileError(f"plugin {name!r}", "lines and options together", "one of the two")
    body = None if lines is None else tuple(words_of(line) for line in lines if words_of(line))
    wanted = Wanted(name, None if arguments is None else tuple(arguments), options, body)
    for words in (
        (name,),
        wanted.arguments or (),
        *(body or ()),
        *((option, *(more or ())) for option, more in options),
    ):
        # In quotes too, a brace alone opens or closes a block.
        if "{" in words or "}" in words:
            raise CorefileError(f"plugin {name!r}", "a brace among its words", "words; lines make its block")
    return PluginWish(wanted, plugin.get("state", "present") == "present")


def _option_words(plugin: str, words: Any) -> tuple[str, ...] | None:
    """What stands behind an option: a list of words, one text, or nothing to take the option out."""
    if words is None:
        return None
    if isinstance(words, (list, tuple)):
        return tuple(str(word) for word in words)
    if isinstance(words, (str, int, float)) and not isinstance(words, bool):
        return words_of(str(words))
    raise CorefileError(f"plugin {plugin!r}", f"option with {words!r}", "a text, a list of words, or null")


def words_of(line: str) -> tuple[str, ...]:
    """The words of one line as a Corefile writes them, quotes included."""
    return tuple(token.text for token in tokenize(line))
