"""`python -m dflcolab` does what the `dflcolab` command does."""

from __future__ import annotations

import sys

from dflcolab.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
