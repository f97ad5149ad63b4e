# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""What a running CoreDNS tells of the Corefile that it runs with, in its log and its metrics (plugin ``reload``)."""

from __future__ import annotations

import re
from dataclasses import dataclass

_RUNNING = re.compile(r"plugin/reload: Running configuration (?:SHA512|MD5) = ([0-9a-f]+)")
_RELOADING = "[INFO] Reloading\n"
_FAILED = re.compile(r"plugin/reload: (Corefile (?:changed but reload failed|parse failed): .*)")
_HASH = re.compile(r'^coredns_reload_version_info\{[^}]*value="([0-9a-f]+)"[^}]*\} 1$', re.MULTILINE)
# What a log says when something is wrong; warnings of informers about short breaks are no news.
_COMPLAINT = re.compile(r"\[(?:ERROR|FATAL|PANIC)\]|^panic:|^Error|: \d+ - Error", re.MULTILINE)


@dataclass(frozen=True)
class Saying:
    """What one CoreDNS says of itself.

    :param running: the hash of its Corefile; empty where it does not say.
    :param refusal: why it did not take the Corefile that it read last; empty when it did.
    """

    running: str = ""
    refusal: str = ""


def of_log(text: str) -> Saying:
    """The last word of a log."""
    running = refusal = ""
    for line in text.splitlines():
        found = _RUNNING.search(line)
        if found:
            running, refusal = found[1], ""
        failed = _FAILED.search(line)
        if failed:
            refusal = failed[1].strip()
    return Saying(running, refusal)


def hash_in_metrics(text: str) -> str:
    """The hash of the Corefile that was read last; empty before the first reload.

    It is there after a reload that failed, too.
    """
    found = _HASH.search(text)
    return found[1] if found else ""


def complaints(text: str, most: int) -> list[str]:
    """The last lines of a log that say what is wrong since the last reload began, each once."""
    latest = text[max(0, text.rfind(_RELOADING)) :]
    lines = [line.strip() for line in latest.splitlines() if _COMPLAINT.search(line)]
    return list(dict.fromkeys(reversed(lines)))[:most][::-1]
