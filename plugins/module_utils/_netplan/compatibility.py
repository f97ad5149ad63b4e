# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Which versions of CNI, Kubernetes and kernel go together, as the projects themselves say."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._netplan.errors import NetworkError

if TYPE_CHECKING:
    from collections.abc import Sequence

Version = tuple[int, int]


@dataclass(frozen=True)
class Row:
    """One minor version of a CNI.

    :param tested: first and last minor version of Kubernetes that the project tests with it.
    :param floor: the first one that it supports at all.
    :param kernel: the first kernel.
    """

    cni: str
    version: Version
    tested: tuple[Version, Version]
    floor: Version
    kernel: Version
    source: str


CALICO = "docs.tigera.io, system requirements"
CILIUM = "docs.cilium.io, requirements"
ROWS = (
    Row("calico", (3, 28), ((1, 27), (1, 30)), (1, 21), (3, 10), CALICO),
    Row("calico", (3, 31), ((1, 32), (1, 35)), (1, 21), (5, 10), CALICO),
    Row("calico", (3, 32), ((1, 34), (1, 36)), (1, 21), (5, 10), CALICO),
    Row("calico", (3, 33), ((1, 35), (1, 37)), (1, 21), (5, 10), CALICO),
    Row("cilium", (1, 18), ((1, 30), (1, 33)), (1, 30), (5, 10), CILIUM),
    Row("cilium", (1, 19), ((1, 32), (1, 35)), (1, 32), (5, 10), CILIUM),
    Row("cilium", (1, 20), ((1, 33), (1, 36)), (1, 33), (5, 10), CILIUM),
    # Flannel names a first version and tests none in particular; WireGuard as a back-end needs 5.6.
    Row("flannel", (0, 28), ((1, 17), (1, 99)), (1, 17), (3, 10), "github.com/flannel-io/flannel, README"),
)
# The first Calico whose nftables data plane is more than a preview (docs.tigera.io, release notes of 3.31).
CALICO_NFTABLES = (3, 31)
VERSION = re.compile(r"v?(\d+)\.(\d+)([.+-].*)?")


def version_of(what: str, text: Any) -> Version:
    """Major and minor number.

    :raises NetworkError: the text is no version.
    """
    found = VERSION.fullmatch(text) if isinstance(text, str) else None
    if not found:
        raise NetworkError(what, repr(text), "a version such as 1.36.3, as a text")
    return int(found[1]), int(found[2])


def row_of(cni: str, version: str) -> Row | None:
    """The row of a CNI's version; nothing when the table does not have it."""
    wanted = version_of(f"version of {cni}", version)
    return next((row for row in ROWS if (row.cni, row.version) == (cni, wanted)), None)


def refusals(row: Row, kubernetes: str, kernels: Sequence[str]) -> list[str]:
    """What the project does not support of this cluster, each a sentence with its source."""
    told: list[str] = []
    if kubernetes and version_of("kubernetes_version", kubernetes) < row.floor:
        told.append(f"{_name(row)} supports Kubernetes {_text(row.floor)} or later, not {kubernetes} ({row.source})")
    old = sorted({kernel for kernel in kernels if version_of("kernel version", kernel) < row.kernel})
    if old:
        told.append(f"{_name(row)} needs kernel {_text(row.kernel)} or later, not {', '.join(old)} ({row.source})")
    return told


def doubts(row: Row, kubernetes: str) -> list[str]:
    """What the project does not test, each a sentence with its source."""
    if not kubernetes:
        return []
    seen = version_of("kubernetes_version", kubernetes)
    first, last = row.tested
    if row.floor <= seen and not first <= seen <= last:
        return [
            f"{_name(row)} is tested with Kubernetes {_text(first)} to {_text(last)}, not {kubernetes} ({row.source})"
        ]
    return []


def require_supported(cni: str, version: str, kubernetes: str, kernels: Sequence[str], *, force: bool) -> list[str]:
    """Require what upstream supports.

    :param force: make warnings of what upstream does not support.
    :returns: warnings.
    :raises NetworkError: upstream does not support it, and nobody forces it.
    """
    row = row_of(cni, version)
    if row is None:
        known = ", ".join(_text(one.version) for one in ROWS if one.cni == cni)
        return [f"{cni} {version}: the table knows {known or 'no version'}; whether it fits is not checked"]
    refused = refusals(row, kubernetes, kernels)
    if refused and not force:
        raise NetworkError(
            f"{cni} {version}", "; ".join(refused), "what upstream supports", "Choose another version, or force it"
        )
    return refused + doubts(row, kubernetes)


def _name(row: Row) -> str:
    return f"{row.cni.capitalize()} {_text(row.version)}"


def _text(version: Version) -> str:
    return f"{version[0]}.{version[1]}"
