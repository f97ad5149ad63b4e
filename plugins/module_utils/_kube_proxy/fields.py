# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Every field of kube-proxy's configuration that concerns the data plane: its option, its place, what it may say.

Fields are those of ``kubeproxy.config.k8s.io/v1alpha1`` (k8s.io/kube-proxy/config/v1alpha1/types.go), flags those of
cmd/kube-proxy/app/options.go.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Optional

from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy import values

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Place = tuple[str, ...]

MODES = ("iptables", "ipvs", "nftables")
# pkg/proxy/ipvs and the kernel's net/netfilter/ipvs.
SCHEDULERS = ("rr", "wrr", "lc", "wlc", "lblc", "lblcr", "sh", "dh", "sed", "nq", "mh")
LOCAL_MODES = ("", "ClusterCIDR", "NodeCIDR", "BridgeInterface", "InterfaceNamePrefix")
# MASQUERADE marks packets with one bit of 32.
MASQUERADE_BIT = values.number(0, 31)


@dataclass(frozen=True)
class Field:
    """One field.

    :param place: its keys in the configuration.
    :param judge: what is wrong with a value on a minor version of Kubernetes; empty when nothing is.
    :param type: of the module's option: ``str``, ``bool``, ``int`` or ``list``.
    :param flag: kube-proxy's flag for it, without hyphens; empty when there is none.
    :param choices: for the module's option.
    :param option: the module's option, when it is not the place in snake case.
    """

    place: Place
    judge: Callable[[Any, int], str]
    type: str = "str"
    flag: str = ""
    choices: tuple[str, ...] = ()
    option: tuple[str, ...] = ()

    @property
    def options(self) -> tuple[str, ...]:
        return self.option or tuple(snake(key) for key in self.place)


def snake(key: str) -> str:
    """``excludeCIDRs`` as ``exclude_cidrs``."""
    key = key.replace("CIDRs", "Cidrs").replace("strictARP", "strictArp")
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", key).lower()


def _sync(section: str, judge: Callable[[Any, int], str]) -> tuple[Field, Field]:
    flags = "" if section == "nftables" else section
    return (
        Field((section, "syncPeriod"), judge, flag=f"{flags}-sync-period" if flags else ""),
        Field((section, "minSyncPeriod"), judge, flag=f"{flags}-min-sync-period" if flags else ""),
    )


FIELDS = (
    Field(("mode",), values.word("", *MODES), flag="proxy-mode", choices=MODES),
    Field(("ipvs", "scheduler"), values.word("", *SCHEDULERS), flag="ipvs-scheduler", choices=SCHEDULERS),
    Field(("ipvs", "strictARP"), values.truth, "bool", "ipvs-strict-arp"),
    Field(("ipvs", "excludeCIDRs"), values.networks, "list", "ipvs-exclude-cidrs"),
    *_sync("ipvs", values.duration),
    Field(("ipvs", "tcpTimeout"), values.span, flag="ipvs-tcp-timeout"),
    Field(("ipvs", "tcpFinTimeout"), values.span, flag="ipvs-tcpfin-timeout"),
    Field(("ipvs", "udpTimeout"), values.span, flag="ipvs-udp-timeout"),
    Field(("iptables", "masqueradeAll"), values.truth, "bool", "masquerade-all"),
    Field(("iptables", "masqueradeBit"), MASQUERADE_BIT, "int", "iptables-masquerade-bit"),
    Field(("iptables", "localhostNodePorts"), values.truth, "bool", "iptables-localhost-nodeports"),
    *_sync("iptables", values.duration),
    Field(("nftables", "masqueradeAll"), values.truth, "bool"),
    Field(("nftables", "masqueradeBit"), MASQUERADE_BIT, "int"),
    *_sync("nftables", values.duration),
    Field(("conntrack", "maxPerCore"), values.number(0), "int", "conntrack-max-per-core"),
    Field(("conntrack", "min"), values.number(0), "int", "conntrack-min"),
    Field(("conntrack", "tcpEstablishedTimeout"), values.span, flag="conntrack-tcp-timeout-established"),
    Field(("conntrack", "tcpCloseWaitTimeout"), values.span, flag="conntrack-tcp-timeout-close-wait"),
    Field(("conntrack", "tcpBeLiberal"), values.truth, "bool", "conntrack-tcp-be-liberal"),
    Field(("conntrack", "udpTimeout"), values.span, flag="conntrack-udp-timeout"),
    Field(("conntrack", "udpStreamTimeout"), values.span, flag="conntrack-udp-timeout-stream"),
    Field(("nodePortAddresses",), values.node_port_addresses, "list", "nodeport-addresses"),
    Field(("clusterCIDR",), values.cluster_cidrs, "list", "cluster-cidr", option=("cluster_cidrs",)),
    Field(("detectLocalMode",), values.word(*LOCAL_MODES), flag="detect-local-mode", choices=LOCAL_MODES[1:]),
    Field(("detectLocal", "bridgeInterface"), values.text, flag="pod-bridge-interface"),
    Field(("detectLocal", "interfaceNamePrefix"), values.text, flag="pod-interface-name-prefix"),
    Field(("metricsBindAddress",), values.endpoint, flag="metrics-bind-address"),
    Field(("healthzBindAddress",), values.endpoint, flag="healthz-bind-address"),
)


def given(params: Mapping[str, Any]) -> dict[Place, Any]:
    """A module's parameters as values by place; what is not given is not there."""
    found: dict[Place, Any] = {}
    for field in FIELDS:
        value: Any = params
        for option in field.options:
            value = (value or {}).get(option)
        if value is not None:
            found[field.place] = ",".join(value) if field.place == ("clusterCIDR",) else value
    return found


def argument_spec() -> dict[str, Any]:
    """The options of all fields, for a module."""
    spec: dict[str, Any] = {}
    for field in FIELDS:
        one: dict[str, Any] = {"type": field.type}
        if field.type == "list":
            one["elements"] = "str"
        if field.choices:
            one["choices"] = list(field.choices)
        section: Optional[dict[str, Any]] = None
        if len(field.options) > 1:
            section = spec.setdefault(field.options[0], {"type": "dict", "options": {}})["options"]
        (spec if section is None else section)[field.options[-1]] = one
    return spec


def flags_of(wanted: Mapping[Place, Any]) -> tuple[list[str], list[str]]:
    """kube-proxy's flags that say the same, and the fields that no flag says."""
    flags: list[str] = []
    without: list[str] = []
    for field in FIELDS:
        if field.place in wanted:
            value = wanted[field.place]
            words = (
                ",".join(value) if isinstance(value, list) else str(value).lower() if field.type == "bool" else value
            )
            if field.flag:
                flags.append(f"{field.flag}={words}")
            else:
                without.append(".".join(field.place))
    return flags, without
