"""Files that come with the package: numeric tables, models, the demo's clips."""
