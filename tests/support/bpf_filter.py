# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A BPF program in front of a network device, attached as Cilium does it before Linux 6.6: by a filter that has a name.

``bpf_filter.py DEVICE DIRECTION NAME``; the program lets everything pass.
"""

from __future__ import annotations

import ctypes
import os
import platform
import subprocess
import sys
import tempfile

# bpf(2) has no function in the C library; its number is the architecture's.
BPF = {"x86_64": 321, "aarch64": 280}[platform.machine()]
PROG_LOAD, OBJ_PIN, SCHED_CLS = 5, 6, 3
# r0 = TC_ACT_OK; exit
PASS = bytes.fromhex("b7000000000000009500000000000000")


class Load(ctypes.Structure):
    """``union bpf_attr`` of BPF_PROG_LOAD (linux/bpf.h), its first fields."""

    _fields_ = (
        ("kind", ctypes.c_uint32),
        ("count", ctypes.c_uint32),
        ("instructions", ctypes.c_uint64),
        ("license", ctypes.c_uint64),
        ("rest", ctypes.c_uint8 * 104),
    )


class Pin(ctypes.Structure):
    """``union bpf_attr`` of BPF_OBJ_PIN."""

    _fields_ = (("path", ctypes.c_uint64), ("descriptor", ctypes.c_uint32), ("flags", ctypes.c_uint32))


def bpf(command: int, attributes: ctypes.Structure) -> int:
    done = ctypes.CDLL(None, use_errno=True).syscall(BPF, command, ctypes.byref(attributes), ctypes.sizeof(attributes))
    if done < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return int(done)


def address(content: ctypes.Array[ctypes.c_char]) -> int:
    return ctypes.cast(content, ctypes.c_void_p).value or 0


def main(device: str, direction: str, name: str) -> None:
    instructions, text = ctypes.create_string_buffer(PASS), ctypes.create_string_buffer(b"GPL")
    loaded = bpf(PROG_LOAD, Load(SCHED_CLS, len(PASS) // 8, address(instructions), address(text)))
    with tempfile.TemporaryDirectory() as folder:
        # What is mounted here is seen by nobody else: the caller is in a mount namespace of its own.
        subprocess.run(["mount", "-t", "bpf", "bpf", folder], check=True)
        path = f"{folder}/{name}"
        where = ctypes.create_string_buffer(path.encode())
        bpf(OBJ_PIN, Pin(address(where), loaded, 0))
        subprocess.run(["tc", "qdisc", "replace", "dev", device, "clsact"], check=True)
        words = ["tc", "filter", "add", "dev", device, direction, "bpf", "direct-action", "object-pinned", path]
        subprocess.run(words, check=True)
        subprocess.run(["umount", folder], check=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
