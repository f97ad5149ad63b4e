# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Images that objects name, and where a closed network gets them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import Object

TEMPLATED = {"DaemonSet", "Deployment", "Job"}


@dataclass(frozen=True)
class Registry:
    """Where images come from in place of upstream's places.

    :param host: the registry; empty keeps upstream's.
    :param path: the folder of all images in it; empty keeps upstream's.
    :param pull_secrets: names of Secrets beside the pods.
    :param digests: digests in place of tags, by the image's name.
    """

    host: str = ""
    path: str = ""
    pull_secrets: tuple[str, ...] = ()
    digests: dict[str, str] = field(default_factory=dict)


def relocated(registry: Registry, upstream: str) -> str:
    """Where a node gets an image."""
    named, _unused, digest = upstream.partition("@")
    path, _unused, tag = named.rpartition(":")
    folder, _unused, name = path.rpartition("/")
    if registry.host:
        place = registry.path or folder.partition("/")[2]
        folder = "/".join(part for part in (registry.host.rstrip("/"), place.strip("/")) if part)
    wanted = registry.digests.get(name)
    if wanted:
        return f"{folder}/{name}@{wanted}"
    return f"{folder}/{name}:{tag}" + (f"@{digest}" if digest else "")


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
    return sorted({image.partition("@")[0].rpartition("/")[2].partition(":")[0] for image in images(objects)})


def _pods(objects: Sequence[Object]) -> Iterator[dict[str, Any]]:
    for obj in objects:
        if obj.get("kind") in TEMPLATED:
            yield obj["spec"]["template"]["spec"]
        elif obj.get("kind") == "CronJob":
            yield obj["spec"]["jobTemplate"]["spec"]["template"]["spec"]


def _containers(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return [*(pod.get("initContainers") or []), *pod["containers"]]
