# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""What the kernel's nftables says without a program that asks it (nfnetlink, linux/netfilter/nf_tables.h)."""

from __future__ import annotations

import errno
import socket
import struct

NETLINK_NETFILTER = 12
NLM_F_REQUEST = 1
NLMSG_ERROR = 2
NFPROTO = {"inet": 1, "ip": 2, "arp": 3, "bridge": 7, "ip6": 10}
# NFNL_SUBSYS_NFTABLES in the upper byte, NFT_MSG_GETTABLE in the lower.
GET_TABLE = 10 << 8 | 1
NFTA_TABLE_NAME = 1
HEADER = struct.Struct("=IHHII")
PATIENCE = 2.0


def is_absent(family: str, table: str) -> bool:
    """Whether the kernel says that there is no such table; false as well when it says nothing.

    :param family: as nft(8) calls it.
    """
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as kernel:
            kernel.settimeout(PATIENCE)
            kernel.sendto(_question(family, table), (0, 0))
            answer = kernel.recv(65536)
    except OSError:
        return False
    return _error(answer) == -errno.ENOENT


def _question(family: str, table: str) -> bytes:
    name = table.encode() + b"\0"
    attribute = struct.pack("=HH", 4 + len(name), NFTA_TABLE_NAME) + name + b"\0" * (-len(name) % 4)
    # struct nfgenmsg: family, version, resource.
    body = struct.pack("=BBH", NFPROTO[family], 0, 0) + attribute
    return HEADER.pack(HEADER.size + len(body), GET_TABLE, NLM_F_REQUEST, 1, 0) + body


def _error(answer: bytes) -> int:
    """The error that a message is about; 0 when it is about none."""
    kind = HEADER.unpack_from(answer)[1]
    return int(struct.unpack_from("=i", answer, HEADER.size)[0]) if kind == NLMSG_ERROR else 0
