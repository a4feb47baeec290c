/* What this browser keeps for the page. If it keeps nothing (private windows, a full disk), the page works, but without a sign-in. */

/**
 * @param {string} name
 * @returns {any} null if there is none
 */
export function load(name) {
  try {
    return JSON.parse(localStorage.getItem(`cruddur:${name}`) ?? "null");
  } catch {
    return null;
  }
}

/**
 * @param {string} name
 * @param {unknown} value null removes it
 */
export function save(name, value) {
  try {
    if (value === null) {
      localStorage.removeItem(`cruddur:${name}`);
    } else {
      localStorage.setItem(`cruddur:${name}`, JSON.stringify(value));
    }
  } catch {
    // Nothing is kept.
  }
}

/** Light, dark, or as the system has it. */
export function applyTheme() {
  document.documentElement.dataset.theme = load("theme") ?? "auto";
}

/** @param {string} prefix */
export function removeAll(prefix) {
  try {
    for (const key of Object.keys(localStorage)) {
      if (key.startsWith(`cruddur:${prefix}`)) {
        localStorage.removeItem(key);
      }
    }
  } catch {
    // Nothing was kept.
  }
}
