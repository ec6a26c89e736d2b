// The controls above the grid, and the face beside its frame.

const KEYS =
  "Click, Ctrl+click, Shift+click or drag to select; arrows move, Space selects, Ctrl+A all, " +
  "Del deletes, Ctrl+Z undoes, Enter or a double click shows the face beside its frame.";

class GalleryBar {
  // `owner` hears show(where), filter(), measure(kind), ask(what), sort(by), all(), none(), remove(),
  // undo(), correct() and toggleLook().
  constructor(owner) {
    this.owner = owner;
    this.root = tag("div", { className: "dfl-gallery-bar" });
    const view = tag("div", {}, this.root);
    this.where = this.choice(view, "Look at", "gallery-where", () => owner.show(this.where.value));
    setOptions(this.where, { faces: "faces", trash: "trash" });
    this.group = this.choice(view, "only", "gallery-group", () => owner.filter());
    this.people = this.button(view, "Find people", "gallery-people", () => owner.ask("people"));
    this.people.title = "Groups the faces by person; the first time about 20 ms for each face";
    this.check = this.button(view, "Check faces", "gallery-check", () => owner.ask("doubtful"));
    this.check.title = "What Clean would remove, by reason; nothing is moved";
    this.measure = this.choice(view, "measure", "gallery-measure", () => {
      owner.measure(this.measure.value);
    });
    this.low = this.number(view, "from", "gallery-low");
    this.high = this.number(view, "to", "gallery-high");

    const work = tag("div", {}, this.root);
    this.button(work, "Select all", "gallery-all", () => owner.all());
    this.button(work, "Select none", "gallery-none", () => owner.none());
    this.remove = this.button(work, "Delete", "gallery-remove", () => owner.remove());
    this.undo = this.button(work, "Undo", "gallery-undo", () => owner.undo());
    this.look = this.button(work, "Compare with frame", "gallery-look", () => owner.toggleLook());
    this.correct = this.button(work, "Correct landmarks", "gallery-correct", () => owner.correct());
    this.correct.title = "Opens the selected faces in the landmark editor below";
    this.kinds = this.choice(work, "Sort by", "gallery-kinds", () => {});
    this.sort = this.button(work, "Sort", "gallery-sort", () => owner.sort(this.kinds.value));
    this.sort.title = "Gives all files new names in this order, like the cell Sort";

    this.status = tag("div", { className: "dfl-gallery-status", testid: "gallery-status" });
    this.status.setAttribute("role", "status");
    this.help = tag("div", { className: "dfl-gallery-help", textContent: KEYS });
    this.beside = tag("div", { className: "dfl-gallery-beside", hidden: true, testid: "gallery-beside" });
    this.face = tag("img", { alt: "the face", testid: "gallery-face" }, this.beside);
    this.debug = tag("img", { alt: "its frame with landmarks", testid: "gallery-debug" }, this.beside);
    this.caption = tag("div", { testid: "gallery-caption" }, this.beside);
  }

  button(parent, text, testid, clicked) {
    const button = tag("button", { type: "button", textContent: text, testid }, parent);
    button.addEventListener("click", clicked);
    return button;
  }

  choice(parent, text, testid, changed) {
    const label = tag("label", { textContent: `${text} ` }, parent);
    const choice = tag("select", { testid }, label);
    choice.addEventListener("change", changed);
    return choice;
  }

  number(parent, text, testid) {
    const label = tag("label", { textContent: `${text} ` }, parent);
    const field = tag("input", { type: "number", step: "any", testid }, label);
    field.addEventListener("input", () => this.owner.filter());
    return field;
  }

  /** Buttons and counts after anything has changed. */
  refresh({ where, shown, selected, undo, trash, busy, packed, corrects }) {
    const inTrash = where === "trash";
    this.where.options[1].textContent = `trash (${trash})`;
    this.remove.textContent = `${inTrash ? "Bring back" : "Delete"} ${selected}`;
    this.remove.disabled = busy || selected === 0 || packed;
    this.correct.hidden = !corrects;
    this.correct.disabled = busy || inTrash || packed || selected === 0;
    this.undo.textContent = undo ? `Undo (${undo})` : "Undo";
    this.undo.disabled = busy || undo === 0;
    for (const button of [this.people, this.check, this.sort]) {
      button.disabled = busy || inTrash || packed;
    }
    this.measure.disabled = inTrash;
    this.low.disabled = this.high.disabled = inTrash || this.measure.value === "";
    const note = packed ? " The faces are packed; run unpack to delete or sort." : "";
    this.count = `${shown} shown, ${selected} selected.${note}`;
  }

  say(text, { failed = false } = {}) {
    this.status.textContent = text ? `${text} · ${this.count}` : this.count;
    this.status.classList.toggle("dfl-failed", failed);
  }

  /** The face, and its frame where there is a picture of it. */
  showLook({ text }, [face, debug]) {
    for (const [image, bytes] of [[this.face, face], [this.debug, debug]]) {
      if (image.src) URL.revokeObjectURL(image.src);
      image.hidden = bytes.byteLength === 0;
      if (image.hidden) image.removeAttribute("src");
      else image.src = URL.createObjectURL(new Blob([bytes], { type: "image/jpeg" }));
    }
    this.caption.textContent = text;
  }
}

/** Fill a choice with {value: text}, keeping what is chosen if it is still there. */
function setOptions(choice, texts) {
  const before = choice.value;
  const options = Object.entries(texts).map(([value, textContent]) => {
    return tag("option", { value, textContent });
  });
  choice.replaceChildren(...options);
  choice.value = before in texts ? before : Object.keys(texts)[0];
}
