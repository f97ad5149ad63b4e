# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Notes on the ConfigMap, by whoever writes and whoever proves."""

from __future__ import annotations

from typing import Any

from ansible_collections.netops.kubernetes.plugins.module_utils._corefile import notes
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.fingerprint import fingerprints
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.notes import KEY, digest


def config_map(text: str) -> dict[str, Any]:
    return {"metadata": {"name": "coredns"}, "data": {KEY: text}}


def write(live: dict[str, Any], text: str) -> None:
    before = live["data"][KEY]
    live["data"][KEY] = text
    live["metadata"].setdefault("annotations", {}).setdefault(notes.BACKUP, before)
    notes.note_write(live, KEY, before, text)


def test_proven() -> None:
    live = config_map("old")
    write(live, "new")
    assert notes.read_pending(live, KEY) == notes.Pending("old", (digest("new"),))
    assert notes.note_proof(live, KEY, "new")
    assert live["metadata"]["annotations"] == {notes.BACKUP: "old"}
    assert not notes.note_proof(live, KEY, "new")
    assert not notes.take_back(live, KEY)


def test_refused() -> None:
    live = config_map("old")
    write(live, "new")
    assert notes.take_back(live, KEY)
    assert live["data"][KEY] == "old"
    assert notes.is_refused(live, KEY, digest("new"))
    assert notes.BACKUP not in live["metadata"]["annotations"]
    write(live, "new")
    assert not notes.is_refused(live, KEY, digest("new"))


def test_two_write_and_the_first_is_proven() -> None:
    live = config_map("old")
    write(live, "one")
    write(live, "one two")
    assert notes.note_proof(live, KEY, "one")
    assert notes.read_pending(live, KEY) == notes.Pending("one", (digest("one two"),))
    # What somebody else has proven stays when the second fails.
    notes.take_back(live, KEY)
    assert live["data"][KEY] == "one"
    assert not notes.is_refused(live, KEY, digest("one"))
    assert live["metadata"]["annotations"][notes.BACKUP] == "old"


def test_two_write_and_nothing_answers() -> None:
    live = config_map("old")
    write(live, "one")
    write(live, "one two")
    notes.take_back(live, KEY)
    assert live["data"][KEY] == "old"
    assert notes.is_refused(live, KEY, digest("one"))
    assert notes.is_refused(live, KEY, digest("one two"))
    # Only who writes it anew clears it.
    write(live, "one")
    assert not notes.is_refused(live, KEY, digest("one"))
    assert notes.is_refused(live, KEY, digest("one two"))


def test_proof_of_a_text_that_nobody_noted() -> None:
    live = config_map("old")
    write(live, "new")
    assert not notes.note_proof(live, KEY, "other")


def test_forgotten() -> None:
    live = config_map("old")
    write(live, "new")
    assert notes.forget(live, KEY) == "old"
    assert live["metadata"]["annotations"] == {}
    assert notes.forget(config_map("old"), KEY) is None


def test_keys_have_notes_of_their_own() -> None:
    live: dict[str, Any] = {"metadata": {}, "data": {"Other": "b"}}
    notes.note_write(live, "Other", "a", "b")
    assert notes.read_pending(live, KEY) is None
    assert notes.read_pending(live, "Other") == notes.Pending("a", (digest("b"),))


def test_hash_that_nobody_can_know() -> None:
    assert fingerprints(".:53 {\n  import /etc/coredns/custom/*.override\n  reload\n}\n") == frozenset()
    assert fingerprints(".:53 {\n  forward . {$UPSTREAM}\n  reload\n}\n") == frozenset()
    assert fingerprints(".:53 {\n") == frozenset()
