"""Folders and packs of faces: listing, loading, sorting, cleaning, splitting."""
