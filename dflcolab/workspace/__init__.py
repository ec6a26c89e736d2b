"""Where things live: the folder layout, its manifest, rights record and trash."""
