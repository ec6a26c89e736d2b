"""XSeg: the network that learns to mask what covers a face."""
