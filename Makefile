# What one does with this checkout. `make help` tells; the scripts do it.

ARCHS ?= amd64 arm64
RELEASE_ARCHS := amd64 arm64 ppc64le riscv64 s390x
BIN := plugins/plugin_utils/_bin
LINK := .cache/ansible_collections/curationexperts/sidekiq
SETUP := .venv/complete $(LINK)

export PATH := $(CURDIR)/.venv/bin:$(PATH)
export ANSIBLE_COLLECTIONS_PATH := $(CURDIR)/.cache

help: ## tell what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: build $(SETUP) ## see Sidekiq run under systemd on a throw-away host, by one play; APP=rails: with a Rails application
	APP=$(APP) scripts/demo

demo-clean: ## remove the demo's host
	scripts/demo clean

test: build $(SETUP) ## lint, unit tests, tests on hosts and scenarios; ONLY=tests/booted/test_sudo.py: one of them
	scripts/test $(or $(ONLY),lint unit booted scenarios)

test-all: build $(SETUP) .cache/bench-venv/complete .cache/release-venv/complete ## the same on all systems, and what takes long; ONLY, SUITES: part of it
	LONG=1 SUITES="$(or $(SUITES),all)" scripts/test $(or $(ONLY),lint unit booted scenarios galaxy cores)

test-plan: ## list what test-all would run, and how long that took when it last passed here
	PLAN=1 LONG=1 SUITES="$(or $(SUITES),all)" scripts/test $(or $(ONLY),lint unit booted scenarios galaxy cores)

lint: $(SETUP) ## only look at the sources
	scripts/test lint

bench: build $(SETUP) .cache/bench-venv/complete ## measure how long a play takes, beside ordinary tasks (about an hour)
	.cache/bench-venv/bin/python benchmarks/bench.py

build: $(BIN)/SHA256SUMS ## compile the program for ARCHS (amd64 arm64)

generate: ## write what follows from the documentation of the modules: the program's tables, the role's files
	go run ./module_src/internal/generate

options: $(SETUP) ## tell what an option or a result that is declared lacks, in seconds
	scripts/test options

docs: build $(SETUP) .cache/release-venv/complete ## write the documentation as HTML, into .cache/docs
	scripts/docs

collection: .venv/complete ## make the release tarball, with the program for every architecture that the collection knows
	@git diff --quiet HEAD || { echo "A release is made of what is committed: commit first." >&2; exit 1; }
	scripts/build $(BIN) $(RELEASE_ARCHS)
	scripts/collection

requirements: ## pin the newest Python packages that requirements/*.in allow
	scripts/pin-requirements

clean: demo-clean ## remove the demo's host and everything that was built
	rm -rf .ansible .cache .venv $(BIN) *.tar.gz

$(BIN)/SHA256SUMS: $(shell find module_src -name '*.go' -not -name '*_test.go') go.mod go.sum galaxy.yml scripts/build
	scripts/build $(BIN) $(ARCHS)

.venv/complete: requirements/test.txt scripts/setup-python
	scripts/setup-python $< $@

.cache/%-venv/complete: requirements/%.txt scripts/setup-python
	mkdir -p $(@D)
	scripts/setup-python $< $@

# The collection is found under its name, wherever the checkout is.
$(LINK):
	mkdir -p $(@D)
	ln -sfn ../../.. $@

.PHONY: help demo demo-clean test test-all test-plan lint bench build generate options docs collection requirements clean
