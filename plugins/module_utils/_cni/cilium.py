# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Cilium's settings as values of its chart: made, and judged by the chart's own schema.

The names are those of ``install/kubernetes/cilium/values.yaml`` of Cilium 1.19 and 1.20.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._cni.switch import LABEL
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.switch_operator import QUIET_VALUES
from ansible_collections.netops.kubernetes.plugins.module_utils._errors import NetopsError
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import merged
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.schema import PROBLEMS_SHOWN, problems
from ansible_collections.netops.kubernetes.plugins.module_utils._netplan.compatibility import version_of
from ansible_collections.netops.kubernetes.plugins.module_utils._netplan.ranges import ENDPOINT, network

if TYPE_CHECKING:
    from collections.abc import Mapping

TUNNELS = ("vxlan", "geneve", "none")
NATIVE, CLUSTER_POOL = "native", "cluster-pool"
# Values of Kubernetes' own types. The schema is made of the chart's defaults, and names of these only what they set.
KUBERNETES_OWN = frozenset({"affinity", "nodeSelector", "podSecurityContext", "resources", "updateStrategy"})


class CiliumError(NetopsError):
    """Settings that Cilium cannot work with."""


@dataclass(frozen=True)
class Cilium:
    """What is wanted of Cilium.

    :param pod_cidrs: one network, or one of each family.
    :param tunnel: how packets go between nodes; ``none`` routes them.
    :param mtu: of the nodes' network, in bytes; 0 lets Cilium find out.
    :param api_endpoint: ``HOST:PORT`` of the API server, needed without kube-proxy.
    :param values: further values of the chart.
    :param node_selector: labels of the nodes that agents and Envoy are for; all nodes with Linux without any.
    """

    version: str
    pod_cidrs: tuple[str, ...]
    tunnel: str = "vxlan"
    mtu: int = 0
    kube_proxy_replacement: bool = False
    api_endpoint: str = ""
    wireguard: bool = False
    hubble: bool = True
    operator_replicas: int = 2
    values: dict[str, Any] = field(default_factory=dict)
    node_selector: dict[str, str] = field(default_factory=dict)


def values(cilium: Cilium) -> dict[str, Any]:
    """The chart's values for these settings.

    :raises NetopsError: the settings contradict each other.
    """
    version_of("version", cilium.version)
    pods: dict[int, str] = {network("pod network", cidr).version: cidr for cidr in cilium.pod_cidrs}
    if not pods or len(pods) != len(cilium.pod_cidrs):
        told = ", ".join(cilium.pod_cidrs) or "none"
        raise CiliumError("pod networks", told, "one network, or one of each address family")
    if cilium.tunnel not in TUNNELS:
        raise CiliumError("tunnel", repr(cilium.tunnel), f"one of {', '.join(TUNNELS)}")
    bounds = (("mtu", cilium.mtu, 0, 65535), ("operator_replicas", cilium.operator_replicas, 1, 10))
    for name, value, least, most in bounds:
        if not least <= value <= most:
            raise CiliumError(name, str(value), f"a number from {least} to {most}")
    endpoint = ENDPOINT.fullmatch(cilium.api_endpoint)
    if cilium.api_endpoint and not endpoint:
        raise _no_endpoint(cilium.api_endpoint)
    made: dict[str, Any] = {
        "ipam": {"mode": CLUSTER_POOL, "operator": _pools(pods)},
        "ipv4": {"enabled": 4 in pods},
        "ipv6": {"enabled": 6 in pods},
        "kubeProxyReplacement": cilium.kube_proxy_replacement,
        # The chart leaves pods as they are when their configuration changes; a value that nobody reads is not applied.
        "rollOutCiliumPods": True,
        "envoy": {"rollOutPods": True},
        "hubble": {"enabled": cilium.hubble, "relay": {"rollOutPods": True}, "ui": {"rollOutPods": True}},
        "operator": {"replicas": cilium.operator_replicas, "rollOutPods": True},
        **_routing(cilium),
    }
    if endpoint:
        made |= {"k8sServiceHost": endpoint["host"].strip("[]"), "k8sServicePort": int(endpoint["port"])}
    if cilium.mtu:
        made["MTU"] = cilium.mtu
    made = merged(made, _selection(cilium.node_selector))
    if cilium.wireguard:
        made["encryption"] = {"enabled": True, "type": "wireguard"}
    return _completed(cilium, pods, merged(made, cilium.values))


def _selection(node_selector: Mapping[str, str]) -> dict[str, Any]:
    if not node_selector:
        return {}
    selector = {"nodeSelector": dict(node_selector)}
    return {**selector, "envoy": selector, **(QUIET_VALUES if LABEL in node_selector else {})}


def carriage(made: Mapping[str, Any]) -> tuple[str, bool, int]:
    """How packets go between nodes with these values: the tunnel or ``none``, whether by WireGuard, and the MTU.

    :param made: as :func:`values` makes them.
    """
    encryption = made.get("encryption") or {}
    is_wireguard = bool(encryption.get("enabled")) and encryption.get("type") == "wireguard"
    tunnel = "none" if made["routingMode"] == NATIVE else str(made.get("tunnelProtocol") or TUNNELS[0])
    return tunnel, is_wireguard, int(made.get("MTU") or 0)


def _completed(cilium: Cilium, pods: Mapping[int, str], made: dict[str, Any]) -> dict[str, Any]:
    """The values with what follows from them, whoever has said them.

    :raises CiliumError: Cilium would not start with them.
    """
    if made["routingMode"] == NATIVE:
        # Agents that masquerade do not start without (daemon/cmd/daemon_main.go).
        made = merged({f"ipv{family}NativeRoutingCIDR": cidr for family, cidr in pods.items()}, made)
    if str(made["kubeProxyReplacement"]).lower() == "true" and not (made.get("k8sServiceHost") or _is_found(made)):
        raise _no_endpoint(cilium.api_endpoint)
    return made


def _is_found(made: Mapping[str, Any]) -> bool:
    """Whether the chart's own ways to find the API server are asked for."""
    return bool((made.get("k8sServiceHostRef") or {}).get("name") or (made.get("k8s") or {}).get("apiServerURLs"))


def _no_endpoint(said: str) -> CiliumError:
    return CiliumError(
        "api_endpoint",
        repr(said),
        "HOST:PORT of the API server: without kube-proxy nothing serves its Service yet",
        "Set it to an address that every node reaches",
    )


def _pools(pods: Mapping[int, str]) -> dict[str, Any]:
    """The chart's own default, 10.0.0.0/8, overlaps most networks, so the pools are always said."""
    return {f"clusterPoolIPv{family}PodCIDRList": [cidr] for family, cidr in pods.items()}


def _routing(cilium: Cilium) -> dict[str, Any]:
    if cilium.tunnel != "none":
        return {"routingMode": "tunnel", "tunnelProtocol": cilium.tunnel}
    return {"routingMode": NATIVE, "autoDirectNodeRoutes": True}


# ---- the chart's schema --------------------------------------------------------------------------------------------


def require_values(wanted: Mapping[str, Any], schema: Mapping[str, Any]) -> None:
    """Require values that the chart has.

    :param schema: the chart's ``values.schema.json``. It lets unknown keys pass; here they are errors, since the chart
        does not read them.
    :raises CiliumError: a value is unknown or of another type; the text names each, with the nearest real key.
    """
    found = list(problems(dict(wanted), _strict(schema), ""))
    if found:
        more = f"; and {len(found) - PROBLEMS_SHOWN} more" if len(found) > PROBLEMS_SHOWN else ""
        said = [one.replace("is no field of this kind", "is no value of this chart") for one in found]
        raise CiliumError("cilium_values", "; ".join(said[:PROBLEMS_SHOWN]) + more, "values of the chart's schema")


def _strict(schema: Any) -> Any:
    """The schema as that of a definition: lists of types as alternatives, objects without properties open."""
    if isinstance(schema, list):
        return [_strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {
        key: {name: _value(name, part) for name, part in value.items()} if key == "properties" else _strict(value)
        for key, value in schema.items()
        if key != "$schema"
    }
    kinds = inner.pop("type", None)
    kinds = [kind for kind in (kinds if isinstance(kinds, list) else [kinds]) if kind not in {None, "null"}]
    if len(kinds) > 1:
        return {"anyOf": [_typed(inner, kind) for kind in kinds]}
    return _typed(inner, kinds[0]) if kinds else inner


def _value(name: str, schema: Any) -> Any:
    is_open = name in KUBERNETES_OWN and isinstance(schema, dict) and "object" in schema.get("type", ())
    return _typed({}, "object") if is_open else _strict(schema)


def _typed(schema: Mapping[str, Any], kind: str) -> dict[str, Any]:
    open_object = kind == "object" and not schema.get("properties")
    return {**schema, "type": kind, **({"x-kubernetes-preserve-unknown-fields": True} if open_object else {})}


# ---- versions ------------------------------------------------------------------------------------------------------


def require_step(there: str, wanted: str) -> None:
    """Require an upgrade, or a way back, of one minor version at most (docs.cilium.io, upgrade guide).

    :param there: the version that runs; empty when none does.
    :raises CiliumError: it is a longer way.
    """
    if not there:
        return
    before, after = version_of("version that runs", there), version_of("version", wanted)
    if before[0] != after[0] or abs(before[1] - after[1]) > 1:
        between = f"{before[0]}.{before[1] + (1 if after > before else -1)}"
        raise CiliumError(
            f"version {wanted}", f"Cilium {there} runs", "one minor version at a time", f"Go to {between} first"
        )


def is_other_minor(there: str, wanted: str) -> bool:
    """Whether the way from the version that runs leads to another minor version; empty: none runs."""
    return bool(there) and version_of("version that runs", there)[:2] != version_of("version", wanted)[:2]
