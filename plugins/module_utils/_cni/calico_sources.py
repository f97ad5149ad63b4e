# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Where Calico's manifests are published, and their checksums."""

from __future__ import annotations

from ansible_collections.netops.kubernetes.plugins.module_utils._cni.calico import CalicoError

PLACE = "https://raw.githubusercontent.com/projectcalico/calico"
FILES = {"operator": ("operator-crds.yaml", "tigera-operator.yaml"), "manifest": ("calico.yaml",)}
# Before 3.30 the operator's manifest holds the definitions too.
CHECKSUMS = {
    "v3.28.5": {
        "tigera-operator.yaml": "sha256:69159fe3450ff0cf8b6db29e2b011a287ed5d8de341e81812c98aae69d3e51b5",
        "calico.yaml": "sha256:206678e7adb2e931bb97385300c408490635616f371941d68468207d6e0f9713",
    },
    "v3.31.7": {
        "operator-crds.yaml": "sha256:380414d5756e9a1af29ddb1ad70cada07aa344ae7a2680ba7355248621f8adbf",
        "tigera-operator.yaml": "sha256:092c10b3d0cb73617aca51367ca59755348f4647e6d2e63fa4e5b81266203214",
        "calico.yaml": "sha256:d6d8a489a4ed8e5b8efd8b339047b496ca657b55ee2e3618e791507b0a853e8d",
    },
    "v3.32.1": {
        "operator-crds.yaml": "sha256:192f8b2d934ef24b62e86b7e1a6e1762d1c8af26a916f78057bc13fa5ed60f71",
        "tigera-operator.yaml": "sha256:f18e073794207d372606bc3ea6f8fd73972f86d6828f4ba666dfe0d4aa8ab07f",
        "calico.yaml": "sha256:a1df919d9721cf667accdc3e72848911b0cb25cfab7d2478ad0c996302c95744",
    },
}


def typha_source(version: str) -> str:
    """What to do to get the manifest that has Typha: its checksums are not known here."""
    return f"Name {PLACE}/{version}/manifests/calico-typha.yaml in src, with its checksum, or a file of yours"


def sources(version: str, mode: str, *, typha: bool = False) -> tuple[list[str], dict[str, str]]:
    """The URLs of a version's manifests, and their checksums by URL.

    :param typha: whether manifest mode needs the one with Typha.
    :raises CalicoError: the version's checksums are not known here.
    """
    known = CHECKSUMS.get(version)
    if known is None:
        raise CalicoError(
            f"version {version!r}",
            "src names nothing, and the checksums of this version's manifests are not known",
            f"one of {', '.join(CHECKSUMS)}, or src",
            "Name the manifests in src, with a checksum for each URL",
        )
    if typha and mode == "manifest":
        raise CalicoError(
            "typha",
            "src names nothing, and the checksums of calico-typha.yaml are not known",
            "calico-typha.yaml in src",
            typha_source(version),
        )
    checksums = {f"{PLACE}/{version}/manifests/{name}": known[name] for name in FILES[mode] if name in known}
    return list(checksums), checksums
