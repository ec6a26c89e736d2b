"""Speed measurements with the script that made them; run with `make bench`."""
