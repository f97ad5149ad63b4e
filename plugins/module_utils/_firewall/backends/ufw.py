# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Chains of our own that ufw calls, from blocks of our own in its before and after rules.

Those files are the administrator's part of ufw: it loads them and never writes them (ufw-framework(8)), while
user.rules is written anew by every ``ufw allow``. The blocks are jumps only and always the same; the chains are
brought by a unit of our own before ufw starts, and no reload of ufw empties them. What people allow or deny with ufw
keeps its say: our rules stand before theirs, the final refusal after.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ansible_collections.netops.kubernetes.plugins.module_utils._firewall import boot
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.backends import xtables
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.backends.xtables import Hook, Layout, Names
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.ruleset import Ruleset, in_family, normal
from ansible_collections.netops.kubernetes.plugins.module_utils._node import files
from ansible_collections.netops.kubernetes.plugins.module_utils._node.process import NodeError, exists

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.backends.kept import Change, Undo

NAME = "ufw"
FORWARDS = True
FOLDER = "/etc/ufw"
CONFIGURATION = f"{FOLDER}/ufw.conf"
DEFAULTS = "/etc/default/ufw"
BEGIN, FINISH = "# BEGIN netops.kubernetes", "# END netops.kubernetes"


NAMES = Names("NETOPS_U-")


def _hooks(name: str) -> tuple[Hook, ...]:
    return (
        Hook("filter", f"{name}-before-input", NAMES.input, before=rf"-j {name}-user-input"),
        Hook("filter", f"{name}-before-forward", NAMES.forward, before=rf"-j {name}-user-forward"),
        Hook("filter", f"{name}-after-input", NAMES.end),
    )


LAYOUT = Layout(NAME, NAMES, {4: _hooks("ufw"), 6: _hooks("ufw6")}, "ACCEPT")


def is_enabled() -> bool:
    """Whether ufw is switched on, now and at boot."""
    return _setting(CONFIGURATION, "ENABLED") == "yes" and exists("ufw")


def _setting(path: str, name: str) -> str:
    found = re.search(rf"^{name}=[\"']?(\w*)", files.read(path) or "", re.MULTILINE)
    return found[1].lower() if found else ""


def _versions() -> tuple[int, ...]:
    """ufw leaves IPv6 out when it is told to, and then lets nothing of it in."""
    return (4, 6) if _setting(DEFAULTS, "IPV6") == "yes" else (4,)


def require_usable() -> None:
    """Require that ufw is switched on.

    :raises NodeError: it is not there, or not switched on.
    """
    if not exists("ufw"):
        raise NodeError("node firewall", "ufw is not installed on this node", "ufw", "Install it, or set backend")
    if not is_enabled():
        raise NodeError(
            "node firewall",
            f"ufw is not enabled ({CONFIGURATION}: ENABLED)",
            "an enabled ufw",
            "Run: ufw allow ssh && ufw enable; or set backend to another one",
        )


def live() -> str:
    """What the families that ufw manages hold."""
    four, six = xtables.live().split("\0")
    return f"{four}\0{six if 6 in _versions() else ''}"


def parse(listing: str) -> Ruleset:
    """What they hold, as a ruleset."""
    return xtables.parse(listing, LAYOUT)


def is_live(wanted: Ruleset, reported: str) -> bool:
    """Whether the node holds what is wanted."""
    return parse(reported) == _reachable(wanted)


def _reachable(wanted: Ruleset) -> Ruleset:
    return wanted if 6 in _versions() else normal(in_family(wanted, 4))


def apply(wanted: Ruleset, reported: str) -> None:
    """Bring the chains to what is wanted without a reload of ufw, which empties its own chains for a moment.

    :raises NodeError: a table refuses its transaction; it is as it was.
    """
    xtables.apply(wanted, LAYOUT, reported, _versions())


def undo(wanted: Ruleset, reported: str) -> Undo:
    """How to bring back what is reported."""
    return xtables.undo(wanted, LAYOUT, reported, _versions())


def silencing() -> Change | None:
    """How our chains come to say nothing; nothing where they say nothing already.

    Both families are looked at, whatever ufw manages now: it may have managed more when the chains were made.
    """
    return xtables.silencing(LAYOUT, xtables.live())


# ---- the files --------------------------------------------------------------------------------------------------


def _path(place: str, version: int) -> str:
    return f"{FOLDER}/{place}{'6' if version == 6 else ''}.rules"


def blocks(version: int) -> dict[str, str]:
    """What goes into ufw's files of one family: the file's path and our lines."""
    found: dict[str, str] = {}
    for place in ("before", "after"):
        hooks = [hook for hook in LAYOUT.hooks[version] if f"-{place}-" in hook.chain]
        lines = [f"-A {hook.chain} -j {hook.target}" for hook in hooks]
        found[_path(place, version)] = "\n".join([BEGIN, *lines, FINISH, ""])
    return found


def with_block(text: str, block: str) -> str:
    """A file of ufw's with our block before the end of its filter table, in place of the one that is there.

    :raises NodeError: the file has no filter table.
    """
    bare = without_block(text)
    found = re.search(r"^\*filter$.*?^(?=COMMIT$)", bare, re.MULTILINE | re.DOTALL)
    if not found:
        raise NodeError("ufw's rules", "a file has no *filter … COMMIT", "what ufw installed", "Restore it: ufw reset")
    return bare[: found.end()] + block + bare[found.end() :]


def without_block(text: str) -> str:
    """A file of ufw's as it was before us."""
    return re.sub(rf"^{BEGIN}\n.*?^{FINISH}\n", "", text, flags=re.MULTILINE | re.DOTALL)


def _files() -> dict[str, tuple[str, str]]:
    """By path: what is there, and what shall be."""
    found: dict[str, tuple[str, str]] = {}
    for version in _versions():
        for path, block in blocks(version).items():
            text = files.read(path)
            if text is None:
                raise NodeError(f"file {path}", "it is not there", "what ufw installed", "Restore it: ufw reset")
            found[path] = (text, with_block(text, block))
    return found


def boot_files(wanted: Ruleset) -> dict[str, str]:
    """What the next boot loads before ufw starts."""
    return xtables.boot_files(wanted, LAYOUT, _versions(), jumps=("mangle",))


def _are_called() -> bool:
    return all(before == after for before, after in _files().values())


def is_persisted(wanted: Ruleset) -> bool:
    """Whether the next boot, and the next ``ufw reload``, bring exactly this."""
    return _are_called() and boot.is_committed(boot_files(wanted))


def persist(wanted: Ruleset, leaving: Sequence[Mapping[str, str]] = ()) -> None:
    """Let the next boot, and the next ``ufw reload``, bring the chains.

    The jumps come first, to chains that are there and say nothing, beside what booted until now: what turns the next
    boot is one link.

    :raises NodeError: this node has no systemd, or a file of ufw's is not as it must be.
    """
    if not _are_called():
        silent, current = boot_files(SILENT), boot.current()
        boot.commit(boot.together(current, silent) if current else silent, live=False)
        _call()
    boot.commit(boot_files(wanted), leaving)


def leaving() -> dict[str, str]:
    """What a boot must load until this is removed: ufw does not start without the chains that its files call."""
    return boot_files(SILENT)


# Chains without a verdict, so that jumps to them change nothing.
SILENT = Ruleset()


def _call() -> None:
    for path, (before, after) in _files().items():
        if before != after:
            files.replace(path, after)


def _marked() -> dict[str, str]:
    """Files of ufw's that have a block of ours."""
    paths = [_path(place, version) for place in ("before", "after") for version in (4, 6)]
    return {path: text for path in paths for text in [files.read(path) or ""] if BEGIN in text}


def remains() -> list[str]:
    """What there is of ours in ufw's files and in the kernel."""
    return [*(f"{path}: {BEGIN[2:]}" for path in _marked()), *xtables.remains(xtables.live(), LAYOUT)]


def remove() -> None:
    """Take away the chains and the blocks; ufw goes on as it was."""
    if _marked() and boot.recorded_backends()[:1] == (NAME,):
        boot.commit(boot_files(SILENT), live=False)
    for path, text in _marked().items():
        files.replace(path, without_block(text))
    xtables.remove(LAYOUT)
