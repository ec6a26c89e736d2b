"""Face-swap training for Google Colab, plain Jupyter and the command line.

The package is used through its verbs (`dflcolab.pipeline`), its command line
(`dflcolab --help`) and its notebooks. Importing it loads neither TensorFlow nor OpenCV.
"""

from __future__ import annotations

__version__ = "0.1.0"

__all__ = ["__version__"]
