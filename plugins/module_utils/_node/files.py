# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Files of the node: read, replaced whole, removed."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path


def read(path: str) -> str | None:
    """A file's text, or nothing when there is no such file."""
    try:
        return Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def write(path: str, text: str, mode: int = 0o644) -> None:
    """Replace a file whole: whoever reads it sees the old text or the new one, after a crash too."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=str(target.parent), prefix=f".{target.name}.")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    Path(name).chmod(mode)
    Path(name).replace(target)


def remove(path: str) -> bool:
    """Remove a file; whether it was there."""
    try:
        Path(path).unlink()
    except FileNotFoundError:
        return False
    return True


def remove_empty_folder(path: str) -> None:
    """Remove a folder that holds nothing any more; others' files keep it, and so does a file system mounted there."""
    try:
        Path(path).rmdir()
    except OSError as error:
        if error.errno not in {errno.ENOENT, errno.ENOTEMPTY, errno.EEXIST, errno.EBUSY}:
            raise
