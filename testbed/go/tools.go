//go:build tools

// Package testbed makes the module depend on the commands that the testbed builds as they are.
package testbed

import (
	_ "helm.sh/helm/v4/cmd/helm"
	_ "sigs.k8s.io/gateway-api-conformance-images/echo-basic"
)
