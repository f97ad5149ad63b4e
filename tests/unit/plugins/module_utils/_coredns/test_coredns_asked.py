# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What CoreDNS says of itself, and what is asked of it."""

from __future__ import annotations

from ansible_collections.netops.kubernetes.plugins.module_utils._coredns.probes import Probes, about, cluster_domain
from ansible_collections.netops.kubernetes.plugins.module_utils._coredns.reloading import (
    Saying,
    complaints,
    hash_in_metrics,
    of_log,
)

# Of CoreDNS 1.14.7.
STARTED = (
    "[INFO] plugin/reload: Running configuration SHA512 = 1b226df79860026c6a52e67daa10d7f0d57ec5b023288ec00c5e05f9\n"
)
REFUSED = """\
[INFO] Reloading
[ERROR] Restart failed: /etc/coredns/Corefile:3 - Error during parsing: Unknown directive 'forwrad'
[ERROR] plugin/reload: Corefile changed but reload failed: /etc/coredns/Corefile:3 - Error during parsing: Unknown \
directive 'forwrad'
"""
SENTENCE = (
    "Corefile changed but reload failed: /etc/coredns/Corefile:3 - Error during parsing: Unknown directive 'forwrad'"
)


def test_log() -> None:
    running = "1b226df79860026c6a52e67daa10d7f0d57ec5b023288ec00c5e05f9"
    assert of_log("") == Saying("", "")
    assert of_log(f".:53\n{STARTED}CoreDNS-1.14.7\n") == Saying(running, "")
    assert of_log(STARTED + REFUSED) == Saying(running, SENTENCE)
    assert of_log(STARTED + REFUSED + STARTED) == Saying(running, "")


def test_metrics() -> None:
    text = (
        "# TYPE coredns_reload_version_info gauge\n"
        'coredns_reload_version_info{hash="sha512",value="0a1b"} 1\ncoredns_reload_failed_total 0\n'
    )
    assert hash_in_metrics(text) == "0a1b"
    assert hash_in_metrics("coredns_reload_failed_total 0\n") == ""


def test_complaints() -> None:
    lost = "[ERROR] plugin/errors: 2 www.example.com. A: read udp 10.244.0.2:3->192.0.2.1:53: i/o timeout"
    assert complaints(f"{STARTED}{lost}\n[WARNING] plugin/x: y\n{lost}\n", 3) == [lost]
    # What was wrong with the Corefile before is no news.
    assert complaints(f"{lost}\n{REFUSED}", 3) == REFUSED.splitlines()[1:]
    assert complaints("[FATAL] plugin/loop: Loop (127.0.0.1:1 -> :53) detected\n", 3) != []
    assert complaints("".join(f"[ERROR] {number}\n" for number in range(9)), 2) == ["[ERROR] 7", "[ERROR] 8"]


def test_domain() -> None:
    assert cluster_domain(".:53 {\n  kubernetes in-addr.arpa k8s.example. ip6.arpa\n}\n") == "k8s.example"
    assert cluster_domain(".:53 {\n  whoami\n}\n") == "cluster.local"


def test_questions_beyond_the_cluster() -> None:
    zones = [".", "corp.example.com", "Lab.Example.Com."]
    assert [str(one) for one in about([], zones)] == [". SOA", "corp.example.com SOA", "Lab.Example.Com. SOA"]
    told = about(["www.example.com", "a.lab.example.com"], zones)
    assert [str(one) for one in told] == ["www.example.com A", "a.lab.example.com A", "corp.example.com SOA"]
    # A name in a stub domain says nothing of the servers of all other names.
    assert [str(one) for one in about(["a.corp.example.com"], zones)][1:] == [". SOA", "Lab.Example.Com. SOA"]


def test_probes_of_both_families() -> None:
    probes = Probes("abc123", "kube-system")
    _service, endpoints, external = probes.objects("IPv6", "k8s.example")
    assert endpoints["addressType"] == "IPv6"
    assert endpoints["metadata"]["labels"]["kubernetes.io/service-name"] == "netops-dns-headless-abc123"
    assert external["spec"]["externalName"] == "kubernetes.default.svc.k8s.example"
