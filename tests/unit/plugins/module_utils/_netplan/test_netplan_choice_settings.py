# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every recommendation is taken by the role that it is for: by its argument spec, its core and upstream's schema."""

from __future__ import annotations

import itertools
import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.calico import Calico, pools_of
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.calico import require_sound as require_calico
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.cilium import Cilium, require_values, values
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.flannel import Flannel
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.flannel import require_sound as require_flannel
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.documents import parse
from ansible_collections.netops.kubernetes.plugins.module_utils._netplan.choice import CHOICES, Answers, cni_choice
from ansible_collections.netops.kubernetes.plugins.module_utils._netplan.plan import Wanted, pod_network_plan

ROOT = Path(__file__).parents[5]
MIRROR = Path(os.environ.get("NETOPS_MIRROR", str(ROOT / ".." / "shared" / "mirror")))
PODS = ("10.244.0.0/16", "2001:db8:244::/64")
ENDPOINT = "192.0.2.1:6443"
YES_AND_NO = ("encryption", "latency", "one_subnet")
ANSWERS: list[dict[str, Any]] = [
    dict(zip((*CHOICES, *YES_AND_NO), values))
    for values in itertools.product(*CHOICES.values(), *((True, False) for _unused in YES_AND_NO))
]


@cache
def spec_of(role: str) -> dict[str, Any]:
    file = ROOT / "roles" / role / "meta" / "argument_specs.yml"
    options: dict[str, Any] = parse(file.read_text(), str(file))[0]["argument_specs"]["main"]["options"]
    return options


@cache
def schema_of_cilium() -> dict[str, Any]:
    content: dict[str, Any] = json.loads((MIRROR / "cilium" / "1.20.0" / "values.schema.json").read_text())
    return content


def require_taken(cni: str, version: str, settings: dict[str, Any]) -> str:
    """Give the settings to what the role gives them to; returns how packets go between nodes, in the CNI's words."""
    said = {name.removeprefix(f"{cni}_"): value for name, value in settings.items()}
    if cni == "flannel":
        require_flannel(Flannel(PODS, **said))
        return str(said["backend"])
    if cni == "cilium":
        require_values(values(Cilium(f"{version}.0", PODS, **said)), schema_of_cilium())
        return str(said["tunnel"])
    encapsulation = said.pop("encapsulation")
    require_calico(Calico(f"v{version}.0", pools_of(PODS, [], encapsulation), **said))
    return str(encapsulation)


@pytest.mark.parametrize("calico", ["3.28", "3.32"])
@pytest.mark.parametrize("mode", CHOICES["kube_proxy_mode"])
def test_every_recommendation_is_taken_by_its_role(mode: str, calico: str) -> None:
    seen = 0
    known: dict[str, Any] = {"api_endpoint": ENDPOINT, "versions": {"calico": calico}}
    for answers in (one for one in ANSWERS if one["kube_proxy_mode"] == mode):
        for ranked in cni_choice(Answers(**answers, **known))["ranking"]:
            if ranked["fits"]:
                seen += 1
                cni, settings = ranked["cni"], ranked["settings"]
                validated = ArgumentSpecValidator(spec_of(cni)).validate(settings)
                assert validated.error_messages == [], (answers, settings)
                encapsulation = require_taken(cni, ranked["version"], settings)
                wanted = Wanted(PODS, cni, interfaces={"node-a": {"eth0": 1500}}, encapsulation=encapsulation)
                assert pod_network_plan(wanted)["mtu"]["pod"] <= 1500
    assert seen > len(ANSWERS) / len(CHOICES["kube_proxy_mode"])
