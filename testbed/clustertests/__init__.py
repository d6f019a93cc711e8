"""Tests that start clusters: root, everything that `tools/setup cluster` installs, and about a minute."""
