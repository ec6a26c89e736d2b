"""The verbs. The only place where stages meet."""
