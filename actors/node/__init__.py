"""One node, as its supervisor keeps it: processes, leases, calls that begin, go on elsewhere and end, tools."""
