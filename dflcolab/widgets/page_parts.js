/** An element with these properties; `testid` and `hint` become data-testid and title. */
function tag(kind, properties = {}, parent = null) {
  const element = document.createElement(kind);
  const { testid, hint, ...rest } = properties;
  Object.assign(element, rest);
  if (testid) element.dataset.testid = testid;
  if (hint) element.title = hint;
  parent?.append(element);
  return element;
}
