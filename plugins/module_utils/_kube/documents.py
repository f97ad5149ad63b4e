# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Objects out of what a user gives: mappings, YAML text, files and folders."""

from __future__ import annotations

import hashlib
import http.client
import json
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ManifestError, Object, flatten

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


DOWNLOAD_SECONDS = 60.0
ALGORITHM = "sha256"
TEXT = "tag:yaml.org,2002:str"
TIMESTAMP = "tag:yaml.org,2002:timestamp"
NUMBERS = frozenset({"tag:yaml.org,2002:bool", "tag:yaml.org,2002:int", "tag:yaml.org,2002:float"})


def load(
    definitions: Sequence[Any], sources: Sequence[str], checksums: Optional[Mapping[str, str]] = None
) -> list[Object]:
    """Every object of ``definitions`` (mappings or YAML text) and of ``sources`` (files, folders of them, or URLs).

    :param checksums: ``sha256:HEX`` of sources, by the source as it is given; a URL must have one.
    :raises ManifestError: YAML that does not parse, a source that is not there, or one with another checksum.
    """
    expected = dict(checksums or {})
    for source in expected:
        if source not in sources:
            raise ManifestError(f"checksum of {source!r}", "src does not name it", f"one of {list(sources)!r}")
    documents: list[Any] = []
    for number, definition in enumerate(definitions, start=1):
        if isinstance(definition, str):
            documents += parse(definition, f"definitions[{number}]")
        else:
            documents.append(definition)
    for source in sources:
        for name, content in contents_of(source, expected.get(source, "")):
            documents += parse(_text(content, name), name)
    return flatten(documents)


def contents_of(source: str, checksum: str) -> list[tuple[str, bytes]]:
    """The name and content of each file of a source."""
    if source.startswith(("https://", "http://")):
        if not checksum:
            raise ManifestError(
                f"src {source!r}", "it has no checksum", remedy="Give its checksum: what a URL serves may change"
            )
        contents = [(source, _download(source))]
    else:
        contents = [(str(file), _read(file)) for file in files_of(Path(source))]
        if checksum and Path(source).is_dir():
            raise ManifestError(f"src {source!r}", "it is a folder; a checksum fits a file or a URL")
    if checksum:
        verify(contents[0][1], checksum, source)
    return contents


def verify(content: bytes, checksum: str, source: str) -> None:
    """Require a checksum.

    :param checksum: ``sha256:HEX``.
    :raises ManifestError: it differs, or is none.
    """
    algorithm, _unused, wanted = checksum.partition(":")
    if algorithm != ALGORITHM or not wanted:
        raise ManifestError(f"src {source!r}", f"checksum {checksum!r} is unknown", f"{ALGORITHM}:HEX")
    seen = hashlib.sha256(content).hexdigest()
    if seen != wanted.lower():
        raise ManifestError(
            f"src {source!r}",
            f"its checksum is {ALGORITHM}:{seen}",
            checksum,
            "Find out who changed it before you trust it",
        )


def _download(url: str) -> bytes:
    from urllib.error import HTTPError

    from ansible.module_utils.urls import open_url

    try:
        with closing(open_url(url, timeout=DOWNLOAD_SECONDS)) as answer:
            content: bytes = answer.read()
    except HTTPError as error:
        # It is the server's answer too, and holds the connection.
        with error:
            raise _unreadable(url, error) from error
    except (OSError, http.client.HTTPException) as error:
        raise _unreadable(url, error) from error
    return content


def _unreadable(url: str, error: Exception) -> ManifestError:
    return ManifestError(
        f"src {url!r}", f"it cannot be read: {error}", remedy="Check the URL and the proxy, or give a local file"
    )


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise _closed(file, error) from error


def _closed(path: Path, error: OSError) -> ManifestError:
    return ManifestError(f"src {str(path)!r}", f"it cannot be read: {error.strerror}", remedy="Let this user read it")


def _text(content: bytes, name: str) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ManifestError(name, f"it is no UTF-8 text: {error}") from error


def files_of(path: Path) -> list[Path]:
    """The file itself, or the YAML and JSON files of a folder in the order of their names.

    :raises ManifestError: there is nothing, or it cannot be read.
    """
    try:
        if path.is_dir():
            return sorted(file for file in path.iterdir() if file.suffix in {".yml", ".yaml", ".json"})
        is_file = path.is_file()
    except OSError as error:
        raise _closed(path, error) from error
    if not is_file:
        raise ManifestError(f"src {str(path)!r}", "it is neither a file nor a folder", remedy="Correct the path")
    return [path]


def parse(text: str, name: str) -> list[Any]:
    """The documents of a YAML text.

    :raises ManifestError: it does not parse; the text says where.
    """
    import yaml

    try:
        return list(yaml.load_all(text, Loader=loader()))
    except yaml.YAMLError as error:
        raise ManifestError(name, f"its YAML does not parse: {error}") from error


@cache
def loader() -> Any:
    """PyYAML's safe loader, which takes dates and keys as kubectl does (sigs.k8s.io/yaml): both are text.

    A key that is no text in JSON either, such as null, stays what it is; who takes objects refuses it (``flatten``).
    """
    import yaml

    # libyaml is ten times as fast; PyYAML may be built without it.
    safe = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    def flatten_mapping(self: Any, node: Any) -> None:
        """What each mapping goes through before its keys are made; made, 1 and true would be one key."""
        safe.flatten_mapping(self, node)
        if not NUMBERS.isdisjoint([key.tag for key, _value in node.value]):
            node.value = [(text_key(self, key), value) for key, value in node.value]

    def text_key(self: Any, key: Any) -> Any:
        return yaml.ScalarNode(TEXT, json.dumps(self.construct_object(key))) if key.tag in NUMBERS else key

    resolvers = {
        first: [(tag, pattern) for tag, pattern in known if tag != TIMESTAMP]
        for first, known in safe.yaml_implicit_resolvers.items()
    }
    made: Any = type("Loader", (safe,), {"yaml_implicit_resolvers": resolvers, "flatten_mapping": flatten_mapping})
    made.add_constructor(TIMESTAMP, safe.construct_yaml_str)
    return made


def dump(obj: Any) -> str:
    """An object as YAML, for a diff."""
    import yaml

    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return str(yaml.dump(obj, Dumper=dumper, sort_keys=True, default_flow_style=False))
