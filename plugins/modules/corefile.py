#!/usr/bin/python
# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: corefile
short_description: Edit CoreDNS' Corefile without losing anything in it
version_added: 0.1.0
description:
  - Changes what is asked for in a Corefile and leaves every other byte, comments included, as it is.
  - Refuses to write a Corefile that CoreDNS of the version that runs would not take, arguments and options of its
    plugins included, and names the line.
  - The Corefile lives in a ConfigMap, or in a file for people who keep it elsewhere. A ConfigMap is written only over
    the version that was read, so that two editors at once lose nothing.
  - The first Corefile found is kept in an annotation of the ConfigMap; O(state=absent) gives it back.
  - Needs the verbs C(get) and C(update) on the ConfigMap. With C(list) on Deployments and DaemonSets of the namespace
    it finds the version of CoreDNS by itself.
author:
  - netops.kubernetes contributors (@netops-collections)
extends_documentation_fragment:
  - netops.kubernetes.attributes
  - netops.kubernetes.connection
options:
  namespace:
    description: Namespace of the ConfigMap.
    type: str
    default: kube-system
  name:
    description: Name of the ConfigMap; C(node-local-dns) is that of NodeLocal DNSCache.
    type: str
    default: coredns
  key:
    description: Which key of the ConfigMap holds the Corefile.
    type: str
    default: Corefile
  path:
    description: A Corefile on disk, instead of a ConfigMap. Files that it imports are looked at too.
    type: path
  backup:
    description: >-
      Keep the first text of O(path) beside it, with C(.before-netops) behind its name. A ConfigMap's is always kept.
    type: bool
    default: false
  provisional:
    description: >-
      Note on the ConfigMap what was there before, until M(netops.kubernetes.coredns_rollout) has proven that DNS
      answers with the new Corefile, or has given the old one back.
    type: bool
    default: false
  state:
    description: >-
      V(present) fulfils the wishes below; V(absent) gives back the Corefile from before the first edit, if the CoreDNS
      that is to read it takes it. Where somebody else has changed the ConfigMap since, that is refused without
      O(accept_loss).
    type: str
    choices: [present, absent]
    default: present
  version:
    description: >-
      The version of CoreDNS that must take the Corefile, or that is in O(image). By default it is read from the tag of
      O(image), or of the image of the workload that mounts the ConfigMap. Where that does not tell, as with digests and
      NodeLocal DNSCache, the Corefile is held against the newest version that is known, with a warning.
    type: str
  image:
    description: >-
      The image of the CoreDNS that is to read the Corefile. It is brought from the version that runs to that of the
      image's tag before the other wishes, as with O(migrate_from) and O(version), which say what tags do not.
    type: str
  migrate_from:
    description: >-
      The version of CoreDNS that the Corefile was written for. It is brought to O(version) before the other wishes,
      up or down. With O(state=absent), that of the first Corefile.
    type: str
  accept_loss:
    description: >-
      Migrate even where O(version) cannot do what the Corefile says, and that is taken out. Without it, such a
      migration fails and names what would be lost. With O(state=absent), also undo what others have written.
    type: bool
    default: false
  content:
    description: A whole Corefile. The other wishes are applied to it.
    type: str
  zone:
    description: The server block that the wishes below are about.
    type: str
    default: .
  upstreams:
    description: Where names outside the cluster are asked for, plugin C(forward).
    type: dict
    suboptions:
      servers:
        description: >-
          Addresses with or without a port, C(tls://) URLs, or the path of a resolv.conf; at most 15. Names, C(https://)
          and C(quic://) from CoreDNS 1.14.4, 1.14.5 and 1.15.0 on.
        type: list
        elements: str
      policy:
        description: Which server is asked first.
        type: str
        choices: [random, round_robin, sequential]
      max_concurrent:
        description: How many questions may wait for an answer at once; 0 means no limit.
        type: int
      tls:
        description: >-
          Files where CoreDNS runs, for servers reached by C(tls://): an authority; a certificate and its key; or all
          three, the authority last. An empty list trusts the system's authorities.
        type: list
        elements: str
      tls_servername:
        description: The name that servers reached by C(tls://) must prove.
        type: str
      health_check:
        description: >-
          How often a server that failed is looked at, such as V(5s); perhaps with C(no_rec) or C(domain NAME) behind
          it.
        type: str
      state:
        description: V(absent) takes the C(forward) of all names out.
        type: str
        choices: [present, absent]
        default: present
  cache:
    description: For how long answers are kept, plugin C(cache). What is not named stays.
    type: dict
    suboptions:
      ttl:
        description: Seconds at most.
        type: int
      success:
        description: How many answers that say something are kept, and for how long, such as V(9984 30).
        type: str
      denial:
        description: Likewise for answers that say that there is nothing.
        type: str
      prefetch:
        description: Which answers are asked for again before they end, such as V(10 1m 10%).
        type: str
      serve_stale:
        description: For how long answers are given that have ended, and how they are renewed, such as V(1h immediate).
        type: str
      servfail:
        description: For how long failures are kept, such as V(5s); V(0) for not at all.
        type: str
      state:
        description: V(absent) takes the cache out.
        type: str
        choices: [present, absent]
        default: present
  kubernetes:
    description: Names of the cluster itself, plugin C(kubernetes). What is not named stays.
    type: dict
    suboptions:
      zones:
        description: All zones that it answers for, such as V(cluster.local), V(in-addr.arpa) and V(ip6.arpa).
        type: list
        elements: str
      ttl:
        description: Seconds for which its answers are valid.
        type: int
      pods:
        description: How names of pods are answered.
        type: str
        choices: [disabled, insecure, verified]
      fallthrough:
        description: Zones whose other names are asked for further on. An empty list means all of them.
        type: list
        elements: str
  autopath:
    description: >-
      Whether CoreDNS follows pods' search paths itself, which costs memory: pods are watched. V(false) takes plugin
      C(autopath) out.
    type: bool
  hosts:
    description: Names that are answered from the Corefile itself, plugin C(hosts).
    type: list
    elements: dict
    suboptions:
      address:
        description: An IP address.
        type: str
        required: true
      names:
        description: Its names; required with O(hosts[].state=present).
        type: list
        elements: str
      state:
        description: V(absent) takes the address out.
        type: str
        choices: [present, absent]
        default: present
  log:
    description: Whether questions are logged. V(false) takes every plugin C(log) out.
    type: bool
  errors:
    description: Whether errors are logged. V(false) takes plugin C(errors) out.
    type: bool
  stub_domains:
    description: Zones that servers of their own answer.
    type: list
    elements: dict
    suboptions:
      domain:
        description: The zone.
        type: str
        required: true
      servers:
        description: Who answers for it; required with O(stub_domains[].state=present).
        type: list
        elements: str
      state:
        description: V(absent) takes the zone's server block out.
        type: str
        choices: [present, absent]
        default: present
  rewrites:
    description: >-
      Names that are asked for under another, plugin C(rewrite) for names. A rule is known by O(rewrites[].name) and
      O(rewrites[].match).
    type: list
    elements: dict
    suboptions:
      name:
        description: The name, or the part of it, that is asked for.
        type: str
        required: true
      target:
        description: What takes its place. With O(rewrites[].state=absent) a rule with another one stays.
        type: str
        required: true
      match:
        description: How the name is compared.
        type: str
        choices: [exact, prefix, suffix, substring, regex]
        default: exact
      answer:
        description: Whether the answer bears the name that was asked for.
        type: bool
        default: false
      state:
        description: V(absent) takes the rule out.
        type: str
        choices: [present, absent]
        default: present
  templates:
    description: >-
      Answers that are made from the question, plugin C(template), known by class, type, zones and patterns.
    type: list
    elements: dict
    suboptions:
      dns_class:
        description: The class.
        type: str
        default: IN
      type:
        description: The type, such as V(A) or V(ANY).
        type: str
        required: true
      zones:
        description: Where it applies; everywhere in the server block without them.
        type: list
        elements: str
      match:
        description: Patterns of names.
        type: list
        elements: str
      answers:
        description: Records, as Go's text/template writes them.
        type: list
        elements: str
      rcode:
        description: The answer's code, such as V(NXDOMAIN).
        type: str
      fallthrough:
        description: Whether other plugins are asked where no pattern matches.
        type: bool
        default: false
      state:
        description: >-
          V(absent) takes the use out; without O(templates[].match), all of this class, type and these zones.
        type: str
        choices: [present, absent]
        default: present
  acl:
    description: Who may ask for what, plugin C(acl), all of its rules in their order. An empty list takes it out.
    type: list
    elements: dict
    suboptions:
      action:
        description: What happens to questions that the rule is about.
        type: str
        choices: [allow, block, filter, drop]
        required: true
      types:
        description: Types of records; all without them.
        type: list
        elements: str
      networks:
        description: Addresses or networks that ask; all without them.
        type: list
        elements: str
  dns64:
    description: IPv6 addresses for names that have none, plugin C(dns64).
    type: dict
    suboptions:
      prefix:
        description: The network in which they lie.
        type: str
      translate_all:
        description: For names that have one, too.
        type: bool
      allow_ipv4:
        description: For who asks over IPv4, too.
        type: bool
      state:
        description: V(absent) takes the plugin out.
        type: str
        choices: [present, absent]
        default: present
  plugins:
    description: Any plugin of the server block O(zone), in a general form.
    type: list
    elements: dict
    suboptions: &plugin
      name:
        description: The plugin.
        type: str
        required: true
      arguments:
        description: >-
          What stands behind its name. Where a plugin may stand several times, it tells which use is meant; C(forward)
          by its first argument, C(rewrite), C(template), C(acl), C(log) and their like by all, C(template) by its
          patterns too. Without it, arguments that are there stay.
        type: list
        elements: str
      options:
        description: >-
          Words by option, as a text or a list; a list of lists for an option of several lines; null removes the
          option. All lines of an option are meant. Other options stay as they are.
        type: dict
      lines:
        description: The whole block, line by line, for options that stand several times. Lines that are equal stay.
        type: list
        elements: str
      before:
        description: >-
          The plugin of the same block right before which it stands, with the comment above it: its name, and its
          arguments where there are several. CoreDNS goes by the order where one plugin stands several times, as
          C(rewrite) does.
        type: str
      state:
        description: V(absent) takes the plugin out; without O(plugins[].arguments), all of its uses.
        type: str
        choices: [present, absent]
        default: present
  zones:
    description: Further server blocks. What a block has beyond these plugins stays.
    type: list
    elements: dict
    suboptions:
      zone:
        description: The zone, with a scheme and a port if wanted.
        type: str
        required: true
      plugins:
        description: Its plugins, in the form of O(plugins).
        type: list
        elements: dict
        suboptions: *plugin
      before:
        description: The zone right before whose server block this one stands.
        type: str
      state:
        description: V(absent) takes the block out; of a block with several zones only this one goes.
        type: str
        choices: [present, absent]
        default: present
  external_plugins:
    description: Names of plugins that the running CoreDNS has beyond its own. Their arguments are not looked at.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Ask two resolvers in turn and keep answers for five minutes
  netops.kubernetes.corefile:
    upstreams:
      servers: [192.0.2.53, 192.0.2.54]
      policy: sequential
    cache:
      ttl: 300
    stub_domains:
      - domain: corp.example.com
        servers: [198.51.100.53]
    hosts:
      - address: 192.0.2.10
        names: [registry.example.com]

- name: Rewrite a name, and refuse questions of one network
  netops.kubernetes.corefile:
    rewrites:
      - name: old.example.com
        target: new.example.com
    acl:
      - action: block
        networks: [198.51.100.0/24]

- name: Prepare a Corefile in git for the next CoreDNS
  netops.kubernetes.corefile:
    path: "{{ playbook_dir }}/Corefile"
    migrate_from: 1.7.0
    version: 1.14.2

- name: Give back the Corefile from before
  netops.kubernetes.corefile:
    state: absent
"""

RETURN = r"""
corefile:
  description: The Corefile as it is now, or would be in check mode.
  returned: success
  type: str
  sample: ".:53 {\n    errors\n}\n"
version:
  description: The version of CoreDNS that the Corefile was held against.
  returned: success
  type: str
  sample: 1.14.2
digest:
  description: A short name of the text, for M(netops.kubernetes.coredns_rollout).
  returned: success
  type: str
  sample: 5f1a0c2b9d3e4f60
forwarded:
  description: >-
    Zones for which the wishes name servers, be it by O(upstreams), O(stub_domains), O(plugins), O(zones) or O(content),
    as the Corefile has them now; for M(netops.kubernetes.coredns_rollout). A dot stands for all other names.
  returned: success
  type: list
  elements: str
  sample: [., corp.example.com]
migration:
  description: What the migration did, step by step.
  returned: when O(migrate_from) or O(image) is given
  type: list
  elements: dict
  sample: []
api_requests:
  description: How many requests were sent to the API server.
  returned: success
  type: int
  sample: 4
"""

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.task import run_edit
from ansible_collections.netops.kubernetes.plugins.module_utils._corefile.wishes import (
    ACL_ACTIONS,
    CACHE_OPTIONS,
    MATCHES,
    POD_MODES,
    POLICIES,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._edge import run
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import connect
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.connection import argument_spec


def plugin_spec() -> dict[str, Any]:
    return {
        "name": {"type": "str", "required": True},
        "arguments": {"type": "list", "elements": "str"},
        "options": {"type": "dict"},
        "lines": {"type": "list", "elements": "str"},
        "before": {"type": "str"},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    }


def wishes_spec() -> dict[str, Any]:
    presence = {"type": "str", "choices": ["present", "absent"], "default": "present"}
    words = {"type": "list", "elements": "str"}
    upstreams = {
        "servers": {"type": "list", "elements": "str"},
        "policy": {"type": "str", "choices": list(POLICIES)},
        "max_concurrent": {"type": "int"},
        "tls": words,
        "tls_servername": {"type": "str"},
        "health_check": {"type": "str"},
        "state": presence,
    }
    cache = {"ttl": {"type": "int"}, **{name: {"type": "str"} for name in CACHE_OPTIONS}, "state": presence}
    kubernetes = {
        "zones": words,
        "ttl": {"type": "int"},
        "pods": {"type": "str", "choices": list(POD_MODES)},
        "fallthrough": words,
    }
    stub_domain = {"domain": {"type": "str", "required": True}, "servers": words, "state": presence}
    host = {"address": {"type": "str", "required": True}, "names": words, "state": presence}
    rewrite = {
        "name": {"type": "str", "required": True},
        "target": {"type": "str", "required": True},
        "match": {"type": "str", "choices": list(MATCHES), "default": "exact"},
        "answer": {"type": "bool", "default": False},
        "state": presence,
    }
    template = {
        "dns_class": {"type": "str", "default": "IN"},
        "type": {"type": "str", "required": True},
        "zones": words,
        "match": words,
        "answers": words,
        "rcode": {"type": "str"},
        "fallthrough": {"type": "bool", "default": False},
        "state": presence,
    }
    rule = {
        "action": {"type": "str", "choices": list(ACL_ACTIONS), "required": True},
        "types": words,
        "networks": words,
    }
    dns64 = {
        "prefix": {"type": "str"},
        "translate_all": {"type": "bool"},
        "allow_ipv4": {"type": "bool"},
        "state": presence,
    }
    zone = {
        "zone": {"type": "str", "required": True},
        "plugins": {"type": "list", "elements": "dict", "options": plugin_spec()},
        "before": {"type": "str"},
        "state": presence,
    }
    named = {"type": "list", "elements": "dict"}
    return {
        "zone": {"type": "str", "default": "."},
        "upstreams": {"type": "dict", "options": upstreams},
        "cache": {"type": "dict", "options": cache},
        "kubernetes": {"type": "dict", "options": kubernetes},
        "autopath": {"type": "bool"},
        "hosts": {**named, "options": host, "required_if": [("state", "present", ["names"])]},
        "log": {"type": "bool"},
        "errors": {"type": "bool"},
        "stub_domains": {**named, "options": stub_domain, "required_if": [("state", "present", ["servers"])]},
        "rewrites": {"type": "list", "elements": "dict", "options": rewrite},
        "templates": {"type": "list", "elements": "dict", "options": template},
        "acl": {"type": "list", "elements": "dict", "options": rule},
        "dns64": {"type": "dict", "options": dns64},
        "plugins": {"type": "list", "elements": "dict", "options": plugin_spec()},
        "zones": {"type": "list", "elements": "dict", "options": zone},
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **argument_spec(),
            "namespace": {"type": "str", "default": "kube-system"},
            "name": {"type": "str", "default": "coredns"},
            "key": {"type": "str", "default": "Corefile", "no_log": False},
            "path": {"type": "path"},
            "backup": {"type": "bool", "default": False},
            "provisional": {"type": "bool", "default": False},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "version": {"type": "str"},
            "image": {"type": "str"},
            "migrate_from": {"type": "str"},
            "accept_loss": {"type": "bool", "default": False},
            "content": {"type": "str"},
            **wishes_spec(),
            "external_plugins": {"type": "list", "elements": "str", "default": []},
        },
        mutually_exclusive=[("image", "path")],
        supports_check_mode=True,
    )

    def job() -> dict[str, Any]:
        place = module.params["path"]
        result, warnings = run_edit(
            module.params,
            client=None if place else connect(module.params),
            path=Path(place) if place else None,
            check=module.check_mode,
        )
        for warning in warnings:
            module.warn(warning)
        return result

    run(module, job)


if __name__ == "__main__":
    main()
