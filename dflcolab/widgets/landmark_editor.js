// The landmark editor in the page. It draws and moves points; Python keeps the files and cuts faces out.

const GRAB = 12; // pixels of the screen around a point in which it is grabbed
const PATIENCE = 5000; // milliseconds before a missing answer is explained; a frame may take seconds
const BUSY =
  "Still waiting: a late frame of a long video takes a while; or a cell runs, or the kernel has stopped.";
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const HELP =
  "Drag a point (its neighbours follow as far as “reach” says) or drag a frame around several. " +
  "Whole face: drag with Shift. Arrows move the chosen points (with Shift by 10), [ ] scale and , . turn " +
  "them, or all if none is chosen. S saves, Z undoes the last save, N and P go to the next and previous face.";

class LandmarkEditor {
  constructor(model, el) {
    this.model = model;
    this.face = null; // what Python told of the shown face
    this.points = null;
    this.picture = null;
    this.view = 0;
    this.busy = true;
    this.root = tag("div", { className: "dfl-landmarks", tabIndex: 0, testid: "landmarks" }, el);
    this.root.dataset.lmSuppressShortcuts = "true"; // JupyterLab's keys would act on the cell
    this.bars();
    this.canvas = tag("canvas", { width: 720, height: 720, testid: "landmarks-canvas" }, this.root);
    tag("div", { className: "dfl-landmarks-help", textContent: HELP }, this.root);
    this.canvas.addEventListener("pointerdown", (event) => this.pressed(event));
    this.root.addEventListener("keydown", (event) => this.key(event));
    this.heard = (content, buffers) => this.receive(content, buffers);
    model.on("msg:custom", this.heard);
    this.ask("show", { name: "" });
  }

  close() {
    clearTimeout(this.timer);
    this.model.off("msg:custom", this.heard);
  }

  bars() {
    const bar = tag("div", { className: "dfl-landmarks-bar" }, this.root);
    const button = (text, testid, clicked) => {
      const made = tag("button", { type: "button", textContent: text, testid }, bar);
      made.addEventListener("click", clicked);
      return made;
    };
    this.previous = button("Previous", "landmarks-previous", () => this.go(this.face.previous));
    this.next = button("Next", "landmarks-next", () => this.go(this.face.next));
    this.wider = button("Wider view", "landmarks-wider", () => this.widen());
    this.reset = button("Reset points", "landmarks-reset", () => {
      this.points = new FacePoints(this.points.stored);
      this.refresh();
    });
    this.save = button("Save", "landmarks-save", () => this.store());
    this.undo = button("Undo save", "landmarks-undo", () => this.ask("undo"));
    this.between = button("Fill the frames between", "landmarks-between", () => this.ask("between"));
    const label = tag("label", { textContent: "reach " }, bar);
    this.reach = tag("input", { type: "range", min: 0, max: 0.4, step: 0.02, value: 0.1 }, label);
    this.reach.dataset.testid = "landmarks-reach";
    this.status = tag("div", { className: "dfl-landmarks-status", testid: "landmarks-status" }, this.root);
    this.status.setAttribute("role", "status");
  }

  // ---- messages ----

  ask(action, values = {}) {
    this.busy = true;
    this.refresh("Working …");
    clearTimeout(this.timer);
    this.timer = setTimeout(() => (this.status.textContent = BUSY), PATIENCE);
    this.model.send({ do: action, name: this.face?.name ?? "", view: this.view, ...values });
  }

  receive(content, buffers) {
    clearTimeout(this.timer);
    if (content.do === "show") this.show(content, buffers[0]);
    else if (content.do === "progress") this.status.textContent = content.text;
    else if (content.do === "failed") {
      this.busy = false;
      this.refresh(content.text, { failed: true });
    }
  }

  async show(face, bytes) {
    const picture = await createImageBitmap(new Blob([bytes], { type: "image/jpeg" }));
    const chosen = face.name === this.face?.name ? this.points.chosen : new Set();
    Object.assign(this, { face, picture, busy: false, view: face.view });
    this.points = new FacePoints(face.points);
    this.points.choose(chosen);
    [this.canvas.width, this.canvas.height] = [picture.width, picture.height];
    this.refresh(face.text);
  }

  go(name) {
    if (!name || this.busy) return;
    if (this.points.changed && !this.warned) {
      this.warned = true; // the second time it is meant
      this.refresh("The points are not saved: Save, or go on once more to leave them.", { failed: true });
      return;
    }
    this.warned = false;
    this.ask("show", { name });
  }

  widen() {
    if (this.points.changed) return this.refresh("Save or reset the points first.", { failed: true });
    this.ask("show", { view: (this.view + 1) % this.face.views });
  }

  store() {
    if (this.busy || !this.points) return;
    this.warned = false;
    this.ask("save", { points: this.points.at });
  }

  // ---- drawing ----

  refresh(text = "", { failed = false } = {}) {
    const face = this.face;
    const changed = this.points?.changed ?? false;
    this.previous.disabled = this.busy || !face?.previous;
    this.next.disabled = this.busy || !face?.next;
    this.wider.disabled = this.busy;
    this.reset.disabled = this.busy || !changed;
    this.save.disabled = this.busy || !face;
    this.undo.disabled = this.busy || !face?.undo;
    this.between.disabled = this.busy || !face?.before || changed;
    this.between.title = face?.before
      ? `Between ${face.before} and this face, on straight lines`
      : "Save this face and one before it in the same video first";
    const known = face
      ? `${face.name} (${face.place + 1} of ${face.faces}), frame ${face.frame}` +
        `${face.byHand ? ", set by hand" : ""}${changed ? ", not saved" : ""}`
      : "";
    this.status.textContent = text ? `${text} · ${known}` : known;
    this.status.classList.toggle("dfl-failed", failed);
    this.root.dataset.state = this.busy ? "working" : "ready";
    this.root.dataset.face = face?.name ?? "";
    this.draw();
  }

  /** From frame pixels to the canvas; pixel middles are whole numbers in the frame. */
  toCanvas([x, y]) {
    const { left, top, scale } = this.face;
    return [(x - left + 0.5) * scale, (y - top + 0.5) * scale];
  }

  /** A pointer's place in frame pixels. */
  fromPointer(event) {
    const box = this.canvas.getBoundingClientRect();
    const { left, top, scale } = this.face;
    const ratio = this.canvas.width / box.width;
    return [
      ((event.clientX - box.left) * ratio) / scale + left - 0.5,
      ((event.clientY - box.top) * ratio) / scale + top - 0.5,
    ];
  }

  draw() {
    if (!this.picture) return;
    const pen = this.canvas.getContext("2d");
    pen.drawImage(this.picture, 0, 0);
    const places = this.points.at.map((point) => this.toCanvas(point));
    for (const [first, end, closed] of PARTS) {
      pen.beginPath();
      for (const [x, y] of places.slice(first, end)) pen.lineTo(x, y);
      if (closed) pen.closePath();
      pen.lineWidth = 1.2;
      pen.strokeStyle = "#39ff14";
      pen.stroke();
    }
    places.forEach(([x, y], i) => {
      pen.beginPath();
      pen.arc(x, y, this.points.chosen.has(i) ? 5 : 3.5, 0, 2 * Math.PI);
      pen.fillStyle = this.points.chosen.has(i) ? "#ff2d55" : "#39ff14";
      pen.fill();
      pen.lineWidth = 1;
      pen.strokeStyle = "#000";
      pen.stroke();
    });
    if (this.box) {
      const [[x0, y0], [x1, y1]] = this.box.map((corner) => this.toCanvas(corner));
      pen.strokeStyle = "#0969da";
      pen.strokeRect(x0, y0, x1 - x0, y1 - y0);
    }
  }

  // ---- gestures ----

  pressed(event) {
    if (event.button !== 0 || this.busy || !this.points) return;
    event.preventDefault();
    this.root.focus({ preventScroll: true });
    this.canvas.setPointerCapture(event.pointerId);
    const start = this.fromPointer(event);
    const from = this.points.at.map(([x, y]) => [x, y]);
    const onScreen = this.canvas.getBoundingClientRect().width / this.canvas.width;
    const hit = this.points.nearest(start, GRAB / (this.face.scale * onScreen));
    const whole = event.shiftKey;
    if (!whole && hit !== null && !this.points.chosen.has(hit)) {
      this.points.choose([hit], { keep: event.ctrlKey || event.metaKey });
    }
    const moved = (next) => {
      const here = this.fromPointer(next);
      const by = [here[0] - start[0], here[1] - start[1]];
      if (whole) this.points.at = from.map(([x, y]) => [x + by[0], y + by[1]]);
      else if (hit !== null) this.points.move(from, by, Number(this.reach.value));
      else this.box = [start, here];
      this.refresh();
    };
    const ended = () => {
      this.canvas.removeEventListener("pointermove", moved);
      if (!whole && hit === null) this.points.choose(this.box ? this.points.inside(...this.box) : []);
      this.box = null;
      this.refresh();
    };
    this.canvas.addEventListener("pointermove", moved);
    this.canvas.addEventListener("pointerup", ended, { once: true });
    this.canvas.addEventListener("pointercancel", ended, { once: true });
    this.refresh();
  }

  key(event) {
    event.stopPropagation(); // the notebook has keys of its own
    if (event.target !== this.root || this.busy || !this.points) return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const turns = { "[": [0, 0.98], "]": [0, 1.02], ",": [-0.02, 1], ".": [0.02, 1] };
    const letters = {
      s: () => this.store(),
      z: () => !this.undo.disabled && this.ask("undo"),
      n: () => this.go(this.face.next),
      p: () => this.go(this.face.previous),
    };
    if (event.key in STEPS) {
      const size = (event.shiftKey ? 10 : 1) / this.face.scale;
      const by = STEPS[event.key].map((step) => step * size);
      if (this.points.chosen.size === 0) this.points.choose(this.points.at.keys());
      this.points.move(this.points.at, by, 0);
    } else if (event.key in turns) this.points.turn(...turns[event.key]);
    else if (event.key === "Escape") this.points.choose([]);
    else if (event.key.toLowerCase() in letters) {
      event.preventDefault();
      return letters[event.key.toLowerCase()]();
    } else return;
    event.preventDefault();
    this.refresh();
  }
}

export default {
  render({ model, el }) {
    const editor = new LandmarkEditor(model, el);
    return () => editor.close();
  },
};
