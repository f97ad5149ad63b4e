# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

PYTHON ?= python3
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/netops.kubernetes
digest = $(shell (cat $(1); $(PYTHON) -VV; echo "$(2)") | sha256sum | cut -c1-12)
VENV := $(CACHE)/venv/dev-$(call digest,tests/requirements/dev.txt)
IMPORTER := $(CACHE)/venv/importer-$(call digest,tests/requirements/importer.txt)
PEERS := $(CACHE)/venv/peers-$(call digest,tests/requirements/peers.txt)
COLLECTIONS := $(CACHE)/venv/collections-$(call digest,tests/requirements/collections.txt)
# Ansible and Python both find a collection only below ansible_collections/NAMESPACE/NAME.
TREE := $(CACHE)/tree/$(call digest,/dev/null,$(CURDIR))
COLLECTION := $(TREE)/ansible_collections/netops/kubernetes

export PATH := $(VENV)/bin:$(PATH)
export PYTHONPATH := $(TREE)
export MYPYPATH := $(TREE)
export ANSIBLE_COLLECTIONS_PATH := $(TREE)

.PHONY: help
help: ## What can be made here
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

# The folder is named after the content of the lock file, whose date says nothing.
$(VENV)/ready:
	@tests/gates/environment $(PYTHON) $(VENV) tests/requirements/dev.txt

$(IMPORTER)/ready:
	@tests/gates/environment $(PYTHON) $(IMPORTER) tests/requirements/importer.txt

$(PEERS)/ready:
	@tests/gates/environment $(PYTHON) $(PEERS) tests/requirements/peers.txt

$(COLLECTIONS)/ready:
	@tests/gates/environment $(PYTHON) $(COLLECTIONS) tests/requirements/collections.txt

$(COLLECTION):
	@mkdir -p $(@D) && ln -sfn $(CURDIR) $@

.PHONY: tools
tools: $(VENV)/ready $(COLLECTION)

.PHONY: environment
environment: tools ## The developers' environment, as settings for a shell
	@echo "PATH=$(VENV)/bin:\$$PATH PYTHONPATH=$(TREE) MYPYPATH=$(TREE) ANSIBLE_COLLECTIONS_PATH=$(TREE)"

.PHONY: check
check: tools ## Lint, types, unit tests: under two minutes
	ruff check .
	ruff format --check .
	yamllint --strict .
	mypy -p ansible_collections.netops.kubernetes.plugins
	mypy tests
	pytest -q -n 2 tests/unit

.PHONY: lock
lock: ## Pin the developers' tools anew
	$(PYTHON) -m venv $(CACHE)/venv/uv && $(CACHE)/venv/uv/bin/pip install --quiet uv
	for name in dev importer peers collections; do \
	  $(CACHE)/venv/uv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade \
	    --no-emit-index-url --no-annotate --custom-compile-command "make lock" \
	    -o tests/requirements/$$name.txt tests/requirements/$$name.in; \
	done

# ---- the test bed ------------------------------------------------------------------------------------------------

TESTBED := $(PYTHON) -m tests.testbed
INVENTORY = $(shell $(TESTBED) inventory)

.PHONY: testbed
testbed: ## Build the test bed: kernel, programs, disk, cluster
	$(TESTBED) bin >/dev/null
	$(TESTBED) build

.PHONY: api
api: tools ## The API ring of tests: a real kube-apiserver on loopback
	NETOPS_TESTBED_BIN=$$($(TESTBED) bin) pytest -q -n 2 --dist loadfile tests/api

.PHONY: peers
peers: tools $(PEERS)/ready ## Verdicts about policies beside those of another evaluator
	NETOPS_PEERS=$(PEERS) pytest -q tests/peers

.PHONY: browser
browser: tools ## The audit's page in a real Chromium, which it installs
	pytest -q tests/browser

.PHONY: fuzz
fuzz: tools $(PEERS)/ready ## At length: ten thousand random clusters, and Corefiles for SECONDS=240
	NETOPS_FUZZ_CLUSTERS=10000 pytest -q -n 2 tests/unit/plugins/module_utils/_policy/test_policy_differential.py
	NETOPS_FUZZ_CLUSTERS=3000 NETOPS_PEERS=$(PEERS) pytest -q tests/peers
	NETOPS_TESTBED_BIN=$$($(TESTBED) bin) $(PYTHON) -m tests.fuzz $(or $(SECONDS),240)

.PHONY: kernel
kernel: tools ## Node modules on this machine's own kernel, in network namespaces
	$(TESTBED) bin >/dev/null
	pytest -q tests/kernel

.PHONY: nodes
nodes: tools testbed ## The molecule ring: a real cluster of virtual machines
	$(TESTBED) build coredns-1.11.3
	pytest -q -n 2 --dist loadgroup tests/nodes
	tests/gates/scenarios default

.PHONY: long
long: tools testbed ## The rest on virtual machines, over three hours: kube-proxy, DNS, back-ends, policies, Calico, Flannel
	$(TESTBED) build calico-images flannel-older-images node-cache-double
	pytest -q tests/long
	tests/gates/scenarios firewall_nftables firewall_firewalld firewall_iptables firewall_ufw calico flannel

.PHONY: test-cilium
test-cilium: tools ## A real Cilium on emulated machines: installed, enforced, changed, taken away
	$(TESTBED) bin >/dev/null
	$(TESTBED) build guest-disk guest-kernel
	pytest -q -x --durations=0 --durations-min=1 tests/cilium
	tests/gates/cilium record

.PHONY: gates
gates: tools $(IMPORTER)/ready ## What a published collection must pass
	tests/gates/collection $(IMPORTER)

.PHONY: test
test: ## Everything: gates and all three rings
	tests/gates/everything

.PHONY: demo
demo: tools testbed ## A two-node cluster, its network provisioned and proven, left running
	tests/demo/run

.PHONY: bench
bench: tools testbed $(PEERS)/ready $(COLLECTIONS)/ready ## Measure against the peers, side by side
	NETOPS_COLLECTIONS=$(COLLECTIONS) NETOPS_TESTBED_BIN=$$($(TESTBED) bin) $(PYTHON) -m tests.bench
	NETOPS_COLLECTIONS=$(COLLECTIONS) $(PYTHON) -m tests.bench.firewall
	$(PYTHON) -m tests.bench.outage
	$(PYTHON) -m tests.bench.rollout
	$(PYTHON) -m tests.bench.scale
	NETOPS_COLLECTIONS=$(COLLECTIONS) NETOPS_TESTBED_BIN=$$($(TESTBED) bin) $(PYTHON) -m tests.bench.baseline
	NETOPS_PEERS=$(PEERS) $(PYTHON) -m tests.bench.policies
	$(TESTBED) build corefilemigration
	$(PYTHON) -m tests.bench.corefile

.PHONY: clean
clean: ## Stop the test bed and remove what no input refers to any more
	$(TESTBED) down
	$(TESTBED) gc
	rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis .ansible
