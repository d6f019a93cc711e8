"""Tests of Portway in a cluster, under load from outside of it."""
