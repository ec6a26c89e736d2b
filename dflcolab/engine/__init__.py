"""The machinery of training: checkpoints, history, precision."""
