// ---------------------------------------------------------------- elements, numbers, data

/** An element; children are text unless they are elements. */
function el(tag, props, ...kids) {
  const svg = tag.startsWith("svg:");
  const e = svg
    ? document.createElementNS("http://www.w3.org/2000/svg", tag.slice(4))
    : document.createElement(tag);
  for (const [k, v] of Object.entries(props || {})) {
    if (v === undefined || v === null || v === false) continue;
    if (k === "class") e.setAttribute("class", v);
    else if (k === "data") Object.assign(e.dataset, v);
    else if (k.startsWith("on")) e.addEventListener(k.slice(2), v);
    else if (k === "style") e.style.cssText = v;
    else e.setAttribute(k, v === true ? "" : v);
  }
  e.append(...kids.flat(3).filter((k) => k !== null && k !== undefined && k !== false));
  return e;
}

/** Put children into a box, in the place of those that it has. */
const fill = (box, ...kids) => box.replaceChildren(...kids.flat(3).filter((k) => k !== null && k !== undefined && k !== false));

const $ = (selector, root) => (root || document).querySelector(selector);

/** Text in which nothing is invisible, breaks the line or turns the direction of writing. */
function clean(text) {
  return String(text).replace(
    /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
    (c) => (c === "\n" ? "\\n" : c === "\t" ? "\\t"
      : "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0")),
  );
}

function three(x) {
  const a = Math.abs(x);
  return a >= 100 ? x.toFixed(0) : a >= 10 ? x.toFixed(1) : x.toFixed(2);
}

function scaled(x, units, base) {
  let i = 0;
  while (i + 1 < units.length && Math.abs(x) >= base) { x /= base; i++; }
  return (i || !Number.isInteger(x) ? three(x) : String(x)) + " " + units[i];
}

const none = "–";
const time = (ns) => (ns === null || ns === undefined ? none
  : ns < 1 ? three(ns) + " ns" : scaled(ns, ["ns", "µs", "ms", "s"], 1000));
const bytes = (n) => (n === null || n === undefined ? none
  : scaled(n, ["B", "kB", "MB", "GB", "TB"], 1000));
const ops = (n) => (n === null || n === undefined ? none
  : n < 1000 ? String(Math.round(n)) : scaled(n, ["", "k", "M", "G", "T"], 1000));
const count = (n) => (n === null || n === undefined ? none : n.toLocaleString("en-US"));
const share = (x) => (x === null || x === undefined || !isFinite(x) ? none
  : x > 0 && x < 0.001 ? "<0.1 %" : (100 * x).toFixed(x < 0.0995 ? 1 : 0) + " %");
const plural = (n, one, many) => count(n) + " " + (n === 1 ? one : many || one + "s");

/** The object packed into an element. */
async function unpack(text) {
  const raw = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const stream = new Blob([raw]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return JSON.parse(await new Response(stream).text());
}

const pieces = new Map();

/** The texts of kernel `k` of a part; null where they were left out. */
async function textsOf(kernel) {
  if (kernel.text === undefined) return null;
  if (!pieces.has(kernel.text)) {
    const from = document.getElementsByClassName("piece")[kernel.text];
    pieces.set(kernel.text, unpack(from.textContent));
  }
  return pieces.get(kernel.text);
}

/** One of a few colours, the same for the same number. */
const hue = (i) => "hsl(" + ((i * 137.508 + 205) % 360).toFixed(0) + " 55% var(--light))";

/** `f`, at most once in a frame. */
function perFrame(f) {
  let waits = false;
  return () => {
    if (waits) return;
    waits = true;
    requestAnimationFrame(() => { waits = false; f(); });
  };
}

const basename = (path) => path.split(/[\\/]/).pop() || path;
