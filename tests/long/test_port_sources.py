# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The port matrix beside the programs' own source, where Go's module proxy hands it out: each number is in its file."""

from __future__ import annotations

import json
import re
import subprocess
from functools import cache
from pathlib import Path

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.ports import IP_PROTOCOLS, MATRIX, PortRow
from tests.testbed.hostpackages import go_program
from tests.testbed.settings import cache_root

# Repositories by the names of their Go modules.
MODULES = {
    "k8s.io/kubernetes": "k8s.io/kubernetes",
    "cilium/cilium": "github.com/cilium/cilium",
    "cloudnativelabs/kube-router": "github.com/cloudnativelabs/kube-router/v2",
    "flannel-io/flannel": "github.com/flannel-io/flannel",
    "metallb/metallb": "go.universe.tf/metallb",
    "projectcalico/calico": "github.com/projectcalico/calico",
    "prometheus/node_exporter": "github.com/prometheus/node_exporter",
}
# What Go calls a tag that is none of its own.
VERSIONS = {"projectcalico/calico@v3.28.5": "v1.11.0-cni-plugin.0.20250813170300-a0db560f0520"}
PART = re.compile(r"(?P<repository>[\w./-]+)@(?P<version>\w[\w.]+) (?P<path>[\w./-]+)(?:: (?P<what>.+))?")
# How the sources write what has no port.
NAMES = {"ipip": r"(?i:ip-?in-?ip|ipip)", "ipv6": "ip6ip6", "esp": "ESP|IPSec", "icmp": "ICMP"}


def parts_of(row: PortRow) -> list[re.Match[str]]:
    """The files that a row names and that Go knows."""
    found = [PART.fullmatch(one) for one in row.source.split("; ")]
    return [one for one in found if one and one["repository"] in MODULES]


@cache
def folder_of(repository: str, version: str) -> Path:
    """Where Go keeps a version; it is downloaded if need be."""
    module = f"{MODULES[repository]}@{VERSIONS.get(f'{repository}@{version}', version)}"
    command = [go_program(cache_root()), "mod", "download", "-json", module]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    assert done.returncode == 0, f"{module}: {done.stdout}{done.stderr}"
    return Path(json.loads(done.stdout)["Dir"])


def spellings(row: PortRow) -> list[str]:
    """Regular expressions of what must be in one of its files."""
    if row.protocol in {*IP_PROTOCOLS, "icmp"}:
        return [NAMES[row.protocol]]
    if row.port == "nodeport":
        return [f"Protocol{row.protocol.upper()}"]
    return [rf"(?<!\d){number}(?!\d)" for number in row.port.split("-")]


CHECKED = [row for row in MATRIX if parts_of(row)]


@pytest.mark.parametrize("row", CHECKED, ids=lambda row: row.id)
def test_a_row_says_what_its_source_says(row: PortRow) -> None:
    texts = []
    for part in parts_of(row):
        text = (folder_of(part["repository"], part["version"]) / part["path"]).read_text()
        for word in re.split(r", (?=[A-Z])", part["what"] or ""):
            assert word.casefold() in text.casefold(), (row.id, word)
        texts.append(text)
    for spelling in spellings(row):
        assert any(re.search(spelling, text) for text in texts), (row.id, spelling)


def test_most_rows_are_checked() -> None:
    assert len(CHECKED) > len(MATRIX) / 2
