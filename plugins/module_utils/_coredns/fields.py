# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Fields of CoreDNS' Deployment, changed and given back.

The Deployment is kubeadm's or somebody else's, and so are most of its fields. Of each field that is changed here, an
annotation keeps what stood there before and what was put in its place. A field that nobody wishes any more goes back,
unless somebody else has changed it since.
"""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._corefile import storage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import Object

BEFORE = "netops.kubernetes/coredns-before"
# While nobody has proven yet that DNS answers with what was changed last: the fields, and the annotation above, as
# they were.
PENDING = "netops.kubernetes/coredns-pending"
_POD = ("spec", "template", "spec")
# Below the container that runs CoreDNS.
_CONTAINER = ("resources", "image")
_PATHS = {
    "replicas": ("spec", "replicas"),
    "anti_affinity": (*_POD, "affinity", "podAntiAffinity"),
    "topology_spread": (*_POD, "topologySpreadConstraints"),
    "priority_class": (*_POD, "priorityClassName"),
    "resources": ("resources",),
    "image": ("image",),
}
FIELDS = tuple(_PATHS)


def read(live: Object, name: str) -> Any:
    """What stands in a field; nothing when it is not there."""
    found: Any = _root(live, name)
    for key in _PATHS[name]:
        found = (found or {}).get(key)
    return found


def put(live: Object, name: str, value: Any) -> None:
    """Put a value into a field; ``None`` takes the field out."""
    *folders, last = _PATHS[name]
    places = [_root(live, name)]
    for key in folders:
        places.append(places[-1].setdefault(key, {}))
    if value is not None:
        places[-1][last] = copy.deepcopy(value)
        return
    places[-1].pop(last, None)
    # A folder for this field alone goes with it.
    for place, key in reversed(list(zip(places, folders))):
        if not place[key]:
            place.pop(key)


def _root(live: Object, name: str) -> Object:
    if name not in _CONTAINER:
        return live
    return storage.container_of(live) or live["spec"]["template"]["spec"]["containers"][0]


def _notes(live: Object) -> dict[str, str]:
    notes: dict[str, str] = live["metadata"].setdefault("annotations", {})
    return notes


def _records(live: Object) -> dict[str, dict[str, Any]]:
    records: dict[str, dict[str, Any]] = json.loads(_notes(live).get(BEFORE, "{}"))
    return records


def fulfil(live: Object, wishes: Mapping[str, Any]) -> None:
    """Put wishes into a Deployment, and give back what is wished no more.

    :param wishes: by the field's name; a name that is missing is no wish.
    """
    records = _records(live)
    for name in FIELDS:
        now, record = read(live, name), records.pop(name, None)
        is_ours = record is not None and now == record["set"]
        if name in wishes:
            before = record["before"] if record is not None and is_ours else now
            put(live, name, wishes[name])
            records[name] = {"before": before, "set": wishes[name]}
        elif record is not None and is_ours:
            put(live, name, record["before"])
    _write_records(live, records)


def settle(live: Object, accepted: Object) -> None:
    """Take the values over as the server writes them, and keep no record of what was there already.

    :param live: the Deployment with its wishes fulfilled.
    :param accepted: what the server made of it.
    """
    records = _records(live)
    for name in FIELDS:
        value = read(accepted, name)
        put(live, name, value)
        if name in records:
            records[name]["set"] = value
    _write_records(live, {name: record for name, record in records.items() if record["before"] != record["set"]})


def _write_records(live: Object, records: Mapping[str, Any]) -> None:
    notes = _notes(live)
    if records:
        notes[BEFORE] = json.dumps(records, sort_keys=True)
    else:
        notes.pop(BEFORE, None)
    if not notes:
        live["metadata"].pop("annotations")


# ---- until it is proven ----------------------------------------------------------------------------------------------


def is_pending(live: Object) -> bool:
    """Whether nobody has proven yet that DNS answers with the fields as they are."""
    return PENDING in _notes(live)


def note_write(live: Object, before: Object) -> None:
    """Note what the fields were, unless that is noted already."""
    if not is_pending(live):
        fields = {name: read(before, name) for name in FIELDS}
        _notes(live)[PENDING] = json.dumps({"fields": fields, "records": _records(before)}, sort_keys=True)


def note_proof(live: Object) -> bool:
    """Forget what the fields were.

    :returns: whether anything was noted.
    """
    return _notes(live).pop(PENDING, None) is not None


def take_back(live: Object) -> bool:
    """Give the fields back as they were.

    :returns: whether anything was noted.
    """
    note = _notes(live).pop(PENDING, None)
    if note is None:
        return False
    pending = json.loads(note)
    for name, value in pending["fields"].items():
        put(live, name, value)
    _write_records(live, pending["records"])
    return True
