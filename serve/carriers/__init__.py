"""One file a carrier: how it words things. No sockets, no clocks; the gateway and the webhooks have those."""
