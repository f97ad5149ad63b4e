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
    REWRITE_MATCHES,
    Wanted,
    Words,
    move,
    move_block,
    put,
    put_block,
    remove,
    remove_block,
    require_agreeing,
    require_block,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.lexer import tokenize
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.tree import Corefile, CorefileError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

POLICIES = ("random", "round_robin", "sequential")
MATCHES = REWRITE_MATCHES
ACL_ACTIONS = ("allow", "block", "filter", "drop")
CACHE_OPTIONS = ("success", "denial", "prefetch", "serve_stale", "servfail")
POD_MODES = ("disabled", "insecure", "verified")


@dataclass(frozen=True)
class PluginWish:
    """A plugin in general form.

    :param is_wanted: ``False`` takes it out.
    :param before: name and arguments of the plugin right before which it stands; empty for wherever it is.
    """

    wanted: Wanted
    is_wanted: bool = True
    before: Words = ()


@dataclass(frozen=True)
class ZoneWish:
    """A server block; an unwanted one is taken out whole."""

    zone: str
    plugins: tuple[PluginWish, ...]
    is_wanted: bool = True
    before: str = ""


def fulfil(corefile: Corefile, params: Mapping[str, Any]) -> Corefile:
    """The Corefile as wished; equal to the given one when it is so already.

    :param params: the parameters of module ``corefile``; what is ``None`` or empty stays as it is.
    :raises CorefileError: there is no server block for the zone, a wish that no text can hold, two of which one would
        undo the other, or a text that lacks a brace which CoreDNS does not miss.
    """
    zone = params.get("zone") or "."
    corefile.require_ends()
    wishes = _wished_plugins(corefile, zone, params)
    require_agreeing(wish.wanted for wish in wishes if wish.is_wanted)
    for wish in wishes:
        corefile = _fulfil_plugin(corefile, zone, wish)
    for one in _wished_zones(corefile, params):
        if not one.is_wanted:
            corefile = remove_block(corefile, one.zone)
            continue
        require_agreeing(wish.wanted for wish in one.plugins if wish.is_wanted)
        corefile = put_block(corefile, one.zone, tuple(wish.wanted for wish in one.plugins if wish.is_wanted))
        for wish in one.plugins:
            if not wish.is_wanted or wish.before:
                corefile = _fulfil_plugin(corefile, one.zone, wish)
        if one.before:
            corefile = move_block(corefile, one.zone, one.before)
    return corefile


def _fulfil_plugin(corefile: Corefile, zone: str, wish: PluginWish) -> Corefile:
    wanted = wish.wanted
    if not wish.is_wanted:
        return remove(corefile, zone, wanted)
    corefile = put(corefile, zone, wanted)
    return move(corefile, zone, wanted, wish.before) if wish.before else corefile


# ---- the block of one zone -------------------------------------------------------------------------------------------


def _wished_plugins(corefile: Corefile, zone: str, params: Mapping[str, Any]) -> list[PluginWish]:
    wishes = _forward(corefile, zone, params.get("upstreams") or {})
    wishes += _cache(corefile, zone, params.get("cache") or {})
    wishes += _kubernetes(params.get("kubernetes") or {})
    wishes += _hosts(corefile, zone, params.get("hosts") or ())
    for name in ("log", "errors"):
        wishes += _presence(corefile, zone, name, (), params.get(name))
    wishes += _presence(corefile, zone, "autopath", ("@kubernetes",), params.get("autopath"))
    if params.get("autopath"):
        wishes.append(PluginWish(Wanted("kubernetes", None, (("pods", ("verified",)),))))
    wishes += [_rewrite(one) for one in params.get("rewrites") or ()]
    wishes += [_template(one) for one in params.get("templates") or ()]
    if params.get("acl") is not None:
        wishes.append(_acl(params["acl"]))
    if params.get("dns64"):
        wishes.append(_dns64(params["dns64"]))
    return [*wishes, *(_plugin_wish(one) for one in params.get("plugins") or ())]


def _presence(corefile: Corefile, zone: str, name: str, arguments: Words, is_wanted: bool | None) -> list[PluginWish]:
    """A plugin that is there with these arguments, or with none of its uses; ``None`` leaves it as it is."""
    if is_wanted is None:
        return []
    if is_wanted:
        return [PluginWish(Wanted(name, arguments or None))]
    uses = [one for one in require_block(corefile, zone).directives if one.name == name]
    return [PluginWish(Wanted(name, one.arguments), is_wanted=False) for one in uses]


def _kubernetes(asked: Mapping[str, Any]) -> list[PluginWish]:
    """The plugin ``kubernetes``; an empty list of zones to fall through for means all of them."""
    options = [(option, (str(asked[option]),)) for option in ("ttl", "pods") if asked.get(option) is not None]
    if asked.get("fallthrough") is not None:
        options.append(("fallthrough", tuple(asked["fallthrough"])))
    zones = tuple(asked["zones"]) if asked.get("zones") else None
    return [PluginWish(Wanted("kubernetes", zones, tuple(options)))] if options or zones else []


def _hosts(corefile: Corefile, zone: str, asked: Sequence[Mapping[str, Any]]) -> list[PluginWish]:
    """Entries of the plugin ``hosts``, known by their address."""
    if not asked:
        return []
    entries = tuple((one["address"], tuple(one["names"]) if is_present(one) else None) for one in asked)
    present = require_block(corefile, zone).find("hosts")
    if present is None and not any(map(is_present, asked)):
        return []
    # What is not listed must be asked for elsewhere.
    through = (("fallthrough", ()),) if present is None else ()
    return [PluginWish(Wanted("hosts", None, (*entries, *through)))]


def is_present(asked: Mapping[str, Any]) -> bool:
    """Whether a wish is for something to be there: that is what saying nothing about it means."""
    return bool(asked.get("state", "present") == "present")


def _rewrite(asked: Mapping[str, Any]) -> PluginWish:
    """One rule of plugin ``rewrite`` about names, known by the name that is asked for."""
    match = asked.get("match") or "exact"
    # The short form, which people write, is the exact one.
    kind = () if match == "exact" and not asked.get("answer") else (match,)
    answer = ("answer", "auto") if asked.get("answer") else ()
    words = ("name", *kind, asked["name"], asked["target"], *answer)
    return PluginWish(Wanted("rewrite", words, is_rule=True), is_present(asked))


def _template(asked: Mapping[str, Any]) -> PluginWish:
    """One use of plugin ``template``, known by class, type, zones and patterns; without patterns all go."""
    words = (asked.get("dns_class") or "IN", asked["type"], *(asked.get("zones") or ()))
    lines = [("match", *asked["match"])] if asked.get("match") else []
    lines += [("answer", answer) for answer in asked.get("answers") or ()]
    lines += [("rcode", asked["rcode"])] if asked.get("rcode") else []
    lines += [("fallthrough",)] if asked.get("fallthrough") else []
    if not is_present(asked):
        return PluginWish(
            Wanted("template", words, (), tuple(lines[:1]) if asked.get("match") else None), is_wanted=False
        )
    return PluginWish(Wanted("template", words, (), tuple(lines)))


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
    return PluginWish(Wanted("dns64", None, tuple(options)), is_present(asked))


def _forward(corefile: Corefile, zone: str, asked: Mapping[str, Any]) -> list[PluginWish]:
    """The plugin ``forward`` of everything that no other plugin answers."""
    if not asked:
        return []
    if not is_present(asked):
        return [PluginWish(Wanted("forward", (".",)), is_wanted=False)]
    options: list[tuple[str, Words]] = [
        (option, (str(asked[option]),))
        for option in ("policy", "max_concurrent", "tls_servername")
        if asked.get(option) is not None
    ]
    if asked.get("tls") is not None:
        options.append(("tls", tuple(asked["tls"])))
    if asked.get("health_check") is not None:
        options.append(("health_check", words_of(asked["health_check"])))
    servers = tuple(asked.get("servers") or ())
    if servers:
        return [PluginWish(Wanted("forward", (".", *servers), tuple(options)))]
    if not options:
        return []
    present = require_block(corefile, zone).find("forward", ".")
    if present is None:
        raise CorefileError("upstreams", f"the block of {zone!r} forwards nothing", "upstreams.servers")
    return [PluginWish(Wanted("forward", present.arguments, tuple(options)))]


def _cache(corefile: Corefile, zone: str, asked: Mapping[str, Any]) -> list[PluginWish]:
    """The plugin ``cache``; the zones that it names already stay."""
    if not asked:
        return []
    if not is_present(asked):
        return [PluginWish(Wanted("cache"), is_wanted=False)]
    options = tuple((name, words_of(asked[name])) for name in CACHE_OPTIONS if asked.get(name) is not None)
    if asked.get("ttl") is None:
        return [PluginWish(Wanted("cache", None, options))]
    present = require_block(corefile, zone).find("cache")
    zones = [word for word in (present.arguments if present else ()) if not word.isdecimal()]
    return [PluginWish(Wanted("cache", (str(asked["ttl"]), *zones), options))]


# ---- further blocks --------------------------------------------------------------------------------------------------


def _wished_zones(corefile: Corefile, params: Mapping[str, Any]) -> list[ZoneWish]:
    zones = [_stub(corefile, one) for one in params.get("stub_domains") or ()]
    for one in params.get("zones") or ():
        _require_name(f"zone {one['zone']!r}", one["zone"])
        plugins = tuple(_plugin_wish(plugin) for plugin in one.get("plugins") or ())
        zones.append(ZoneWish(one["zone"], plugins, is_present(one), one.get("before") or ""))
    return zones


def _stub(corefile: Corefile, asked: Mapping[str, Any]) -> ZoneWish:
    domain = asked["domain"]
    _require_name(f"stub domain {domain!r}", domain)
    zone = f"{domain}:53"
    if not is_present(asked):
        return ZoneWish(zone, (), is_wanted=False)
    answered = PluginWish(Wanted("forward", (".", *asked["servers"])))
    plugins = (PluginWish(Wanted("errors")), PluginWish(Wanted("cache", ("30",))), answered)
    return ZoneWish(zone, plugins if corefile.server(domain) is None else (answered,))


def _require_name(what: str, name: str) -> None:
    if not name or any(char.isspace() or char in ',{}"#' for char in name):
        raise CorefileError(what, "it is no domain name", "a name such as corp.example.com")


def _plugin_wish(plugin: Mapping[str, Any]) -> PluginWish:
    """A plugin in the general form of the module's option."""
    name = plugin["name"]
    arguments, lines = plugin.get("arguments"), plugin.get("lines")
    if len(words_of(name)) != 1:
        raise CorefileError(f"plugin {name!r}", "it is no name", "one word")
    options = tuple(
        (option, words) for option, asked in (plugin.get("options") or {}).items() for words in _lines_of(name, asked)
    )
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
    return PluginWish(wanted, is_present(plugin), words_of(plugin.get("before") or ""))


def _lines_of(plugin: str, asked: Any) -> list[tuple[str, ...] | None]:
    """What stands behind an option: once, or once for each list in a list of lists."""
    if isinstance(asked, (list, tuple)) and asked and all(isinstance(words, (list, tuple)) for words in asked):
        return [_option_words(plugin, words) for words in asked]
    return [_option_words(plugin, asked)]


def _option_words(plugin: str, words: Any) -> tuple[str, ...] | None:
    """What stands behind an option: a list of words, one text, or nothing to take the option out."""
    if words is None:
        return None
    if isinstance(words, (list, tuple)):
        return tuple(str(word) for word in words)
    if isinstance(words, (str, int, float)) and not isinstance(words, bool):
        return words_of(str(words))
    raise CorefileError(
        f"plugin {plugin!r}", f"option with {words!r}", "a text, a list of words, a list of such lists, or null"
    )


def words_of(line: str) -> tuple[str, ...]:
    """The words of one line as a Corefile writes them, quotes included."""
    return tuple(token.text for token in tokenize(line))
