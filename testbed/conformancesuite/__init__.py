"""The official Gateway API conformance suite, run against Portway on a cluster of the testbed."""
