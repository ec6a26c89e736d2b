"""The page for widgets shows what a notebook would: traits, messages and bytes go both ways."""

from __future__ import annotations

import anywidget
import pytest
import traitlets
from playwright.sync_api import expect

ESM = """
export default {
  render({ model, el }) {
    const button = document.createElement("button");
    const draw = () => (button.textContent = `${model.get("count")} ${model.get("bytes")?.byteLength}`);
    button.onclick = () => {
      model.set("count", model.get("count") + 1);
      model.save_changes();
      model.send({ kind: "double" }, undefined, [new Uint8Array([7, 8])]);
    };
    model.on("change:count", draw);
    model.on("msg:custom", (content, buffers) => {
      el.dataset.answer = `${content.kind} ${buffers[0].getUint8(1)}`;
    });
    draw();
    el.append(button);
  },
};
"""


class Counter(anywidget.AnyWidget):
    _esm = ESM
    _css = "button { color: rgb(1, 2, 3); }"
    count = traitlets.Int(3).tag(sync=True)
    bytes = traitlets.Bytes(b"abc").tag(sync=True)

    def __init__(self):
        super().__init__()
        self.on_msg(self._answer)

    def _answer(self, _widget, content, buffers):
        self.count *= 2
        self.send({"kind": content["kind"]}, [bytes(reversed(buffers[0]))])


def test_a_click_reaches_python_and_the_answer_the_page(widget_page):
    counter = Counter()
    shown = widget_page(counter)
    button = shown.page.get_by_role("button")
    expect(button).to_have_text("3 3")
    expect(button).to_have_css("color", "rgb(1, 2, 3)")

    button.click()

    expect(button).to_have_text("8 3")
    expect(shown.page.locator("#widget")).to_have_attribute("data-answer", "double 7")
    assert counter.count == 8
    assert (shown.saved, shown.sent[0].buffers) == ([{"count": 4}], [b"\x07\x08"])


def test_a_double_records_and_gives(widget_page):
    shown = widget_page(esm=ESM, state={"count": 1, "bytes": b""})
    shown.set("count", 5)
    expect(shown.page.get_by_role("button")).to_have_text("5 0")
    shown.receive({"kind": "told"}, [b"\x00\x09"])
    expect(shown.page.locator("#widget")).to_have_attribute("data-answer", "told 9")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("console.error('broken')", "console error: broken"),
        ("setTimeout(() => { throw new Error('thrown') })", "uncaught: Error: thrown"),
        ("fetch('https://example.org/x').catch(() => 0)", "a request left this machine"),
    ],
)
def test_what_goes_wrong_in_a_page_fails_its_test(browser, line, said):
    from tests.browser.chrome import watched_page

    with pytest.raises(AssertionError, match=said), watched_page(browser) as page:
        page.evaluate(f"() => {{ {line} }}")
        page.evaluate("() => new Promise((done) => setTimeout(done, 50))")
