# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""kube-proxy's configuration as text: only the wanted fields change.

Fields are those of ``kubeproxy.config.k8s.io/v1alpha1`` (k8s.io/kube-proxy/config/v1alpha1/types.go).
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._errors import NetopsError

if TYPE_CHECKING:
    from collections.abc import Mapping

MODES = ("iptables", "ipvs", "nftables")
# pkg/proxy/ipvs and the kernel's net/netfilter/ipvs.
SCHEDULERS = ("rr", "wrr", "lc", "wlc", "lblc", "lblcr", "sh", "dh", "sed", "nq", "mh")
# Go's time.ParseDuration, without signs.
DURATION = re.compile(r"(?:0|(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+)")
Value = Any


class ConfigurationError(NetopsError):
    """A configuration that kube-proxy would refuse, or that this editor cannot read."""


def fields_of(params: Mapping[str, Any]) -> dict[tuple[str, ...], Value]:
    """A module's parameters as values by place in the configuration; what is not given is not there.

    :raises ConfigurationError: a value that kube-proxy would refuse.
    """
    fields: dict[tuple[str, ...], Value] = {}
    if params.get("mode") is not None:
        fields[("mode",)] = params["mode"]
    if params.get("node_port_addresses") is not None:
        fields[("nodePortAddresses",)] = [_cidr("node_port_addresses", one) for one in params["node_port_addresses"]]
    if params.get("metrics_bind_address") is not None:
        fields[("metricsBindAddress",)] = params["metrics_bind_address"]
    ipvs = params.get("ipvs") or {}
    for option, field in (("scheduler", "scheduler"), ("strict_arp", "strictARP")):
        if ipvs.get(option) is not None:
            fields[("ipvs", field)] = ipvs[option]
    if ipvs.get("exclude_cidrs") is not None:
        fields[("ipvs", "excludeCIDRs")] = [_cidr("ipvs.exclude_cidrs", one) for one in ipvs["exclude_cidrs"]]
    for option, field in (
        ("sync_period", "syncPeriod"),
        ("min_sync_period", "minSyncPeriod"),
        ("tcp_timeout", "tcpTimeout"),
        ("tcp_fin_timeout", "tcpFinTimeout"),
        ("udp_timeout", "udpTimeout"),
    ):
        if ipvs.get(option) is not None:
            fields[("ipvs", field)] = _duration(f"ipvs.{option}", ipvs[option])
    return fields


def _duration(name: str, value: str) -> str:
    if not DURATION.fullmatch(value):
        raise ConfigurationError(f"{name} {value!r}", "it is no duration", "one such as 30s, 1m30s or 0")
    return value


def _cidr(name: str, value: str) -> str:
    try:
        network = ipaddress.ip_network(value)
    except ValueError as error:
        raise ConfigurationError(f"{name} {value!r}", str(error), "a network such as 192.0.2.0/24") from error
    return str(network)


def read(text: str) -> dict[str, Any]:
    """The configuration's content.

    :raises ConfigurationError: it is no KubeProxyConfiguration.
    """
    import yaml

    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigurationError("config.conf", f"its YAML does not parse: {error}") from error
    if not isinstance(content, dict) or content.get("kind") != "KubeProxyConfiguration":
        kind = content.get("kind") if isinstance(content, dict) else type(content).__name__
        raise ConfigurationError("config.conf", f"its kind is {kind}", "KubeProxyConfiguration")
    return content


def edit(text: str, fields: Mapping[tuple[str, ...], Value]) -> str:
    """The text with the given fields; every other line stays as it is.

    :raises ConfigurationError: the text is not laid out so that a field can be found line by line.
    """
    wanted = read(text)
    for place, value in fields.items():
        if _at(wanted, place) == value:
            continue
        text = _set_line(text, place, value)
        _put(wanted, place, value)
    if read(text) != wanted:
        raise ConfigurationError(
            "config.conf",
            "its layout hides fields from a line by line edit",
            "one field a line in block style",
            "Write it out with kubectl and run again",
        )
    return text


def _at(content: Mapping[str, Any], place: tuple[str, ...]) -> Value:
    value: Any = content
    for key in place:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _put(content: dict[str, Any], place: tuple[str, ...], value: Value) -> None:
    for key in place[:-1]:
        if not isinstance(content.get(key), dict):
            content[key] = {}
        content = content[key]
    content[place[-1]] = value


def _written(key: str, value: Value, indent: str) -> list[str]:
    if isinstance(value, list):
        if not value:
            return [f"{indent}{key}: []"]
        return [f"{indent}{key}:", *(f"{indent}- {_scalar(one)}" for one in value)]
    return [f"{indent}{key}: {_scalar(value)}"]


def _scalar(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    word = str(value)
    return word if re.fullmatch(r"[A-Za-z][A-Za-z0-9.]*|[0-9]+[a-z][a-z0-9]*", word) else f'"{word}"'


def _set_line(text: str, place: tuple[str, ...], value: Value) -> str:
    lines = text.split("\n")
    start, end, indent = 0, len(lines), ""
    for key in place[:-1]:
        at = _find(lines, key, indent, start, end)
        if at is None:
            lines[_end(lines) : _end(lines)] = [f"{indent}{key}:"]
            at, end = _find(lines, key, indent, start, len(lines)) or 0, len(lines)
        lines[at] = f"{indent}{key}:"
        start, end, indent = at + 1, _block_end(lines, at, indent), f"{indent}  "
    at = _find(lines, place[-1], indent, start, end)
    new = _written(place[-1], value, indent)
    if at is None:
        position = start if len(place) > 1 else _end(lines)
        lines[position:position] = new
    else:
        lines[at : _block_end(lines, at, indent)] = new
    return "\n".join(lines)


def _end(lines: list[str]) -> int:
    """Where a line can be appended: before the empty end."""
    return len(lines) - 1 if lines and not lines[-1].strip() else len(lines)


def _find(lines: list[str], key: str, indent: str, start: int, end: int) -> int | None:
    pattern = re.compile(rf"{indent}{re.escape(key)}:(\s|$)")
    return next((number for number in range(start, end) if pattern.match(lines[number])), None)


def _block_end(lines: list[str], at: int, indent: str) -> int:
    """Behind the last line that belongs to the field at ``at``: deeper lines, and items of a list beside it."""
    number = at + 1
    while number < len(lines):
        line = lines[number]
        deeper = line.startswith((f"{indent} ", f"{indent}- "))
        if not line.strip() or not deeper:
            break
        number += 1
    return number


def digest(text: str) -> str:
    """What tells one configuration from another in a pod's annotation."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def ipvs_notice(server_version: str) -> str:
    """What to say about mode ipvs on this version of Kubernetes (KEP-5495)."""
    minor = int(re.sub(r"\D.*", "", server_version.lstrip("v").split(".")[1]) or 0)
    if minor < 35:
        return ""
    return (
        f"kube-proxy's mode ipvs is deprecated since Kubernetes 1.35 (KEP-5495); this cluster runs {server_version}. "
        "Mode nftables is its successor."
    )
