# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module cni_cleanup on a real kernel: one CNI's leftovers go, and what is beside them is as it was."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.kernel.conftest import PRIVATE
from tests.support.modules import Module, state_matrix

if TYPE_CHECKING:
    from tests.kernel.conftest import Namespace, Network

FILTER = str(Path(__file__).parents[1] / "support" / "bpf_filter.py")
# As CRI-O's package lays it down (github.com/cri-o/cri-o, contrib/cni).
CRIO = """\
{"cniVersion": "1.0.0", "name": "crio", "plugins": [{"type": "bridge", "bridge": "cni0", "isGateway": true,
 "ipam": {"type": "host-local", "routes": [{"dst": "0.0.0.0/0"}], "ranges": [[{"subnet": "10.85.0.0/16"}]]}}]}
"""
# Beside every CNI: names that only look like one's own.
FOREIGN_CHAINS = """\
*filter
:SITE - [0:0]
:calibrated - [0:0]
-A FORWARD -j SITE
-A SITE -d 192.0.2.1/32 -m comment --comment "not cali:ours" -j RETURN
COMMIT
*nat
:SITE - [0:0]
COMMIT
"""
FOREIGN = (
    ("ip", "link", "add", "calidad", "type", "bridge"),
    ("ip", "link", "add", "lxcbr0", "type", "bridge"),
    ("ip", "link", "add", "flannel.2", "type", "bridge"),
    # A name of Flannel's kind: of another number, and of a tunnel that learns, as Flannel's never does.
    ("ip", "link", "add", "flannel.3", "type", "vxlan", "id", "30", "dstport", "8472", "dev", "eth0", "nolearning"),
    ("ip", "link", "add", "flannel.5", "type", "vxlan", "id", "5", "dstport", "8473", "dev", "eth0"),
    ("ip", "route", "add", "blackhole", "10.250.0.0/26", "proto", "80"),
    ("ip", "route", "add", "blackhole", "10.244.200.0/24", "proto", "static"),
    ("ip", "rule", "add", "pref", "500", "fwmark", "0x1", "table", "100"),
    ("ipset", "create", "site", "hash:ip"),
    ("nft", "add", "table", "ip", "mine"),
)
FOREIGN_FILES = (
    "etc/cni/net.d/99-mine.conflist",
    "etc/cni/net.d/10-other.conflist.cilium_bak",
    "opt/cni/bin/bridge",
    "var/lib/cni/results/mine-1",
    "etc/sysctl.d/50-mine.conf",
)


@dataclass(frozen=True)
class Installed:
    """What one CNI makes, as commands, chains and files; and lines that must be named."""

    commands: tuple[tuple[str, ...], ...]
    chains: str
    files: tuple[str, ...]
    named: tuple[str, ...]


INSTALLED = {
    "flannel": Installed(
        (
            ("ip", "link", "add", "cni0", "type", "bridge"),
            ("ip", "link", "add", "flannel.1", "type", "vxlan", "id", "1", "dstport", "8472", "dev", "eth0"),
            *(
                ("ip", "link", "add", name, "type", "vxlan", "id", "4096", "dstport", port, "dev", "eth0", "nolearning")
                for name, port in (("flannel.4096", "4789"), ("flannel-v6.4096", "4790"))
            ),
            ("nft", "add", "table", "ip6", "flannel-ipv6"),
        ),
        "*nat\n:FLANNEL-POSTRTG - [0:0]\n-A POSTROUTING -j FLANNEL-POSTRTG\nCOMMIT\n"
        "*filter\n:FLANNEL-FWD - [0:0]\n-A FORWARD -j FLANNEL-FWD\nCOMMIT\n",
        (
            "etc/cni/net.d/10-flannel.conflist",
            "opt/cni/bin/flannel",
            "run/flannel/subnet.env",
            "var/lib/cni/results/cbr0-1",
        ),
        (
            "link cni0",
            "link flannel.1",
            "link flannel.4096",
            "link flannel-v6.4096",
            "nftables table ip6 flannel-ipv6",
            "file /opt/cni/bin/flannel",
        ),
    ),
    "calico": Installed(
        (
            ("ip", "link", "add", "cali0123456789a", "type", "bridge"),
            ("ip", "link", "add", "vxlan.calico", "type", "vxlan", "id", "4096", "dstport", "4789", "dev", "eth0"),
            ("ip", "route", "add", "blackhole", "10.244.3.0/26", "proto", "80"),
            ("ip", "route", "add", "10.244.4.0/26", "via", "198.18.1.2", "proto", "12"),
            ("ip", "-6", "route", "add", "blackhole", "2001:db8:244::/122", "proto", "80"),
            ("ipset", "create", "cali40this-host", "hash:net"),
            ("ipset", "create", "cali40all", "list:set"),
            ("ipset", "add", "cali40all", "cali40this-host"),
            ("nft", "add", "table", "ip", "calico"),
            (sys.executable, FILTER, "eth0", "ingress", "cali_tc_preamble"),
        ),
        "*filter\n:cali-FORWARD - [0:0]\n:cali-tw-cali0123456789a - [0:0]\n"
        '-A FORWARD -m comment --comment "cali:wUHhoiAYhphO9Mso" -j cali-FORWARD\n'
        "-A cali-FORWARD -j cali-tw-cali0123456789a\n"
        '-A FORWARD -m comment --comment "cali:S93hcgKJrXEqnTfs" -m mark --mark 0x10000/0x10000 -j ACCEPT\nCOMMIT\n',
        (
            "etc/cni/net.d/10-calico.conflist",
            "etc/cni/net.d/calico-kubeconfig",
            "opt/cni/bin/calico",
            "opt/cni/bin/calico-ipam",
            "var/lib/calico/nodename",
            "run/calico/felix.sock",
            "var/lib/cni/results/k8s-pod-network-1",
            "sys/fs/bpf/tc/globals/cali_v4_ct3",
            "sys/fs/bpf/ctlb/cali_connect_v4",
        ),
        (
            "link cali0123456789a",
            "ipset cali40all",
            "nftables table ip calico",
            "route -4 blackhole 10.244.3.0/26 proto 80",
            "mount /run/calico/cgroup",
            "chain iptables filter cali-FORWARD",
            "traffic control filter cali_tc_preamble",
            "file /sys/fs/bpf/ctlb/cali_connect_v4",
        ),
    ),
    "cilium": Installed(
        (
            (sys.executable, FILTER, "eth0", "ingress", "cil_from_netdev-eth0"),
            (sys.executable, FILTER, "eth0", "egress", "cil_to_netdev-eth0"),
            ("ip", "link", "add", "cilium_host", "type", "veth", "peer", "name", "cilium_net"),
            ("ip", "link", "add", "lxc0123456789ab", "type", "bridge"),
            ("ip", "rule", "add", "pref", "9", "fwmark", "0x200/0xf00", "table", "2004"),
            ("ip", "route", "add", "local", "default", "dev", "lo", "proto", "kernel", "table", "2004"),
            *(
                ("ip", family, "rule", *words)
                for family in ("-4", "-6")
                for words in (
                    ("add", "pref", "100", "table", "local", "protocol", "kernel"),
                    ("delete", "pref", "0", "table", "local"),
                )
            ),
        ),
        "*filter\n:CILIUM_INPUT - [0:0]\n"
        '-A INPUT -m comment --comment "cilium-feeder: CILIUM_INPUT" -j CILIUM_INPUT\nCOMMIT\n',
        (
            "etc/cni/net.d/05-cilium.conflist",
            "opt/cni/bin/cilium-cni",
            "etc/sysctl.d/99-zzz-override_cilium.conf",
            "run/cilium/cilium.sock",
            "sys/fs/bpf/cilium/socketlb/links/cgroup/cil_sock4_connect",
            "sys/fs/bpf/tc/globals/cilium_ct4_global",
        ),
        (
            "traffic control filter cil_from_netdev-eth0",
            "traffic control filter cil_to_netdev-eth0",
            "link cilium_host",
            "routing rule -4 pref 9 table 2004",
            "routing rule -6 pref 100 table local in place of pref 0",
            "route -4 local default dev lo proto kernel table 2004",
            "file /etc/sysctl.d/99-zzz-override_cilium.conf",
            "file /sys/fs/bpf/tc/globals/cilium_ct4_global",
        ),
    ),
    "weave": Installed(
        (
            ("ip", "link", "add", "weave", "type", "bridge"),
            ("ipset", "create", "weave-k?Z;25^M}|1s7P3|H9i;*;MhG", "hash:ip"),
        ),
        "*nat\n:WEAVE - [0:0]\n-A POSTROUTING -j WEAVE\nCOMMIT\n*filter\n:WEAVE-NPC - [0:0]\nCOMMIT\n",
        ("etc/cni/net.d/10-weave.conflist", "opt/cni/bin/weave-plugin-2.8.1", "var/lib/weave/weave-netdata.db"),
        ("link weave", "chain iptables nat WEAVE", "file /opt/cni/bin/weave-plugin-2.8.1"),
    ),
}
# The last as if it were a file system of BPF: the names are what counts.
FOLDERS = "/etc/cni /etc/sysctl.d /var/lib /var/log /opt /run /sys/fs/bpf"
# What calico-node mounts for itself, where its folder is.
MOUNTED = '[ ! -d /run/calico ] || { mkdir -p /run/calico/cgroup; mount -t tmpfs none /run/calico/cgroup; }; exec "$@"'


# Programs that are not installed; a file that is none lies in their place.
ABSENT = 'for p in iptables-save ip6tables-save nft ipset; do mount --bind /dev/null $(command -v $p); done; exec "$@"'


@dataclass(frozen=True)
class Host:
    """A node whose folders are below a folder of the test."""

    node: Namespace
    root: Path

    @property
    def prefix(self) -> tuple[str, ...]:
        return (*self.node.prefix, "unshare", "--mount", "sh", "-c", PRIVATE, "sh", FOLDERS, str(self.root))

    @property
    def module(self) -> Module:
        return self.module_after(MOUNTED)

    def module_after(self, script: str) -> Module:
        """The module in the node's folders, after a script that ends with the rest of its words."""
        prefix = (*self.prefix, "sh", "-c", script, "sh")
        return Module("cni_cleanup", {"pod_cidrs": ["10.244.0.0/16", "2001:db8:244::/56"]}, prefix)

    def told(self, *words: str) -> dict[str, Any]:
        """What cni_info tells.

        :param words: what the module's process is started by.
        """
        return Module("cni_info", {}, (*self.prefix, *words)).succeeds()

    def make(self, commands: tuple[tuple[str, ...], ...], chains: str, files: tuple[str, ...]) -> None:
        for command in commands:
            done = self.node.run(*command)
            assert done.returncode == 0, (command, done.stderr)
        done = self.node.run("iptables-restore", "--noflush", stdin=chains)
        assert done.returncode == 0, done.stderr
        for name in files:
            file = self.root / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(name)

    def state(self) -> dict[str, list[str]]:
        """All that a CNI could have touched."""
        saved = self.node.run("iptables-save").stdout.splitlines()
        listed = {
            name: self.node.run(*words).stdout.splitlines()
            for name, words in (
                ("links", ("ip", "-brief", "link", "show")),
                ("routes", ("ip", "-4", "route", "show", "table", "all")),
                ("routes of IPv6", ("ip", "-6", "route", "show", "table", "all", "type", "blackhole")),
                ("rules", ("ip", "-details", "rule", "show")),
                ("rules of IPv6", ("ip", "-6", "-details", "rule", "show")),
                ("ipsets", ("ipset", "list", "-name")),
                ("nftables", ("nft", "list", "tables")),
                ("queueing", ("tc", "qdisc", "show")),
                *((f"filters {way}", ("tc", "filter", "show", "dev", "eth0", way)) for way in ("ingress", "egress")),
            )
        }
        files = [path for path in self.root.rglob("*") if path.is_file() and path.name != "xtables.lock"]
        return {
            **listed,
            "chains": [line.split(" [")[0] for line in saved if line[:1] in {":", "-"}],
            "files": sorted(str(path.relative_to(self.root)) for path in files),
        }


@pytest.fixture
def host(network: Network, tmp_path: Path) -> Host:
    made = Host(network.node, tmp_path)
    made.make(FOREIGN, FOREIGN_CHAINS, FOREIGN_FILES)
    return made


@pytest.mark.parametrize("cni", sorted(INSTALLED))
def test_state_matrix_leaves_what_is_beside(host: Host, cni: str) -> None:
    before = host.state()
    installed = INSTALLED[cni]
    host.make(installed.commands, installed.chains, installed.files)
    assert host.state() != before
    for other in INSTALLED.keys() - {cni}:
        assert host.module.succeeds(check=True, cni=other)["changed"] is False, f"{other} takes {cni}'s for its own"
    first = state_matrix(host.module, cni=cni)
    for line in installed.named:
        assert any(one.startswith(line) for one in first["removed"]), (line, first["removed"])
    assert host.state() == before


def test_killed_at_any_step_the_next_run_completes(host: Host) -> None:
    installed = INSTALLED["calico"]
    before = host.state()
    host.make(installed.commands, installed.chains, installed.files)
    steps = host.module.acts(cni="calico")
    assert host.state() == before
    for step in range(2, steps, 5):
        host.make(installed.commands, installed.chains, installed.files)
        host.module.dies_at(step, cni="calico")
        host.module.succeeds(cni="calico")
        assert host.state() == before, f"after a kill at step {step} of {steps}"


def test_folders_of_maps_go_when_nobody_has_one_there(host: Host) -> None:
    maps = host.root / "sys/fs/bpf/tc/globals"
    for left in ("cilium_lxc", "mine"):
        host.make((), "", (f"sys/fs/bpf/tc/globals/{left}",))
    host.module.succeeds(cni="cilium")
    assert [path.name for path in maps.iterdir()] == ["mine"]
    (maps / "mine").rename(maps / "cilium_metrics")
    host.module.succeeds(cni="cilium")
    assert not maps.parent.exists()


def test_a_filter_of_somebody_else_stays_at_the_same_device(host: Host) -> None:
    host.make(((sys.executable, FILTER, "eth0", "ingress", "somebodys"),), "", ())
    before = host.state()
    installed = INSTALLED["cilium"]
    host.make(installed.commands, installed.chains, installed.files)
    host.module.succeeds(cni="cilium")
    assert host.state() == before
    assert "somebodys" in "".join(before["filters ingress"])


# A file system of its own at Calico's folder, whose content stays from run to run below /opt.
AT_FOLDER = 'mkdir -p /var/lib/calico; mount {options} --bind /opt/site /var/lib/calico; exec "$@"'


def test_a_folder_that_is_a_mount_is_emptied(host: Host) -> None:
    site = host.root / "opt/site"
    host.make((), "", ("opt/site/nodename", "opt/site/felix/state", "opt/site/lost+found/1"))
    elsewhere = host.root / "opt/elsewhere"
    elsewhere.write_text("mine")
    (site / "link").symlink_to("/opt/elsewhere")
    module = host.module_after(AT_FOLDER.format(options=""))
    first = state_matrix(module, cni="calico")
    assert first["removed"] == [f"file /var/lib/calico/{name}" for name in ("felix", "link", "nodename")]
    assert [path.name for path in site.iterdir()] == ["lost+found"]
    assert elsewhere.read_text() == "mine"


@pytest.mark.parametrize("there", [True, False])
def test_of_a_link_nothing_goes_but_itself(host: Host, *, there: bool) -> None:
    """What it leads to may be anybody's."""
    if there:
        host.make((), "", ("opt/site/nodename",))
    link = host.root / "var/lib/calico"
    link.symlink_to("/opt/site")
    first = state_matrix(host.module, cni="calico")
    assert first["removed"] == ["file /var/lib/calico"]
    assert not link.is_symlink()
    assert (host.root / "opt/site/nodename").exists() == there


def test_a_file_system_that_refuses_is_named(host: Host) -> None:
    host.make((), "", ("opt/site/nodename",))
    said = host.module_after(AT_FOLDER.format(options="--options ro")).fails(cni="calico")
    assert "file '/var/lib/calico/nodename': it cannot be removed: Read-only file system" in said
    assert "Look what holds it (findmnt, lsof, lsattr), end that, and run again." in said


def test_the_folder_that_a_runtime_watches_stays(host: Host) -> None:
    folder = host.root / "etc/cni/net.d"
    for file in folder.iterdir():
        file.unlink()
    host.make((), "", ("etc/cni/net.d/10-flannel.conflist",))
    there = folder.stat().st_ino
    host.module.succeeds(cni="flannel")
    assert not list(folder.iterdir())
    assert folder.stat().st_ino == there


@pytest.mark.parametrize(("address", "stays"), [("10.85.0.1/16", True), ("10.244.1.1/24", False)])
def test_a_bridge_of_the_runtimes_own_stays(host: Host, address: str, *, stays: bool) -> None:
    made = (("ip", "link", "add", "cni0", "type", "bridge"), ("ip", "address", "add", address, "dev", "cni0"))
    host.make(made, "", ())
    (host.root / "etc/cni/net.d/11-crio-ipv4-bridge.conflist").write_text(CRIO)
    removed = host.module.succeeds(cni="flannel")["removed"]
    assert ("link cni0" not in removed) == stays
    assert any(line.startswith("cni0 ") for line in host.state()["links"]) == stays


def test_routes_stay_where_the_pod_networks_are_not_named(host: Host) -> None:
    host.make((("ip", "route", "add", "blackhole", "10.244.3.0/26", "proto", "80"),), "", ())
    assert host.module.succeeds(cni="calico", pod_cidrs=[])["changed"] is False


# What is left where links and files have gone.
FILTERING = {
    "flannel": (
        (("nft", "add", "table", "ip6", "flannel-ipv6"),),
        ["chain iptables nat FLANNEL-POSTRTG", "nftables table ip6 flannel-ipv6"],
    ),
    "calico": (
        (("nft", "add", "table", "ip", "calico"), ("ipset", "create", "cali40all", "list:set")),
        ["chain iptables filter cali-FORWARD", "nftables table ip calico", "ipset cali40all"],
    ),
    "cilium": (
        (("ipset", "create", "cilium_node_set_v4", "hash:ip"),),
        ["chain iptables filter CILIUM_INPUT", "ipset cilium_node_set_v4"],
    ),
    "weave": ((("ipset", "create", "weave-x", "hash:ip"),), ["chain iptables nat WEAVE", "ipset weave-x"]),
}


@pytest.mark.parametrize("cni", sorted(FILTERING))
def test_what_is_left_in_the_packet_filter_is_seen(host: Host, cni: str) -> None:
    (host.root / "etc/cni/net.d/99-mine.conflist").unlink()
    before = host.told()
    assert (before["state"], before["traces"], before["traces_unread"]) == ("none", {}, [])
    commands, named = FILTERING[cni]
    host.make(commands, INSTALLED[cni].chains, ())
    there = host.told()
    assert (there["state"], list(there["traces"]), there["traces_unread"]) == ("leftovers", [cni], [])
    assert set(named) <= set(there["traces"][cni])
    # In the words of the clean-up, which takes away just that.
    assert set(host.module.succeeds(cni=cni)["removed"]) == set(there["traces"][cni])
    assert host.told()["state"] == "none"


def test_chains_of_ipv6_and_rules_beside_chains_are_seen(host: Host) -> None:
    chains = '*filter\n-A FORWARD -m comment --comment "cali:S93hcgKJrXEqnTfs" -j ACCEPT\nCOMMIT\n'
    done = host.node.run("ip6tables-restore", "--noflush", stdin=chains)
    assert done.returncode == 0, done.stderr
    [line] = host.told()["traces"]["calico"]
    assert line.startswith("chain ip6tables filter -A FORWARD ")


def test_of_many_chains_a_few_are_told(host: Host) -> None:
    chains = "".join(f":cali-tw-cali{number:011x} - [0:0]\n" for number in range(12))
    host.make((), f"*filter\n{chains}COMMIT\n", ())
    *named, last = host.told()["traces"]["calico"]
    assert (len(named), last) == (10, "chain iptables, 2 more")


def test_whoever_may_not_read_the_packet_filter_learns_the_rest(host: Host) -> None:
    installed = INSTALLED["calico"]
    host.make(installed.commands, installed.chains, installed.files)
    told = host.told("setpriv", "--bounding-set=-net_admin")
    assert told["state"] == "leftovers"
    assert "link cali0123456789a" in told["traces"]["calico"]
    assert not any(line.startswith("chain") for line in told["traces"]["calico"])
    assert "iptables-save" in told["traces_unread"][0]
    told = host.told("sh", "-c", ABSENT, "sh")
    assert told["traces_unread"] == []
    assert not any(line.startswith(("chain", "nftables", "ipset")) for line in told["traces"]["calico"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"cni": "antrea"}, "value of cni must be one of: calico, cilium, flannel, weave, got: antrea"),
        ({}, "missing required arguments: cni"),
        ({"cni": "calico", "pod_cidrs": ["10.244.0.1/16"]}, "pod network '10.244.0.1/16': it has host bits set"),
        ({"cni": "calico", "pod_cidrs": ["pods"]}, "pod network 'pods'"),
    ],
)
def test_bad_input_is_named(host: Host, options: dict[str, Any], said: str) -> None:
    assert said in host.module.fails(**options)
