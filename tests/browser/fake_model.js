// A stand-in for the model that anywidget gives to a widget's render function.
//
// `window.tellPython` is the test's side: it gets what the widget sends and returns what the Python side
// answered: {state: {name: value}, messages: [{content, buffers}]}. Bytes travel as {base64: text}.

function packed(value) {
  if (value instanceof ArrayBuffer) value = new Uint8Array(value);
  if (!ArrayBuffer.isView(value)) return value;
  const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return { base64: btoa(text) };
}

function unpacked(value) {
  if (value === null || typeof value !== "object" || typeof value.base64 !== "string") return value;
  const bytes = Uint8Array.from(atob(value.base64), (letter) => letter.charCodeAt(0));
  return new DataView(bytes.buffer); // as ipywidgets gives bytes, in both generations
}

class FakeModel {
  constructor(state) {
    this.state = {};
    this.changed = {};
    this.listeners = new Map();
    for (const [name, value] of Object.entries(state)) this.state[name] = unpacked(value);
  }

  get(name) {
    return this.state[name];
  }

  set(name, value) {
    this.state[name] = value;
    this.changed[name] = packed(value);
    this.trigger(`change:${name}`, this, value);
    this.trigger("change", this);
  }

  on(name, callback) {
    if (!this.listeners.has(name)) this.listeners.set(name, new Set());
    this.listeners.get(name).add(callback);
  }

  off(name, callback) {
    if (callback) this.listeners.get(name)?.delete(callback);
    else this.listeners.delete(name);
  }

  trigger(name, ...values) {
    for (const callback of this.listeners.get(name) ?? []) callback(...values);
  }

  save_changes() {
    const state = this.changed;
    this.changed = {};
    if (Object.keys(state).length > 0) this.tell({ state });
  }

  send(content, callbacks, buffers) {
    this.tell({ content, buffers: (buffers ?? []).map(packed) });
  }

  async tell(message) {
    this.receive(await window.tellPython(message));
  }

  // What comes from Python: traits first, then messages, as a kernel sends them.
  receive({ state = {}, messages = [] }) {
    for (const [name, value] of Object.entries(state)) {
      this.state[name] = unpacked(value);
      this.trigger(`change:${name}`, this, this.state[name]);
    }
    if (Object.keys(state).length > 0) this.trigger("change", this);
    for (const { content, buffers } of messages) {
      this.trigger("msg:custom", content, buffers.map(unpacked));
    }
  }
}

window.drawWidget = async (esm, css, state) => {
  const style = document.createElement("style");
  style.textContent = css;
  document.head.append(style);
  const url = URL.createObjectURL(new Blob([esm], { type: "text/javascript" }));
  const module = await import(url);
  const widget = typeof module.default === "function" ? await module.default() : module.default;
  window.model = new FakeModel(state);
  const el = document.getElementById("widget");
  await widget.initialize?.({ model: window.model });
  window.endWidget = await widget.render({ model: window.model, el });
};
