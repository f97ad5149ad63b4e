# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""CustomResourceDefinitions of kinds of policies, as their projects publish them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Collection

MIRROR = Path(os.environ.get("NETOPS_MIRROR", str(Path(__file__).parents[2] / ".." / "shared" / "mirror")))
# Calico ships those of the Network Policy API that it enforces: v0.1.1, experimental channel, and v0.2.0, standard.
OLDER, NEWER = "v3.31.7", "v3.32.1"


def published(file: Path, kinds: Collection[str]) -> list[dict[str, Any]]:
    """The definitions of some kinds out of a manifest.

    :raises AssertionError: the manifest or a kind is not there.
    """
    assert file.exists(), f"{file} is missing; set NETOPS_MIRROR to a folder with the upstream manifests"
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    found = [one for one in yaml.load_all(file.read_text(), loader) if one and one["spec"]["names"]["kind"] in kinds]
    assert len(found) == len(kinds), f"{file} lacks some of {sorted(kinds)}"
    return found


def of_kubernetes() -> list[dict[str, Any]]:
    """ClusterNetworkPolicy, AdminNetworkPolicy and BaselineAdminNetworkPolicy."""
    older = published(
        MIRROR / "calico" / OLDER / "operator-crds.yaml", ["AdminNetworkPolicy", "BaselineAdminNetworkPolicy"]
    )
    return [*older, *published(MIRROR / "calico" / NEWER / "operator-crds.yaml", ["ClusterNetworkPolicy"])]


def of_calico() -> list[dict[str, Any]]:
    """GlobalNetworkPolicy and StagedGlobalNetworkPolicy, in the group in which Calico's API server shows them."""
    kinds = ["GlobalNetworkPolicy", "StagedGlobalNetworkPolicy"]
    return [_shown(one) for one in published(MIRROR / "calico" / NEWER / "operator-crds.yaml", kinds)]


def _shown(stored: dict[str, Any]) -> dict[str, Any]:
    spec = stored["spec"]
    [version] = spec["versions"]
    shown = {**spec, "group": "projectcalico.org", "versions": [{**version, "name": "v3"}]}
    name = f"{spec['names']['plural']}.projectcalico.org"
    return {"apiVersion": stored["apiVersion"], "kind": stored["kind"], "metadata": {"name": name}, "spec": shown}
