"""Videos, sound, picture sequences and their provenance marks."""
