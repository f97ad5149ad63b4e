# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""What CoreDNS' plugin ``reload`` says of the Corefile that runs: a hash, made here of a text as it makes it.

``plugin/reload/reload.go`` hashes the JSON of what the parser gives: keys and words of each server block, each word
with its line. MD5 up to CoreDNS 1.7.0, SHA-512 since.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.load import depends_on_environment, load
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.tree import CorefileError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.load import Loaded, LoadedBlock

# Go's encoding/json writes these as escapes, so that its texts may stand in HTML and JavaScript.
_ESCAPED = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}


def fingerprints(text: str) -> frozenset[str]:
    """The hashes by which a CoreDNS of any version names a Corefile.

    Empty where nobody can know them from the text alone: it imports files, or has variables.
    """
    try:
        loaded = load(text)
    except CorefileError:
        return frozenset()
    if loaded.unseen or any(depends_on_environment(word) for word in _words(loaded)):
        return frozenset()
    encoded = _as_go_writes([_block(block) for block in loaded.blocks] or None).encode()
    return frozenset({hashlib.sha512(encoded).hexdigest(), hashlib.md5(encoded, usedforsecurity=False).hexdigest()})


def _words(loaded: Loaded) -> list[str]:
    return [
        token.text
        for block in loaded.blocks
        for token in (*block.keys, *(token for tokens in block.plugins.values() for token in tokens))
    ]


def _block(block: LoadedBlock) -> Mapping[str, Any]:
    tokens = {
        name: [{"File": token.file, "Line": token.line, "Text": token.text} for token in block.plugins[name]]
        for name in sorted(block.plugins)
    }
    return {"Keys": [key.text for key in block.keys], "Tokens": tokens}


def _as_go_writes(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).translate(_ESCAPED)
