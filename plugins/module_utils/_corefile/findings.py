# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""What is to be said about a Corefile: where, what was seen, what was expected, what to do."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ansible_collections.netops.kubernetes.plugins.module_utils._errors import sentence

REFUSED = "refused"
WARNING = "warning"
NOTE = "note"


@dataclass(frozen=True)
class Finding:
    """One thing about one line.

    :param level: ``refused`` (CoreDNS does not start, or keeps the Corefile from before), ``warning`` (it takes the
        text and does something else than its reader thinks) or ``note``.
    :param file: the Corefile, or the file that it imports.
    :param line: from 1; 0 for the whole file.
    :param plugin: which plugin it is about; empty for none.
    :param id: a name of its kind that stays the same from release to release; empty for what is refused.
    """

    level: str
    file: str
    line: int
    seen: str
    plugin: str = ""
    expected: str = ""
    remedy: str = ""
    id: str = ""

    @property
    def text(self) -> str:
        """One sentence."""
        where = f"{self.file}:{self.line}" if self.line else self.file
        said = f"{where}: {f'plugin {self.plugin}: ' if self.plugin else ''}{self.seen}"
        if self.expected:
            said += f"; expected {self.expected}"
        return sentence(said) + (f" {sentence(self.remedy)}" if self.remedy else "")

    def to_output(self) -> dict[str, Any]:
        """The same as plain values, with the sentence."""
        return {**asdict(self), "text": self.text}
