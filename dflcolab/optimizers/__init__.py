"""DeepFaceLab's optimizers."""
