// The face gallery in the page. It draws and reports gestures; Python keeps the files and does the work.
// A face has an id that stays with its file when that is renamed or moved; Python hears names.

const KEPT_PICTURES = 4000; // thumbnails held in the page: some 12 MB
const AT_ONCE = 120; // pictures in one request
const PATIENCE = 3000; // milliseconds before a missing answer is explained
const BUSY = "The kernel is busy (a cell runs?) or has stopped; this goes on as soon as it is free.";

class Gallery {
  constructor(model, el) {
    this.model = model;
    this.where = "faces";
    this.names = [];
    this.ids = [];
    this.notes = [];
    this.order = []; // indices of the faces that are shown
    this.selected = new Set(); // ids
    this.focus = -1; // place in `order`
    this.anchor = 0;
    this.pictures = new Map(); // id -> URL, "" where there is none
    this.people = new Map(); // id -> number
    this.doubts = new Map(); // id -> [check, reason]
    this.reasons = []; // in the trash: what removed each face
    this.measures = null; // {kind: Map(id -> number)}
    this.asking = false; // pictures are on their way
    this.busy = false; // Python works on something longer
    this.state = { undo: 0, trash: 0, packed: false, corrects: false };
    this.grid = new GalleryGrid(this);
    this.bar = new GalleryBar(this);
    this.root = tag("div", { className: "dfl-gallery", testid: "gallery" }, el);
    this.root.dataset.lmSuppressShortcuts = "true"; // JupyterLab's keys would act on the cell
    const body = tag("div", { className: "dfl-gallery-body" });
    body.append(this.grid.root, this.bar.beside);
    this.root.append(this.bar.root, this.bar.status, body, this.bar.help);
    this.root.addEventListener("keydown", (event) => this.key(event));
    this.heard = (content, buffers) => this.receive(content, buffers);
    model.on("msg:custom", this.heard);
    this.bar.refresh(this.counts());
    this.bar.say("Loading …");
    this.send("list");
  }

  close() {
    clearTimeout(this.timer);
    this.model.off("msg:custom", this.heard);
    this.grid.close();
    for (const url of this.pictures.values()) URL.revokeObjectURL(url);
  }

  // ---- messages ----

  send(action, values = {}) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.bar.say(BUSY), PATIENCE);
    this.model.send({ do: action, where: this.where, ...values });
  }

  /** Ask for something that takes a while and may change the list. */
  ask(action, values = {}) {
    this.busy = true;
    this.refresh("Working …");
    this.send(action, values);
  }

  receive(content, buffers) {
    clearTimeout(this.timer);
    const heard = {
      list: () => this.listed(content),
      thumbnails: () => this.pictured(content, buffers),
      look: () => this.bar.showLook(content, buffers),
      measures: () => this.measured(content, buffers),
      people: () => this.grouped(content),
      doubtful: () => this.doubted(content),
      progress: () => this.bar.say(content.text),
      failed: () => this.failed(content),
    };
    heard[content.do]?.();
  }

  failed({ asked, text }) {
    this.problem = text; // stays when the list comes anew
    if (asked === "thumbnails") return this.send("list"); // names have changed
    this.busy = false;
    this.refresh(text, { failed: true });
  }

  listed(content) {
    if (content.where !== this.where) this.grid.root.scrollTop = 0;
    Object.assign(this, { where: content.where, names: content.names, ids: content.ids });
    this.bar.where.value = this.where;
    this.notes = content.notes ?? [];
    this.reasons = content.reasons ?? [];
    this.indexOf = new Map(this.ids.map((id, index) => [id, index]));
    this.selected = new Set([...this.selected].filter((id) => this.indexOf.has(id)));
    const { undo, trash, packed, corrects } = content;
    this.state = { undo, trash, packed, corrects };
    setOptions(this.bar.kinds, Object.fromEntries(content.sorts.map((kind) => [kind, kind])));
    setOptions(this.bar.measure, { "": "–", ...content.measures });
    this.busy = false;
    this.asking = false;
    this.setGroups();
    this.arrange();
    const problem = this.problem;
    this.problem = "";
    this.refresh(problem || content.text, { failed: Boolean(problem) });
  }

  // ---- what is shown ----

  /** The choice "only": people and doubts among the faces, reasons in the trash. */
  setGroups() {
    const counts = new Map();
    for (const id of this.ids) {
      for (const key of this.groupsOf(id)) counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    const texts = { "": "everything" };
    const keys = [...counts.keys()].sort((a, b) => counts.get(b) - counts.get(a));
    for (const key of keys) texts[key] = `${key} (${counts.get(key)})`;
    setOptions(this.bar.group, texts);
  }

  groupsOf(id) {
    if (this.where === "trash") return [this.reasons[this.indexOf.get(id)]];
    const found = [];
    if (this.people.has(id)) found.push(`person ${this.people.get(id)}`);
    if (this.doubts.has(id)) found.push(`doubtful: ${this.doubts.get(id)[0]}`);
    return found;
  }

  /** Which faces are shown, and in which order. */
  arrange() {
    const focused = this.ids[this.order[this.focus]];
    const group = this.bar.group.value;
    const kind = this.where === "faces" ? this.bar.measure.value : "";
    const values = kind && this.measures ? this.measures[kind] : null;
    const bound = (field, other) => (field.value === "" ? other : Number(field.value));
    const [low, high] = [bound(this.bar.low, -Infinity), bound(this.bar.high, Infinity)];
    this.order = [];
    this.ids.forEach((id, index) => {
      if (group && !this.groupsOf(id).includes(group)) return;
      const value = values?.get(id);
      if (values && !(value >= low && value <= high)) return;
      this.order.push(index);
    });
    if (values) {
      const value = (index) => values.get(this.ids[index]);
      this.order.sort((a, b) => value(a) - value(b));
    } else if (group.startsWith("doubtful")) {
      const rank = new Map([...this.doubts.keys()].map((id, place) => [id, place])); // worst first
      this.order.sort((a, b) => rank.get(this.ids[a]) - rank.get(this.ids[b]));
    }
    this.focus = this.order.indexOf(this.indexOf?.get(focused) ?? -1);
    this.anchor = Math.max(0, this.focus);
    this.grid.layOut();
  }

  count() {
    return this.order.length;
  }

  tileAt(place) {
    const index = this.order[place];
    const id = this.ids[index];
    const kind = this.bar.measure.value;
    let note = this.notes[index] ?? "";
    if (this.where === "faces" && kind && this.measures) {
      note = this.measures[kind].get(id)?.toPrecision(3) ?? "";
    } else if (this.bar.group.value.startsWith("doubtful")) note = this.doubts.get(id)?.[1] ?? "";
    return { id, name: this.names[index], note };
  }

  // ---- pictures ----

  picture(id) {
    return this.pictures.get(id) ?? null;
  }

  /** Ask for pictures of what is in sight now; what was scrolled past is left out. */
  fetch() {
    if (this.asking) return;
    const [first, last] = this.grid.inSight(MARGIN_ROWS);
    const missing = [];
    for (let place = first; place < last && missing.length < AT_ONCE; place += 1) {
      const index = this.order[place];
      if (!this.pictures.has(this.ids[index])) missing.push(this.names[index]);
    }
    if (missing.length === 0) return;
    this.asking = true;
    this.send("thumbnails", { names: missing });
  }

  pictured({ ids, sizes }, [bytes]) {
    let start = 0;
    sizes.forEach((size, place) => {
      const part = new Uint8Array(bytes.buffer, bytes.byteOffset + start, size);
      start += size;
      this.pictures.delete(ids[place]);
      this.pictures.set(
        ids[place],
        size ? URL.createObjectURL(new Blob([part], { type: "image/jpeg" })) : "",
      );
    });
    this.forget();
    this.asking = false;
    this.grid.draw(); // asks for what is still missing
  }

  /** Let go of the pictures that came first. */
  forget() {
    const inSight = new Set([...this.grid.tiles.values()].map((tile) => tile.faceId));
    for (const [id, url] of this.pictures) {
      if (this.pictures.size <= KEPT_PICTURES) return;
      if (inSight.has(id)) continue;
      URL.revokeObjectURL(url);
      this.pictures.delete(id);
    }
  }

  // ---- what one knows of the faces ----

  byName(names) {
    const ids = new Map(this.names.map((name, index) => [name, this.ids[index]]));
    return names.map((name) => ids.get(name));
  }

  grouped({ groups }) {
    this.people = new Map();
    for (const { number, names } of groups) {
      for (const id of this.byName(names)) this.people.set(id, number);
    }
    this.known(`${groups.length} ${groups.length === 1 ? "person" : "people"}; choose one in “only”.`);
  }

  doubted({ groups }) {
    this.doubts = new Map();
    for (const [check, faces] of Object.entries(groups)) {
      const ids = this.byName(faces.map(([name]) => name));
      ids.forEach((id, place) => this.doubts.set(id, [check, faces[place][1]]));
    }
    this.known(`${this.doubts.size} doubtful faces; choose a reason in “only”.`);
  }

  measured({ names, measures }, buffers) {
    const ids = this.byName(names);
    this.measures = {};
    measures.forEach((kind, place) => {
      const { buffer, byteOffset, byteLength } = buffers[place];
      const values = new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength));
      this.measures[kind] = new Map(ids.map((id, index) => [id, values[index]]));
    });
    this.known("");
  }

  known(text) {
    this.busy = false;
    this.setGroups();
    this.arrange();
    this.refresh(text);
  }

  // ---- selecting ----

  isSelected(id) {
    return this.selected.has(id);
  }

  clicked(place, event) {
    this.grid.root.focus({ preventScroll: true });
    if (place === null) {
      if (!event.ctrlKey && !event.metaKey && !event.shiftKey) this.selected.clear();
      return this.refresh();
    }
    const id = this.ids[this.order[place]];
    if (event.shiftKey) this.range(place, event.ctrlKey || event.metaKey);
    else if (event.ctrlKey || event.metaKey || event.pointerType === "touch") this.toggle(id);
    else this.selected = new Set([id]);
    if (!event.shiftKey) this.anchor = place;
    this.moveTo(place);
  }

  toggle(id) {
    if (!this.selected.delete(id)) this.selected.add(id);
  }

  range(place, keep) {
    if (!keep) this.selected.clear();
    const [first, last] = [Math.min(this.anchor, place), Math.max(this.anchor, place)];
    for (let at = first; at <= last; at += 1) this.selected.add(this.ids[this.order[at]]);
  }

  /** Faces that a drawn frame touches. */
  framed(places, event) {
    if (!this.before || this.beforeEvent !== event) {
      const keep = event.ctrlKey || event.metaKey || event.shiftKey;
      this.before = keep ? new Set(this.selected) : new Set();
      this.beforeEvent = event;
    }
    this.selected = new Set(this.before);
    for (const place of places) this.selected.add(this.ids[this.order[place]]);
    this.refresh();
  }

  moveTo(place) {
    this.focus = place;
    this.grid.reveal(place);
    this.refresh();
    if (!this.bar.beside.hidden) this.opened(place);
  }

  all() {
    this.selected = new Set(this.order.map((index) => this.ids[index]));
    this.refresh();
  }

  none() {
    this.selected.clear();
    this.refresh();
  }

  // ---- doing ----

  show(where) {
    this.selected.clear();
    this.ask("list", { where });
  }

  filter() {
    this.arrange();
    this.refresh();
  }

  measure(kind) {
    this.bar.low.value = this.bar.high.value = "";
    if (kind && !this.measures) this.ask("measures");
    else this.filter();
  }

  sort(by) {
    this.ask("sort", { by });
  }

  selectedNames() {
    return [...this.selected].map((id) => this.names[this.indexOf.get(id)]);
  }

  correct() {
    if (this.selected.size > 0) this.ask("landmarks", { names: this.selectedNames().sort() });
  }

  remove() {
    const names = this.selectedNames();
    if (names.length === 0 || this.busy || this.state.packed) return;
    this.ask(this.where === "trash" ? "restore" : "delete", { names });
  }

  undo() {
    if (this.state.undo > 0 && !this.busy) this.ask("undo");
  }

  opened(place) {
    this.bar.beside.hidden = false;
    this.send("look", { name: this.names[this.order[place]] });
  }

  toggleLook() {
    this.bar.beside.hidden = !this.bar.beside.hidden;
    if (!this.bar.beside.hidden && this.order.length > 0) this.opened(Math.max(0, this.focus));
  }

  key(event) {
    event.stopPropagation(); // the notebook has keys of its own
    if (event.target !== this.grid.root) return;
    const control = event.ctrlKey || event.metaKey;
    const steps = {
      ArrowLeft: -1,
      ArrowRight: 1,
      ArrowUp: -this.grid.columns,
      ArrowDown: this.grid.columns,
      Home: -Infinity,
      End: Infinity,
    };
    if (event.key in steps) this.step(steps[event.key], event);
    else if (event.key === " ") this.toggleFocus();
    else if (event.key === "Enter") this.opened(Math.max(0, this.focus));
    else if (event.key === "Delete" || event.key === "Backspace") this.remove();
    else if (control && event.key === "a") this.all();
    else if (control && event.key === "z") this.undo();
    else if (event.key === "Escape") this.none();
    else return;
    event.preventDefault();
  }

  step(by, event) {
    if (this.order.length === 0) return;
    const place = Math.min(this.order.length - 1, Math.max(0, this.focus + by));
    if (event.shiftKey) this.range(place, false);
    else if (!event.ctrlKey && !event.metaKey) {
      this.selected = new Set([this.ids[this.order[place]]]);
      this.anchor = place;
    }
    this.moveTo(place);
  }

  toggleFocus() {
    if (this.focus < 0) return;
    this.toggle(this.ids[this.order[this.focus]]);
    this.anchor = this.focus;
    this.refresh();
  }

  counts() {
    const { where, busy } = this;
    return { where, busy, shown: this.order.length, selected: this.selected.size, ...this.state };
  }

  refresh(text = "", { failed = false } = {}) {
    this.bar.refresh(this.counts());
    this.bar.say(text, { failed });
    this.root.dataset.state = this.busy ? "working" : "ready";
    this.grid.draw();
  }
}

export default {
  render({ model, el }) {
    const gallery = new Gallery(model, el);
    return () => gallery.close();
  },
};
