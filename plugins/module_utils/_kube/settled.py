# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Whether an apply would change nothing, judged from the live object alone.

The server records which fields a manager applied (``metadata.managedFields``, format FieldsV1 of
structured-merge-diff). When our record names exactly the fields of the wanted object, and each has the wanted value,
an apply is without effect and need not be sent. In doubt the answer is no: then the server decides.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Optional

from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import MANAGER

if TYPE_CHECKING:
    from collections.abc import Mapping

# Part of an object's address, so nobody owns them.
ADDRESS = {"apiVersion", "kind"}
METADATA_ADDRESS = {"name", "namespace"}


def is_settled(wanted: Mapping[str, Any], live: Mapping[str, Any]) -> bool:
    """Whether applying ``wanted`` over ``live`` would leave it as it is.

    :param wanted: what would be applied, the collection's mark included.
    :param live: the object as the server gave it, ``metadata.managedFields`` included.
    """
    fields = _applied_fields(live, str(wanted["apiVersion"]))
    if fields is None or (live.get("metadata") or {}).get("deletionTimestamp"):
        return False
    ours = {key: value for key, value in wanted.items() if key not in ADDRESS}
    if wanted["kind"] == "CustomResourceDefinition":
        # Generated manifests carry an empty status, which the server drops from an apply.
        ours.pop("status", None)
    metadata = ours.get("metadata") or {}
    ours["metadata"] = {
        key: value
        for key, value in metadata.items()
        # Generated manifests carry this one as null, and the server drops it from an apply.
        if key not in METADATA_ADDRESS and not (key == "creationTimestamp" and value is None)
    }
    return _agree(fields, ours, live)


def _applied_fields(live: Mapping[str, Any], api_version: str) -> Optional[Mapping[str, Any]]:
    for entry in (live.get("metadata") or {}).get("managedFields") or []:
        if (
            entry.get("manager") == MANAGER
            and entry.get("operation") == "Apply"
            and entry.get("apiVersion") == api_version
            and not entry.get("subresource")
        ):
            fields: Mapping[str, Any] = entry.get("fieldsV1") or {}
            return fields
    return None


def _agree(fields: Mapping[str, Any], wanted: Any, live: Any) -> bool:
    """Whether ``fields`` is exactly what ``wanted`` sets, with the values that ``live`` has."""
    children = {key: value for key, value in fields.items() if key != "."}
    if not children:
        return _equal(wanted, live)
    kinds = {key[:2] for key in children}
    if kinds == {"f:"}:
        return _agree_on_map(children, wanted, live)
    if kinds == {"k:"}:
        return _agree_on_items(children, wanted, live)
    if kinds == {"v:"}:
        return _agree_on_set(children, wanted, live)
    return False


def _equal(wanted: Any, live: Any) -> bool:
    # True equals 1 in Python, but not in JSON.
    if isinstance(wanted, dict) and isinstance(live, dict):
        return wanted.keys() == live.keys() and all(_equal(value, live[key]) for key, value in wanted.items())
    if isinstance(wanted, list) and isinstance(live, list):
        return len(wanted) == len(live) and all(_equal(*pair) for pair in zip(wanted, live))
    return isinstance(wanted, bool) == isinstance(live, bool) and bool(wanted == live)


def _agree_on_map(children: Mapping[str, Any], wanted: Any, live: Any) -> bool:
    if not isinstance(wanted, dict) or not isinstance(live, dict):
        return False
    if {key[2:] for key in children} != set(wanted):
        return False
    return all(_agree_on_field(value, wanted[key[2:]], live, key[2:]) for key, value in children.items())


def _agree_on_field(fields: Mapping[str, Any], wanted: Any, live: Mapping[str, Any], name: str) -> bool:
    if name not in live:
        # The server leaves out a plain false (preserveUnknownFields of a CRD), though it records who set it.
        return wanted is False and not fields
    return _agree(fields, wanted, live[name])


def _agree_on_items(children: Mapping[str, Any], wanted: Any, live: Any) -> bool:
    if not isinstance(wanted, list) or not isinstance(live, list) or len(wanted) != len(children):
        return False
    for key, value in children.items():
        name = json.loads(key[2:])
        pair = (_item(wanted, name), _item(live, name))
        if pair[0] is None or pair[1] is None or not _agree(value, *pair):
            return False
    return _same_order(list(children), wanted, live)


def _same_order(names: list[str], wanted: list[Any], live: list[Any]) -> bool:
    """An apply may reorder a list's items too."""
    orders: list[list[str]] = []
    for items in (wanted, live):
        named = [[name for name in names if _has(item, json.loads(name[2:]))] for item in items]
        orders.append([name for found in named for name in found])
    return orders[0] == orders[1]


def _has(item: Any, name: Mapping[str, Any]) -> bool:
    return isinstance(item, dict) and all(_equal(item.get(key), value) for key, value in name.items())


def _item(items: list[Any], name: Mapping[str, Any]) -> Optional[Any]:
    found = [item for item in items if _has(item, name)]
    return found[0] if len(found) == 1 else None


def _agree_on_set(children: Mapping[str, Any], wanted: Any, live: Any) -> bool:
    if not isinstance(wanted, list) or not isinstance(live, list):
        return False
    owned = [json.loads(key[2:]) for key in children]
    if len(owned) != len(wanted) or not all(value in owned for value in wanted):
        return False
    return [value for value in live if value in owned] == wanted
