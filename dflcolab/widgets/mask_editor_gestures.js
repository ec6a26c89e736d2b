// What mouse, pen and fingers do on the canvas. A gesture changes the editor's outlines as it goes, and
// hands them over when it ends.

const REACH = { mouse: 8, pen: 12, touch: 22 }; // screen pixels around a point that count as a hit
const STILL = { mouse: 3, pen: 5, touch: 9 }; // movement below this is a click
const TRAIL = 14; // screen pixels between the points of an outline drawn in one stroke
const CHANGES = ["point", "outline"]; // gestures that change outlines as they go

class Gestures {
  constructor(editor, page) {
    this.editor = editor;
    this.page = page;
    this.fingers = new Map();
    const on = (name, run, how) => page.canvas.addEventListener(name, run, how);
    on("pointerdown", (event) => this.down(event));
    on("pointermove", (event) => this.move(event));
    on("pointerup", (event) => this.up(event));
    on("pointercancel", (event) => this.cancel(event));
    on("pointerleave", () => editor.hover(null));
    on("contextmenu", (event) => event.preventDefault());
    on("wheel", (event) => this.wheel(event), { passive: false });
  }

  /** Forget what was begun: other outlines are shown now. */
  forget() {
    this.gesture = null;
  }

  at(event) {
    const box = this.page.canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  /** The pixel of the face below a place of the canvas; at most a picture's size beside it. */
  pixel(place) {
    const { face, view } = this.editor;
    const lengths = [face.width, face.height];
    return toFace(view, place).map((value, i) =>
      Math.min(2 * lengths[i], Math.max(-lengths[i], Math.floor(value))));
  }

  down(event) {
    this.page.root.focus({ preventScroll: true });
    this.page.canvas.setPointerCapture(event.pointerId);
    event.preventDefault();
    const place = this.at(event);
    this.fingers.set(event.pointerId, place);
    if (!this.editor.face) return;
    if (this.fingers.size > 1) {
      this.pinch();
      return;
    }
    const { outlines, drawn, view } = this.editor;
    const reach = REACH[event.pointerType] / view.zoom;
    const still = STILL[event.pointerType];
    const before = { outlines, drawn };
    const grabbed = this.grabbed(event, this.pixel(place), reach);
    this.gesture = { start: place, last: place, moved: false, reach, still, before, ...grabbed };
  }

  /** What a press begins: its `kind`, and whether it has added a point or may choose an outline. */
  grabbed(event, p, reach) {
    const { editor } = this;
    if (event.button === 1 || editor.space || editor.waiting) return { kind: "pan" };
    if (event.button === 2 || event.altKey) return { kind: "delete" };
    if (editor.tool !== "select") return { kind: "draw" };
    const near = pointNear(editor.outlines, p, reach, editor.chosen.outline);
    if (near) {
      editor.choose(near.outline, near.point);
      return { kind: "point" };
    }
    const { outline } = editor.chosen;
    const points = outline === null ? [] : editor.outlines[outline].points;
    if (event.shiftKey && isInside(points, p)) return { kind: "outline" };
    const edge = edgeNear(points, p, reach);
    if (edge === null) return { kind: "pan", choosing: true };
    editor.outlines = insertedPoint(editor.outlines, outline, edge, p);
    editor.choose(outline, edge);
    return { kind: "point", inserted: true };
  }

  /** Two fingers zoom and move the picture; what the first began is taken back. */
  pinch() {
    this.takeBack();
    this.gesture = { kind: "pinch" };
  }

  takeBack() {
    if (this.gesture?.before) Object.assign(this.editor, this.gesture.before);
    this.gesture = null;
    this.editor.choose(null);
  }

  move(event) {
    if (!this.editor.face) return;
    const place = this.at(event);
    const { gesture } = this;
    this.editor.hover(this.pixel(place));
    if (!gesture || !this.fingers.has(event.pointerId)) return;
    if (gesture.kind === "pinch") {
      this.pinched(event.pointerId, place);
      return;
    }
    gesture.moved ||= distance(place, gesture.start) > gesture.still;
    if (gesture.moved) this.dragged(gesture, place);
    gesture.last = place;
  }

  pinched(id, place) {
    const before = this.fingers.get(id);
    this.fingers.set(id, place);
    const other = [...this.fingers].find(([finger]) => finger !== id)?.[1];
    if (!other) return;
    const middle = (p) => [(p[0] + other[0]) / 2, (p[1] + other[1]) / 2];
    this.editor.pan(middle(before), middle(place));
    this.editor.zoom(distance(place, other) / Math.max(1, distance(before, other)), middle(place));
  }

  dragged(gesture, place) {
    const { editor } = this;
    const p = this.pixel(place);
    if (gesture.kind === "pan") editor.pan(gesture.last, place);
    else if (gesture.kind === "draw") this.trail(gesture, place);
    else if (gesture.kind === "point") {
      editor.outlines = movedPoint(editor.outlines, editor.chosen, p);
    } else if (gesture.kind === "outline") {
      const start = this.pixel(gesture.start);
      const by = [p[0] - start[0], p[1] - start[1]];
      editor.outlines = movedOutline(gesture.before.outlines, editor.chosen.outline, by);
    }
  }

  trail(gesture, place) {
    const { editor } = this;
    if (!editor.drawn.length) editor.drawn = [this.pixel(gesture.start)];
    const last = toScreen(editor.view, editor.drawn[editor.drawn.length - 1]);
    if (distance(last, place) >= TRAIL) editor.drawn = [...editor.drawn, this.pixel(place)];
  }

  up(event) {
    this.fingers.delete(event.pointerId);
    const { gesture, editor } = this;
    if (!gesture || (gesture.kind === "pinch" && this.fingers.size)) return;
    this.gesture = null;
    const p = this.pixel(this.at(event));
    if (gesture.kind === "draw") this.drawnTo(gesture, p);
    else if (gesture.kind === "delete" && !gesture.moved) editor.deleteNear(p, gesture.reach);
    else if (gesture.choosing && !gesture.moved)
      editor.choose(outlineAt(editor.outlines, p, gesture.reach));
    else if (CHANGES.includes(gesture.kind) && gesture.before.outlines !== editor.outlines)
      editor.commit(editor.outlines);
    editor.refresh();
  }

  /** A click adds a point; one on the first or the last point, or a trail's end there, finishes. */
  drawnTo(gesture, p) {
    const { editor } = this;
    const { drawn, view } = editor;
    const onFirst = drawn.length >= 3 && distance(p, drawn[0]) <= gesture.reach;
    const last = drawn[drawn.length - 1];
    const onLast = last && !gesture.moved && distance(p, last) * view.zoom < 3;
    if (onFirst || onLast) editor.finish();
    else if (!gesture.moved) editor.drawn = [...drawn, p];
  }

  cancel(event) {
    this.fingers.delete(event.pointerId);
    this.takeBack();
  }

  wheel(event) {
    const { editor, page } = this;
    // Until somebody works here, the wheel scrolls the notebook past the editor.
    if (!page.root.contains(document.activeElement) && !event.ctrlKey) return;
    event.preventDefault();
    if (editor.face) editor.zoom(Math.exp(-event.deltaY / 400), this.at(event));
  }
}
