"""Policy bundles on disk: read, checked, compared, begun."""
