"""Putting the predicted face into the frames: masks, colors, compositing, the resumable run."""
