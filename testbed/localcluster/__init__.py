"""A real Kubernetes on one machine, each node in a network namespace of its own. docs/testbed.md tells how it works.

Needs root and nothing that stays: whatever a cluster makes is noted in its state directory before it is made, and
`down` removes it from there.
"""
