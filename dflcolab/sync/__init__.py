"""Copies of a workspace on a remote, each verified."""
