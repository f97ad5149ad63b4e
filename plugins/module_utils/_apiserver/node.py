# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""kube-apiserver as a static pod of this node: its manifest changed, the new process awaited, or the old one again.

The kubelet reads every file of its manifests' folder but those whose names begin with a dot
(pkg/kubelet/config/file.go), so a copy beside the manifest would be a second API server: backups live elsewhere.
"""

from __future__ import annotations

import http.client
import ipaddress
import ssl
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ansible_collections.netops.kubernetes.plugins.module_utils._apiserver.manifest import (
    CONTAINER,
    ApiServerError,
    flags_in,
    flags_of,
    with_flag,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._node import files

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

POLL_SECONDS = 0.5
LOG_LINES = 5
PODS = "/var/log/pods"
# The API server's own defaults (k8s.io/apiserver/pkg/server/options/serving.go).
PORT = "6443"


@dataclass(frozen=True)
class Job:
    """What is to be.

    :param path: the manifest.
    :param flag: without hyphens.
    :param value: empty for none; nothing gives back what was there before the first change.
    :param backup: where the manifest from before the first change is kept.
    :param ca_cert: who signed the serving certificate; empty for the manifest's ``client-ca-file``, as kubeadm has it.
    """

    path: str
    flag: str
    value: str | None
    backup: str
    ca_cert: str
    timeout: float

    @property
    def subject(self) -> str:
        return f"manifest {self.path!r}"


def carry_out(job: Job, *, check: bool) -> tuple[str, str]:
    """Bring the flag to its value, and wait until the API server that has it is ready.

    :returns: the manifest before and after.
    :raises ApiServerError: it does not become ready in time; the manifest is as it was.
    """
    before = files.read(job.path)
    if before is None:
        raise ApiServerError(
            job.subject, "it is not there", "kube-apiserver's static pod", "Run this on control-plane nodes alone"
        )
    backup = files.read(job.backup)
    value = job.value
    if value is None:
        value = flags_of(backup or before, job.subject).get(job.flag, "")
    after = with_flag(before, job.flag, value, job.subject)
    if check:
        return before, after
    if after != before:
        if backup is None:
            files.write(job.backup, before, 0o600)
        files.replace(job.path, after)
    # Also where nothing changed: a run that was killed here has not waited.
    if not wait(job, after):
        # The flag alone: an upgrade may have written the rest of the manifest since the first change.
        first = flags_of(backup or before, job.subject).get(job.flag, "")
        _go_back(job, before if after != before else with_flag(before, job.flag, first, job.subject), after)
    if job.value is None:
        files.remove(job.backup)
        files.remove_empty_folder(str(Path(job.backup).parent))
    return before, after


def _go_back(job: Job, text: str, live: str) -> None:
    said = last_words()
    if text == live:
        outcome = "Nothing was changed: it had this flag before. Look for what it lacks"
    else:
        files.replace(job.path, text)
        is_back = wait(job, text)
        outcome = f"The flag from before is back, and its API server is {'ready' if is_back else 'not ready either'}"
    raise ApiServerError(
        f"kube-apiserver with --{job.flag}={job.value}",
        f"it is not ready after {job.timeout:.0f} s",
        "an answer to /readyz",
        outcome + (f"; the new one said: {' | '.join(said)}" if said else ""),
    )


def wait(job: Job, text: str) -> bool:
    """Wait until the process that this manifest asks for is ready; whether it is."""
    flags = flags_of(text, job.subject)
    deadline = time.monotonic() + job.timeout
    while True:
        if any(_is_same(one, flags, job.flag) for one in running()) and is_ready(flags, job.ca_cert):
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)


def _is_same(running_flags: Mapping[str, str], flags: Mapping[str, str], flag: str) -> bool:
    """Whether a process is of this manifest: the flag as there, on the port that the manifest names."""
    mine = ("secure-port", "advertise-address", flag)
    return all(running_flags.get(name) == flags.get(name) for name in mine)


def running() -> Iterator[dict[str, str]]:
    """The flags of every kube-apiserver that runs here (proc(5), cmdline)."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
        except OSError:
            continue
        if Path(words[0]).name == CONTAINER:
            yield {name: value for _number, name, value in flags_in(words)}


def is_ready(flags: Mapping[str, str], ca_cert: str) -> bool:
    """Whether the API server of these flags answers /readyz, and is who it says.

    Where anonymous requests are off it refuses to say (401); then it answers, and more is not to be had.
    """
    bound = flags.get("bind-address")
    everywhere = bound is None or ipaddress.ip_address(bound).is_unspecified
    host = flags.get("advertise-address", "127.0.0.1") if everywhere else bound
    try:
        context = ssl.create_default_context(cafile=ca_cert or flags.get("client-ca-file"))
        port = int(flags.get("secure-port", PORT))
        connection = http.client.HTTPSConnection(str(host), port, timeout=5.0, context=context)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status in {200, 401}
        finally:
            connection.close()
    except (http.client.HTTPException, OSError):
        return False


def last_words() -> list[str]:
    """The end of the newest log of kube-apiserver's container; nothing where kubelet keeps none."""
    logs = list(Path(PODS).glob(f"kube-system_{CONTAINER}-*/{CONTAINER}/*.log"))
    if not logs:
        return []
    newest = max(logs, key=lambda log: log.stat().st_mtime)
    return newest.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:]
