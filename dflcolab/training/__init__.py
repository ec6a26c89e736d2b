"""Stage: from facesets to a trained model."""
