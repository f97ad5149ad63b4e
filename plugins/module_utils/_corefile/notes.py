# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""What stands on a ConfigMap while nobody has proven yet that its Corefile works: the way back.

A run that writes a Corefile notes what was there before. A later one that finds the note goes on where the first was
killed; several that write one after the other share the note. Who proves a text takes the note away, up to that text.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import Object

BACKUP = "netops.kubernetes/corefile-backup"
PENDING = "netops.kubernetes/corefile-pending"
REFUSED = "netops.kubernetes/corefile-refused"
# The digest of what was written last, or that somebody else wrote in between.
WRITTEN = "netops.kubernetes/corefile-written"
_BY_OTHERS = "others"
KEY = "Corefile"


@dataclass(frozen=True)
class Pending:
    """A Corefile that is written and not proven.

    :param previous: the last one that was not doubted.
    :param digests: of the texts written since, in their order.
    """

    previous: str
    digests: tuple[str, ...]


def annotation(name: str, key: str) -> str:
    """Where a note about one key of a ConfigMap stands."""
    return name if key == KEY else f"{name}.{key}"


def digest(text: str) -> str:
    """A short name of a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_pending(live: Mapping[str, Any], key: str) -> Pending | None:
    """The note of a ConfigMap, if it bears one."""
    note = (live["metadata"].get("annotations") or {}).get(annotation(PENDING, key))
    if not note:
        return None
    content = json.loads(note)
    return Pending(content["previous"], tuple(content["digests"]))


def is_refused(live: Mapping[str, Any], key: str, written: str) -> bool:
    """Whether the text of a digest was taken back since it was written."""
    note = (live["metadata"].get("annotations") or {}).get(annotation(REFUSED, key))
    return written in json.loads(note or "[]")


def note_edit(live: Object, key: str, before: str, after: str) -> None:
    """Keep the first text of all, and note whose the texts since are."""
    found = live["metadata"].setdefault("annotations", {})
    backup, written = annotation(BACKUP, key), annotation(WRITTEN, key)
    if backup not in found:
        found[backup], found[written] = before, digest(after)
    # Notes of earlier releases do not say it; then nobody knows.
    elif written in found:
        found[written] = digest(after) if found[written] == digest(before) else _BY_OTHERS


def first_text(live: Mapping[str, Any], key: str) -> str | None:
    """The text before the first edit, where one was kept."""
    kept = (live["metadata"].get("annotations") or {}).get(annotation(BACKUP, key))
    return None if kept is None else str(kept)


def is_by_others(live: Mapping[str, Any], key: str) -> bool:
    """Whether somebody else has written since the first edit."""
    written = (live["metadata"].get("annotations") or {}).get(annotation(WRITTEN, key))
    return written is not None and written != digest(live["data"][key])


def note_write(live: Object, key: str, before: str, after: str) -> None:
    """Note that a text took the place of another."""
    pending = read_pending(live, key) or Pending(before, ())
    digests = (*(one for one in pending.digests if one != digest(after)), digest(after))
    _write(live, key, Pending(pending.previous, digests))
    notes = live["metadata"]["annotations"]
    refused = [one for one in json.loads(notes.pop(annotation(REFUSED, key), "[]")) if one != digest(after)]
    if refused:
        notes[annotation(REFUSED, key)] = json.dumps(refused)


def note_proof(live: Object, key: str, proven: str) -> bool:
    """Note that a text works; what was written after it is still to be proven.

    :returns: whether there was anything to note.
    """
    pending = read_pending(live, key)
    if pending is None:
        return False
    if live["data"][key] == proven:
        live["metadata"]["annotations"].pop(annotation(PENDING, key))
        if proven == first_text(live, key):
            # All is as it was before the first edit.
            forget(live, key)
        return True
    if digest(proven) not in pending.digests:
        return False
    later = pending.digests[pending.digests.index(digest(proven)) + 1 :]
    _write(live, key, Pending(proven, later))
    return True


def take_back(live: Object, key: str) -> bool:
    """Give back the text that was not doubted, and note which ones were refused.

    :returns: whether there was one.
    """
    pending = read_pending(live, key)
    if pending is None:
        return False
    notes = live["metadata"]["annotations"]
    notes.pop(annotation(PENDING, key))
    notes[annotation(REFUSED, key)] = json.dumps(list(pending.digests))
    if notes.get(annotation(BACKUP, key)) == pending.previous:
        # The first edit of all was refused: nothing is left to be given back.
        notes.pop(annotation(BACKUP, key))
        notes.pop(annotation(WRITTEN, key), None)
    elif notes.get(annotation(WRITTEN, key), _BY_OTHERS) != _BY_OTHERS:
        notes[annotation(WRITTEN, key)] = digest(pending.previous)
    live["data"][key] = pending.previous
    return True


def forget(live: Object, key: str) -> str | None:
    """Take every note off.

    :returns: the first text of all, where one was kept.
    """
    found = live["metadata"].get("annotations") or {}
    for name in (PENDING, REFUSED, WRITTEN):
        found.pop(annotation(name, key), None)
    kept = found.pop(annotation(BACKUP, key), None)
    return None if kept is None else str(kept)


def _write(live: Object, key: str, pending: Pending) -> None:
    note = json.dumps({"previous": pending.previous, "digests": list(pending.digests)})
    live["metadata"].setdefault("annotations", {})[annotation(PENDING, key)] = note
