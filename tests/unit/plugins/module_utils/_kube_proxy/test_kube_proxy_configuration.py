# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configuration edits, what they refuse, and what a version of Kubernetes holds of the modes."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._errors import NetopsError
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.configuration import (
    digest,
    edit,
    refusals,
    require_sound,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.deprecation import (
    default_mode,
    ipvs_notice,
    ipvs_refusal,
    minor_of,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.distribution import advice, explain
from ansible_collections.netops.kubernetes.plugins.module_utils._kube_proxy.fields import FIELDS, given, snake

KIND = "kind: KubeProxyConfiguration\n"


@pytest.mark.parametrize(
    ("before", "params", "after"),
    [
        (f"{KIND}mode: iptables\n", {"mode": "iptables"}, f"{KIND}mode: iptables\n"),
        (f"{KIND}mode: iptables # why\n", {"mode": "ipvs"}, f"{KIND}mode: ipvs # why\n"),
        (KIND, {"mode": "ipvs"}, f"{KIND}mode: ipvs\n"),
        (KIND, {"ipvs": {"scheduler": "lc"}}, f"{KIND}ipvs:\n  scheduler: lc\n"),
        (
            f"ipvs:\n  excludeCIDRs:\n  - 192.0.2.0/24\n  - 198.51.100.0/24\n  scheduler: rr\n{KIND}",
            {"ipvs": {"exclude_cidrs": []}},
            f"ipvs:\n  excludeCIDRs: []\n  scheduler: rr\n{KIND}",
        ),
        (f"unknown: [1, 2]\n{KIND}", {"mode": "nftables"}, f"unknown: [1, 2]\n{KIND}mode: nftables\n"),
        (
            f"ipvs: {{scheduler: rr, strictARP: true}} # flow\n{KIND}",
            {"ipvs": {"scheduler": "lc", "tcp_timeout": "5s"}},
            f'ipvs: {{scheduler: lc, strictARP: true, "tcpTimeout": 5s}} # flow\n{KIND}',
        ),
        (
            f"conntrack: null # the kernel's\n{KIND}",
            {"conntrack": {"min": 0, "tcp_be_liberal": True}},
            f"conntrack: # the kernel's\n  min: 0\n  tcpBeLiberal: true\n{KIND}",
        ),
        (KIND, {"cluster_cidrs": ["10.0.0.0/8", "2001:db8::/32"]}, f'{KIND}clusterCIDR: "10.0.0.0/8,2001:db8::/32"\n'),
        (
            f"{KIND}nodePortAddresses:\n  - 192.0.2.0/24 # old\n",
            {"node_port_addresses": ["primary"]},
            f"{KIND}nodePortAddresses:\n  - primary # old\n",
        ),
        (
            '{"kind": "KubeProxyConfiguration", "mode": ""}',
            {"mode": "ipvs"},
            '{"kind": "KubeProxyConfiguration", "mode": "ipvs"}',
        ),
    ],
)
def test_only_the_wanted_field_changes(before: str, params: dict[str, object], after: str) -> None:
    assert edit(before, given(params), 36) == after
    assert edit(after, given(params), 36) == after


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kind: Other\n", "config.conf: its kind is Other; expected KubeProxyConfiguration"),
        ("a: [\n", "config.conf: its YAML does not parse"),
        ("- 1\n", "its kind is list"),
        ("", "its kind is NoneType"),
        (
            f"{KIND}x: &here\n  scheduler: rr\nipvs: *here\n",
            "config.conf, field ipvs.scheduler: the text's layout hides it",
        ),
        (f"{KIND}mode: ipvs\nmode: ipvs\nipvs: text\n", "field ipvs.scheduler: the text's layout hides it"),
    ],
)
def test_what_cannot_be_edited_is_refused(text: str, message: str) -> None:
    with pytest.raises(NetopsError, match=r"config\.conf") as error:
        edit(text, given({"ipvs": {"scheduler": "lc"}}), 36)
    assert message in str(error.value)


WRONG_VALUES = [
    ({"ipvs": {"tcp_timeout": "5 minutes"}}, "ipvs.tcp_timeout '5 minutes': it is no duration"),
    ({"ipvs": {"tcp_timeout": "-5s"}}, "ipvs.tcp_timeout '-5s': it is negative"),
    ({"ipvs": {"udp_timeout": "5"}}, "ipvs.udp_timeout '5': it is no duration"),
    ({"ipvs": {"tcp_fin_timeout": "1d"}}, "ipvs.tcp_fin_timeout '1d': it is no duration"),
    ({"ipvs": {"sync_period": ""}}, "ipvs.sync_period '': it is no duration"),
    ({"ipvs": {"exclude_cidrs": ["192.0.2.1"]}}, "ipvs.exclude_cidrs ['192.0.2.1']: '192.0.2.1' is no network"),
    ({"ipvs": {"exclude_cidrs": ["192.0.2.0/33"]}}, "'192.0.2.0/33' is no network"),
    ({"iptables": {"masquerade_bit": 32}}, "iptables.masquerade_bit 32: it is out of bounds; expected 0 to 31"),
    ({"iptables": {"masquerade_bit": -1}}, "iptables.masquerade_bit -1: it is out of bounds"),
    ({"nftables": {"masquerade_bit": 99}}, "nftables.masquerade_bit 99: it is out of bounds"),
    ({"nftables": {"min_sync_period": "soon"}}, "nftables.min_sync_period 'soon': it is no duration"),
    ({"conntrack": {"max_per_core": -1}}, "conntrack.max_per_core -1: it is out of bounds; expected 0 to 2147483647"),
    ({"conntrack": {"min": 2**31}}, "conntrack.min 2147483648: it is out of bounds"),
    ({"conntrack": {"tcp_established_timeout": "-1h"}}, "tcp_established_timeout '-1h': it is negative"),
    ({"conntrack": {"udp_timeout": "x"}}, "conntrack.udp_timeout 'x': it is no duration"),
    ({"node_port_addresses": ["everywhere"]}, "node_port_addresses ['everywhere']: 'everywhere' is no network"),
    ({"node_port_addresses": ["all"]}, "'all' is a keyword since Kubernetes 1.37, and this is 1.36"),
    ({"node_port_addresses": ["primary", "192.0.2.0/24"]}, "'primary' stands beside others"),
    ({"cluster_cidrs": ["10.0.0.0/8", "172.16.0.0/12"]}, "expected one network, or one of IPv4 and one of IPv6"),
    ({"cluster_cidrs": ["10.0.0.0/8", "2001:db8::/32", "2001:db8::/48"]}, "expected one network, or one of IPv4"),
    ({"cluster_cidrs": ["10.0.0.0"]}, "cluster_cidrs '10.0.0.0': '10.0.0.0' is no network"),
    ({"detect_local": {"bridge_interface": ""}}, "detect_local.bridge_interface '': it is empty; expected a name"),
    ({"detect_local": {"interface_name_prefix": ""}}, "interface_name_prefix '': it is empty; expected a name"),
    ({"metrics_bind_address": "localhost:10249"}, "metrics_bind_address 'localhost:10249': its host 'localhost' is no"),
    ({"metrics_bind_address": "127.0.0.1:0"}, "its port '0' is none; expected 1 to 65535"),
    ({"metrics_bind_address": "127.0.0.1:65536"}, "its port '65536' is none"),
    ({"metrics_bind_address": "127.0.0.1:http"}, "its port 'http' is none"),
    ({"metrics_bind_address": ":10249"}, "its host '' is no address"),
    ({"healthz_bind_address": "::1:10256x"}, "healthz_bind_address '::1:10256x': it is neither an address nor"),
    ({"healthz_bind_address": "[::1:10256"}, "it is neither an address nor an address with a port"),
]


@pytest.mark.parametrize(("params", "message"), WRONG_VALUES)
def test_a_wrong_value_is_named(params: dict[str, Any], message: str) -> None:
    with pytest.raises(NetopsError) as error:
        require_sound(given(params), 36)
    assert message in str(error.value)


def test_all_wrong_values_are_named_at_once() -> None:
    with pytest.raises(NetopsError) as error:
        require_sound(given({"conntrack": {"min": -1}, "metrics_bind_address": "x", "ipvs": {"udp_timeout": "y"}}), 36)
    assert all(word in str(error.value) for word in ("conntrack.min", "metrics_bind_address", "ipvs.udp_timeout"))


WRONG_TOGETHER = [
    ({"mode": "ipvs", "ipvs": {"sync_period": "1s", "min_sync_period": "2s"}}, "minSyncPeriod: 2 s is longer than", 36),
    ({"mode": "nftables", "nftables": {"sync_period": "500ms"}}, "nftables.minSyncPeriod: 1 s is longer than", 36),
    ({"mode": "ipvs", "ipvs": {"sync_period": "-1s"}}, "ipvs.syncPeriod '-1s': it is negative", 36),
    ({"iptables": {"min_sync_period": "-1s"}}, "iptables.minSyncPeriod '-1s': it is negative", 36),
    ({"detect_local_mode": "BridgeInterface"}, "detectLocal.bridgeInterface None: it is empty; expected a name", 36),
    ({"detect_local_mode": "InterfaceNamePrefix"}, "detectLocal.interfaceNamePrefix None: it is empty", 36),
    ({"mode": "ipvs"}, "mode ipvs: upstream's plan removes it in 1.43 (KEP-5495); nftables is its successor", 43),
]


def test_a_gate_of_another_version_is_named() -> None:
    text = f"featureGates: {{KubeProxyIPVS: true}}\n{KIND}"
    with pytest.raises(NetopsError) as error:
        edit(text, given({"mode": "nftables"}), 36)
    assert "featureGates.KubeProxyIPVS True: this gate is known in Kubernetes 1.37 to 1.45" in str(error.value)


@pytest.mark.parametrize(("params", "message", "minor"), WRONG_TOGETHER)
def test_values_that_do_not_go_together_are_named(params: dict[str, Any], message: str, minor: int) -> None:
    with pytest.raises(NetopsError, match=f"config.conf: kube-proxy 1.{minor} would not start with it: ") as error:
        edit(KIND, given(params), minor)
    assert message in str(error.value)


def test_what_was_wrong_before_stops_nothing_that_changes_nothing() -> None:
    text = f"{KIND}mode: ipvs\nmetricsBindAddress: here\n"
    assert refusals({"metricsBindAddress": "here"}, 36)
    assert edit(text, given({"mode": "ipvs"}), 36) == text


@pytest.mark.parametrize(
    ("before", "mode", "minor", "after"),
    [
        (KIND, "ipvs", 36, f"{KIND}mode: ipvs\n"),
        (KIND, "ipvs", 39, f"{KIND}mode: ipvs\n"),
        (KIND, "ipvs", 40, f"{KIND}mode: ipvs\nfeatureGates:\n  KubeProxyIPVS: true\n"),
        (
            f"featureGates: {{KubeProxyIPVS: false}}\n{KIND}",
            "ipvs",
            37,
            f"featureGates: {{KubeProxyIPVS: true}}\n{KIND}mode: ipvs\n",
        ),
        (
            f"featureGates:\n  KubeProxyIPVS: true\n  Other: true\n{KIND}mode: ipvs\n",
            "nftables",
            41,
            f"featureGates:\n  Other: true\n{KIND}mode: nftables\n",
        ),
        (
            f"featureGates:\n  KubeProxyIPVS: true\n{KIND}mode: ipvs\n",
            "nftables",
            41,
            f"featureGates: {{}}\n{KIND}mode: nftables\n",
        ),
        # Locked to false from 1.43 on, unknown from 1.46 on: kube-proxy would not start with it.
        (
            f"featureGates:\n  KubeProxyIPVS: true\n  Other: true\n{KIND}",
            "nftables",
            43,
            f"featureGates:\n  Other: true\n{KIND}mode: nftables\n",
        ),
        (
            f"featureGates: {{KubeProxyIPVS: false}}\n{KIND}",
            "iptables",
            45,
            f"featureGates: {{KubeProxyIPVS: false}}\n{KIND}mode: iptables\n",
        ),
        (
            f"featureGates:\n  KubeProxyIPVS: false\n  Other: true\n{KIND}",
            "iptables",
            46,
            f"featureGates:\n  Other: true\n{KIND}mode: iptables\n",
        ),
    ],
)
def test_the_feature_gate_is_there_where_ipvs_needs_it(before: str, mode: str, minor: int, after: str) -> None:
    assert edit(before, given({"mode": mode}), minor) == after


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("v1.34.9", []),
        (
            "v1.35.0",
            ["deprecated since Kubernetes 1.35 (KEP-5495)", "v1.35.0", "off by default in 1.40", "removes it in 1.43"],
        ),
        ("v1.36.3+k3s1", ["v1.36.3+k3s1", "nftables is its successor"]),
        ("v1.40.0", ["it runs here by feature gate KubeProxyIPVS alone", "removes it in 1.43"]),
    ],
)
def test_ipvs_is_called_deprecated_where_it_is(version: str, words: list[str]) -> None:
    said = ipvs_notice(version)
    assert bool(said) is bool(words)
    assert all(word in said for word in words)


def test_ipvs_is_refused_where_it_is_gone_and_nowhere_else() -> None:
    assert not any(ipvs_refusal(f"v1.{minor}.0") for minor in range(20, 43))
    assert "removes mode ipvs from kube-proxy in Kubernetes 1.43" in ipvs_refusal("v1.43.0")


def test_no_mode_means_nftables_from_1_40() -> None:
    assert [default_mode(minor) for minor in (36, 39, 40)] == ["iptables", "iptables", "nftables"]


@pytest.mark.parametrize("version", ["", "latest", "v2.0.0", "v1", "v1.x"])
def test_what_is_no_version_is_named(version: str) -> None:
    with pytest.raises(NetopsError, match="it is no version of Kubernetes"):
        minor_of(version)


@pytest.mark.parametrize(
    ("before", "after", "restarts"),
    [
        ("mode: iptables\n", "mode: iptables\n# a note\n", False),
        ("", "mode: iptables\n", False),
        ("mode: iptables\n", "mode: iptables\nipvs:\n  scheduler: lc\n", False),
        ("mode: nftables\n", "mode: nftables\niptables:\n  syncPeriod: 5s\n", False),
        ("mode: ipvs\n", "mode: ipvs\niptables:\n  masqueradeAll: true\n", True),
        ("mode: ipvs\n", "mode: ipvs\niptables:\n  syncPeriod: 5s\n", False),
        ("mode: ipvs\n", "mode: ipvs\nipvs:\n  scheduler: lc\n", True),
        ("", "mode: ipvs\n", True),
        ("", "nodePortAddresses: null\n", False),
        ("", "iptables:\n  localhostNodePorts: false\n", True),
        ("", "featureGates:\n  Gate: false\n", True),
        ("", "conntrack:\n  maxPerCore: 0\n", True),
    ],
)
def test_only_what_kube_proxy_acts_on_restarts_it(before: str, after: str, restarts: bool) -> None:
    assert (digest(KIND + before, 36) != digest(KIND + after, 36)) is restarts


def test_a_flag_for_every_field_that_has_one() -> None:
    wanted = given(
        {
            "mode": "ipvs",
            "ipvs": {"strict_arp": True, "exclude_cidrs": ["192.0.2.0/24"]},
            "nftables": {"masquerade_bit": 1},
        }
    )
    assert advice(wanted, "/etc/rancher/k3s/config.yaml", "k3s") == (
        'Write kube-proxy-arg: ["proxy-mode=ipvs", "ipvs-strict-arp=true", "ipvs-exclude-cidrs=192.0.2.0/24"] into '
        "/etc/rancher/k3s/config.yaml on every node and restart k3s one node at a time; no flag says "
        "nftables.masqueradeBit"
    )


class AClientOf:
    """As much of a client as tells what runs: only its version is asked."""

    def __init__(self, version: str) -> None:
        self.server_version = version


@pytest.mark.parametrize(
    ("version", "words"),
    [
        (
            "v1.36.3+k3s1",
            ["it is not there: this is k3s v1.36.3+k3s1", "/etc/rancher/k3s/config.yaml", "proxy-mode=ipvs"],
        ),
        ("v1.36.3+rke2r1", ["this is RKE2 v1.36.3+rke2r1, which runs kube-proxy in its own process", "rke2-server"]),
        ("v1.36.3", ["it is not there; expected kubeadm's ConfigMap of kube-proxy. Where systemd runs kube-proxy"]),
    ],
)
def test_another_way_to_run_kube_proxy_is_explained(version: str, words: list[str]) -> None:
    client: Any = AClientOf(version)
    said = str(explain(client, given({"mode": "ipvs"}), "it is not there"))
    assert all(word in said for word in words)


def test_fields_have_options_of_their_own() -> None:
    options = [field.options for field in FIELDS]
    assert len(set(options)) == len(options)
    assert snake("tcpFinTimeout") == "tcp_fin_timeout"
    assert snake("strictARP") == "strict_arp"
    assert snake("excludeCIDRs") == "exclude_cidrs"
