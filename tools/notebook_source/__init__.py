"""Writes `notebooks/*.ipynb`, in English and Japanese, from one source.

    .venv/bin/python -m tools.notebook_source

`cells_*.py` hold every cell once, with its texts in both languages side by side; `books.py` says which cells
make up which notebook; `parts.py` turns that into notebook files. Code, names and choices are the
same in both languages. A test compares the files with what this writes.
"""
