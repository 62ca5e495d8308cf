// ---------------------------------------------------------------- the graph by name scope

const SERIES = 8;    // so many siblings whose names differ in their number only are shown as one
const MOST = 600;    // boxes that are drawn at once

class ScopeView {
  constructor(box) {
    this.open = new Set();
    this.query = "";
    this.hide = new Set(["constant"]);
    this.tree = el("div", { class: "code", id: "scope-tree" });
    this.find = el("input", { type: "search", placeholder: "Find an op by name, kind or line…", id: "find-scope", oninput: () => { this.query = this.find.value.toLowerCase(); this.search(); } });
    this.kind = el("select", { id: "op-filter", title: "Only ops of a kind", onchange: () => { this.search(); } });
    this.constants = el("input", { type: "checkbox", id: "constants", onchange: () => { this.hide = new Set(this.constants.checked ? [] : ["constant"]); this.draw(); } });
    this.note = el("span", { class: "note" });
    this.canvas = el("div", { class: "canvas", id: "graph" });
    fill(box, el("div", { class: "scopes" },
      el("div", { class: "left" }, el("div", { class: "bar" }, this.find), el("div", { class: "bar" }, this.kind), this.tree),
      el("div", { class: "right" }, el("div", { class: "bar" },
        el("button", { class: "tool", onclick: () => { this.open.clear(); this.draw(); this.fit(); } }, "Collapse all"),
        el("button", { class: "tool", onclick: () => this.deeper() }, "Open one level"),
        el("button", { class: "tool", onclick: () => this.fit() }, "Fit"),
        el("label", {}, this.constants, " constants"), this.note), this.canvas)));
    this.list = new List(this.tree, 20, (i) => this.treeRow(i));
    followed(this.tree);
    this.zoom();
    this.build();
    listen((what) => {
      if (shown.tab !== "graph") { this.stale = true; return; }
      if (what === "part") this.build();
      if (what === "pin") { this.reveal(); this.draw(); }
      if (what === "pin") this.list.now();
      if (what === "hover") remark(this.tree);
      if (what === "pin" || what === "hover") this.mark();
    });
  }

  /** The tree of scopes of the recorded graph. */
  build() {
    const n = part.nodes;
    this.root = { name: "", path: "", kids: new Map(), nodes: 0, time: 0 };
    this.home = new Map();
    for (const i of part.stages[0].rows) {
      let at = this.root;
      const words = n.name[i].split("/");
      words.forEach((w, j) => {
        const path = words.slice(0, j + 1).join("/") + (j + 1 < words.length ? "/" : "");
        const key = j + 1 < words.length ? w + "/" : w;
        let next = at.kids.get(key);
        if (!next) at.kids.set(key, next = { name: w, path, up: at, kids: new Map(), nodes: 0, id: -1 });
        at = next;
      });
      at.id = i;
      this.home.set(i, at);
      for (let s = at; s; s = s.up) s.nodes++;
    }
    // an op that has the name of a scope beside it is the scope's own result
    this.group(this.root);
    const kinds = new Map();
    for (const i of part.stages[0].rows) kinds.set(n.op[i], (kinds.get(n.op[i]) || 0) + 1);
    fill(this.kind, el("option", { value: "" }, "all kinds of ops"), ...[...kinds].sort((a, b) => b[1] - a[1]).map(([k, c]) => el("option", { value: k }, k + " (" + c + ")")));
    this.open = new Set();
    if (this.root.kids.size === 1) this.open.add([...this.root.kids.values()][0].path);
    this.search();
    this.draw();
    requestAnimationFrame(() => this.fit());
  }

  /** Siblings like add, add_1, add_2, … become one. */
  group(scope) {
    const stack = [scope];
    while (stack.length) {
      const s = stack.pop();
      const like = new Map();
      for (const [key, k] of s.kids) {
        const base = k.name.replace(/_\d+$/, "") + (k.kids.size ? "/" : "");
        if (!like.has(base)) like.set(base, []);
        like.get(base).push([key, k]);
      }
      for (const [base, list] of like) {
        if (s.series || list.length <= SERIES || (like.size === 1 && list.length <= 40)) continue;
        const made = { name: base.replace(/\/$/, "") + " ×" + list.length, path: s.path + base + "*", up: s, kids: new Map(), nodes: 0, id: -1, series: true };
        for (const [key, k] of list) {
          s.kids.delete(key);
          made.kids.set(key, k);
          k.up = made;
          made.nodes += k.nodes;
        }
        s.kids.set(made.path, made);
      }
      for (const k of s.kids.values()) if (k.kids.size) stack.push(k);
    }
  }

  // ------------------------------------------------------------ the list on the left

  search() {
    const rows = [], n = part.nodes, kind = this.kind.value, q = this.query;
    if (q || kind) {
      for (const i of part.stages[0].rows) {
        if (kind && n.op[i] !== kind) continue;
        if (q && !n.name[i].toLowerCase().includes(q) && !n.op[i].includes(q) && !n.lines[i].some((l) => placeOf(l).toLowerCase().includes(q))) continue;
        rows.push({ item: this.home.get(i), depth: 0, full: true });
      }
    } else {
      const walk = [...this.root.kids.values()].reverse().map((k) => [k, 0]);
      while (walk.length) {
        const [k, depth] = walk.pop();
        rows.push({ item: k, depth });
        if (k.kids.size && this.open.has(k.path)) walk.push(...[...k.kids.values()].reverse().map((x) => [x, depth + 1]));
      }
    }
    this.rows = rows;
    this.found = q || kind ? new Set(rows.map((r) => r.item.id)) : null;
    this.list.set(rows.length);
    this.mark();
  }

  treeRow(at) {
    const { item, depth, full } = this.rows[at], leaf = !item.kids.size;
    const title = full ? item.path : item.name;
    return el("div", {
      class: "row scope live" + (item.id >= 0 ? marks("node", item.id) : ""), style: "--d:" + depth,
      data: leaf || full ? { kind: "node", id: item.id } : {},
      onclick: leaf || full ? undefined : () => this.toggle(item),
    }, el("span", { class: "sign" }, leaf ? "" : this.open.has(item.path) ? "▾" : "▸"), clean(title || item.path) + (leaf ? "" : "/"),
    el("span", { class: "note" }, leaf ? " " + part.nodes.op[item.id] : " " + count(item.nodes)));
  }

  toggle(item) {
    if (this.open.has(item.path)) this.open.delete(item.path); else this.open.add(item.path);
    this.search();
    this.draw();
  }

  deeper() {
    const closed = this.placed ? [...this.placed.values()].filter((p) => p.item.kids.size && !p.inside) : [];
    for (const p of closed) this.open.add(p.item.path);
    this.search();
    this.draw();
    this.fit();
  }

  /** Open the scopes of what is pinned, where they are few. */
  reveal() {
    if (!pinned) return;
    const recorded = [...linked(pinned).recorded].slice(0, 12);
    for (const i of recorded) for (let s = this.home.get(i) && this.home.get(i).up; s && s !== this.root; s = s.up) this.open.add(s.path);
    this.search();
    const i = this.rows.findIndex((r) => recorded.includes(r.item.id));
    this.list.reveal(i);
  }

  // ------------------------------------------------------------ the picture

  draw() {
    const n = part.nodes;
    this.drawn = 0;
    this.placed = new Map(); // path -> {item, x, y, w, h, inside}
    const edges = this.edges();
    const size = this.layout(this.root, edges);
    const kids = [];
    this.paths = [];
    this.place(this.root, 0, 0, kids);
    const lines = [];
    for (const [a, b, weight] of this.visible(edges)) {
      const p = this.placed.get(a), q = this.placed.get(b);
      if (!p || !q) continue;
      const x1 = p.x + p.w / 2, y1 = p.y + p.h, x2 = q.x + q.w / 2, y2 = q.y;
      const bend = Math.max(14, Math.abs(y2 - y1) / 2.5);
      lines.push(el("svg:path", { class: "edge", "data-a": a, "data-b": b, "stroke-width": Math.min(4, 1 + Math.log2(weight) / 2), d: "M" + x1 + " " + y1 + "C" + x1 + " " + (y1 + bend) + " " + x2 + " " + (y2 - bend) + " " + x2 + " " + y2 }));
    }
    this.size = size;
    this.layer = el("svg:g", {}, kids.filter((k) => k.classList.contains("scope")), lines, kids.filter((k) => !k.classList.contains("scope")));
    fill(this.svg, this.layer);
    this.note.textContent = this.drawn > MOST ? "Only " + count(MOST) + " boxes are drawn: close some scopes." : plural(part.stages[0].count, "recorded op") + " of " + n.op.length.toLocaleString("en-US") + " nodes in all stages";
    this.aim();
    this.mark();
  }

  /** Edges between recorded operations, with their ends' scopes. */
  edges() {
    const n = part.nodes, out = [];
    for (const b of part.stages[0].rows) {
      const ends = new Set();
      for (let j = 0; j < n.inputs[b].length; j += 2) ends.add(n.inputs[b][j]);
      n.control[b].forEach((c) => ends.add(c));
      for (const a of ends) if (this.home.has(a) && this.shows(a) && this.shows(b)) out.push([this.home.get(a), this.home.get(b)]);
    }
    return out;
  }

  shows(i) { return !this.hide.has(part.nodes.op[i]); }

  /** The innermost box in sight that holds an item. */
  seen(item) {
    let box = item;
    for (let s = item.up; s && s !== this.root; s = s.up) if (!this.open.has(s.path)) box = s;
    return box;
  }

  visible(edges) {
    const sum = new Map();
    for (const [a, b] of edges) {
      const p = this.seen(a), q = this.seen(b);
      if (p === q) continue;
      const key = p.path + "\n\n" + q.path;
      const old = sum.get(key);
      if (old) old[2]++; else sum.set(key, [p.path, q.path, 1]);
    }
    return sum.values();
  }

  /** Sizes and places of what is in a scope: layers from top to bottom, then boxes in rows. */
  layout(scope, edges) {
    const order = [];
    const walk = [scope];
    while (walk.length) { // inner scopes are sized first
      const s = walk.pop();
      order.push(s);
      if (s === this.root || this.open.has(s.path)) for (const k of s.kids.values()) if (k.kids.size && this.open.has(k.path)) walk.push(k);
    }
    // each edge belongs to the innermost scope that holds both ends
    const within = new Map(order.map((s) => [s, []]));
    for (const [a, b] of edges) {
      const ups = new Map();
      for (let s = a, last = a; s; last = s, s = s.up) ups.set(s, last);
      for (let s = b, last = b; s; last = s, s = s.up) {
        if (!ups.has(s)) continue;
        if (within.has(s) && ups.get(s) !== last) within.get(s).push([ups.get(s), last]);
        break;
      }
    }
    for (const s of order.reverse()) this.arrange(s, within.get(s));
    return { w: scope.w, h: scope.h };
  }

  arrange(scope, edges) {
    let items = [...scope.kids.values()].filter((k) => k.kids.size || this.shows(k.id));
    const room = Math.max(0, MOST - this.drawn);
    this.drawn += items.length;
    items = items.slice(0, room);
    const known = new Set(items), next = new Map(items.map((k) => [k, new Set()]));
    for (const [a, b] of edges) if (known.has(a) && known.has(b)) next.get(a).add(b);
    for (const k of items) {
      if (k.kids.size && this.open.has(k.path)) continue; // sized already
      k.w = Math.min(190, 26 + 6.3 * Math.max(4, clean(k.name).length + (k.kids.size ? 4 : 0)));
      k.h = k.kids.size ? 30 : 22;
    }
    const layer = layersOf(items, next);
    const rows = [];
    for (const k of items) (rows[layer.get(k)] = rows[layer.get(k)] || []).push(k);
    const gap = 16, pad = scope === this.root ? 12 : 14, head = scope === this.root ? 12 : 30;
    // wide rows are broken
    const lines = [];
    for (const row of rows.filter(Boolean)) {
      let line = [], width = 0;
      for (const k of row) {
        if (line.length && width + k.w > 1500) { lines.push(line); line = []; width = 0; }
        line.push(k);
        width += k.w + gap;
      }
      lines.push(line);
    }
    settle(lines, next);
    let y = head, most = 80;
    const widths = lines.map((line) => line.reduce((t, k) => t + k.w + gap, -gap));
    most = Math.max(most, ...widths, 7 * clean(scope.name).length + 30);
    lines.forEach((line, i) => {
      let x = pad + (most - widths[i]) / 2;
      const height = Math.max(...line.map((k) => k.h));
      for (const k of line) { k.rx = x; k.ry = y + (height - k.h) / 2; x += k.w + gap; }
      y += height + (lines.length > 1 ? 30 : 0);
    });
    scope.shown = items;
    scope.w = most + 2 * pad;
    scope.h = y + pad - (lines.length > 1 ? 30 : 0) + (lines.length ? 0 : 10);
  }

  place(scope, x, y, out) {
    const stack = [[scope, x, y]];
    while (stack.length) {
      const [s, sx, sy] = stack.pop();
      for (const k of s.shown || []) {
        const p = { item: k, x: sx + k.rx, y: sy + k.ry, w: k.w, h: k.h, inside: k.kids.size > 0 && this.open.has(k.path) };
        this.placed.set(k.path, p);
        out.push(this.box(p));
        if (p.inside) stack.push([k, p.x, p.y]);
      }
    }
  }

  box({ item, x, y, w, h, inside }) {
    const title = clean(item.name) + (item.kids.size && !inside ? "  " + count(item.nodes) : "");
    const most = Math.floor((w - 12) / 6.2);
    const cls = (item.kids.size ? (inside ? "scope" : "closed" + (item.series ? " series" : "")) : "leaf f-" + familyOf(part.nodes.op[item.id])) + " live";
    return el("svg:g", {
      class: "box " + cls, transform: "translate(" + x.toFixed(1) + " " + y.toFixed(1) + ")", "data-path": item.path,
      ...(item.kids.size ? {} : { "data-node": item.id }),
    }, el("svg:rect", { width: w, height: h, rx: item.kids.size ? 7 : 11 }),
    el("svg:text", { x: inside ? 12 : w / 2, y: inside ? 19 : h / 2 + 4, "text-anchor": inside ? "start" : "middle" }, title.length > most && !inside ? title.slice(0, most - 1) + "…" : (inside ? "▾ " : "") + title),
    el("svg:title", {}, clean(item.path) + (item.kids.size ? " – " + plural(item.nodes, "op") : " = " + part.nodes.op[item.id] + " " + part.nodes.types[item.id].join(", "))));
  }

  mark() {
    if (!this.layer) return;
    const marked = (item) => {
      if (item.id >= 0) return marks("node", item.id);
      return "";
    };
    const holds = new Set();
    const sets = [pinned, under].filter(Boolean).map((x) => linked(x).recorded);
    for (const set of sets) for (const i of set) { const h = this.home.get(i); if (h) holds.add(this.seen(h).path); }
    for (const g of this.layer.querySelectorAll(".box")) {
      const p = this.placed.get(g.getAttribute("data-path"));
      if (!p) continue;
      g.classList.remove("pin", "the", "under", "found");
      const m = marked(p.item).trim();
      if (m) g.classList.add(...m.split(" "));
      else if (holds.has(p.item.path)) g.classList.add("under");
      if (this.found && p.item.id >= 0 && this.found.has(p.item.id)) g.classList.add("found");
    }
    for (const e of this.layer.querySelectorAll(".edge")) {
      e.classList.toggle("on", holds.has(e.getAttribute("data-a")) || holds.has(e.getAttribute("data-b")));
    }
  }

  // ------------------------------------------------------------ moving about

  zoom() {
    this.svg = el("svg:svg", { class: "graph" });
    fill(this.canvas, this.svg);
    this.view = { x: 0, y: 0, k: 1 };
    this.canvas.addEventListener("wheel", (e) => {
      e.preventDefault();
      const r = this.canvas.getBoundingClientRect(), f = Math.exp(-e.deltaY * 0.0015);
      const k = Math.min(4, Math.max(0.02, this.view.k * f)), mx = e.clientX - r.left, my = e.clientY - r.top;
      this.view.x = mx - (mx - this.view.x) * k / this.view.k;
      this.view.y = my - (my - this.view.y) * k / this.view.k;
      this.view.k = k;
      this.aim();
    }, { passive: false });
    let from = null, moved = false;
    this.canvas.addEventListener("pointerdown", (e) => { from = { x: e.clientX - this.view.x, y: e.clientY - this.view.y, sx: e.clientX, sy: e.clientY }; moved = false; });
    addEventListener("pointermove", (e) => {
      if (!from) return;
      moved = moved || Math.abs(e.clientX - from.sx) + Math.abs(e.clientY - from.sy) > 4;
      if (!moved) return;
      this.view.x = e.clientX - from.x;
      this.view.y = e.clientY - from.y;
      this.aim();
    });
    addEventListener("pointerup", () => { from = null; });
    this.canvas.addEventListener("click", (e) => {
      const g = !moved && e.target.closest && e.target.closest(".box");
      if (!g) return;
      const item = this.placed.get(g.getAttribute("data-path")).item;
      if (item.kids.size) this.toggle(item); else pin({ kind: "node", id: item.id }, this.canvas);
    });
    this.canvas.addEventListener("mouseover", (e) => {
      const g = e.target.closest && e.target.closest("[data-node]");
      hover(g ? { kind: "node", id: +g.getAttribute("data-node") } : null, this.canvas);
    });
  }

  fit() {
    const w = this.canvas.clientWidth || 800, h = this.canvas.clientHeight || 600;
    const k = Math.min(1.1, w / this.size.w, h / this.size.h);
    const use = k < 0.8 ? Math.min(0.8, Math.max(k, w / this.size.w)) : k;
    this.view = { k: use, x: (w - this.size.w * use) / 2, y: Math.max(0, (h - this.size.h * use) / 2) };
    this.aim();
  }

  aim() {
    if (this.layer) this.layer.setAttribute("transform", "translate(" + this.view.x + " " + this.view.y + ") scale(" + this.view.k + ")");
  }
}

/** Layers of a graph that may have circles: each item below those it depends on. */
function layersOf(items, next) {
  const state = new Map(), order = [], back = new Set();
  for (const start of items) {
    if (state.has(start)) continue;
    const stack = [[start, [...next.get(start)]]];
    state.set(start, 1);
    while (stack.length) {
      const [k, left] = stack[stack.length - 1];
      if (left.length) {
        const n = left.pop();
        if (!state.has(n)) { state.set(n, 1); stack.push([n, [...next.get(n)]]); }
        else if (state.get(n) === 1) { if (!back.has(k)) back.add(k); next.get(k).delete(n); }
      } else { state.set(k, 2); order.push(k); stack.pop(); }
    }
  }
  const layer = new Map(items.map((k) => [k, 0]));
  for (const k of order.reverse()) for (const n of next.get(k)) layer.set(n, Math.max(layer.get(n), layer.get(k) + 1));
  // what depends on nothing stands right above its first user
  const fed = new Set();
  for (const k of items) for (const n of next.get(k)) fed.add(n);
  for (const k of items) {
    if (fed.has(k) || !next.get(k).size) continue;
    layer.set(k, Math.max(0, Math.min(...[...next.get(k)].map((n) => layer.get(n))) - 1));
  }
  return layer;
}

/** Order each line of boxes by where its neighbours are. */
function settle(lines, next) {
  const before = new Map();
  for (const [k, set] of next) for (const n of set) { if (!before.has(n)) before.set(n, []); before.get(n).push(k); }
  const at = new Map();
  const note = (line) => line.forEach((k, i) => at.set(k, (i + 0.5) / line.length));
  lines.forEach(note);
  for (let round = 0; round < 4; round++) {
    const down = round % 2 === 0;
    for (const line of down ? lines : [...lines].reverse()) {
      const mean = new Map(line.map((k) => {
        const near = down ? before.get(k) || [] : [...next.get(k)];
        return [k, near.length ? near.reduce((t, x) => t + at.get(x), 0) / near.length : at.get(k)];
      }));
      line.sort((a, b) => mean.get(a) - mean.get(b));
      note(line);
    }
  }
}

function familyOf(op) {
  if (/^(placeholder|input|variable|read|constant)/.test(op)) return "source";
  if (/matmul|conv|einsum/.test(op)) return "product";
  if (/^reduce|sum|mean|arg|pool/.test(op)) return "reduce";
  if (/assign|update|scatter|group|no_op/.test(op)) return "state";
  if (/reshape|transpose|slice|concat|expand|squeeze|pad|tile|gather|stack|broadcast|shape/.test(op)) return "view";
  return "plain";
}
