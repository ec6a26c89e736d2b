// The 68 points of a face, in frame pixels, and the ways to move them.

const PARTS = [
  [0, 17, false], // jaw: first point, one after the last, closed
  [17, 22, false], // brows
  [22, 27, false],
  [27, 31, false], // nose
  [31, 36, false],
  [36, 42, true], // eyes
  [42, 48, true],
  [48, 60, true], // lips
  [60, 68, true],
];

class FacePoints {
  constructor(points) {
    this.at = points.map(([x, y]) => [x, y]);
    this.stored = points;
    this.chosen = new Set();
  }

  get changed() {
    return this.at.some(([x, y], i) => x !== this.stored[i][0] || y !== this.stored[i][1]);
  }

  /** Size of the box around the points. */
  get extent() {
    const span = (axis) => {
      const values = this.at.map((point) => point[axis]);
      return Math.max(...values) - Math.min(...values);
    };
    return Math.max(span(0), span(1), 1);
  }

  /** The nearest point within a distance, or null. */
  nearest([x, y], within) {
    let found = null;
    this.at.forEach(([px, py], i) => {
      const distance = Math.hypot(px - x, py - y);
      if (distance <= within) [found, within] = [i, distance];
    });
    return found;
  }

  choose(indices, { keep = false } = {}) {
    if (!keep) this.chosen.clear();
    for (const i of indices) this.chosen.add(i);
  }

  /** Points inside a box. */
  inside([x0, y0], [x1, y1]) {
    const within = (value, a, b) => value >= Math.min(a, b) && value <= Math.max(a, b);
    return [...this.at.keys()].filter(
      (i) => within(this.at[i][0], x0, x1) && within(this.at[i][1], y0, y1),
    );
  }

  /** How far each point follows when the chosen ones are moved: 1 fully, 0 not at all.
   *
   * `reach` is a share of the face; nearby points follow by a bell curve of that width.
   */
  following(from, reach) {
    const width = reach * this.extent;
    const lead = [...this.chosen].map((i) => from[i]);
    return from.map(([x, y], i) => {
      if (this.chosen.has(i)) return 1;
      if (width === 0) return 0;
      const distance = Math.min(...lead.map(([px, py]) => Math.hypot(px - x, py - y)));
      return Math.exp(-0.5 * (distance / width) ** 2);
    });
  }

  /** Move the chosen points from where they were, and others with them. */
  move(from, [dx, dy], reach) {
    const shares = this.following(from, reach);
    this.at = from.map(([x, y], i) => [x + shares[i] * dx, y + shares[i] * dy]);
  }

  /** Turn (radians) and scale the chosen points, or all if none is chosen, about their middle. */
  turn(angle, scale) {
    const moved = this.chosen.size > 0 ? [...this.chosen] : [...this.at.keys()];
    const middle = [0, 1].map((axis) => {
      return moved.reduce((sum, i) => sum + this.at[i][axis], 0) / moved.length;
    });
    const [cos, sin] = [scale * Math.cos(angle), scale * Math.sin(angle)];
    for (const i of moved) {
      const [x, y] = [this.at[i][0] - middle[0], this.at[i][1] - middle[1]];
      this.at[i] = [middle[0] + cos * x - sin * y, middle[1] + sin * x + cos * y];
    }
  }
}
