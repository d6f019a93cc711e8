# shellcheck shell=bash
# Where builds, caches and test tools live: outside of the checkout, so that a fresh clone is
# quick and `git clean` costs nothing. The Makefile and every script here source this file; so may
# you, before a bare `cargo` command: `. tools/env.sh`. Every setting may be overridden from outside.

PORTWAY_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export PORTWAY_ROOT
export PORTWAY_CACHE=${PORTWAY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/portway}
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PORTWAY_CACHE/target}

# Versions of what the tests use. Each stands in its tool's path, so that a new version is
# installed beside the old one and two checkouts do not fight over one folder.
export PORTWAY_TOOLS=${PORTWAY_TOOLS:-$PORTWAY_CACHE/tools}
export PORTWAY_GATEWAY_API_VERSION=1.7.0
export PORTWAY_POLICY_API_VERSION=0.2.0
export PORTWAY_CARGO_DENY_VERSION=0.20.2
h2spec_pin=$(sha256sum <"$PORTWAY_ROOT/tools/h2spec/go.sum" | cut -c 1-8)
cyclonus_pin=$(cat "$PORTWAY_ROOT"/tools/cyclonus/{go.mod,go.sum,main.go} | sha256sum | cut -c 1-8)
testbed_pin=$(cat "$PORTWAY_ROOT"/testbed/{build,pause.c,go/go.mod,go/go.sum,go/*.go,go/{kube,coredns}/*.go} | sha256sum | cut -c 1-8)
conformance_pin=$(find "$PORTWAY_ROOT"/testbed/{build,go/go.mod,go/go.sum,go/conformance,go/authserver} -type f | LC_ALL=C sort |
  xargs cat | sha256sum | cut -c 1-8)
python_pin=$(sha256sum <"$PORTWAY_ROOT/tools/requirements.txt" | cut -c 1-8)

# The CRDs of the Gateway API, which a test holds portway-api's types against.
export PORTWAY_CRDS=${PORTWAY_CRDS:-$PORTWAY_TOOLS/gateway-api-$PORTWAY_GATEWAY_API_VERSION/config/crd}
# The CRDs of the network policy API, which ClusterNetworkPolicies are held against.
export PORTWAY_POLICY_CRDS=${PORTWAY_POLICY_CRDS:-$PORTWAY_TOOLS/network-policy-api-$PORTWAY_POLICY_API_VERSION/config/crd}
# HTTP/2 conformance.
export PORTWAY_H2SPEC=${PORTWAY_H2SPEC:-$PORTWAY_TOOLS/h2spec-$h2spec_pin/h2spec}
# The cases of cyclonus, which network policy is held to: JSON that tools/cyclonus prints.
export PORTWAY_CYCLONUS_CASES=${PORTWAY_CYCLONUS_CASES:-$PORTWAY_TOOLS/cyclonus-$cyclonus_pin/cases.json}
# A Python with the clients and servers that the tests talk to (tools/requirements.txt).
export PORTWAY_PYTHON=${PORTWAY_PYTHON:-$PORTWAY_TOOLS/python-$python_pin/bin/python}
# Licences, sources and bans of what we depend on.
export PORTWAY_CARGO_DENY=${PORTWAY_CARGO_DENY:-$PORTWAY_TOOLS/cargo-deny-$PORTWAY_CARGO_DENY_VERSION/bin/cargo-deny}
# What clusters are made of (testbed/build), and the conformance tests, which change more often; the Go that builds both.
export PORTWAY_TESTBED_GO=go1.27.0
export PORTWAY_TESTBED=${PORTWAY_TESTBED:-$PORTWAY_TOOLS/testbed-$testbed_pin}
export PORTWAY_CONFORMANCE=${PORTWAY_CONFORMANCE:-$PORTWAY_TOOLS/conformance-$conformance_pin}
unset h2spec_pin cyclonus_pin python_pin testbed_pin conformance_pin
