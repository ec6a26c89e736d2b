"""What runs in a real notebook, in JupyterLab with ipywidgets 8 and in a stack like Colab's.

All such tests are here: one worker then starts one server of each kind.
"""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.slow

VERSIONS = """
import ipykernel, ipywidgets, anywidget, traitlets, dflcolab
class Clicks(anywidget.AnyWidget):
    _esm = '''export default { render({ model, el }) {
      const button = document.createElement("button");
      button.dataset.testid = "clicks";
      const draw = () => (button.textContent = `clicked ${model.get("n")}`);
      button.onclick = () => model.send({ kind: "click" });
      model.on("change:n", draw);
      draw();
      el.append(button);
    } };'''
    n = traitlets.Int(0).tag(sync=True)
def clicked(widget, content, buffers):
    widget.n += 1
clicks = Clicks()
clicks.on_msg(clicked)
print("versions", ipykernel.__version__, ipywidgets.__version__)
clicks
"""


def test_the_two_stacks_are_what_they_are_for(jupyter):
    """The generations of kernel and widgets, and a click that goes to Python and back."""
    with jupyter.open("versions", [VERSIONS]) as book:
        book.run_all()
        wanted = "versions 6.17.1 7.7.1" if jupyter.classic else r"versions 7\.\d+\.\d+ 8\."
        expect(book.page.get_by_text(re.compile(wanted)).last).to_be_visible()
        book.page.get_by_test_id("clicks").click()
        expect(book.page.get_by_test_id("clicks")).to_have_text("clicked 1")
