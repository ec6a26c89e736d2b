// What the canvas shows: the face under a view `{zoom, x, y}`, the outlines, the overlay.
// Pixel (i, j) of the face covers i..i+1 and j..j+1, and a point of an outline is the pixel's middle.

const COLORS = { include: "#22c55e", exclude: "#ef4444", overlay: "#38bdf8", chosen: "#facc15" };

const toScreen = (view, [x, y]) => [(x + 0.5) * view.zoom + view.x, (y + 0.5) * view.zoom + view.y];
const toFace = (view, [x, y]) => [(x - view.x) / view.zoom, (y - view.y) / view.zoom];

/** The view that shows the whole picture in the middle of the canvas. */
function fittedView(width, height, face) {
  const zoom = Math.min(width / face.width, height / face.height);
  return { zoom, x: (width - zoom * face.width) / 2, y: (height - zoom * face.height) / 2 };
}

/** The view with another zoom that leaves the place at `center` (in the canvas) where it is. */
function zoomedView(view, factor, center) {
  const zoom = Math.min(40, Math.max(0.1, view.zoom * factor));
  const real = zoom / view.zoom;
  return {
    zoom,
    x: center[0] - (center[0] - view.x) * real,
    y: center[1] - (center[1] - view.y) * real,
  };
}

function trace(context, points, place, close) {
  context.beginPath();
  points.forEach((p, i) => (i ? context.lineTo(...place(p)) : context.moveTo(...place(p))));
  if (close) context.closePath();
}

/** The mask of the outlines as a picture of the face's size: white inside, clear outside. */
function maskOf(outlines, face) {
  const mask = new OffscreenCanvas(face.width, face.height);
  const context = mask.getContext("2d");
  for (const include of [true, false]) {
    context.globalCompositeOperation = include ? "source-over" : "destination-out";
    for (const outline of outlines.filter((o) => o.include === include)) {
      trace(context, outline.points, ([x, y]) => [x + 0.5, y + 0.5], true);
      context.fill("evenodd");
      context.stroke();
    }
  }
  return mask;
}

/** The face where the mask is, and nothing elsewhere. */
function cutOut(picture, mask) {
  const context = mask.getContext("2d");
  context.globalCompositeOperation = "source-in";
  context.drawImage(picture, 0, 0);
  return mask;
}

function paintFace(context, editor) {
  const { picture, face, view, masked, outlines, overlay } = editor;
  context.imageSmoothingEnabled = view.zoom < 3;
  const place = [view.x, view.y, face.width * view.zoom, face.height * view.zoom];
  const inside = outlines.length ? outlines : overlay.outlines;
  if (!masked || !inside.length) {
    context.drawImage(picture, ...place);
    return;
  }
  context.globalAlpha = 0.12;
  context.drawImage(picture, ...place);
  context.globalAlpha = 1;
  context.drawImage(cutOut(picture, maskOf(inside, face)), ...place);
}

function paintOutline(context, view, outline, chosen, point) {
  const color = outline.include ? COLORS.include : COLORS.exclude;
  trace(context, outline.points, (p) => toScreen(view, p), true);
  context.lineWidth = 4;
  context.strokeStyle = "rgba(0, 0, 0, 0.55)";
  context.stroke();
  context.lineWidth = 2;
  context.strokeStyle = chosen ? COLORS.chosen : color;
  context.stroke();
  context.fillStyle = color;
  outline.points.forEach((p, i) => {
    const size = chosen && i === point ? 6 : chosen ? 4 : 2.5;
    const [x, y] = toScreen(view, p);
    context.fillRect(x - size, y - size, 2 * size, 2 * size);
    if (chosen) context.strokeRect(x - size, y - size, 2 * size, 2 * size);
  });
}

function paintDrawn(context, editor) {
  const { drawn, view, tool, pointer } = editor;
  if (!drawn.length) return;
  const color = tool === "exclude" ? COLORS.exclude : COLORS.include;
  const points = pointer ? [...drawn, pointer] : drawn;
  trace(context, points, (p) => toScreen(view, p), false);
  context.lineWidth = 2;
  context.strokeStyle = color;
  context.stroke();
  context.fillStyle = color;
  drawn.forEach((p, i) => {
    const size = i ? 3 : 6;
    const [x, y] = toScreen(view, p);
    context.fillRect(x - size, y - size, 2 * size, 2 * size);
  });
}

function paintOverlay(context, view, overlay) {
  for (const { points } of overlay.outlines) {
    trace(context, points, (p) => toScreen(view, p), true);
    context.setLineDash([]);
    context.lineWidth = 3.5;
    context.strokeStyle = "rgba(0, 0, 0, 0.45)"; // to be seen on skin as well
    context.stroke();
    context.setLineDash([6, 4]);
    context.lineWidth = 2;
    context.strokeStyle = COLORS.overlay;
    context.stroke();
  }
  context.setLineDash([]);
}

/** Draw everything that `editor` holds. */
function paint(canvas, editor) {
  const context = canvas.getContext("2d");
  const ratio = window.devicePixelRatio || 1;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, canvas.width, canvas.height);
  if (!editor.picture || !editor.face) return;
  paintFace(context, editor);
  paintOverlay(context, editor.view, editor.overlay);
  if (editor.hidden) return;
  editor.outlines.forEach((outline, i) =>
    paintOutline(context, editor.view, outline, i === editor.chosen.outline, editor.chosen.point));
  paintDrawn(context, editor);
}
