// A frame before and after, one over the other. The line between them is dragged, or moved by keys.

class BeforeAfter {
  constructor(model, el) {
    this.model = model;
    this.root = made("div", { className: "dfl-tuner-view", testid: "tuner-view" }, el);
    this.root.dataset.lmSuppressShortcuts = "true"; // JupyterLab's keys would act on the cell
    this.stage = made("div", { className: "dfl-tuner-stage" }, this.root);
    this.pictures = {};
    for (const part of ["before", "after"]) {
      const picture = made("img", { className: `dfl-tuner-${part}`, testid: `tuner-${part}` }, this.stage);
      picture.alt = `The frame ${part} merging`;
      picture.draggable = false;
      this.pictures[part] = picture;
      made("span", { className: `dfl-tuner-word-${part}`, textContent: part }, this.stage);
    }
    this.line = made("div", { className: "dfl-tuner-line" }, this.stage);
    const range = { type: "range", min: 0, max: 100, step: 1, value: 50, testid: "tuner-split" };
    this.range = made("input", range, this.root);
    this.range.setAttribute("aria-label", "Line between before and after, in percent");
    this.range.addEventListener("input", () => this.split());
    this.range.addEventListener("keydown", (event) => event.stopPropagation());
    this.stage.addEventListener("pointerdown", (event) => this.pressed(event));
    this.heard = (content, buffers) => this.receive(content, buffers);
    model.on("msg:custom", this.heard);
    this.split();
    model.send({ do: "hello" });
  }

  receive(content, buffers) {
    if (content.do !== "show") return;
    content.parts.forEach((part, i) => {
      const picture = this.pictures[part];
      const old = picture.src;
      picture.src = URL.createObjectURL(new Blob([buffers[i]], { type: "image/jpeg" }));
      if (old) URL.revokeObjectURL(old);
    });
    this.root.dataset.shown = Number(this.root.dataset.shown ?? 0) + 1;
  }

  split() {
    this.stage.style.setProperty("--dfl-split", `${this.range.value}%`);
  }

  pressed(event) {
    if (event.button !== 0) return;
    event.preventDefault();
    this.stage.setPointerCapture(event.pointerId);
    const move = (here) => {
      const box = this.stage.getBoundingClientRect();
      this.range.value = (100 * (here.clientX - box.left)) / box.width;
      this.split();
    };
    const ended = () => this.stage.removeEventListener("pointermove", move);
    move(event);
    this.stage.addEventListener("pointermove", move);
    this.stage.addEventListener("pointerup", ended, { once: true });
    this.stage.addEventListener("pointercancel", ended, { once: true });
  }

  close() {
    this.model.off("msg:custom", this.heard);
    for (const picture of Object.values(this.pictures)) if (picture.src) URL.revokeObjectURL(picture.src);
    this.root.remove();
  }
}

function made(name, { testid, ...values }, parent) {
  const element = Object.assign(document.createElement(name), values);
  if (testid) element.dataset.testid = testid;
  parent.append(element);
  return element;
}

export default {
  render({ model, el }) {
    const view = new BeforeAfter(model, el);
    return () => view.close();
  },
};
