# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Which zones other servers answer for, as an edited Corefile has it: what a proof must ask for.

Only what the wishes name counts. A server that was there before and answers nothing is no fault of an edit that is
about something else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._corefile import values as v
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.load import load
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.tree import PORTS, zone_of
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.wishes import is_present

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.tree import Corefile, ServerBlock

_FORWARDING = ("forward", "grpc")
# A plugin with which a server block may come to forward.
_NAMING = (*_FORWARDING, "import")


def forwarded(corefile: Corefile, params: Mapping[str, Any]) -> list[str]:
    """The zones for which the wishes name servers, and which must be reached afterwards; ``.`` for all other names.

    Imported files are not looked at, nor are server blocks that are not asked by plain DNS, or by some askers only.

    :param corefile: the text after the edit, which CoreDNS takes.
    :param params: the parameters of module ``corefile``.
    :raises GrammarError: CoreDNS refuses the text.
    """
    wished = list(_wished(params))
    found = [zone for block in load(corefile.text).servers for zone in _of_block(block, wished)]
    return list(dict.fromkeys(zone.rstrip(".") or "." for zone in found))


def _wished(params: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Server block and zone of each forward that is named; empty for every one."""
    if params.get("content") is not None:
        yield "", ""
    zone = params.get("zone") or "."
    upstreams = params.get("upstreams")
    if upstreams and is_present(upstreams):
        yield zone_of(zone), "."
    for stub in params.get("stub_domains") or ():
        if is_present(stub):
            yield zone_of(f"{stub['domain']}:53"), "."
    blocks = [{"zone": zone, "plugins": params.get("plugins")}, *(params.get("zones") or ())]
    for block in blocks:
        for plugin in block.get("plugins") or ():
            if is_present(plugin) and is_present(block) and plugin["name"] in _NAMING:
                arguments = plugin.get("arguments") if plugin["name"] in _FORWARDING else ()
                yield zone_of(block["zone"]), (arguments or ("",))[0]


def _of_block(block: ServerBlock, wished: list[tuple[str, str]]) -> Iterator[str]:
    """The zones that a server block has answered elsewhere, as far as that is wished and a plain question finds it."""
    names = {zone_of(name) for name in block.names}
    meant = {zone for server, zone in wished if server in ("", *names)}
    if block.find("view"):
        return
    keys = [key for key in map(v.zone_of_key, block.names) if isinstance(key, v.Zone)]
    served = [name for key in keys if key.transport == "dns" and key.port in ("", PORTS["dns"]) for name in key.names]
    for use in block.directives:
        if use.name not in _FORWARDING or not meant & {"", *use.arguments[:1]}:
            continue
        for zone in v.normal_zones(use.arguments[:1]):
            for name in served:
                if v.is_below(zone, name) or v.is_below(name, zone):
                    yield max(zone, name, key=_depth)


def _depth(zone: str) -> int:
    return 0 if zone == "." else zone.count(".")
