"""The part of the benchmark about layer 4: what a TCP and a UDP route cost on a node between clients and pods.

Read it in this order: `scenario` (what is measured), `network` (client, nodes and pod, each a network namespace),
`balancers` (who is measured), `lane` (one of them on a node of its own), `load` (load generators and servers), `burst`
(one measurement), `rounds` (the order of all), `results`, `aims` and `table`; `part` runs it all.
"""
