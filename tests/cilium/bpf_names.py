# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs on a node, alone: the name of every BPF program and map in its kernel, one a line.

bpf(2) is called by its number, since a node has no program that asks it.
"""

from __future__ import annotations

import ctypes
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# x86-64's number, and commands of linux/bpf.h: the next id, a descriptor by id; and what is known of a descriptor.
SYSCALL = 321
NEXT_ID = {"program": 11, "map": 12}
DESCRIPTOR = {"program": 13, "map": 14}
DESCRIBE = 15
# Where a name begins in what the kernel tells (struct bpf_prog_info, struct bpf_map_info), and how long it can be.
NAME_AT = {"program": 64, "map": 24}
NAME_BYTES = 16
ROOM = 256

kernel = ctypes.CDLL(None, use_errno=True)


class Question(ctypes.Structure):
    """The beginning of ``union bpf_attr`` for these commands."""

    _fields_ = (("first", ctypes.c_uint32), ("second", ctypes.c_uint32), ("room", ctypes.c_uint64))


def asked(command: int, question: Question) -> int:
    return int(kernel.syscall(SYSCALL, command, ctypes.byref(question), ctypes.sizeof(question)))


def names(kind: str) -> Iterator[str]:
    """Names of all that are there; what goes away meanwhile is not."""
    here = 0
    while True:
        question = Question(here, 0, 0)
        if asked(NEXT_ID[kind], question) != 0:
            return
        here = question.second
        descriptor = asked(DESCRIPTOR[kind], Question(here, 0, 0))
        if descriptor < 0:
            continue
        told = ctypes.create_string_buffer(ROOM)
        if asked(DESCRIBE, Question(descriptor, ROOM, ctypes.addressof(told))) == 0:
            yield told.raw[NAME_AT[kind] : NAME_AT[kind] + NAME_BYTES].split(b"\0")[0].decode()
        os.close(descriptor)


if __name__ == "__main__":
    for one in NEXT_ID:
        for name in sorted(names(one)):
            print(one, name)
