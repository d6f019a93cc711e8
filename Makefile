# Every target is one script under tools/ or one cargo command, with the settings of tools/env.sh.
# Builds and tools go to a cache outside of the checkout ($PORTWAY_CACHE, by default ~/.cache/portway).

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help run check test test-all bench bench-control fmt examples man advisories setup cluster cluster-down conformance cluster-tests manifest

ENV := . tools/env.sh;
# What `make run` serves, and how far from their own numbers its ports are opened.
DIR ?= examples/my-app
PORT_OFFSET ?= 8000
# How many nodes `make cluster` starts.
NODES ?= 2

help: ## This list
	@echo "Portway: make TARGET"
	@echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

run: ## Build Portway and serve examples/my-app (another directory: DIR=...) on port 80 + 8000
	@$(ENV) tools/setup run; \
	cargo build --release --bin portway; \
	exec "$$CARGO_TARGET_DIR/release/portway" run "$(DIR)" --demo-backends --port-offset $(PORT_OFFSET)

check: ## Layout, lints and unit tests, as any user: before each commit
	@tools/verify check

test: ## Every test, with what they need installed first: before each push (root)
	@tools/verify test

test-all: ## The same, and the tests that take minutes, and a short benchmark (root)
	@tools/verify test-all

bench: ## Portway beside other proxies, on this machine (layer 4 needs root)
	@$(ENV) tools/setup bench; \
	tools/build-dist; \
	bench/run

bench-control: ## What a change costs beside 5,000 routes, in a cluster of its own (root; ARGS=--help for options)
	@$(ENV) tools/setup cluster; \
	cargo build --release --bin portway; \
	bench/control $(ARGS)

fmt: ## Lay out all Rust and C
	@$(ENV) tools/setup check; \
	cargo fmt --all; \
	git ls-files -- '*.c' '*.h' | xargs --no-run-if-empty "$$(dirname "$$PORTWAY_PYTHON")/clang-format" -i

examples: ## Serve every example and send it the requests that it lists
	@$(ENV) tools/setup test; \
	cargo test --package portway --test examples

cluster: ## A Kubernetes cluster on this machine, with Portway in it (root; NODES=2, TESTBED_NAME=portway)
	@$(ENV) tools/setup cluster; \
	cargo build --release --bin portway; \
	testbed/cluster up --nodes $(NODES) >/dev/null; \
	testbed/cluster install

cluster-down: ## End that cluster, and remove every trace of it
	@testbed/cluster down

conformance: ## The official Gateway API conformance suite on a cluster of its own (RUN=TEST, KEEP=1, CLUSTER=NAME)
	@$(ENV) tools/setup cluster; \
	cargo build --release --bin portway; \
	testbed/conformance $(if $(RUN),--run $(RUN)) $(if $(KEEP),--keep) $(if $(CLUSTER),--cluster $(CLUSTER))

cluster-tests: ## Portway under load in a cluster of its own, while things change, crash and go away (root)
	@$(ENV) tools/setup cluster; \
	cargo build --release --bin portway; \
	testbed/test portway

manifest: ## deploy/portway.yaml out of the Helm chart
	@$(ENV) tools/setup cluster; \
	tools/manifest

man: ## Man pages and shell completions, to share/ in the target folder
	@$(ENV) cargo build --quiet --bin portway; \
	portway="$$CARGO_TARGET_DIR/debug/portway" share="$$CARGO_TARGET_DIR/share"; \
	mkdir -p "$$share/man/man1" "$$share/completions"; \
	"$$portway" man --directory "$$share/man/man1"; \
	for shell in bash fish zsh; do "$$portway" completions $$shell >"$$share/completions/portway.$$shell"; done; \
	echo "$$share"

advisories: ## Known holes in our dependencies, as of today (needs the network)
	@$(ENV) tools/setup test; \
	"$$PORTWAY_CARGO_DENY" --locked check advisories

setup: ## Install whatever building, testing and measuring need
	@tools/setup bench
	@tools/setup cluster
