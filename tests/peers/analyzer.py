# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""network-config-analyzer over many files in one process: paths as arguments, its text for each as a line of JSON.

Runs with the Python of its own environment.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys

from nca.nca_cli import nca_main

for path in sys.argv[1:]:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
        nca_main(["--connectivity", "-r", path, "-o", "txt_no_fw_rules", "--output_endpoints", "pods"])
    print(json.dumps(printed.getvalue()))
