// The grid of the face gallery: as many tiles as fit on the screen, moved to where one looks.

const TILE = 112; // pixels from one tile to the next
const LABEL = 16; // pixels of the name below a picture
const MARGIN_ROWS = 2; // rows beyond the edges that are ready before one sees them
const DRAG = 6; // pixels a pointer moves before a click becomes a frame

class GalleryGrid {
  // `owner` answers: count(), tileAt(place) -> {id, name, note}, isSelected(id), picture(id) -> URL or
  // null, fetch() for missing ones, and hears clicked(place, event), framed(places, event), opened(place).
  constructor(owner) {
    this.owner = owner;
    this.tiles = new Map(); // place in the list -> element
    this.spare = [];
    this.columns = 1;
    this.root = tag("div", { className: "dfl-gallery-grid", tabIndex: 0, testid: "gallery-grid" });
    this.root.setAttribute("role", "listbox");
    this.root.setAttribute("aria-multiselectable", "true");
    this.sheet = tag("div", { className: "dfl-gallery-sheet" }, this.root);
    this.frame = tag("div", { className: "dfl-gallery-frame", hidden: true }, this.sheet);
    this.root.addEventListener("scroll", () => this.draw({ again: false }), { passive: true });
    this.root.addEventListener("pointerdown", (event) => this.pressed(event));
    this.root.addEventListener("dblclick", (event) => {
      const place = this.placeOf(event);
      if (place !== null) owner.opened(place);
    });
    this.watch = new ResizeObserver(() => this.layOut());
    this.watch.observe(this.root);
  }

  close() {
    this.watch.disconnect();
  }

  /** The list or the width has changed. */
  layOut() {
    this.columns = Math.max(1, Math.floor(this.root.clientWidth / TILE));
    const rows = Math.ceil(this.owner.count() / this.columns);
    this.sheet.style.height = `${rows * (TILE + LABEL)}px`;
    for (const tile of this.tiles.values()) this.put(tile);
    this.tiles.clear();
    this.draw();
  }

  /** Put tiles where one looks, and take them from where one does not; `again` fills all anew. */
  draw({ again = true } = {}) {
    const [first, last] = this.inSight(MARGIN_ROWS);
    for (const [place, tile] of this.tiles) {
      if (place < first || place >= last) {
        this.tiles.delete(place);
        this.put(tile);
      }
    }
    for (let place = first; place < last; place += 1) {
      const isNew = !this.tiles.has(place);
      if (isNew) this.tiles.set(place, this.take(place));
      if (isNew || again) this.fill(place);
    }
    this.owner.fetch();
  }

  /** First place in sight, and the one after the last. */
  inSight(margin = 0) {
    const height = TILE + LABEL;
    const first = Math.floor(this.root.scrollTop / height) - margin;
    const rows = Math.ceil(this.root.clientHeight / height) + 1 + 2 * margin;
    const from = Math.max(0, first * this.columns);
    return [from, Math.min(this.owner.count(), Math.max(0, first + rows) * this.columns)];
  }

  /** Scroll so that a place is in sight. */
  reveal(place) {
    const height = TILE + LABEL;
    const top = Math.floor(place / this.columns) * height;
    const { scrollTop, clientHeight } = this.root;
    if (top < scrollTop) this.root.scrollTop = top;
    else if (top + height > scrollTop + clientHeight) {
      this.root.scrollTop = top + height - clientHeight;
    }
  }

  put(tile) {
    tile.hidden = true;
    this.spare.push(tile);
  }

  take(place) {
    const tile = this.spare.pop() ?? this.make();
    tile.hidden = false;
    tile.place = place;
    const row = Math.floor(place / this.columns);
    tile.style.transform = `translate(${(place % this.columns) * TILE}px, ${row * (TILE + LABEL)}px)`;
    return tile;
  }

  make() {
    const tile = tag("div", { className: "dfl-gallery-tile" }, this.sheet);
    tile.setAttribute("role", "option");
    tile.image = tag("img", { alt: "", draggable: false }, tile);
    tile.label = tag("span", {}, tile);
    return tile;
  }

  fill(place) {
    const tile = this.tiles.get(place);
    const { id, name, note } = this.owner.tileAt(place);
    tile.faceId = id;
    tile.dataset.name = name;
    tile.title = note ? `${name}: ${note}` : name;
    tile.label.textContent = note || name;
    const selected = this.owner.isSelected(id);
    tile.classList.toggle("dfl-selected", selected);
    tile.setAttribute("aria-selected", String(selected));
    tile.classList.toggle("dfl-focus", place === this.owner.focus);
    const url = this.owner.picture(id);
    tile.classList.toggle("dfl-waits", url === null);
    if (url) {
      if (tile.image.getAttribute("src") !== url) tile.image.src = url;
    } else tile.image.removeAttribute("src");
  }

  placeOf(event) {
    const tile = event.target.closest?.(".dfl-gallery-tile");
    return tile ? tile.place : null;
  }

  /** A point in the sheet's pixels. */
  point(event) {
    const box = this.sheet.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  /** A click, or the first corner of a frame that is drawn around faces. */
  pressed(event) {
    const box = this.root.getBoundingClientRect();
    const onBar = event.clientX - box.left > this.root.clientWidth; // the scroll bar
    if (event.button !== 0 || onBar) return;
    const start = this.point(event);
    const place = this.placeOf(event);
    let framing = false;
    const moved = (next) => {
      const end = this.point(next);
      const far = Math.hypot(end[0] - start[0], end[1] - start[1]) > DRAG;
      if (next.pointerType === "touch" || !(framing || far)) return;
      framing = true;
      this.drawFrame(start, end);
      this.scrollAtEdges(next, box);
      this.owner.framed(this.placesBetween(start, end), event);
    };
    const ended = (last) => {
      window.removeEventListener("pointermove", moved);
      window.removeEventListener("pointerup", ended);
      window.removeEventListener("pointercancel", ended);
      this.frame.hidden = true;
      if (!framing && last.type === "pointerup") this.owner.clicked(place, event);
    };
    window.addEventListener("pointermove", moved);
    window.addEventListener("pointerup", ended);
    window.addEventListener("pointercancel", ended);
  }

  drawFrame(start, end) {
    const [left, top] = [Math.min(start[0], end[0]), Math.min(start[1], end[1])];
    this.frame.hidden = false;
    this.frame.style.transform = `translate(${left}px, ${top}px)`;
    this.frame.style.width = `${Math.abs(end[0] - start[0])}px`;
    this.frame.style.height = `${Math.abs(end[1] - start[1])}px`;
  }

  scrollAtEdges(event, box) {
    if (event.clientY > box.bottom - 20) this.root.scrollTop += 24;
    else if (event.clientY < box.top + 20) this.root.scrollTop -= 24;
  }

  /** Places of the tiles that a frame touches. */
  placesBetween(start, end) {
    const cell = (value, size) => Math.floor(value / size);
    const columns = [start[0], end[0]].map((x) => cell(x, TILE)).sort((a, b) => a - b);
    const rows = [start[1], end[1]].map((y) => cell(y, TILE + LABEL)).sort((a, b) => a - b);
    const places = [];
    for (let row = Math.max(0, rows[0]); row <= rows[1]; row += 1) {
      const last = Math.min(columns[1], this.columns - 1);
      for (let column = Math.max(0, columns[0]); column <= last; column += 1) {
        const place = row * this.columns + column;
        if (place < this.owner.count()) places.push(place);
      }
    }
    return places;
  }
}
