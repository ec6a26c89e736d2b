"""Masks: what is learned from labels, and how it gets into the faces."""
