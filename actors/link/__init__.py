"""The link between processes: a stream of msgpack arrays, dialled again when it breaks, and lasting ones."""
