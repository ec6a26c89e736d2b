"""Networks that judge faces or codes while a model trains; merging does not need them."""
