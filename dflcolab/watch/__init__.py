"""The watch: what held-out faces tell about a training, in words. Holds no networks."""
