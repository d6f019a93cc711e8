"""The benchmark behind `make bench`: Portway and its peers side by side, in one run, on one core each.

Read it in this order: `scenario` (what is measured), `peers` (who is measured, and how each is configured), `lane`
(one proxy that runs for one scenario), `burst` (one measurement of it), `rounds` (the order of all of them), `results`
(medians and ratios), `aims` (what Portway has to reach), and `table`, `record` and `chart` (how it is shown).
`l4` is a part of its own, with the same modules for TCP and UDP routes.
"""
