/* Makes the page's elements. Text becomes text nodes and nothing else: no function here takes markup. */

const SVG = "http://www.w3.org/2000/svg";

/** @typedef {Node | string | number | null | undefined | false} Child */

/**
 * Makes an element. An attribute that is null, undefined or false is left out; true makes it empty. A function is a listener: the
 * attribute's name is "on" and the event's.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, any>} [attributes]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") {
      element.addEventListener(name.slice(2), value);
    } else if (value === true) {
      element.setAttribute(name, "");
    } else if (value !== null && value !== undefined && value !== false) {
      element.setAttribute(name, String(value));
    }
  }
  append(element, ...children);
  return element;
}

/**
 * @param {Element | DocumentFragment} parent
 * @param {...Child} children
 */
export function append(parent, ...children) {
  for (const child of children) {
    if (child !== null && child !== undefined && child !== false) {
      parent.append(child instanceof Node ? child : String(child));
    }
  }
}

/**
 * @param {string} tag
 * @param {Record<string, string | number>} attributes
 * @param {...Element} children
 * @returns {SVGElement}
 */
export function svg(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) {
    element.setAttribute(name, String(value));
  }
  element.append(...children);
  return element;
}

/**
 * An icon of index.html's symbols. Screen readers skip it: the element around it has a name.
 * @param {string} name
 */
export function icon(name) {
  return svg("svg", { class: "icon", "aria-hidden": "true", viewBox: "0 0 24 24" }, svg("use", { href: `#icon-${name}` }));
}

/**
 * A copy of one of index.html's templates.
 * @param {string} name
 * @returns {HTMLElement}
 */
export function stamp(name) {
  const template = /** @type {HTMLTemplateElement} */ (document.getElementById(`template-${name}`));
  return /** @type {HTMLElement} */ (/** @type {Element} */ (template.content.firstElementChild).cloneNode(true));
}

/**
 * The one element that has this data-part.
 * @param {Element} root
 * @param {string} name
 * @returns {HTMLElement}
 */
export function part(root, name) {
  const found = root.querySelector(`[data-part="${name}"]`);
  if (!(found instanceof HTMLElement)) {
    throw new Error(`there is no part ${name}`);
  }
  return found;
}

/**
 * @param {string} id
 * @returns {HTMLElement}
 */
export function byId(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}

/**
 * Scrolls to the end of a view, unless another view is shown meanwhile.
 * @param {HTMLElement} element of the view
 */
export function scrollToEnd(element) {
  if (element.isConnected) {
    scrollTo({ top: document.documentElement.scrollHeight });
  }
}

/**
 * Before an element is removed, moves the focus from it to a neighbour that stays, or to the heading.
 * @param {HTMLElement} element
 */
export function passFocus(element) {
  if (element.contains(document.activeElement)) {
    const rows = /** @type {HTMLElement[]} */ ([...(element.parentElement?.children ?? [])]).filter((row) => row === element || !(row.hidden || row.inert));
    const at = rows.indexOf(element);
    (rows[at + 1] ?? rows[at - 1] ?? document.querySelector("h1"))?.focus({ preventScroll: true });
  }
}

/**
 * Shows or hides a button that loads more rows. If it is hidden under the focus, the first new row is focused.
 * @param {HTMLElement} button
 * @param {boolean} isMore whether there are more rows
 * @param {Element} [row]
 */
export function showMore(button, isMore, row) {
  if (!isMore && document.activeElement === button) {
    /** @type {HTMLElement | undefined} */ (row)?.focus({ preventScroll: true });
  }
  button.hidden = !isMore;
}

/**
 * A name that keeps its own direction and does not change the order of the text around it.
 * @param {string} text
 */
export function isolated(text) {
  return h("bdi", {}, text);
}
