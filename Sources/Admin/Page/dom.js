// Elements. Data becomes text nodes and attributes, never markup: nothing in this page parses HTML.

const SVG = "http://www.w3.org/2000/svg";

/// An element: `h("button", { type: "button", onclick: save }, "Save")`. Attributes that are null, undefined or false are left out;
/// functions become listeners. Children are nodes, text, or arrays of them; null and false are left out.
export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (name === "value") element.value = value ?? "";
    else setAttribute(element, name, value);
  }
  element.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/// Sets an attribute where it differs; null, undefined and false remove it.
export function setAttribute(element, name, value) {
  const wanted = value === true ? "" : value === null || value === undefined || value === false ? null : String(value);
  if (element.getAttribute(name) === wanted) return;
  if (wanted === null) element.removeAttribute(name);
  else element.setAttribute(name, wanted);
}

/// Sets a text where it differs, so that a selection in it survives an update that changes nothing.
export function setText(element, text) {
  const wanted = text === null || text === undefined ? "" : String(text);
  if (element.textContent !== wanted) element.textContent = wanted;
}

/// Makes a parent's children those of a list, in its order: what is there already by key stays the same element, and keeps its focus.
/// `make(item)` returns `{ node, update(item) }`.
export function keyed(parent, make) {
  let kept = new Map();
  return (items, keyOf) => {
    const next = new Map(items.map((item) => [keyOf(item), kept.get(keyOf(item)) ?? make(item)]));
    // First out what goes: what stays is then in its place already, and an element that is moved would lose the focus.
    for (const [key, part] of kept) if (!next.has(key)) part.node.remove();
    kept = next;
    let place = parent.firstChild;
    for (const item of items) {
      const part = next.get(keyOf(item));
      part.update(item);
      if (part.node === place) place = place.nextSibling;
      else parent.insertBefore(part.node, place);
    }
  };
}

/// A click on a link that should not leave the page, unless it asks for another tab.
export function onPlainClick(action) {
  return (event) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    action(event);
  };
}
