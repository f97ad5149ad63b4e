# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Objects out of what a user gives: mappings, YAML text, files and folders."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ManifestError, Object, flatten

if TYPE_CHECKING:
    from collections.abc import Sequence


def load(definitions: Sequence[Any], sources: Sequence[str]) -> list[Object]:
    """Every object of ``definitions`` (mappings or YAML text) and of ``sources`` (files, or folders of them).

    :raises ManifestError: YAML that does not parse, or a path that is not there.
    """
    documents: list[Any] = []
    for number, definition in enumerate(definitions, start=1):
        if isinstance(definition, str):
            documents += parse(definition, f"definitions[{number}]")
        else:
            documents.append(definition)
    for source in sources:
        for file in files_of(Path(source)):
            documents += parse(file.read_text(encoding="utf-8"), str(file))
    return flatten(documents)


def files_of(path: Path) -> list[Path]:
    """The file itself, or the YAML and JSON files of a folder in the order of their names.

    :raises ManifestError: there is nothing.
    """
    if path.is_dir():
        return sorted(file for file in path.iterdir() if file.suffix in {".yml", ".yaml", ".json"})
    if not path.is_file():
        raise ManifestError(f"src {str(path)!r}", "it is neither a file nor a folder", remedy="Correct the path")
    return [path]


def parse(text: str, name: str) -> list[Any]:
    """The documents of a YAML text.

    :raises ManifestError: it does not parse; the text says where.
    """
    import yaml

    try:
        return list(yaml.safe_load_all(text))
    except yaml.YAMLError as error:
        raise ManifestError(name, f"its YAML does not parse: {error}") from error


def dump(obj: Any) -> str:
    """An object as YAML, for a diff."""
    import yaml

    return str(yaml.safe_dump(obj, sort_keys=True, default_flow_style=False))
