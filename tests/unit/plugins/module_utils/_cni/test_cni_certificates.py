# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates of Cilium's that are kept, and those that are made anew."""

from __future__ import annotations

import base64
import subprocess
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.certificates import ends, is_ending
from ansible_collections.netops.kubernetes.plugins.module_utils._cni.cilium_cluster import with_kept_certificates
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import ref_of

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime.now(timezone.utc)
LONG = 400


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Certificates as Secrets have them, by a name and how many days they last."""
    folder = tmp_path_factory.mktemp("certificates")
    named = [("old", LONG), ("new", LONG), ("ending", 20), ("far", 20000)]
    return {name: _encoded(folder, name, days) for name, days in named}


def _encoded(folder: Path, name: str, days: int) -> str:
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += ["-keyout", str(folder / "key"), "-out", str(folder / name), "-days", str(days), "-subj", f"/CN={name}"]
    subprocess.run(command, check=True, capture_output=True)
    return base64.b64encode((folder / name).read_bytes()).decode()


def test_when_a_certificate_ends(made: dict[str, str]) -> None:
    for name, days in (("old", LONG), ("ending", 20), ("far", 20000)):
        until = ends(made[name])
        assert until is not None
        # What lasts beyond 2049 is written in another way.
        assert abs(until - NOW - timedelta(days=days)) < timedelta(hours=1)
    assert (is_ending(made["old"], NOW), is_ending(made["ending"], NOW)) == (False, True)
    assert is_ending(made["old"], NOW + timedelta(days=LONG + 1))


@pytest.mark.parametrize("text", ["", "no base64", base64.b64encode(b"no certificate").decode()])
def test_what_is_no_certificate_never_ends(text: str) -> None:
    assert ends(text) is None
    assert is_ending(text, NOW) is False


def secret(name: str, **content: str) -> dict[str, Any]:
    data = {key.replace("_", "."): value for key, value in content.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "kube-system"}, "data": data}


def chart(certificate: str, authority: str) -> list[dict[str, Any]]:
    return [
        secret("cilium-ca", ca_crt=authority, ca_key="key"),
        secret("hubble-server-certs", ca_crt=authority, tls_crt=certificate, tls_key=f"of {certificate}"),
        secret("of-a-user", colour="x"),
    ]


def kept(rendered: list[dict[str, Any]], there: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """The authority and the certificate that come out, with the authority beside it."""
    by_ref = {ref_of(one): one for one in there}
    authority, server, other = with_kept_certificates(rendered, by_ref.get, NOW)
    assert server["data"]["tls.key"] == f"of {server['data']['tls.crt']}"
    assert other["data"] == {"colour": "x"}
    return [(authority["data"]["ca.crt"], "key"), (server["data"]["tls.crt"], server["data"]["ca.crt"])]


def test_what_is_there_stays(made: dict[str, str]) -> None:
    there = chart(made["old"], made["old"])
    assert kept(chart(made["new"], made["old"]), there) == [(made["old"], "key"), (made["old"], made["old"])]
    # Of files that were rendered anew, elsewhere, with an authority of their own.
    assert kept(chart(made["new"], made["new"]), there) == [(made["old"], "key"), (made["old"], made["old"])]


def test_a_certificate_that_a_killed_run_left_without_its_authority_goes(made: dict[str, str]) -> None:
    there = chart(made["old"], made["old"])[1:]
    assert kept(chart(made["new"], made["new"]), there) == [(made["new"], "key"), (made["new"], made["new"])]


def test_what_ends_soon_is_made_anew(made: dict[str, str]) -> None:
    there = chart(made["ending"], made["old"])
    assert kept(chart(made["new"], made["old"]), there) == [(made["old"], "key"), (made["new"], made["old"])]
    # The authority too, and then everything that it has signed.
    there = chart(made["old"], made["ending"])
    assert kept(chart(made["new"], made["new"]), there) == [(made["new"], "key"), (made["new"], made["new"])]
