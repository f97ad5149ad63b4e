# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Which CNIs run, and how they carry packets between nodes, in as few requests as can be.

What else of a CNI there is, ``cluster`` tells. Here is what a node's firewall has to know, in the words of its port
matrix: of Calico's pools, of Cilium's and Flannel's ConfigMaps. Of other CNIs it is said that they are there.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._cni.marks import MARKS, META
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import FORBIDDEN, KubeError
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ObjectRef

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import KubeClient
    from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import Object

CALICO_API = "crd.projectcalico.org/v1"


def seen(client: KubeClient) -> dict[str, Any]:
    """Which CNIs run.

    It takes as many requests as the list of DaemonSets has pages, and one for each CNI that is known here; for Calico
    three, or four where a ConfigMap says what its agents are told.

    :returns: ``cnis``: of each, by its name, what :func:`flannel_network` and its like tell, or nothing; and
        ``cnis_unread``: what this user may not read, empty when nothing was refused.
    :raises KubeError: the API server refuses something for another reason than a lack of permission.
    """
    found: dict[str, dict[str, Any]] = {}
    try:
        for agent in client.list("apps/v1", "DaemonSet"):
            cni = next((name for name, marks in MARKS.items() if marks.agents.fullmatch(agent["metadata"]["name"])), "")
            if cni and cni not in META:
                found[cni] = {}
                found[cni] = _network(client, cni, agent)
    except KubeError as error:
        if error.status != FORBIDDEN:
            raise
        return {"cnis": found, "cnis_unread": str(error)}
    return {"cnis": found, "cnis_unread": ""}


def _network(client: KubeClient, cni: str, agent: Object) -> dict[str, Any]:
    if cni == "calico":
        namespace = agent["metadata"]["namespace"]
        served = client.serves(CALICO_API, "IPPool")
        pools = list(client.list(CALICO_API, "IPPool")) if served else []
        felix = client.get(ObjectRef(CALICO_API, "FelixConfiguration", "default")) or {}
        sources = {source for _unused, source in _sources(agent)}
        told = {source: client.get(ObjectRef("v1", "ConfigMap", source, namespace)) or {} for source in sorted(sources)}
        return calico_network(agent, told, pools, felix)
    live = configuration(client, cni, agent)
    return cilium_network(live) if cni == "cilium" else flannel_network(live)


def configuration(client: KubeClient, cni: str, agent: Object) -> Object:
    """The ConfigMap that Canal, Cilium or Flannel reads; empty where it is not there, and for other CNIs.

    :param agent: its DaemonSet.
    """
    namespace, name = agent["metadata"]["namespace"], agent["metadata"]["name"]
    names = {"flannel": "kube-flannel-cfg", "canal": f"{name}-config", "cilium": "cilium-config"}
    return (client.get(ObjectRef("v1", "ConfigMap", names[cni], namespace)) or {}) if cni in names else {}


def flannel_network(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """How Flannel, or Flannel in Canal, carries packets.

    :param configuration: the ConfigMap with ``net-conf.json``.
    :returns: ``encapsulations``, ``port`` (0 where it is not told) and ``add_ons``, as the port matrix has them;
        nothing when the ConfigMap does not tell it.
    """
    try:
        backend = json.loads((configuration.get("data") or {})["net-conf.json"])["Backend"]
        # flannel, pkg/subnet/config.go: without a type it is udp.
        kind = str(backend.get("Type") or "udp")
        return {"encapsulations": [kind], "port": int(backend.get("Port") or 0), "add_ons": []}
    except (KeyError, ValueError, TypeError, AttributeError):
        return {}


def cilium_network(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """How Cilium carries packets.

    :param configuration: the ConfigMap ``cilium-config``.
    :returns: as :func:`flannel_network`; nothing when the ConfigMap is empty.
    """
    data = configuration.get("data") or {}
    if not data:
        return {}
    # Before 1.14 one setting said both.
    tunnel = data.get("tunnel-protocol") or data.get("tunnel") or "vxlan"
    native = data.get("routing-mode") == "native" or data.get("tunnel") == "disabled"
    says = {
        "hubble": data.get("enable-hubble") == "true" and bool(data.get("hubble-listen-address")),
        "wireguard": data.get("enable-wireguard") == "true",
        "ipsec": data.get("enable-ipsec") == "true",
        "mutual-auth": data.get("mesh-auth-mutual-enabled") == "true",
        "dsr-geneve": data.get("bpf-lb-mode") in {"dsr", "hybrid"} and data.get("bpf-lb-dsr-dispatch") == "geneve",
    }
    port = str(data.get("tunnel-port") or "")
    return {
        "encapsulations": ["native" if native else str(tunnel)],
        "port": int(port) if port.isdigit() else 0,
        "add_ons": [name for name, there in says.items() if there],
    }


def mode_of(cni: str, live: Mapping[str, Any]) -> str:
    """How Canal, Cilium or Flannel carries packets, in a word, and whether Cilium is in kube-proxy's place.

    :param live: as :func:`configuration` tells it; nothing is told where it is empty.
    """
    network = cilium_network(live) if cni == "cilium" else flannel_network(live)
    carried = ", ".join(network.get("encapsulations", []))
    instead = carried and cni == "cilium" and replaces_kube_proxy(live)
    return f"{carried}, in place of kube-proxy" if instead else carried


def replaces_kube_proxy(live: Mapping[str, Any]) -> bool:
    """Whether Cilium serves Services in kube-proxy's place.

    :param live: the ConfigMap ``cilium-config``.
    """
    said = (live.get("data") or {}).get("kube-proxy-replacement", "false")
    # Cilium up to 1.13 knew more words; the last two leave kube-proxy its work.
    return said not in {"false", "disabled", "partial", "probe"}


def calico_network(
    agent: Mapping[str, Any],
    config_maps: Mapping[str, Mapping[str, Any]],
    pools: Iterable[Mapping[str, Any]],
    felix: Mapping[str, Any],
) -> dict[str, Any]:
    """How Calico carries packets.

    :param agent: its DaemonSet.
    :param config_maps: by name, those that the DaemonSet's environment is from.
    :param pools: its pools, those included that give no new addresses, for their pods are there still.
    :param felix: the default FelixConfiguration.
    :returns: as :func:`flannel_network`, with as many encapsulations as the pools have; nothing without pools.
    """
    encapsulations = _calico_encapsulations(pools)
    if not encapsulations:
        return {}
    environment = _environment(agent, config_maps)
    settings = felix.get("spec") or {}
    says = {
        # "none" in the manifest that has no Typha.
        "typha": environment.get("FELIX_TYPHAK8SSERVICENAME", "none") not in {"", "none"},
        "bgp": environment.get("CALICO_NETWORKING_BACKEND") == "bird",
        "wireguard": bool(settings.get("wireguardEnabled") or settings.get("wireguardEnabledV6")),
        "calico-ebpf": bool(settings.get("bpfEnabled")),
    }
    return {
        "encapsulations": encapsulations,
        "port": int(settings.get("vxlanPort") or 0),
        "add_ons": [name for name, there in says.items() if there],
    }


def _calico_encapsulations(pools: Iterable[Mapping[str, Any]]) -> list[str]:
    """The encapsulations of all pools, Always before CrossSubnet; a pool without one needs nothing but routes."""
    modes: dict[str, set[str]] = {"vxlan": set(), "ipip": set()}
    count = 0
    for pool in pools:
        count += 1
        for name, mode in modes.items():
            mode.add(str(pool["spec"].get(f"{name}Mode") or "Never"))
    used = [name for name, mode in modes.items() if mode - {"Never"}]
    if not count:
        return []
    return [name + ("" if "Always" in modes[name] else "-crosssubnet") for name in used] or ["none"]


def _sources(agent: Mapping[str, Any]) -> list[tuple[Mapping[str, Any], str]]:
    """The environment's entries that are from a ConfigMap, with its name."""
    found = [(entry, ((entry.get("valueFrom") or {}).get("configMapKeyRef") or {})) for entry in _entries(agent)]
    return [(entry, str(source["name"])) for entry, source in found if source]


def _entries(agent: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    wanted = {"FELIX_TYPHAK8SSERVICENAME", "CALICO_NETWORKING_BACKEND"}
    containers = agent["spec"]["template"]["spec"]["containers"]
    return [entry for one in containers for entry in one.get("env") or [] if entry["name"] in wanted]


def _environment(agent: Mapping[str, Any], config_maps: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    found = {entry["name"]: str(entry.get("value") or "") for entry in _entries(agent)}
    for entry, source in _sources(agent):
        data = config_maps.get(source, {}).get("data") or {}
        found[entry["name"]] = str(data.get(entry["valueFrom"]["configMapKeyRef"]["key"]) or "")
    return found
