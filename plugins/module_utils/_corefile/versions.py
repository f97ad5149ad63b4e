# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""CoreDNS' versions: which there are, and which one kubeadm installs with a version of Kubernetes."""

from __future__ import annotations

import re
from functools import cache

from ansible_collections.netops.kubernetes.plugins.module_utils._errors import NetopsError

# Tags of github.com/coredns/coredns.
KNOWN = tuple(
    """
    1.0.0 1.0.1 1.0.2 1.0.3 1.0.4 1.0.5 1.0.6 1.1.0 1.1.1 1.1.2 1.1.3 1.1.4 1.2.0 1.2.1 1.2.2 1.2.3 1.2.4 1.2.5 1.2.6
    1.3.0 1.3.1 1.4.0 1.5.0 1.5.1 1.5.2 1.6.0 1.6.1 1.6.2 1.6.3 1.6.4 1.6.5 1.6.6 1.6.7 1.6.8 1.6.9 1.7.0 1.7.1 1.8.0
    1.8.1 1.8.2 1.8.3 1.8.4 1.8.5 1.8.6 1.8.7 1.9.0 1.9.1 1.9.2 1.9.3 1.9.4 1.10.0 1.10.1 1.11.0 1.11.1 1.11.3 1.11.4
    1.12.0 1.12.1 1.12.2 1.12.3 1.12.4 1.13.0 1.13.1 1.13.2 1.14.0 1.14.1 1.14.2 1.14.3 1.14.4 1.14.5 1.14.6 1.14.7
    1.15.0
    """.split()
)
NEWEST = KNOWN[-1]

# CoreDNS-k8s_version.md of github.com/coredns/deployment; 1.33 on: kubeadm's own constants.
OF_KUBERNETES = {
    "1.9": "1.0.1",
    "1.10": "1.0.6",
    "1.11": "1.1.3",
    "1.12": "1.2.2",
    "1.13": "1.2.6",
    "1.14": "1.3.1",
    "1.15": "1.3.1",
    "1.16": "1.6.2",
    "1.17": "1.6.5",
    "1.18": "1.6.7",
    "1.19": "1.7.0",
    "1.20": "1.7.0",
    "1.21": "1.8.0",
    "1.22": "1.8.4",
    "1.23": "1.8.6",
    "1.24": "1.8.6",
    "1.25": "1.9.3",
    "1.26": "1.9.3",
    "1.27": "1.10.1",
    "1.28": "1.10.1",
    "1.29": "1.11.1",
    "1.30": "1.11.1",
    "1.31": "1.11.3",
    "1.32": "1.11.3",
    "1.33": "1.12.0",
    "1.34": "1.12.1",
    "1.35": "1.13.1",
    "1.36": "1.14.2",
}

Version = tuple[int, int, int]


class VersionError(NetopsError):
    """A text that is no version, or one that is not known."""


@cache
def version_of(text: str) -> Version:
    """A version's numbers, from ``1.11.3``, ``v1.11.3``, or an image's tag such as ``v1.11.3-eksbuild.2``.

    :raises VersionError: it does not begin with three numbers, or is older than the first release.
    """
    match = re.match(r"v?(\d+)\.(\d+)\.(\d+)(?![\d.])", text)
    if match is None:
        raise VersionError(
            f"CoreDNS version {text!r}", "it is no version", f"three numbers such as {NEWEST}", "Set the version"
        )
    found = (int(match[1]), int(match[2]), int(match[3]))
    if found < (1, 0, 0):
        raise VersionError(f"CoreDNS version {text!r}", "it is older than 1.0.0", f"1.0.0 to {NEWEST}")
    return found


def version_of_image(image: str) -> str | None:
    """The CoreDNS version that a container image's tag names; nothing for a digest or a tag of another form."""
    tag = image.partition("@")[0].rpartition("/")[2].partition(":")[2]
    match = re.match(r"v?(\d+\.\d+\.\d+)(?![\d.])", tag)
    return match[1] if match else None


def version_with_kubernetes(kubernetes: str) -> str:
    """The CoreDNS version that kubeadm of a Kubernetes version installs.

    :param kubernetes: ``1.36``, ``v1.36.3``.
    :raises VersionError: it is not in the table.
    """
    match = re.match(r"v?(\d+\.\d+)", kubernetes)
    if match is None or match[1] not in OF_KUBERNETES:
        raise VersionError(
            f"Kubernetes version {kubernetes!r}",
            "which CoreDNS goes with it is not known",
            f"{next(iter(OF_KUBERNETES))} to {list(OF_KUBERNETES)[-1]}",
            "Name CoreDNS' version instead",
        )
    return OF_KUBERNETES[match[1]]


def said(version: Version) -> str:
    """A version as people write it."""
    return ".".join(str(number) for number in version)
