# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Files of the node: read, replaced whole, removed."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from pathlib import Path
from typing import Optional


def read(path: str) -> str | None:
    """A file's text, or nothing when there is no such file."""
    try:
        return Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def write(path: str, text: str, mode: int = 0o644, owner: Optional[tuple[int, int]] = None) -> None:
    """Replace a file whole: whoever reads it sees the old text or the new one, after a crash too.

    :param owner: user and group by number; this process's own when there is none.
    """
    target = Path(path)
    if not target.parent.is_dir():
        target.parent.mkdir(parents=True)
        _sync_folder(target.parent.parent)
    descriptor, name = tempfile.mkstemp(dir=str(target.parent), prefix=f".{target.name}.")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        os.fchmod(file.fileno(), mode)
        if owner:
            os.fchown(file.fileno(), *owner)
        file.flush()
        os.fsync(file.fileno())
    Path(name).replace(target)
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    """A rename is on disk only when its folder is (rename(2), fsync(2))."""
    descriptor = os.open(str(folder), os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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


def link(path: str, target: str) -> None:
    """Make a symbolic link, or turn it there; whoever follows it comes to the old place or the new one."""
    place = Path(path)
    if place.is_symlink() and place.readlink() == Path(target):
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    temporary = place.with_name(f".{place.name}.new")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target)
    temporary.replace(place)
    _sync_folder(place.parent)


def replace(path: str, text: str) -> None:
    """Replace the text of a file that is there, with the mode and the owner that it has."""
    status = Path(path).stat()
    write(path, text, stat.S_IMODE(status.st_mode), owner=(status.st_uid, status.st_gid))
