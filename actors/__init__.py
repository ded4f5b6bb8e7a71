"""Runs calls: the call actor with its ears and voice, agent hosts, the supervisor of a node, journal, leases, links."""
