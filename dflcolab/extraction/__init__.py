"""Stage: from videos and frames to aligned faces."""
