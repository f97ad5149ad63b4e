# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rich rules of firewalld, written and read back; firewalld itself is asked by the tests on machines."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.backends import firewalld
from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.ruleset import Settings, intended
from hypothesis import given, settings
from tests.support.plans import plans

if TYPE_CHECKING:
    from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.plan import Plan
    from ansible_collections.netops.kubernetes.plugins.module_utils._firewall.ruleset import Ruleset


def reported(wanted: Ruleset) -> str:
    """What firewalld says when it has what is wanted; the table of NodePorts is nft's to print."""
    rules = {name: [rule.words() for rule in some] for name, some in firewalld.rules_for(wanted).items()}
    return json.dumps({"rules": rules, "sets": firewalld.sets_for(wanted), "table": ""})


@settings(max_examples=60, deadline=None)
@given(plans())
def test_what_is_written_is_read_back(made: Plan) -> None:
    wanted = intended(made, Settings("drop", log=True), forwards=True)
    found = firewalld.parse(reported(wanted))
    assert found.strange == ()
    assert found.virtual == wanted.virtual
    assert (found.services, found.forwarded) == (wanted.services, wanted.forwarded)
    assert firewalld.by_type(found).admissions == firewalld.by_type(wanted).admissions
