"""Where carriers bring audio: the gateway of a node, and the lines that it holds."""
