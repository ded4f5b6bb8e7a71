"""What the parts of this folder say to each other, errors among them."""
