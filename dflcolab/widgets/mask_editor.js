// The mask editor in the page. It draws, and reports gestures; Python keeps the outlines, their past
// and the files. Each message to Python has an id, and the answer with that id tells the new state.

const PATIENCE = 3000; // milliseconds before a missing answer is explained
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const BUSY = "The kernel is busy (a cell runs?) or has stopped; this goes on as soon as it is free.";

class MaskEditor {
  constructor(model, el) {
    this.model = model;
    this.outlines = [];
    this.drawn = []; // points of the outline that is being drawn
    this.chosen = { outline: null, point: null };
    this.overlay = { what: "none", outlines: [] };
    this.past = { undo: false, redo: false };
    this.tool = "select";
    this.view = { zoom: 1, x: 0, y: 0 };
    this.fitted = true;
    this.pending = new Map(); // what awaits an answer, by its id
    this.sent = 0;
    this.me = Math.random().toString(36).slice(2); // there may be several views of one editor
    this.note = "";
    this.page = new EditorPage(el, this);
    this.gestures = new Gestures(this, this.page);
    this.page.root.addEventListener("keydown", (event) => this.key(event));
    const released = (event) => {
      if (event.key === " " || event.type === "focusout") this.space = false;
    };
    this.page.root.addEventListener("keyup", released);
    this.page.root.addEventListener("focusout", released);
    this.heard = (message, buffers) => this.receive(message, buffers);
    model.on("msg:custom", this.heard);
    this.send("hello");
  }

  close() {
    this.model.off("msg:custom", this.heard);
    clearTimeout(this.timer);
    if (this.picture) URL.revokeObjectURL(this.picture.src);
    this.page.close();
  }

  // ---- messages ----

  /** True while an answer is awaited that may bring other outlines: nothing is edited meanwhile. */
  get waiting() {
    return Boolean(this.afterwards) || [...this.pending.values()].some((what) => what !== "save");
  }

  send(action, values = {}) {
    const id = `${this.me}-${(this.sent += 1)}`;
    this.pending.set(id, action);
    clearTimeout(this.timer);
    this.late = false;
    this.timer = setTimeout(() => {
      this.late = true;
      this.refresh();
    }, PATIENCE);
    this.page.root.dataset.state = "working"; // at once, not with the next drawn frame
    this.model.send({ id, do: action, face: this.face?.name ?? "", ...values });
    this.refresh();
  }

  save() {
    this.unsaved = false;
    this.send("save", { outlines: this.outlines });
  }

  commit(outlines) {
    this.outlines = outlines;
    this.save();
  }

  receive({ id, note, failed, state }, buffers) {
    const answered = this.pending.get(id);
    this.pending.delete(id);
    this.note = note;
    if (state) this.receiveState(answered, failed, state, buffers);
    else if (answered === "save") this.unsaved = true;
    this.goOn();
    this.refresh();
  }

  receiveState(answered, failed, state, buffers) {
    const other = state.face.name !== this.face?.name;
    const saves = answered === "save" || [...this.pending.values()].includes("save");
    if (answered === "save" || other) this.unsaved = failed && !other;
    // The answer to a change of one's own tells nothing new, and the next change may have begun.
    if (other || !(saves || this.unsaved)) this.takeOver(state.outlines);
    this.takeState(state);
    if (buffers.length && (other || !this.picture)) this.load(buffers[0], state.face.name);
  }

  takeOver(outlines) {
    this.outlines = outlines;
    this.gestures.forget();
    this.chosen = { outline: null, point: null };
  }

  takeState(state) {
    const sizes = [this.face, state.face].map((face) => `${face?.width} ${face?.height}`);
    this.face = state.face;
    this.past = state;
    this.overlay = state.overlay;
    this.page.showPlace(state);
    if (sizes[0] !== sizes[1]) this.fit();
  }

  load(jpeg, name) {
    const image = new Image();
    this.loading = image;
    image.onload = () => {
      if (this.loading !== image) return; // another face is shown by now
      if (this.picture) URL.revokeObjectURL(this.picture.src);
      this.picture = image;
      this.page.root.dataset.shown = name;
      this.refresh();
    };
    image.onerror = () => {
      this.note = "The browser cannot show this picture; its file may be damaged.";
      this.refresh();
    };
    this.drawn = [];
    image.src = URL.createObjectURL(new Blob([jpeg], { type: "image/jpeg" }));
  }

  /** Do what may bring other outlines; an unfinished outline and what is not saved come first. */
  ask(action, values) {
    if (this.waiting) return;
    if (this.drawn.length >= 3) this.finish();
    this.drawn = [];
    if (this.unsaved) this.save();
    this.afterwards = [action, values];
    this.goOn();
  }

  /** Send what was asked for, once all is saved; what cannot be saved stays in sight. */
  goOn() {
    if (!this.afterwards || this.pending.size) return;
    const asked = this.afterwards;
    this.afterwards = null;
    if (!this.unsaved) this.send(...asked);
  }

  // ---- what is seen ----

  resized(size) {
    this.size = size;
    if (this.fitted) this.fit();
    this.refresh();
  }

  fit() {
    if (this.face && this.size) this.view = fittedView(...this.size, this.face);
    this.fitted = true;
    this.refresh();
  }

  zoom(factor, center = this.size.map((length) => length / 2)) {
    this.view = zoomedView(this.view, factor, center);
    this.fitted = false;
    this.refresh();
  }

  pan(from, to) {
    const [dx, dy] = [to[0] - from[0], to[1] - from[1]];
    this.view = { ...this.view, x: this.view.x + dx, y: this.view.y + dy };
    this.fitted = false;
    this.refresh();
  }

  hover(pixel) {
    this.pointer = pixel;
    this.refresh();
  }

  choose(outline, point = null) {
    this.chosen = { outline, point };
    this.refresh();
  }

  /** Bring the page up to date before it is drawn the next time. */
  refresh() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      paint(this.page.canvas, this);
      this.page.root.dataset.view = JSON.stringify(this.view);
      this.page.showWork(this.work());
    });
  }

  work() {
    const busy = this.pending.size > 0;
    const none = this.chosen.outline === null;
    const unfinished = this.drawn.length > 0;
    let text = this.note;
    if (this.unsaved) text = `Not saved: ${this.note}`;
    else if (busy && this.late) text = BUSY;
    else if (busy) text = this.waiting ? "Working …" : "Saving …";
    const off = {
      finish: this.drawn.length < 3,
      delete: none && !unfinished,
      swap: none,
      undo: !this.past.undo && !unfinished,
      redo: !this.past.redo,
      refine: !this.outlines.length,
      accept: !this.past.guess,
    };
    const on = { [this.tool]: true, masked: this.masked, hide: this.hidden };
    const names = (table) => Object.keys(table).filter((name) => table[name]);
    const condition = this.unsaved ? "unsaved" : busy ? "working" : "ready";
    return { condition, text, off: names(off), on: names(on) };
  }

  // ---- actions ----

  step(by) {
    this.ask("step", { by });
  }

  go(position) {
    this.ask("go", { position });
  }

  setFilter(filter) {
    this.ask("filter", { filter });
  }

  setOverlay(what) {
    this.ask("overlay", { what });
  }

  act(name) {
    const toggle = (what) => () => { this[what] = !this[what]; };
    const actions = {
      masked: toggle("masked"),
      hide: toggle("hidden"),
      "zoom-in": () => this.zoom(1.3),
      "zoom-out": () => this.zoom(1 / 1.3),
      fit: () => this.fit(),
      before: () => this.step(-1),
      after: () => this.step(1),
      "copy-before": () => this.ask("copy", { by: -1 }),
      "copy-after": () => this.ask("copy", { by: 1 }),
      "next-overlay": () => this.nextOverlay(),
      "next-outline": () => this.nextOutline(),
      include: () => this.draw("include"),
      exclude: () => this.draw("exclude"),
      select: () => this.select(),
      finish: () => this.finish(),
      undo: () => (this.drawn.length ? this.dropPoint() : this.ask("undo")),
      delete: () => (this.drawn.length ? this.dropPoint() : this.deleteChosen()),
      swap: () => this.swapChosen(),
      save: () => this.unsaved && this.save(),
    };
    (actions[name] ?? (() => this.ask(name)))();
    this.refresh();
  }

  draw(tool) {
    this.tool = tool;
    this.choose(null);
  }

  /** Stop drawing: first the unfinished outline goes, then the tool. */
  select() {
    if (!this.drawn.length) this.tool = "select";
    this.drawn = [];
    this.choose(null);
  }

  finish() {
    if (this.drawn.length < 3 || this.waiting) return;
    const outline = { include: this.tool !== "exclude", points: this.drawn };
    this.drawn = [];
    this.tool = "select";
    this.choose(this.outlines.length);
    this.commit([...this.outlines, outline]);
  }

  dropPoint() {
    this.drawn = this.drawn.slice(0, -1);
  }

  deleteChosen() {
    const { outline, point } = this.chosen;
    if (outline === null || this.waiting) return;
    const { outlines, chosen } = this;
    this.choose(null);
    this.commit(point === null ? withoutOutline(outlines, outline) : withoutPoint(outlines, chosen));
  }

  deleteNear(p, reach) {
    const near = pointNear(this.outlines, p, reach, this.chosen.outline);
    if (!near || this.waiting) return;
    this.choose(null);
    this.commit(withoutPoint(this.outlines, near));
  }

  swapChosen() {
    const { outline } = this.chosen;
    if (outline === null || this.waiting) return;
    const { include } = this.outlines[outline];
    this.commit(replaced(this.outlines, outline, { include: !include }));
  }

  nudge([dx, dy]) {
    const { outline, point } = this.chosen;
    if (outline === null || this.waiting) return;
    if (point === null) this.commit(movedOutline(this.outlines, outline, [dx, dy]));
    else {
      const [x, y] = this.outlines[outline].points[point];
      this.commit(movedPoint(this.outlines, this.chosen, [x + dx, y + dy]));
    }
  }

  nextOutline() {
    const { length } = this.outlines;
    if (length) this.choose(((this.chosen.outline ?? -1) + 1) % length);
  }

  nextOverlay() {
    const place = OVERLAYS.findIndex(([what]) => what === this.overlay.what);
    this.setOverlay(OVERLAYS[(place + 1) % OVERLAYS.length][0]);
  }

  key(event) {
    event.stopPropagation(); // the classic notebook's keys would change the notebook
    const { key, target } = event;
    const command = event.ctrlKey || event.metaKey;
    const typed = ["INPUT", "SELECT"].includes(target.tagName);
    const pressed = ["BUTTON", "SUMMARY"].includes(target.tagName) && [" ", "Enter"].includes(key);
    if (typed || pressed || event.altKey) return;
    const letter = key.length === 1 ? key.toLowerCase() : key;
    const combined = `${command ? "Ctrl+" : ""}${command && event.shiftKey ? "Shift+" : ""}${letter}`;
    const action = ACTIONS.flat().find(([, keys]) => keys.includes(combined));
    if (key === " ") this.space = true;
    else if (event.shiftKey && ARROWS[key]) this.nudge(ARROWS[key]);
    else if (action) this.act(action[0]);
    else return;
    event.preventDefault();
  }
}

function render({ model, el }) {
  const editor = new MaskEditor(model, el);
  return () => editor.close();
}

export default { render };
