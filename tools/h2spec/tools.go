//go:build tools

// Package tools makes the module depend on the command that it pins.
package tools

import _ "github.com/summerwind/h2spec/cmd/h2spec"
