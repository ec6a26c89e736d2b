// Outlines as plain values: `{include, points: [[x, y], …]}` in whole pixels of the face's picture.
// Nothing here changes what it is given; every function returns a new list of outlines.

const distance = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);

/** How far `p` is from the line between `a` and `b`. */
function distanceToLine(p, a, b) {
  const [dx, dy] = [b[0] - a[0], b[1] - a[1]];
  const length = dx * dx + dy * dy;
  const along = length ? ((p[0] - a[0]) * dx + (p[1] - a[1]) * dy) / length : 0;
  const t = Math.min(1, Math.max(0, along));
  return distance(p, [a[0] + t * dx, a[1] + t * dy]);
}

/** True if `p` lies inside by the even-odd rule, which the mask is filled by as well. */
function isInside(points, p) {
  let inside = false;
  points.forEach((a, i) => {
    const b = points[(i + points.length - 1) % points.length];
    const crosses = a[1] > p[1] !== b[1] > p[1];
    if (crosses && p[0] < ((b[0] - a[0]) * (p[1] - a[1])) / (b[1] - a[1]) + a[0]) inside = !inside;
  });
  return inside;
}

/** Twice the enclosed area. */
function areaOf(points) {
  return Math.abs(points.reduce((sum, a, i) => {
    const b = points[(i + 1) % points.length];
    return sum + a[0] * b[1] - a[1] * b[0];
  }, 0));
}

/** The point nearest to `p` within `reach`, as `{outline, point}`; of equals, the preferred outline's. */
function pointNear(outlines, p, reach, preferred) {
  let [best, found] = [reach, null];
  outlines.forEach(({ points }, outline) => points.forEach((q, point) => {
    const away = distance(p, q) - (outline === preferred ? 1e-6 : 0);
    if (away <= best) [best, found] = [away, { outline, point }];
  }));
  return found;
}

/** Where a new point belongs if `p` is within `reach` of an edge; null elsewhere. */
function edgeNear(points, p, reach) {
  let [best, found] = [reach, null];
  points.forEach((a, i) => {
    const away = distanceToLine(p, a, points[(i + 1) % points.length]);
    if (away <= best) [best, found] = [away, i + 1];
  });
  return found;
}

/** The outline at `p`: the smallest that `p` is inside of or at the edge of; null without any. */
function outlineAt(outlines, p, reach) {
  const hit = ({ points }) => isInside(points, p) || edgeNear(points, p, reach) !== null;
  const found = outlines.map((outline, index) => ({ outline, index })).filter((e) => hit(e.outline));
  found.sort((a, b) => areaOf(a.outline.points) - areaOf(b.outline.points));
  return found.length ? found[0].index : null;
}

const replaced = (outlines, index, changes) =>
  outlines.map((outline, i) => (i === index ? { ...outline, ...changes } : outline));

const withPoints = (outlines, index, change) =>
  replaced(outlines, index, { points: change(outlines[index].points) });

const movedPoint = (outlines, { outline, point }, to) =>
  withPoints(outlines, outline, (points) => points.map((p, i) => (i === point ? to : p)));

const insertedPoint = (outlines, outline, at, p) =>
  withPoints(outlines, outline, (points) => [...points.slice(0, at), p, ...points.slice(at)]);

const movedOutline = (outlines, outline, [dx, dy]) =>
  withPoints(outlines, outline, (points) => points.map(([x, y]) => [x + dx, y + dy]));

const withoutOutline = (outlines, outline) => outlines.filter((_, i) => i !== outline);

/** Without a point; an outline that would be left with two goes as a whole. */
function withoutPoint(outlines, { outline, point }) {
  if (outlines[outline].points.length <= 3) return withoutOutline(outlines, outline);
  return withPoints(outlines, outline, (points) => points.filter((_, i) => i !== point));
}
