"""How an installation is found and asked: from the web, from a gateway, from the command line."""
