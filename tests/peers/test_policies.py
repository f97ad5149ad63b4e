# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random clusters of NetworkPolicies, judged by the collection and by network-config-analyzer."""

from __future__ import annotations

import ipaddress
import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.explain import Reachability
from ansible_collections.netops.kubernetes.plugins.module_utils._policy.inventory import inventory
from tests.support.random_policies import OUTSIDE, PORTS, PROTOCOLS, RandomCluster

CLUSTERS = int(os.environ.get("NETOPS_FUZZ_CLUSTERS", "150"))
FIRST = int(os.environ.get("NETOPS_FUZZ_FIRST", "0"))
LINE = re.compile(r"^(\S+) => (\S+) : (.+)$")
CUBE = re.compile(r"\{(?:protocols:([A-Z, ]+?))?,?(?:dst_ports:([-0-9,]+))?\}")
EVERYTHING = "All connections"
PROBES = [(protocol, port) for protocol in PROTOCOLS for port in (*PORTS, 9000)]


@pytest.fixture(scope="module")
def analyzer() -> str:
    folder = os.environ.get("NETOPS_PEERS")
    if not folder or not Path(folder, "ready").exists():
        pytest.fail("The environment of the other evaluators is missing; `make peers` builds it and names its folder.")
    return str(Path(folder, "bin", "python"))


def spans(text: str) -> list[tuple[str, int, int]]:
    """What the analyzer's text of a connection means: protocols and ranges of ports."""
    if text == EVERYTHING:
        return [(protocol, 1, 65535) for protocol in PROTOCOLS]
    found = []
    rest = CUBE.sub("", text)
    assert not rest.strip("[], "), f"text that is not understood: {text!r}"
    for protocols, ports in CUBE.findall(text):
        for protocol in re.findall("[A-Z]+", protocols) or PROTOCOLS:
            for span in (ports or "1-65535").split(","):
                low, _dash, high = span.partition("-")
                found.append((protocol, int(low), int(high or low)))
    return found


class Theirs:
    """What the analyzer said of one cluster."""

    def __init__(self, printed: str) -> None:
        self._rows = [
            (match[1], match[2], spans(match[3])) for line in printed.splitlines() if (match := LINE.match(line))
        ]

    def allows(self, source: str, destination: str, protocol: str, port: int) -> bool:
        return any(
            holds(left, source)
            and holds(right, destination)
            and any(one == protocol and low <= port <= high for one, low, high in some)
            for left, right, some in self._rows
        )


def holds(shown: str, end: str) -> bool:
    """Whether an end is the pod, or in the range of addresses, that a row is about."""
    if "/" in end:
        return shown == end
    if "/" in shown and not shown[0].isdigit():
        return False
    return any(is_in(one, end) for one in shown.split(","))


def is_in(shown: str, address: str) -> bool:
    """Whether a network, or a range of IPv4, holds an address."""
    if "/" in shown:
        return ipaddress.IPv4Address(address) in ipaddress.IPv4Network(shown)
    low, _dash, high = shown.partition("-")
    return ipaddress.IPv4Address(low) <= ipaddress.IPv4Address(address) <= ipaddress.IPv4Address(high or low)


def test_every_verdict_is_the_other_evaluators(analyzer: str, tmp_path: Path) -> None:
    clusters = {}
    for seed in range(FIRST, FIRST + CLUSTERS):
        objects = RandomCluster(seed, simple=True).objects()
        file = tmp_path / f"{seed}.yaml"
        file.write_text(yaml.safe_dump_all(objects))
        clusters[seed] = (file, objects)
    files = [str(file) for file, _objects in clusters.values()]
    command = [analyzer, str(Path(__file__).with_name("analyzer.py")), *files]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    compared, found = 0, []
    for (seed, (_file, objects)), line in zip(clusters.items(), done.stdout.splitlines(), strict=True):
        theirs = Theirs(json.loads(line))
        for source, destination, protocol, port, seen in verdicts(objects):
            compared += 1
            if seen != theirs.allows(source, destination, protocol, port):
                found.append(f"seed {seed}: {source} > {destination} {protocol} {port}: {seen}, theirs {not seen}")
    assert not found, f"{len(found)} of {compared}\n" + "\n".join(found[:20])
    assert compared > 100 * CLUSTERS


def verdicts(objects: list[Any]) -> list[tuple[str, str, str, int, bool]]:
    """Every pair of pods, and of pods and addresses outside, at every probe."""
    evaluated = Reachability(inventory(objects)).evaluation()
    universe = evaluated.universe
    places = dict(universe.place_of)
    ends = {name: place for name, place in places.items() if "/" in name and not name[0].isdigit()}
    ends.update({address: universe.outside_of(address) for address in OUTSIDE[4]})
    found = []
    for source, begin in ends.items():
        for destination, end in ends.items():
            if source == destination or ("/" not in source and "/" not in destination):
                continue
            for protocol, port in PROBES:
                seen = evaluated.reaches(begin, end, universe.ports.place_of(protocol, port))
                found.append((source, destination, protocol, port, seen))
    return found
