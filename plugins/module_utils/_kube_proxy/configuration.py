# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""kube-proxy's configuration as text: only the wanted fields change, and what kube-proxy would refuse is refused first.

Validation follows pkg/proxy/apis/config/validation/validation.go of Kubernetes 1.36 and 1.37, defaults
pkg/proxy/apis/config/v1alpha1/defaults.go.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._errors import NetopsError
from ansible_collections.netops.kubernetes.plugins.module_utils._kube import yamltext
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy import values
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.config_map import KEY, mode_of
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.deprecation import (
    IPVS_GATE,
    IPVS_GATE_GONE,
    IPVS_GONE,
    IPVS_HAS_GATE,
    IPVS_OFF,
    ipvs_gate,
    is_gate_in_the_way,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.fields import FIELDS, Field, Place
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.preflight import HEALTH_PORT, METRICS_PORT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

GATE = ("featureGates", IPVS_GATE)
METRICS_ADDRESS = f"127.0.0.1:{METRICS_PORT}"
HEALTH_ADDRESS = f"0.0.0.0:{HEALTH_PORT}"
# Seconds; a period of 0 means the default.
SYNC_PERIOD = 30.0
MIN_SYNC_PERIOD = {"iptables": 1.0, "nftables": 1.0, "ipvs": 0.0}
# What kube-proxy's decoder wants of a field, whether its mode is in use or not.
DECODERS = {"bool": values.truth, "int": values.number(-values.INT32)}


class ConfigurationError(NetopsError):
    """A configuration that kube-proxy would refuse, or that this editor cannot read."""


def require_sound(wanted: Mapping[Place, Any], minor: int) -> None:
    """Require that each value is one that kube-proxy takes.

    :raises ConfigurationError: some are not; every one of them is named.
    """
    wrong = [
        f"{'.'.join(field.options)} {wanted[field.place]!r}: {said}"
        for field in FIELDS
        if field.place in wanted
        for said in [field.judge(wanted[field.place], minor)]
        if said
    ]
    if wrong:
        raise ConfigurationError("kube-proxy's settings", "; ".join(wrong), remedy="Correct them")


def read(text: str) -> dict[str, Any]:
    """The configuration's content.

    :raises ConfigurationError: it is no KubeProxyConfiguration.
    :raises YamlTextError: it is no YAML.
    """
    content = yamltext.read(text, KEY)
    if not isinstance(content, dict) or content.get("kind") != "KubeProxyConfiguration":
        kind = content.get("kind") if isinstance(content, dict) else type(content).__name__
        raise ConfigurationError(KEY, f"its kind is {kind}", "KubeProxyConfiguration")
    return content


def settings_of(content: Mapping[str, Any]) -> dict[str, Any]:
    """What a configuration demands of the nodes, by the options' names; what it leaves open as kube-proxy fills it in.

    The scheduler's default stands in pkg/proxy/ipvs/proxier.go, the addresses' in v1alpha1/defaults.go.
    """
    ipvs = content.get("ipvs") or {}
    return {
        "scheduler": str(ipvs.get("scheduler") or "rr"),
        "strict_arp": bool(ipvs.get("strictARP")),
        "exclude_cidrs": [str(one) for one in ipvs.get("excludeCIDRs") or []],
        "metrics_bind_address": str(content.get("metricsBindAddress") or METRICS_ADDRESS),
        "healthz_bind_address": str(content.get("healthzBindAddress") or HEALTH_ADDRESS),
    }


def edit(text: str, wanted: Mapping[Place, Any], minor: int) -> str:
    """The text with the wanted values; every other character stays as it is.

    Mode ipvs gets its feature gate where it needs one; where ipvs is not in use, the gate goes: a later kube-proxy
    refuses gates that it no longer knows.

    :param minor: the minor version of the kube-proxy that will read it.
    :raises ConfigurationError: kube-proxy would not start with the result.
    :raises YamlTextError: the text's layout hides a field.
    """
    read(text)
    edited = text
    for place, value in wanted.items():
        edited = yamltext.put(edited, place, value, KEY)
    edited = _with_gate(edited, minor)
    problems = refusals(read(edited), minor) if edited != text else []
    if problems:
        raise ConfigurationError(
            KEY,
            f"kube-proxy 1.{minor} would not start with it: {'; '.join(problems)}",
            remedy="Correct these fields, or leave the mode that needs them",
        )
    return edited


def _with_gate(text: str, minor: int) -> str:
    content = read(text)
    gate, seen = ipvs_gate(minor), yamltext.at(content, GATE)
    if mode_of(content, minor) != "ipvs":
        is_stale = isinstance(seen, bool) and minor >= IPVS_OFF and (seen or is_gate_in_the_way(minor, seen))
        return yamltext.drop(text, GATE, KEY) if is_stale else text
    if minor >= IPVS_HAS_GATE and seen is False:
        gate = True
    return text if gate is None else yamltext.put(text, GATE, gate, KEY)


# ---- what kube-proxy says of it -----------------------------------------------------------------------------------


def refusals(content: Mapping[str, Any], minor: int) -> list[str]:
    """Why this kube-proxy would not start with a configuration; empty when it would."""
    mode = mode_of(content, minor)
    found = [
        f"{'.'.join(field.place)} {value!r}: {said}"
        for field in FIELDS
        for value in [yamltext.at(content, field.place)]
        for said in [_judge(field, value, mode, content, minor)]
        if said
    ]
    return found + list(_period_refusals(content, mode)) + list(_gate_refusals(content, mode, minor))


def _judge(field: Field, value: Any, mode: str, content: Mapping[str, Any], minor: int) -> str:
    if _applies(field.place, mode, str(content.get("detectLocalMode") or "")):
        is_empty = value is None or (value == "" and field.judge is not values.text)
        needed = field.place[0] == "detectLocal"
        return "" if is_empty and not needed else field.judge(value, minor)
    if value is None:
        return ""
    if field.judge in (values.span, values.duration):
        return values.duration(value, minor)
    return DECODERS[field.type](value, minor) if field.type in DECODERS else ""


def _applies(place: Place, mode: str, local_mode: str) -> bool:
    """Whether kube-proxy looks at a field: some are another mode's, or another way's to tell local traffic."""
    if place[0] in {"ipvs", "nftables"}:
        return place[0] == mode
    if place[0] == "detectLocal":
        return place[1].lower() == local_mode.lower()
    if place[0] == "clusterCIDR":
        return local_mode in {"", "ClusterCIDR"}
    return True


def _period_refusals(content: Mapping[str, Any], mode: str) -> Iterator[str]:
    section = content.get(mode) or {}
    longest, shortest = values.seconds(section.get("syncPeriod")), values.seconds(section.get("minSyncPeriod"))
    if longest is None or shortest is None:
        return
    longest, shortest = longest or SYNC_PERIOD, shortest or MIN_SYNC_PERIOD.get(mode, 0.0)
    if longest < 0:
        yield f"{mode}.syncPeriod {section['syncPeriod']!r}: it is negative"
    if shortest < 0:
        yield f"{mode}.minSyncPeriod {section['minSyncPeriod']!r}: it is negative"
    elif shortest > longest > 0:
        yield f"{mode}.minSyncPeriod: {shortest:g} s is longer than {mode}.syncPeriod, {longest:g} s"


def _gate_refusals(content: Mapping[str, Any], mode: str, minor: int) -> Iterator[str]:
    gate = yamltext.at(content, GATE)
    if gate is not None and is_gate_in_the_way(minor, gate):
        known = f"1.{IPVS_HAS_GATE} to 1.{IPVS_GATE_GONE - 1}, and may be on until 1.{IPVS_GONE - 1}"
        yield f"featureGates.{IPVS_GATE} {gate}: this gate is known in Kubernetes {known}"
    if mode == "ipvs" and minor >= IPVS_GONE:
        yield f"mode ipvs: upstream's plan removes it in 1.{IPVS_GONE} (KEP-5495); nftables is its successor"


# ---- when a restart is needed -------------------------------------------------------------------------------------


def effective(content: Mapping[str, Any], minor: int) -> dict[str, Any]:
    """What of a configuration the running kube-proxy would take from it: sections of modes not in use say nothing."""
    mode = mode_of(content, minor)
    kept = {key: one for key, one in content.items() if key not in {"ipvs", "nftables"} or key == mode}
    section = dict(kept.get("iptables") or {})
    if mode != "iptables":
        # mode ipvs uses the section's masquerading, and nothing else does.
        section = {key: one for key, one in section.items() if mode == "ipvs" and key.startswith("masquerade")}
    slim = _slim({**kept, "iptables": section, "mode": mode})
    return slim if isinstance(slim, dict) else {}


def _slim(value: Any) -> Any:
    """Without what says nothing: null, empty text, empty collections and false read as absent."""
    if isinstance(value, dict):
        inner = {key: _slim(one) for key, one in value.items()}
        return {key: one for key, one in inner.items() if one not in (None, "", [], {}) or _says_something(key, one)}
    return value


def _says_something(key: str, value: Any) -> bool:
    # The one field whose default is true (SetDefaults_KubeProxyConfiguration); gates may be off.
    return value is False and (key == "localhostNodePorts" or key[:1].isupper())


def digest(text: str, minor: int) -> str:
    """What tells one effective configuration from another, in a pod's annotation."""
    said = json.dumps(effective(read(text), minor), sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()[:16]
