# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look for Corefiles about which CoreDNS and we differ: ``python3 -m tests.fuzz SECONDS [SEED]``."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from tests.support.corefiles import corefiles
from tests.support.judge import VERSIONS, disagreements, judgements

BATCH = 2000


def main(words: list[str]) -> int:
    """Batch after batch, each with a seed of its own, until the time is over."""
    programs = Path(os.environ["NETOPS_TESTBED_BIN"])
    limit = float(words[0]) if words else 240.0
    seed = int(words[1]) if len(words) > 1 else int(time.time())
    begin, judged, differing = time.monotonic(), 0, 0
    while time.monotonic() - begin < limit:
        texts = list(corefiles(seed, BATCH))
        for version in VERSIONS:
            found = disagreements(version, texts, judgements(programs, version, texts))
            judged += len(texts)
            differing += len(found)
            if found:
                print(f"seed {seed}: {len(found)} disagreements", *found, sep="\n", flush=True)
        seed += 1
    print(f"{judged} judgements, {differing} disagreements; the next seed would be {seed}")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
