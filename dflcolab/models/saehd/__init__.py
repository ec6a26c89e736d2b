"""SAEHD: df and liae with all their letters."""
