# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Whether an object fits the schema of its CustomResourceDefinition, before any server knows the kind.

The rules are those of structural schemas (kubernetes.io, CustomResourceDefinitions) as a server-side apply meets
them: a field that the schema does not have is an error. Rules in CEL are left to the server.
"""

from __future__ import annotations

import copy
import difflib
import re
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ManifestError, Object, ref_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PROBLEMS_SHOWN = 5
# The server's own, the same for every kind.
COMMON_FIELDS = {"apiVersion", "kind", "metadata"}
TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
}


def schema_of(definition: Mapping[str, Any], api_version: str) -> dict[str, Any]:
    """The schema of one version; empty, which fits everything, when the definition has none."""
    version = api_version.rpartition("/")[2]
    for served in definition["spec"]["versions"]:
        if served["name"] == version:
            schema: dict[str, Any] = (served.get("schema") or {}).get("openAPIV3Schema") or {}
            return schema
    return {}


def judged(obj: Object, definition: Mapping[str, Any]) -> Object:
    """The object as the server would keep it once the definition is there: with its defaults.

    :raises ManifestError: it does not fit; the text names each field.
    """
    schema = schema_of(definition, str(obj["apiVersion"]))
    if not schema:
        return obj
    own = {key: value for key, value in obj.items() if key not in COMMON_FIELDS}
    properties = {key: part for key, part in (schema.get("properties") or {}).items() if key not in COMMON_FIELDS}
    required = [key for key in schema.get("required") or [] if key not in COMMON_FIELDS]
    content = {**schema, "properties": properties, "required": required}
    found = list(problems(own, content, ""))
    if found:
        shown = found[:PROBLEMS_SHOWN]
        more = f"; and {len(found) - PROBLEMS_SHOWN} more" if len(found) > PROBLEMS_SHOWN else ""
        raise ManifestError(
            str(ref_of(obj)),
            "; ".join(shown) + more,
            f"an object that fits {definition['metadata']['name']}, the definition in this call",
        )
    return {**{key: obj[key] for key in COMMON_FIELDS if key in obj}, **defaulted(own, content)}


# ---- what does not fit -------------------------------------------------------------------------------------------


def problems(value: Any, schema: Mapping[str, Any], path: str) -> Iterator[str]:
    """Each way in which a value does not fit, as a sentence that begins with its path."""
    if value is None:
        # The server drops it, or fills it in.
        return
    if schema.get("x-kubernetes-int-or-string"):
        if isinstance(value, bool) or not isinstance(value, (int, str)):
            yield f"{_at(path)} is {_shown(value)}, not a number or a text"
        return
    kind = schema.get("type")
    if kind in TYPES and not _is(value, kind):
        yield f"{_at(path)} is {_shown(value)}, not of type {kind}"
        return
    yield from _of_value(value, schema, path)
    if isinstance(value, dict):
        yield from _of_object(value, schema, path)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from problems(item, schema.get("items") or {}, f"{path}[{number}]")
        yield from _of_list_map(value, schema, path)


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, TYPES[kind]) or (kind == "integer" and isinstance(value, float) and value.is_integer())


def _at(path: str) -> str:
    return path.lstrip(".") or "the object"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _of_object(value: Mapping[str, Any], schema: Mapping[str, Any], path: str) -> Iterator[str]:
    properties = schema.get("properties") or {}
    others = schema.get("additionalProperties")
    for key in schema.get("required") or []:
        if key not in value:
            yield f"{_at(path)}.{key} is missing" if path else f"{key} is missing"
    embedded = COMMON_FIELDS if schema.get("x-kubernetes-embedded-resource") else set()
    for key, inner in value.items():
        where = f"{path}.{key}"
        if key in properties:
            yield from problems(inner, properties[key], where)
        elif isinstance(others, dict):
            yield from problems(inner, others, where)
        elif not _takes(schema, others, key, embedded):
            near = difflib.get_close_matches(str(key), [str(name) for name in properties], 1)
            yield f"{_at(where)} is no field of this kind" + (f" (is {near[0]} meant?)" if near else "")


def _takes(schema: Mapping[str, Any], others: Any, key: str, embedded: set[str]) -> bool:
    """Whether a field without a schema of its own is let in."""
    return bool(others or schema.get("x-kubernetes-preserve-unknown-fields") or key in embedded or "type" not in schema)


def _of_list_map(value: list[Any], schema: Mapping[str, Any], path: str) -> Iterator[str]:
    keys = schema.get("x-kubernetes-list-map-keys") or []
    seen: set[str] = set()
    for item in value if keys else []:
        if isinstance(item, dict):
            name = ", ".join(f"{key} {item.get(key)!r}" for key in keys)
            if name in seen:
                yield f"{_at(path)} has two items with {name}"
            seen.add(name)


def _of_value(value: Any, schema: Mapping[str, Any], path: str) -> Iterator[str]:
    if "enum" in schema and value not in schema["enum"]:
        yield f"{_at(path)} is {_shown(value)}, not one of {', '.join(map(str, schema['enum']))}"
    if isinstance(value, str):
        yield from _of_text(value, schema, path)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield from _of_number(value, schema, path)
    elif isinstance(value, (dict, list)):
        least, most = ("minItems", "maxItems") if isinstance(value, list) else ("minProperties", "maxProperties")
        yield from _of_length(len(value), schema.get(least), schema.get(most), path, "entries")
    yield from _of_alternatives(value, schema, path)


def _of_text(value: str, schema: Mapping[str, Any], path: str) -> Iterator[str]:
    yield from _of_length(len(value), schema.get("minLength"), schema.get("maxLength"), path, "characters")
    try:
        fits = "pattern" not in schema or re.search(schema["pattern"], value)
    except re.error:
        # RE2 writes some things in another way; the server will judge.
        fits = True
    if not fits:
        yield f"{_at(path)} is {_shown(value)}, which does not match {schema['pattern']}"


def _of_length(length: int, least: Any, most: Any, path: str, what: str) -> Iterator[str]:
    if least is not None and length < least:
        yield f"{_at(path)} has {length} {what}, fewer than {least}"
    if most is not None and length > most:
        yield f"{_at(path)} has {length} {what}, more than {most}"


def _of_number(value: float, schema: Mapping[str, Any], path: str) -> Iterator[str]:
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None and (value < least or (value == least and schema.get("exclusiveMinimum"))):
        yield f"{_at(path)} is {value}, less than {least}"
    if most is not None and (value > most or (value == most and schema.get("exclusiveMaximum"))):
        yield f"{_at(path)} is {value}, more than {most}"
    if schema.get("multipleOf") and value % schema["multipleOf"]:
        yield f"{_at(path)} is {value}, no multiple of {schema['multipleOf']}"


def _of_alternatives(value: Any, schema: Mapping[str, Any], path: str) -> Iterator[str]:
    for part in schema.get("allOf") or []:
        yield from problems(value, part, path)
    for name in ("anyOf", "oneOf"):
        parts = schema.get(name) or []
        fitting = sum(not any(problems(value, part, path)) for part in parts)
        if parts and (fitting == 0 or (name == "oneOf" and fitting > 1)):
            yield f"{_at(path)} is {_shown(value)}, which fits {fitting} of its {len(parts)} alternatives ({name})"
    if "not" in schema and not any(problems(value, schema["not"], path)):
        yield f"{_at(path)} is {_shown(value)}, which its schema rules out"


# ---- what the server fills in ------------------------------------------------------------------------------------


def defaulted(value: Any, schema: Mapping[str, Any]) -> Any:
    """A copy with the schema's defaults."""
    if isinstance(value, list):
        return [defaulted(item, schema.get("items") or {}) for item in value]
    if not isinstance(value, dict):
        return value
    properties = schema.get("properties") or {}
    others = schema.get("additionalProperties")
    others = others if isinstance(others, dict) else {}
    result = {key: defaulted(inner, properties.get(key, others)) for key, inner in value.items()}
    for key, part in properties.items():
        if result.get(key) is None and "default" in part:
            result[key] = defaulted(copy.deepcopy(part["default"]), part)
    return result
