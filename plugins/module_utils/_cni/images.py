# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Images that objects name, and where a closed network gets them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._errors import NetopsError
    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import Object

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
TEMPLATED = {"DaemonSet", "Deployment", "Job", "StatefulSet"}


@dataclass(frozen=True)
class Image:
    """An image's name in its parts; ``str`` puts them together again.

    :param folder: registry and folder, without the slash before the name; empty where neither is named.
    :param tag: empty when it is named by its digest alone, or by neither.
    """

    folder: str
    name: str
    tag: str = ""
    digest: str = ""

    def __str__(self) -> str:
        place = f"{self.folder}/" if self.folder else ""
        return place + self.name + (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")


@dataclass(frozen=True)
class Registry:
    """Where images come from in place of upstream's places.

    :param host: the registry; empty keeps upstream's.
    :param path: the folder of all images in it; empty keeps upstream's.
    :param pull_secrets: names of Secrets beside the pods.
    :param digests: by the image's name; they win over upstream's.
    """

    host: str = ""
    path: str = ""
    pull_secrets: tuple[str, ...] = ()
    digests: dict[str, str] = field(default_factory=dict)


def parsed(image: str) -> Image:
    """The parts of an image's name. A colon before the last slash is that of a port."""
    named, _unused, digest = image.partition("@")
    folder, _unused, last = named.rpartition("/")
    name, _unused, tag = last.partition(":")
    return Image(folder, name, tag, digest)


def relocated(registry: Registry, upstream: str) -> str:
    """Where a node gets an image.

    A tag stays beside a digest: runtimes go by the digest alone, and whoever reads the image still learns its version.

    :param upstream: the image as upstream names it, by tag, digest, both or neither.
    """
    image = parsed(upstream)
    folder = image.folder
    if registry.host:
        place = registry.path or _without_host(folder)
        folder = "/".join(part for part in (registry.host.rstrip("/"), place.strip("/")) if part)
    return str(replace(image, folder=folder, digest=registry.digests.get(image.name) or image.digest))


def _without_host(folder: str) -> str:
    """The folder in its registry; Docker's own registry need not be named (distribution/reference, normalize.go)."""
    host, _unused, rest = folder.partition("/")
    return rest if host == "localhost" or "." in host or ":" in host else folder


def require_digests(digests: Mapping[str, str], known: Iterable[str], error: type[NetopsError]) -> None:
    """Require digests that are such, of images that there are: another would leave an image as it is, unnoticed.

    :param digests: by the image's name.
    :param known: the names of the images.
    :param error: what is raised.
    :raises NetopsError: a digest is none, or of no image.
    """
    there = sorted(set(known))
    for name, digest in digests.items():
        if not DIGEST.fullmatch(str(digest)):
            raise error(f"digest of image '{name}'", repr(digest), "sha256: and 64 hexadecimal digits")
        if name not in there:
            raise error(f"digest of image '{name}'", "no such image is in the manifests", f"one of {', '.join(there)}")


def relocate(registry: Registry, objects: Sequence[Object]) -> None:
    """Let every pod of the objects get its images there; the objects are changed."""
    for pod in _pods(objects):
        for container in _containers(pod):
            container["image"] = relocated(registry, container["image"])
        if registry.pull_secrets:
            pod["imagePullSecrets"] = [{"name": name} for name in registry.pull_secrets]


def images(objects: Sequence[Object]) -> list[str]:
    """Every image that the objects name, for whoever fills a registry."""
    return sorted({container["image"] for pod in _pods(objects) for container in _containers(pod)})


def names_of(objects: Sequence[Object]) -> list[str]:
    """The same without registry, folder, tag and digest."""
    return sorted({parsed(image).name for image in images(objects)})


def _pods(objects: Sequence[Object]) -> Iterator[dict[str, Any]]:
    for obj in objects:
        if obj.get("kind") in TEMPLATED:
            yield obj["spec"]["template"]["spec"]
        elif obj.get("kind") == "CronJob":
            yield obj["spec"]["jobTemplate"]["spec"]["template"]["spec"]


def _containers(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return [*(pod.get("initContainers") or []), *pod["containers"]]
