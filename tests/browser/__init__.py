"""Tests that drive a real browser (Debian's Chromium) through Playwright. How to add one:

* **A widget's JavaScript alone** (seconds; the place for nearly everything): take the fixture
  `widget_page`. `shown = widget_page(WIDGET)` draws a real anywidget object, with its Python side
  answering, in a page of its own; `shown.page` is Playwright's page. `widget_page(esm=TEXT, css=TEXT,
  state={…})` draws with a model that only records (`shown.sent`, `shown.saved`) and takes what a test
  gives it (`shown.receive`, `shown.set`).
* **In a notebook** (ten seconds and more): a test in `test_in_jupyter.py` with the fixture `jupyter`. It
  runs twice, in JupyterLab with the current versions and in a stack like Colab's (classic notebook,
  ipywidgets 7.7.1; `make colab-stack` installs it). `book = jupyter.open("name", [cell, …])` writes and
  opens a notebook, `book.run_all()` runs it, `book.page` is Playwright's page. All such tests stay in
  that one file, so that one worker starts one server of each kind.
* **A notebook as it is shipped**: `test_whole_way.py` with the fixture `place`, which is JupyterLab or a
  stand-in for hosted Colab. `with place.open("merge") as user:` opens one; `user` (`notebook_user.py`) fills
  in forms, runs cells by their titles and counts clicks. `DFLCOLAB_SCREENSHOTS=docs/images` keeps pictures.

Every page fails its test on errors in the console and on requests that leave 127.0.0.1 (the badge of the
shipped notebooks is given to it). Elements get
stable hooks (`data-testid` in JavaScript, `add_class("dfl-…")` on ipywidgets); tests never use pauses,
but wait for what they want to see (`expect`, `wait_for_function`).

Playwright keeps an event loop in the thread, which `asyncio.run` of other tests would refuse; so a
browser lives for one test module.
"""
