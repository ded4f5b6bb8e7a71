"""Dutch for offhook, as an example: small, whole, and cautious where it does not know."""
