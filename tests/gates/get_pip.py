# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts pip into the environment that runs this, from the package index alone.

ansible-test starts such a script by this name, and would fetch one from a web site that a closed network does not
reach.
"""

from __future__ import annotations

import subprocess
import sys


def main() -> int:
    """The arguments are packages to install, and options of the original that mean nothing here."""
    # In a process of its own: it turns off pip's configuration for the rest of the one that it runs in.
    subprocess.check_call([sys.executable, "-m", "ensurepip"])
    wanted = [word for word in sys.argv[1:] if word not in {"--no-setuptools", "--no-wheel"}]
    return subprocess.call([sys.executable, "-m", "pip", "install", *wanted])


if __name__ == "__main__":
    sys.exit(main())
