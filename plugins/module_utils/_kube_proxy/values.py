# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""Single values of kube-proxy's configuration, judged as kube-proxy judges them.

Each judge gets a value and the minor version of Kubernetes, and says what is wrong; nothing when nothing is.

The rules: pkg/proxy/apis/config/validation/validation.go (Kubernetes 1.36 and 1.37), Go's time.ParseDuration and
net.SplitHostPort.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Any, Optional

if TYPE_CHECKING:
    from collections.abc import Callable

Value = Any

UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h)")
DURATION = re.compile(rf"[+-]?(?:0|(?:{PART.pattern})+)")
INT32 = 2**31
# Keywords beside networks in nodePortAddresses, by the first minor version that knows them.
NODE_PORT_KEYWORDS = {"primary": 29, "localhost": 37, "all": 37}


def seconds(text: Value) -> float | None:
    """A duration of Go in seconds; nothing when it is none. Null counts as 0, as Go's zero value does."""
    if text is None:
        return 0.0
    if not isinstance(text, str) or not DURATION.fullmatch(text):
        return None
    total = sum(float(number) * UNITS[unit] for number, unit in PART.findall(text))
    return -total if text.startswith("-") else total


def duration(value: Value, _minor: int) -> str:
    """A duration, such as ``1m30s``."""
    return "" if seconds(value) is not None else "it is no duration; expected one such as 30s, 1m30s or 0s"


def span(value: Value, _minor: int) -> str:
    """A duration that is not negative."""
    length = seconds(value)
    if length is None:
        return duration(value, 0)
    return "it is negative; expected 0s or more" if length < 0 else ""


def truth(value: Value, _minor: int) -> str:
    """A truth value."""
    return "" if isinstance(value, bool) else "it is no truth value; expected true or false"


def number(least: int, most: int = INT32 - 1) -> Callable[[Value, int], str]:
    """A whole number within bounds."""

    def judge(value: Value, _minor: int) -> str:
        if not isinstance(value, int) or isinstance(value, bool):
            return f"it is no whole number; expected {least} to {most}"
        return "" if least <= value <= most else f"it is out of bounds; expected {least} to {most}"

    return judge


def word(*words: str) -> Callable[[Value, int], str]:
    """One of some words."""

    def judge(value: Value, _minor: int) -> str:
        return (
            "" if value in words else f"it is unknown; expected one of {', '.join(one or 'nothing' for one in words)}"
        )

    return judge


def text(value: Value, _minor: int) -> str:
    """Any text but none."""
    return "" if isinstance(value, str) and value else "it is empty; expected a name"


def is_network(value: Value) -> bool:
    """Whether Go's net.ParseCIDR reads it: an address and a length; bits of the host may be set."""
    if not isinstance(value, str) or value.count("/") != 1 or not value.partition("/")[2].isdigit():
        return False
    try:
        ipaddress.ip_interface(value)
    except ValueError:
        return False
    return True


def networks(value: Value, _minor: int) -> str:
    """A list of networks."""
    if not isinstance(value, list):
        return "it is no list; expected networks such as 192.0.2.0/24"
    wrong = [repr(one) for one in value if not is_network(one)]
    return f"{', '.join(wrong)} is no network; expected one such as 192.0.2.0/24 or 2001:db8::/32" if wrong else ""


def node_port_addresses(value: Value, minor: int) -> str:
    """A list of networks, or of keywords: before 1.37 ``primary`` alone, then also ``localhost`` and ``all``."""
    if not isinstance(value, list):
        return networks(value, minor)
    known = [keyword for keyword, since in NODE_PORT_KEYWORDS.items() if minor >= since]
    later = [one for one in value if one in NODE_PORT_KEYWORDS and one not in known]
    if later:
        return f"{later[0]!r} is a keyword since Kubernetes 1.{NODE_PORT_KEYWORDS[later[0]]}, and this is 1.{minor}"
    keywords = [one for one in value if one in known]
    if minor < NODE_PORT_KEYWORDS["all"] and keywords and len(value) > 1:
        return "'primary' stands beside others; expected it alone, or networks"
    if len(set(keywords)) < len(keywords):
        return "a keyword stands there twice"
    return networks([one for one in value if one not in known], minor)


def cluster_cidrs(value: Value, _minor: int) -> str:
    """One network, or one of each family, with a comma between them."""
    if not isinstance(value, str):
        return "it is no text; expected a network, or two with a comma between them"
    if not value:
        return ""
    parts = value.split(",")
    if not all(map(is_network, parts)):
        return networks(parts, 0)
    families = {ipaddress.ip_interface(one).version for one in parts}
    if len(parts) > 2 or len(parts) != len(families):
        return "expected one network, or one of IPv4 and one of IPv6"
    return ""


def endpoint(value: Value, _minor: int) -> str:
    """An address with a port, such as ``127.0.0.1:10249`` or ``[::1]:10249``; alone it gets kube-proxy's port."""
    if not isinstance(value, str):
        return "it is no text; expected an address and a port, such as 127.0.0.1:10249"
    parts = host_and_port(value)
    if parts is None:
        return "it is neither an address nor an address with a port; expected one such as 127.0.0.1:10249"
    host, port = parts
    if not _is_address(host):
        return f"its host {host!r} is no address"
    if port is not None and (not re.fullmatch(r"[+]?\d+", port) or not 1 <= int(port) <= 65535):
        return f"its port {port!r} is none; expected 1 to 65535"
    return ""


def host_and_port(value: str) -> Optional[tuple[str, Optional[str]]]:
    """The parts of an address with a port, which may be left out; nothing where it is no such. Neither is judged."""
    # An IPv6 address needs its brackets only when a port follows.
    if _is_address(value):
        return value, None
    found = re.fullmatch(r"(?:\[([^\[\]]*)\]|([^:\[\]]*)):([^:]*)", value)
    return (found[1] if found[1] is not None else found[2], found[3]) if found else None


def _is_address(host: str) -> bool:
    try:
        return bool(ipaddress.ip_address(host)) and "%" not in host
    except ValueError:
        return False
