"""Finding faces, their landmarks and identities; the content guard."""
