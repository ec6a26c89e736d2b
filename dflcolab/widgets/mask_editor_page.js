// The parts of the page around the picture: buttons, choices, the line that tells what goes on, help.

const TALLEST = 560; // pixels of the picture's stage

const FILTERS = [
  ["all", "all faces"],
  ["unlabelled", "without outlines"],
  ["next", "to label next"],
  ["uncertain", "least certain first"],
  ["guessed", "guesses to look at"],
  ["labelled", "with outlines"],
];
const OVERLAYS = [
  ["none", "no overlay"],
  ["prediction", "XSeg prediction"],
  ["stored", "stored mask"],
  ["hull", "landmarks' hull"],
];

/** What can be done, by group: `[name, keys, text on the button, explanation]`; no text, no button. */
const ACTIONS = [
  [
    ["select", ["v", "Escape"], "Select", "Choose and move points, or stop drawing"],
    ["include", ["i"], "Include", "Draw an outline that adds to the mask"],
    ["exclude", ["e"], "Exclude", "Draw an outline that is cut out of the mask"],
    ["finish", ["Enter"], "Finish", "Close the outline that is being drawn"],
  ],
  [
    ["delete", ["Delete", "Backspace"], "Delete", "Delete the chosen point, else the chosen outline"],
    ["swap", ["x"], "Swap", "Turn the chosen outline from adding to cutting out, or back"],
    ["undo", ["Ctrl+z"], "Undo", "Take the last change of this face back"],
    ["redo", ["Ctrl+y", "Ctrl+Shift+z"], "Redo", "Make that change again"],
  ],
  [
    ["guess", ["g"], "First guess", "Outlines from the trained network, else from the landmarks"],
    ["refine", ["r"], "Refine", "Fit the outlines to the edges in the picture"],
    ["copy-before", ["c"], "◀ Copy", "Outlines of the nearest labelled frame before this one"],
    ["copy-after", ["n"], "Copy ▶", "Outlines of the nearest labelled frame after this one"],
    ["accept", ["a"], "Accept", "Count guessed outlines as drawn: they are right"],
  ],
  [
    ["masked", ["m"], "Masked", "Show only what the mask keeps"],
    ["hide", ["h"], "Hide", "Hide the outlines"],
    ["zoom-out", ["-"], "−", "Smaller"],
    ["fit", ["0"], "Fit", "The whole face"],
    ["zoom-in", ["+", "="], "+", "Larger"],
  ],
  [
    ["before", ["ArrowLeft"], "", "Previous face"],
    ["after", ["ArrowRight"], "", "Next face"],
    ["next-outline", ["s"], "", "Choose the next outline"],
    ["next-overlay", ["o"], "", "The next overlay"],
    ["save", ["Ctrl+s"], "", "Save again what could not be saved; all else is saved already"],
  ],
];
const GESTURES = [
  ["click, or drag a trail", "draw, with Include or Exclude; a click on the first point finishes"],
  ["click, drag", "with Select: choose an outline, move a point, add one on an edge"],
  ["right click, Alt+click", "delete a point"],
  ["Shift+drag", "move the chosen outline"],
  ["Shift+arrows", "move the chosen point, else the chosen outline, by a pixel"],
  ["wheel, pinch", "zoom (the wheel after a click into the picture)"],
  ["drag beside outlines, Space+drag, two fingers", "move the picture"],
];

/** Everything that is seen of an editor. It calls `act`, `step`, `go`, `setFilter` … of the editor. */
class EditorPage {
  constructor(el, editor) {
    this.editor = editor;
    this.root = tag("div", { className: "dfl-masks", tabIndex: 0, testid: "mask-editor" }, el);
    this.root.dataset.lmSuppressShortcuts = "true"; // JupyterLab's keys would change the notebook
    this.buildPlace(this.bar());
    this.buttons = {};
    this.buildActions(this.bar());
    this.stage = tag("div", { className: "dfl-masks-stage" }, this.root);
    this.canvas = tag("canvas", { ariaLabel: "Face with outlines" }, this.stage);
    this.buildStatus();
    this.buildHelp();
    this.watcher = new ResizeObserver(() => this.resize());
    this.watcher.observe(this.stage);
  }

  bar() {
    return tag("div", { className: "dfl-masks-bar" }, this.root);
  }

  button(parent, text, title, run) {
    return tag("button", { textContent: text, hint: title, type: "button", onclick: run }, parent);
  }

  choice(parent, title, choices, run) {
    const made = tag("select", { hint: title, ariaLabel: title }, parent);
    for (const [value, text] of choices) tag("option", { value, textContent: text }, made);
    made.onchange = () => run(made.value);
    return made;
  }

  buildPlace(parent) {
    const { editor } = this;
    this.button(parent, "◀", "Previous face (ArrowLeft)", () => editor.step(-1));
    this.number = tag("input", { type: "number", min: 1, ariaLabel: "Face" }, parent);
    this.number.onchange = () => editor.go(Number(this.number.value));
    this.total = tag("span", {}, parent);
    this.button(parent, "▶", "Next face (ArrowRight)", () => editor.step(1));
    this.filter = this.choice(parent, "Which faces", FILTERS, (kind) => editor.setFilter(kind));
    this.what = this.choice(parent, "Overlay", OVERLAYS, (what) => editor.setOverlay(what));
    this.counts = tag("span", { className: "dfl-masks-counts" }, parent);
  }

  buildActions(bar) {
    for (const group of ACTIONS) {
      const parent = tag("span", { className: "dfl-masks-group" }, bar);
      for (const [name, [key], text, title] of group.filter((action) => action[2])) {
        const run = () => this.editor.act(name);
        this.buttons[name] = this.button(parent, text, `${title} (${key})`, run);
        this.buttons[name].dataset.action = name;
      }
    }
  }

  buildStatus() {
    const parent = tag("div", { className: "dfl-masks-status", role: "status" }, this.root);
    this.name = tag("b", {}, parent);
    this.told = tag("span", {}, parent);
    this.again = this.button(parent, "Save again", "Try once more", () => this.editor.save());
  }

  buildHelp() {
    const parent = tag("details", { className: "dfl-masks-help" }, this.root);
    tag("summary", { textContent: "Keys and gestures" }, parent);
    const table = tag("table", {}, parent);
    const keys = ACTIONS.flat().map(([, names, , title]) => [names.join(", "), title]);
    for (const [what, does] of [...GESTURES, ...keys]) {
      const row = tag("tr", {}, table);
      tag("td", { textContent: what }, row);
      tag("td", { textContent: does }, row);
    }
  }

  resize() {
    const width = this.stage.clientWidth;
    if (!width) return;
    const height = Math.min(TALLEST, width);
    const ratio = window.devicePixelRatio || 1;
    this.stage.style.height = `${height}px`;
    [this.canvas.width, this.canvas.height] = [width * ratio, height * ratio];
    this.editor.resized([width, height]);
  }

  /** Place and counts, from a state that Python told. */
  showPlace(state) {
    this.name.textContent = state.face.name;
    this.number.value = state.position;
    this.number.max = state.total;
    this.total.textContent = `of ${state.total}`;
    this.counts.textContent = `${state.labelled} of ${state.total} with outlines`;
    this.filter.value = state.filter;
    this.what.value = state.overlay.what;
  }

  /** What goes on, and which buttons have something to do. `condition` is ready, working or unsaved. */
  showWork({ condition, text, off, on }) {
    this.root.dataset.state = condition;
    this.again.hidden = condition !== "unsaved";
    this.told.textContent = text;
    for (const [name, button] of Object.entries(this.buttons)) {
      button.disabled = off.includes(name);
      button.classList.toggle("dfl-masks-on", on.includes(name));
    }
    this.canvas.style.cursor = on.includes("select") ? "default" : "crosshair";
  }

  close() {
    this.watcher.disconnect();
    this.root.remove();
  }
}
