# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Where the objects of an audit come from: manifests, each with its place, or a live cluster."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._kube.documents import contents_of, loader
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import (
    ManifestError,
    Object,
    flatten,
    ref_of,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.cluster import listed
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.clusterwide import KINDS
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.inventory import UNREAD

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient

SUFFIXES = (".yml", ".yaml", ".json")
VERSIONS = {
    "projectcalico.org": "projectcalico.org/v3",
    "crd.projectcalico.org": "crd.projectcalico.org/v1",
    "cilium.io": "cilium.io/v2",
    "crd.antrea.io": "crd.antrea.io/v1beta1",
}


@dataclass(frozen=True)
class Sources:
    """Objects, and for each that came from a file, which one and where in it.

    :param places: file and line by the object as a user finds it.
    """

    objects: tuple[Object, ...]
    places: dict[str, tuple[str, int]]


def written(definitions: Sequence[Any], src: Sequence[str]) -> Sources:
    """The objects of manifests; documents that are no Kubernetes objects, such as Helm's values, are passed over.

    :param definitions: mappings, or YAML text.
    :param src: files, or folders, which are searched through with all that is in them.
    :raises ManifestError: a source is not there or does not parse, or an object is given twice.
    """
    objects: list[Object] = []
    places: dict[str, tuple[str, int]] = {}
    for number, definition in enumerate(definitions, start=1):
        named = f"definitions[{number}]"
        documents = _documents(definition, named) if isinstance(definition, str) else [(1, definition)]
        for _line, document in documents:
            objects += _flat(document, named)
    for file in _files(src):
        for name, content in contents_of(str(file), ""):
            for line, document in _documents(_text(content, name), name):
                for obj in _flat(document, name):
                    objects.append(obj)
                    places[str(ref_of(obj))] = (name, line)
    return Sources(tuple(flatten(objects)), places)


def _files(src: Sequence[str]) -> Iterator[Path]:
    for text in src:
        path = Path(text)
        if path.is_dir():
            found = sorted(file for file in path.rglob("*") if file.suffix in SUFFIXES and file.is_file())
            if not found:
                raise ManifestError(f"src {text!r}", "it has no YAML or JSON file", "a folder with manifests")
            yield from found
        else:
            yield path


def _text(content: bytes, name: str) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ManifestError(name, f"it is no UTF-8 text: {error}") from error


def _documents(text: str, name: str) -> list[tuple[int, Any]]:
    """The documents of a text, each with the line on which it begins."""
    if text.lstrip()[:1] in {"{", "["}:
        try:
            return [(1, json.loads(text))]
        except ValueError:
            # YAML may begin so too.
            pass
    import yaml

    reader = loader()(text)
    found: list[tuple[int, Any]] = []
    try:
        while reader.check_node():
            node = reader.get_node()
            found.append((node.start_mark.line + 1, reader.construct_document(node)))
    except yaml.YAMLError as error:
        raise ManifestError(name, f"its YAML does not parse: {error}") from error
    finally:
        reader.dispose()
    return found


def _flat(document: Any, name: str) -> list[Object]:
    """The objects of a document; a List's are opened."""
    if isinstance(document, list):
        return [obj for one in document for obj in _flat(one, name)]
    if not isinstance(document, dict) or not document.get("kind") or not document.get("apiVersion"):
        return []
    items = document.get("items")
    if str(document["kind"]).endswith("List") and isinstance(items, list):
        # What is listed says itself what it is, but for lists that the API server gives of one kind.
        kind = str(document["kind"])[: -len("List")]
        defaults = {"apiVersion": document["apiVersion"], "kind": kind} if kind else {}
        return [obj for one in items if isinstance(one, dict) for obj in _flat({**defaults, **one}, name)]
    return flatten([document])


def overlaid(below: Sequence[Object], above: Sequence[Object]) -> list[Object]:
    """Two sets of objects as if the second were applied over the first."""
    replaced = {ref_of(obj) for obj in above}
    return [*(obj for obj in below if ref_of(obj) not in replaced), *above]


LIVE = (
    ("v1", "Namespace"),
    ("v1", "Pod"),
    ("v1", "Node"),
    ("v1", "Service"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
)


def live(client: KubeClient) -> list[Object]:
    """All that an audit reads of a cluster; kinds that it does not serve are passed over.

    :raises KubeError: something cannot be read.
    """
    found = [obj for api_version, kind in LIVE for obj in client.list(api_version, kind)]
    found += client.list("discovery.k8s.io/v1", "EndpointSlice", "default", "kubernetes.io/service-name=kubernetes")
    groups = {one["name"]: one for one in client.raw("GET", "/apis")["groups"]}
    for kind, api_version in KINDS.items():
        if api_version.partition("/")[0] in groups:
            found += listed(client, api_version, kind)
    for group, kinds in UNREAD.items():
        # The two groups of Calico show the same objects; the one that its API server serves is the one for people.
        if group in groups and not (group == "crd.projectcalico.org" and "projectcalico.org" in groups):
            for kind in kinds:
                found += listed(client, VERSIONS[group], kind)
    return found
