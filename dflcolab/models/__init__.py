"""Networks. They know no workspace and no files but weights."""
