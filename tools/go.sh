# shellcheck shell=bash
# A Go that is new enough for Kubernetes' libraries. Sourced, after env.sh.
#
# testbed/build has the same. To have it source this makes everything that it builds build anew, so that waits for the next change of
# its versions.

# provide_go MINOR: makes `go` one of at least 1.MINOR, that of $PORTWAY_TESTBED_GO if the system's is older. Such a one,
# Debian 12's for example, can fetch it as the module that it is served as, and so verify it.
provide_go() {
  local root=$PORTWAY_TOOLS/$PORTWAY_TESTBED_GO version system module
  export GOTOOLCHAIN=local
  version=$(cd / && go env GOVERSION)
  version=${version#go1.}
  [ "${version%%.*}" -lt "$1" ] || return 0
  if [ ! -x "$root/bin/go" ]; then
    echo "Fetching $PORTWAY_TESTBED_GO"
    system=$(cd / && go env GOOS)-$(cd / && go env GOARCH)
    module=$(cd / && GOFLAGS=-mod=mod go mod download -json "golang.org/toolchain@v0.0.1-$PORTWAY_TESTBED_GO.$system")
    mkdir -p "$PORTWAY_TOOLS"
    rm -rf "$root.unfinished"
    cp -r --no-preserve=mode "$(jq --raw-output .Dir <<<"$module")" "$root.unfinished"
    chmod +x "$root.unfinished"/bin/* "$root.unfinished"/pkg/tool/*/*
    mv "$root.unfinished" "$root"
  fi
  export GOROOT=$root PATH=$root/bin:$PATH
}
