# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""node_firewall as Ansible runs it, on a machine with systemd, sshd and each back-end's own service."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass
from typing import Any

import pytest
from tests.nodes.conftest import NODE
from tests.nodes.plays import command, play
from tests.testbed.bed import Bed, BedError
from tests.testbed.inventory import write_inventory

LOCKOUT = {"admins": ["192.0.2.0/24"]}
RESTRICTED = [{"id": "nodeport-tcp", "peers": ["all_nodes"]}]
# What reloads a back-end's own service.
RELOAD = {"nftables": "systemctl restart nftables", "ufw": "ufw reload", "firewalld": "firewall-cmd --reload"}
# Why auto takes it.
REASONS = {
    "nftables": "nft is there, and neither firewalld nor ufw is active",
    "iptables": "iptables.service loads iptables' rules at boot",
    "ufw": "ufw is enabled on this node",
    "firewalld": "firewalld runs on this node",
}
# Rules that are everybody's but ours, without counters.
FOREIGN = (
    # Looking at a table for the first time makes its empty built-in chains.
    "{ iptables-save; ip6tables-save; } | grep -E '^(-|:)' | grep -vE 'NETOPS|^:[A-Z]+ ACCEPT' "
    "| sed -E 's/ \\[[0-9:]+\\]//'; "
    "ls /etc/ufw/*.rules /etc/firewalld/*/ | grep -v netops; cat /etc/ufw/*.rules"
)


# ufw's own rules keep their say, so while one of them admits SSH no plan of ours locks anybody out.
ONLY_OURS = {"ufw": "ufw delete allow 22/tcp"}
AS_BEFORE = {"ufw": "ufw allow 22/tcp"}


@dataclass
class Machine:
    """A bare node, and the play on it."""

    bed: Bed

    def play(self, *, check: bool = False, **variables: Any) -> tuple[int, str]:
        """How many tasks changed something, and what Ansible said; the number is -1 when the play failed."""
        changed, said = play(write_inventory(self.bed), "-v", check=check, **variables)
        return changed.get(NODE.name, -1), said

    def must(self, script: str) -> str:
        return self.bed.must(NODE, script)


@pytest.fixture
def node(prepared: Bed) -> Machine:
    return Machine(prepared)


def test_a_backend_from_the_first_check_to_the_removal(node: Machine, backend: str) -> None:
    before = node.must(FOREIGN)
    changed, said = node.play(check=True, rules=RESTRICTED)
    assert changed == 1, said
    assert "+kubelet            tcp       10250" in said
    assert f'"backend": "{backend}", "backend_reason": "{REASONS[backend]}"' in said
    changed, said = node.play(rules=RESTRICTED)
    assert changed == 1, said
    ordered = node.must("systemctl show --property=Before --value netops-kubernetes-firewall.service").split()
    assert {"kubelet.service", "network-pre.target"} <= set(ordered)
    assert node.play(check=True, rules=RESTRICTED)[0] == 0
    assert node.play(rules=RESTRICTED)[0] == 0
    node.must(RELOAD.get(backend, "true"))
    changed, said = node.play(check=True, rules=RESTRICTED)
    assert changed == 0, f"a reload of the service left something else: {said}"

    node.must(ONLY_OURS.get(backend, "true"))
    changed, said = node.play(peers=LOCKOUT)
    assert changed == -1
    assert "does not admit SSH from 198.18.0.1 to port 22" in said
    changed, said = node.play(peers=LOCKOUT, refuse_lockout=False, confirm_timeout=8)
    assert changed == -1
    assert "no confirmation came in time" in said
    changed, said = node.play(check=True, rules=RESTRICTED)
    assert changed == 0, f"the node went back to something else: {said}"

    node.bed.reboot(NODE)
    changed, said = node.play(check=True, rules=RESTRICTED)
    assert changed == 0, f"another boot brought something else: {said}"
    node.must(AS_BEFORE.get(backend, "true"))
    assert node.play(state="absent")[0] == 1
    assert node.play(state="absent")[0] == 0
    assert node.must(FOREIGN) == before
    assert (
        "netops" not in node.must("nft list tables; ls /etc /etc/systemd/system /etc/firewalld/* 2>/dev/null").lower()
    )


# What a service itself says about SSH: no more that it may come in, and again that it may.
CLOSE = {"ufw": "ufw delete allow 22/tcp", "firewalld": "firewall-cmd --quiet --remove-service=ssh"}
OPEN = {"ufw": "ufw allow 22/tcp", "firewalld": "firewall-cmd --quiet --add-service=ssh"}


@pytest.mark.parametrize("backend", sorted(CLOSE))
def test_a_removal_that_would_lock_out_is_undone(node: Machine, backend: str) -> None:
    assert node.play(rules=RESTRICTED)[0] == 1
    node.must(CLOSE[backend])
    changed, said = node.play(state="absent", confirm_timeout=8)
    assert changed == -1, said
    assert "no confirmation came in time" in said
    changed, said = node.play(check=True, rules=RESTRICTED)
    assert changed == 0, f"the node went back to something else: {said}"
    node.must(OPEN[backend])
    assert node.play(state="absent")[0] == 1
    assert node.play(state="absent")[0] == 0


@pytest.mark.parametrize("backend", ["ufw"])
def test_a_former_backend_that_would_lock_out_stays(node: Machine) -> None:
    """nftables' accept is not the last word while ufw goes on and refuses."""
    assert node.play()[0] == 1
    node.must(CLOSE["ufw"])
    changed, said = node.play(backend="nftables", confirm_timeout=8)
    assert changed == -1, said
    assert "no confirmation came in time" in said
    changed, said = node.play(check=True)
    assert changed == 0, f"the node went back to something else: {said}"
    node.must("ufw --force disable")
    assert node.play(backend="nftables")[0] == 1
    assert node.play(backend="nftables", check=True)[0] == 0
    assert "NETOPS_U" not in node.must("iptables-save; ip6tables-save; cat /etc/ufw/*.rules")


@pytest.mark.parametrize("backend", ["firewalld"])
def test_what_others_have_at_run_time_only_stays(node: Machine) -> None:
    """firewalld is reloaded for a new policy, for a new set, and for the removal."""
    node.must("firewall-cmd --add-port=7777/tcp")
    node.must("firewall-cmd --add-rich-rule='rule family=ipv4 source address=192.0.2.9 reject'")
    node.must("firewall-cmd --direct --add-rule ipv4 filter INPUT 0 -p tcp --dport 7778 -j ACCEPT")
    listed = "firewall-cmd --list-all-zones; firewall-cmd --direct --get-all-rules"
    before = node.must(listed)
    assert node.play()[0] == 1
    assert node.must(listed) == before
    more = [{"id": "more", "ports": "9100", "peers": ["more"]}]
    assert node.play(peers={"more": ["192.0.2.0/24"]}, rules=more)[0] == 1
    assert node.must(listed) == before
    changed, said = node.play(peers=LOCKOUT, refuse_lockout=False, confirm_timeout=8)
    assert changed == -1, said
    assert node.must(listed) == before, "the undoing"
    assert node.play(state="absent")[0] == 1
    assert node.must(listed) == before


def test_a_power_cut_before_the_confirmation_gives_the_old_rules(node: Machine, backend: str) -> None:
    assert node.play()[0] == 1
    node.must(f"{ONLY_OURS.get(backend, 'true')}; sync")
    words = command(write_inventory(node.bed), peers=LOCKOUT, refuse_lockout=False, confirm_timeout=100)
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as playing:
        wait_until_locked_out(node.bed)
        node.bed.cut(NODE)
        playing.terminate()
    node.bed.boot(NODE)
    node.bed.wait_for_ssh(NODE)
    changed, said = node.play(check=True)
    assert changed == 0, said


def wait_until_locked_out(bed: Bed) -> None:
    """Wait until the node lets no new connection in: the rules are on probation now."""
    for _attempt in range(60):
        try:
            if bed.ssh(NODE, "true", timeout=3.0).returncode != 0:
                return
        except BedError:
            return
        time.sleep(0.2)
    pytest.fail("the rules were never applied")
