# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""A plan as one nftables table of our own.

Only an input chain: forwarded traffic, that of pods above all, is never judged here. A drop in any chain is final and
an accept is not, so other programs' tables keep their say.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.ports import IP_PROTOCOLS, NODEPORT_RULES
from ansible_collections.netops.kubernetes.plugins.module_utils._node import files, systemd
from ansible_collections.netops.kubernetes.plugins.module_utils._node.process import NodeError, exists, require, run

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.plan import Plan, Rule

FAMILY = "inet"
TABLE = "netops_kubernetes"
RULES_FILE = "/etc/netops-kubernetes/firewall.nft"
UNIT = "netops-kubernetes-firewall.service"
UNIT_FILE = f"/etc/systemd/system/{UNIT}"
UNIT_TEXT = f"""\
# Managed by netops.kubernetes
[Unit]
Description=Ports of this Kubernetes node
DefaultDependencies=no
Wants=network-pre.target
Before=network-pre.target kubelet.service shutdown.target
Conflicts=shutdown.target
ConditionPathExists={RULES_FILE}

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft --file {RULES_FILE}

[Install]
WantedBy=multi-user.target
"""

# Without these, path MTU discovery and IPv6 itself break (RFC 1191, RFC 4890).
BASE_RULES = (
    'iifname "lo" accept',
    "ct state established,related accept",
    "icmp type { destination-unreachable, time-exceeded, parameter-problem } accept",
    (
        "icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem, mld-listener-query, "
        "nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } accept"
    ),
    "udp sport 67 udp dport 68 accept",
    "udp sport 547 udp dport 546 accept",
)


def render(plan: Plan, *, default: str, log: bool) -> str:
    """The table's definition; the same plan always gives the same text.

    :param default: ``drop``, or ``accept`` to learn first.
    :param log: write what no rule admits to the kernel's log, five lines a second at most.
    """
    sets = {**plan.peers, "pods": plan.pod_cidrs, "services": plan.service_cidrs}
    lines = [f"table {FAMILY} {TABLE} {{"]
    for name, networks in sorted(sets.items()):
        for version, kind in ((4, "ipv4_addr"), (6, "ipv6_addr")):
            elements = ", ".join(_of_version(networks, version))
            if elements and not _is_everybody(networks):
                lines += [
                    f"  set {name}_v{version} {{",
                    f"    type {kind}",
                    "    flags interval",
                    "    auto-merge",
                    f"    elements = {{ {elements} }}",
                    "  }",
                ]
    lines += ["  chain input {", "    type filter hook input priority filter; policy accept;"]
    lines += [f"    {rule}" for rule in BASE_RULES]
    if "all_nodes" in plan.peers:
        lines += [f"    {line}" for line in _echo(plan)]
    for rule in plan.rules:
        lines += [f"    {line}" for line in _lines(rule, plan)]
    lines += [f"    {line}" for line in _service_lines(plan)]
    if log:
        lines.append('    limit rate 5/second log prefix "netops-kubernetes: " comment "not in the plan"')
    lines += [f'    {default} comment "everything else"', "  }", "}", ""]
    return "\n".join(lines)


def _of_version(networks: Iterable[str], version: int) -> list[str]:
    parsed = [ipaddress.ip_network(network) for network in networks]
    return [
        str(network.network_address) if network.prefixlen == network.max_prefixlen else str(network)
        for network in parsed
        if network.version == version
    ]


def _is_everybody(networks: Iterable[str]) -> bool:
    return {"0.0.0.0/0", "::/0"} <= set(networks)


def _sources(name: str, networks: tuple[str, ...]) -> list[str]:
    """How a rule says that the packet is from a set: once a family, or not at all for everybody."""
    if _is_everybody(networks):
        return [""]
    versions = [(4, "ip"), (6, "ip6")]
    return [f"{word} saddr @{name}_v{version} " for version, word in versions if _of_version(networks, version)]


def _lines(rule: Rule, plan: Plan) -> list[str]:
    sources = [source for name in rule.peers for source in _sources(name, plan.peers[name])]
    matches = [_match(rule)]
    if rule.id in NODEPORT_RULES:
        # To a backend in this node's own network: by now the destination port is the backend's.
        matches.append(f"meta l4proto {rule.protocol} ct status dnat ct original proto-dst {rule.ports}")
    return [f'{source}{match} accept comment "{rule.id}"' for match in matches for source in sources]


def _match(rule: Rule) -> str:
    if rule.protocol in IP_PROTOCOLS:
        return f"meta l4proto {IP_PROTOCOLS[rule.protocol]}"
    return f"{rule.protocol} dport {rule.ports}"


def _echo(plan: Plan) -> list[str]:
    words = {"ip ": "icmp type echo-request", "ip6": "icmpv6 type echo-request"}
    return [
        f'{source}{words[source[:3]]} accept comment "ping"'
        for source in _sources("all_nodes", plan.peers["all_nodes"])
    ]


def _service_lines(plan: Plan) -> list[str]:
    """In IPVS mode a Service's address is the node's own, so its traffic comes in here."""
    lines: list[str] = []
    for version, word in ((4, "ip"), (6, "ip6")):
        if not _of_version(plan.service_cidrs, version):
            continue
        for name in ("all_nodes", "pods"):
            networks = plan.pod_cidrs if name == "pods" else plan.peers.get(name, ())
            if _of_version(networks, version):
                pair = f"{word} saddr @{name}_v{version} {word} daddr @services_v{version}"
                lines.append(f'{pair} accept comment "services"')
    return lines


def transaction(definition: str) -> str:
    """What replaces the table as a whole, in one transaction, whether it is there or not."""
    return f"table {FAMILY} {TABLE} {{ }}\ndelete table {FAMILY} {TABLE}\n{definition}"


# ---- the node ---------------------------------------------------------------------------------------------------


def require_nft() -> None:
    """Require nftables on this node.

    :raises NodeError: it is not there.
    """
    if not exists("nft"):
        raise NodeError(
            "node firewall", "the program nft is not installed on this node", "nftables", "Install the package nftables"
        )


def live() -> str:
    """The table as this node has it; empty when it has none."""
    done = run(["nft", "--stateless", "list", "table", FAMILY, TABLE])
    return done.stdout if done.returncode == 0 else ""


def canonical(definition: str) -> str:
    """The definition as this node's nft would list it, found out in a network namespace that ends at once.

    :raises NodeError: nft refuses the definition.
    """
    script = f"nft --file - && exec nft --stateless list table {FAMILY} {TABLE}"
    return require(["unshare", "--net", "sh", "-c", script], stdin=definition)


def is_persisted(definition: str) -> bool:
    """Whether the next boot brings exactly this."""
    texts = (files.read(RULES_FILE), files.read(UNIT_FILE))
    return texts == (transaction(definition), UNIT_TEXT) and systemd.is_enabled(UNIT)


def apply(definition: str) -> None:
    """Replace the table in one transaction.

    :raises NodeError: the kernel refuses it; the old table is still there.
    """
    require(["nft", "--file", "-"], stdin=transaction(definition))


def persist(definition: str) -> None:
    """Let the next boot bring the table, before the kubelet starts.

    :raises NodeError: this node has no systemd.
    """
    systemd.require_running()
    files.write(RULES_FILE, transaction(definition), 0o600)
    files.write(UNIT_FILE, UNIT_TEXT)
    systemd.enable(UNIT)


def remains() -> list[str]:
    """What there is of ours on this node."""
    found = [path for path in (RULES_FILE, UNIT_FILE) if files.read(path) is not None]
    return [*([f"table {FAMILY} {TABLE}"] if live() else []), *found]


def remove() -> None:
    """Take away the table, the unit and the file; what others made is not touched."""
    if files.read(UNIT_FILE) is not None:
        systemd.disable(UNIT)
        files.remove(UNIT_FILE)
        systemd.reload_units()
    if files.remove(RULES_FILE):
        files.remove_empty_folder(RULES_FILE.rpartition("/")[0])
    if live():
        require(["nft", "delete", "table", FAMILY, TABLE])
