# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Container images without a builder: layers as tar files, put together as ``docker save`` would."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


@dataclass(frozen=True)
class Image:
    """One image to write.

    :param reference: the name under which a container runtime finds it.
    :param files: path inside the image (without a leading slash) by the file on this machine.
    :param entrypoint: what runs.
    :param base: a tar file that becomes the layer below, or nothing for a static program.
    """

    reference: str
    files: tuple[tuple[Path, str], ...]
    entrypoint: tuple[str, ...]
    base: Path | None = None


def layer_of(files: tuple[tuple[Path, str], ...]) -> bytes:
    """A layer with these programs; the same files always give the same bytes. One under two names is in it once."""
    buffer = io.BytesIO()
    names: dict[Path, str] = {}
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for source, inside in files:
            entry = tarfile.TarInfo(inside)
            entry.mode = 0o755
            if names.setdefault(source, inside) != inside:
                entry.type, entry.linkname = tarfile.LNKTYPE, names[source]
                archive.addfile(entry)
                continue
            entry.size = source.stat().st_size
            with source.open("rb") as content:
                archive.addfile(entry, content)
    return buffer.getvalue()


def write_image(image: Image, target: Path) -> None:
    """Write ``image`` as an archive of the format that ``docker save`` and ``ctr images import`` share."""
    write_images([image], target)


def write_images(images: Iterable[Image], target: Path) -> None:
    """Write several images into one such archive; a layer that they share is in it once."""
    manifest: list[dict[str, object]] = []
    parts: dict[str, bytes] = {}
    for image in images:
        layers = [image.base.read_bytes()] if image.base else []
        layers.append(layer_of(image.files))
        digests = [hashlib.sha256(layer).hexdigest() for layer in layers]
        described = json.dumps(configuration_of(image, digests)).encode()
        name = f"{hashlib.sha256(described).hexdigest()}.json"
        places = [f"{digest}/layer.tar" for digest in digests]
        manifest.append({"Config": name, "RepoTags": [image.reference], "Layers": places})
        parts |= {name: described, **dict(zip(places, layers, strict=True))}
    parts = {"manifest.json": json.dumps(manifest).encode(), **parts}
    with tarfile.open(target, "w") as archive:
        for inside, content in parts.items():
            entry = tarfile.TarInfo(inside)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


def configuration_of(image: Image, digests: list[str]) -> dict[str, object]:
    """What a container runtime reads of an image, with the digests of its layers."""
    return {
        "architecture": "amd64",
        "os": "linux",
        "config": {
            "Entrypoint": list(image.entrypoint),
            "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}" for digest in digests]},
        "history": [],
    }
