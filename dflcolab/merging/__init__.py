"""Stage: from a trained model and frames to merged frames."""
