"""Places calls on the nodes of a cluster: the director, capacity, drain."""
