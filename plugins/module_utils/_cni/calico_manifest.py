# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Upstream's own manifests of Calico, edited for given settings.

Manifest mode edits ``calico.yaml``, or ``calico-typha.yaml``, which is the same with Typha: the ConfigMap
``calico-config``, the containers of ``calico-node``, where pods run, and the images. Operator mode edits the operator's
image alone; the rest is said in custom resources.
"""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING

from ansible_collections.netops.kubernetes.plugins.module_utils._cni.calico import (
    CONTROLLERS,
    NODE,
    OPERATOR_IMAGE,
    TYPHA,
    Calico,
    CalicoError,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.calico_sources import typha_source
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.images import (
    Registry,
    names_of,
    relocate,
    require_digests,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.placement import place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import Object

CONFIG = "calico-config"
OPERATOR = "tigera-operator"
# Probes of the BGP daemon, which does not run without BGP.
BGP_PROBES = {"-bird-live", "-bird-ready"}
CONFIGURATION = "netops.kubernetes/configuration"


def edited(calico: Calico, objects: Sequence[Object]) -> list[Object]:
    """Upstream's objects for these settings.

    :param objects: of ``calico.yaml`` in manifest mode, else of the operator's manifests.
    :raises CalicoError: they are not what upstream publishes for this mode.
    """
    result = copy.deepcopy(list(objects))
    if calico.mode == "operator":
        _find(result, "Deployment", OPERATOR)
        _find(result, "CustomResourceDefinition", "installations.operator.tigera.io")
    else:
        settings = _find(result, "ConfigMap", CONFIG)
        _edit_settings(calico, settings["data"])
        _edit_typha(calico, result, settings["data"])
        place(_find(result, "Deployment", CONTROLLERS), CONTROLLERS, calico.control_plane)
        _edit_node(calico, _find(result, "DaemonSet", NODE), settings["data"])
    _require_images(calico, result)
    relocate(Registry(calico.registry, calico.image_path, calico.pull_secrets, calico.digests), result)
    return result


def _find(objects: Sequence[Object], kind: str, name: str) -> Object:
    for obj in objects:
        if obj.get("kind") == kind and obj["metadata"]["name"] == name:
            return obj
    raise CalicoError(
        "src",
        f"{kind} '{name}' is not in it",
        "Calico's own manifests: operator-crds.yaml and tigera-operator.yaml, or calico.yaml in manifest mode",
    )


def _edit_settings(calico: Calico, data: dict[str, str]) -> None:
    data["calico_backend"] = "bird" if calico.bgp else "vxlan"
    data["veth_mtu"] = str(calico.mtu)
    conflist = json.loads(data["cni_network_config"].replace("__CNI_MTU__", '"__CNI_MTU__"'))
    ipam = conflist["plugins"][0]["ipam"]
    # calico-ipam gives IPv4 alone unless it is told.
    ipam["assign_ipv4"] = "true" if 4 in calico.families else "false"
    ipam["assign_ipv6"] = "true" if 6 in calico.families else "false"
    data["cni_network_config"] = json.dumps(conflist, indent=2).replace('"__CNI_MTU__"', "__CNI_MTU__")


def _edit_typha(calico: Calico, objects: Sequence[Object], data: dict[str, str]) -> None:
    """Typha's Deployment, where upstream's manifest has one: its Service and its budget are as they should be."""
    found = [obj for obj in objects if obj.get("kind") == "Deployment" and obj["metadata"]["name"] == TYPHA]
    if not found:
        if calico.typha_replicas or calico.typha:
            raise CalicoError(
                "typha",
                f"something is said of it, and Deployment '{TYPHA}' is not in the manifest",
                "calico-typha.yaml in place of calico.yaml",
                typha_source(calico.version),
            )
        return
    [typha] = found
    # calico-node asks the API server as long as it knows no Service of Typha's.
    data["typha_service_name"] = _find(objects, "Service", TYPHA)["metadata"]["name"]
    if calico.typha_replicas:
        typha["spec"]["replicas"] = calico.typha_replicas
    place(typha, TYPHA, calico.typha)


def _require_images(calico: Calico, objects: Sequence[Object]) -> None:
    """In mode operator the manifests name the operator's own image alone."""
    own = calico.mode == "manifest"
    given = {name: digest for name, digest in calico.digests.items() if own or name == OPERATOR_IMAGE}
    require_digests(given, names_of(objects), CalicoError)


def _edit_node(calico: Calico, daemon_set: Object, data: dict[str, str]) -> None:
    place(daemon_set, NODE, calico.node)
    template = daemon_set["spec"]["template"]
    container = next(one for one in template["spec"]["containers"] if one["name"] == NODE)
    six = 6 in calico.families
    wanted = {
        # Pools are objects of their own here: a pool that a node makes at its first start cannot be changed later.
        "NO_DEFAULT_POOLS": "true",
        "CLUSTER_TYPE": "k8s,bgp" if calico.bgp else "k8s",
        "IP": "autodetect" if 4 in calico.families else "none",
        "IP6": "autodetect" if six else "none",
        "FELIX_IPV6SUPPORT": "true" if six else "false",
    }
    for name in ("IP_AUTODETECTION_METHOD", "IP6_AUTODETECTION_METHOD"):
        if calico.autodetection:
            wanted[name] = calico.autodetection
    kept = [one for one in container["env"] if one["name"] not in wanted and not one["name"].startswith("CALICO_IPV")]
    container["env"] = [*kept, *({"name": name, "value": value} for name, value in wanted.items())]
    if not calico.bgp:
        for probe in ("livenessProbe", "readinessProbe"):
            command = container[probe]["exec"]["command"]
            container[probe]["exec"]["command"] = [word for word in command if word not in BGP_PROBES]
    # Pods read the ConfigMap once, when they start: another configuration must be another pod.
    annotations = template["metadata"].setdefault("annotations", {})
    annotations[CONFIGURATION] = json.dumps(data, sort_keys=True)
