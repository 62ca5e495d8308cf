// ---------------------------------------------------------------- the report and its links

let data = null;   // the whole report
let part = null;   // the part that is looked at
const shown = { part: 0, tab: "trace", stage: 0, step: -1, file: 0, text: "loops", phase: 0 };
let pinned = null; // what was clicked: {kind: "line" | "node" | "step", id}
let under = null;  // what is under the mouse
const listeners = [];

/** Call `f(what)` when something changes: "part", "tab", "stage", "pin", "hover", "step". */
const listen = (f) => listeners.push(f);
const tell = (what, from) => { for (const f of listeners) f(what, from); };

function useReport(d) {
  data = d;
  data.lineOf = new Map(data.lines.map(([f, n], i) => [f + ":" + n, i]));
  for (const p of data.parts) link(p);
  part = data.parts[0];
}

const HEAVY = /matmul|conv/;

/** The tables that links are followed by. */
function link(p) {
  const n = p.nodes, total = n.op.length;
  p.came = p.came || {};
  p.recorded = new Set(p.stages[0].rows);
  p.derived = new Map(); // recorded node -> nodes of later stages
  for (const [node, from] of Object.entries(p.came)) {
    for (const r of from) {
      if (!p.derived.has(r)) p.derived.set(r, []);
      p.derived.get(r).push(+node);
    }
  }
  p.byLine = data.lines.map(() => []);
  for (let i = 0; i < total; i++) for (const l of n.lines[i]) p.byLine[l].push(i);
  p.stepsOf = new Map(); // node -> steps
  p.steps.forEach((s, i) => {
    s.id = i;
    s.calls = s.kernel >= 0;
    if (!s.calls) return;
    if (!p.stepsOf.has(s.node)) p.stepsOf.set(s.node, []);
    p.stepsOf.get(s.node).push(i);
    s.from = new Set(p.came[s.node] || []);
    const lines = new Set();
    for (const r of s.from) for (const l of n.lines[r]) lines.add(l);
    if (!lines.size && s.node >= 0) for (const l of n.lines[s.node]) lines.add(l);
    s.lines = [...lines];
  });
  p.total = p.steps.reduce((t, s) => t + (s.ns || 0), 0);
  p.timed = p.steps.some((s) => s.ns !== null && s.ns !== undefined);
  // a step's time is shared among its lines by what they recorded of it
  p.lineTime = data.lines.map(() => 0);
  p.lineSteps = data.lines.map(() => []);
  for (const s of p.steps) {
    if (!s.calls) continue;
    const weight = new Map(s.lines.map((l) => [l, 0]));
    for (const r of s.from) {
      // of a gradient the line of what it is the gradient of, which is first
      if (n.lines[r].length) weight.set(n.lines[r][0], weight.get(n.lines[r][0]) + (HEAVY.test(n.op[r]) ? 25 : 1));
    }
    const sum = [...weight.values()].reduce((a, b) => a + b, 0) || s.lines.length;
    for (const l of s.lines) {
      p.lineSteps[l].push(s.id);
      p.lineTime[l] += (s.ns || 0) * ((weight.get(l) || (sum === s.lines.length ? 1 : 0)) / sum);
    }
  }
  if (p.memory) { // a buffer belongs to the line of the op whose value it holds
    const byName = new Map(p.stages[0].rows.map((i) => [n.name[i], i]));
    for (const b of p.memory.buffers) {
      const r = byName.get(b.name);
      if (r !== undefined) { b.lines = n.lines[r]; b.node = r; }
    }
  }
  p.expanded = [];
  p.labelled = [];
  p.reasonsOf = new Map();
  p.reasons.forEach((r, i) => {
    for (const x of r.nodes) {
      if (!p.reasonsOf.has(x)) p.reasonsOf.set(x, []);
      p.reasonsOf.get(x).push(i);
    }
  });
}

/** What an item is linked with: lines, recorded operations, nodes of any stage, steps. */
function linked(item) {
  if (item.found && item.foundIn === part) return item.found;
  const p = part, n = p.nodes;
  const out = { lines: new Set(), recorded: new Set(), nodes: new Set(), steps: new Set() };
  const from = (r) => { out.recorded.add(r); out.nodes.add(r); };
  if (item.kind === "line") {
    out.lines.add(item.id);
    for (const i of p.byLine[item.id]) {
      if (p.recorded.has(i)) from(i); else if (!(p.came[i] || []).length) out.nodes.add(i);
    }
    p.lineSteps[item.id].forEach((s) => out.steps.add(s));
  } else if (item.kind === "step") {
    const s = p.steps[item.id];
    if (s && s.calls) {
      out.steps.add(item.id);
      out.nodes.add(s.node);
      s.from.forEach(from);
      s.lines.forEach((l) => out.lines.add(l));
    }
  } else if (item.kind === "node") {
    out.nodes.add(item.id);
    if (p.recorded.has(item.id)) from(item.id);
    (p.came[item.id] || []).forEach(from);
    for (const r of out.recorded) for (const l of n.lines[r]) out.lines.add(l);
    if (!out.lines.size) for (const l of n.lines[item.id]) out.lines.add(l);
    if (p.stepsOf.has(item.id)) p.stepsOf.get(item.id).forEach((s) => out.steps.add(s));
  }
  for (const r of out.recorded) {
    for (const i of p.derived.get(r) || []) {
      out.nodes.add(i);
      if (item.kind !== "step" && !(item.kind === "node" && p.stepsOf.has(item.id))) {
        for (const s of p.stepsOf.get(i) || []) out.steps.add(s);
      }
    }
  }
  item.found = out;
  item.foundIn = p;
  return out;
}

function pin(item, from) {
  pinned = item;
  if (item) {
    const steps = [...linked(item).steps];
    if (item.kind === "step") shown.step = item.id;
    else if (steps.length && !steps.includes(shown.step)) {
      shown.step = steps.reduce((a, b) => ((part.steps[b].ns || 0) > (part.steps[a].ns || 0) ? b : a));
    }
  }
  under = null;
  tell("pin", from);
}

function hover(item, from) {
  if (under && item && under.kind === item.kind && under.id === item.id) return;
  if (!under && !item) return;
  under = item;
  tell("hover", from);
}

const PLURAL = { line: "lines", node: "nodes", step: "steps" };

/** Classes of something: is it pinned, or linked with what is under the mouse? */
function marks(kind, id) {
  const key = PLURAL[kind];
  let out = "";
  if (pinned && linked(pinned)[key].has(id)) out += " pin";
  if (pinned && pinned.kind === kind && pinned.id === id) out += " the";
  if (under && linked(under)[key].has(id)) out += " under";
  return out;
}

// ---------------------------------------------------------------- stages

/** How many rows a pass changed: a row whose operands are new and called the same is none. */
const changesOf = (stage) => stage.rows.reduce((t, r) => t + (typeof r !== "number" && r.length > 2 ? 1 : 0), 0);

/** Rows of stage `k`: (before, after, why, what stands for it now, whether it is another). */
function rowsOf(k) {
  const p = part;
  if (p.expanded[k]) return p.expanded[k];
  const stage = p.stages[k];
  let rows;
  if (k === 0) rows = stage.rows.map((i) => [-1, i, "", -1, false]);
  else {
    const before = afterOf(k - 1);
    rows = [];
    let at = 0;
    for (const r of stage.rows) {
      if (typeof r === "number") {
        for (const end = at + r; at < end; at++) rows.push([before[at], before[at], "", -1, false]);
      } else {
        rows.push([r[0], r[1], r[2] || "", r.length > 3 ? r[3] : -1, r.length > 2]);
        if (r[0] >= 0) at++;
      }
    }
  }
  p.expanded[k] = rows;
  return rows;
}

const afterOf = (k) => rowsOf(k).filter((r) => r[1] >= 0).map((r) => r[1]);

const PLAIN = /^[A-Za-z0-9_][\w./:-]*$/;
const asName = (name) => "%" + (PLAIN.test(name) ? name : JSON.stringify(clean(name)));

/** For stage `k` the labels of each node's results: the user's names, told apart by numbers. */
function labelsOf(k) {
  const p = part;
  if (p.labelled[k]) return p.labelled[k];
  const n = p.nodes, labels = new Map(), scopes = [];
  for (const i of afterOf(k)) {
    const depth = n.depth[i];
    if (n.kind[i] === "open") scopes[depth + 1] = { used: new Set(), next: new Map() };
    if (n.kind[i]) continue;
    const scope = (scopes[depth] = scopes[depth] || { used: new Set(), next: new Map() });
    let base = n.name[i], number = scope.next.get(base) || 0, name = number ? base + "." + number : base;
    const results = Math.max(1, n.types[i].length);
    const clash = (s) => {
      for (let j = 0; j < results; j++) if (scope.used.has(j ? s + ":" + j : s)) return true;
      return false;
    };
    while (clash(name)) name = base + "." + ++number;
    scope.next.set(base, number);
    const made = [];
    for (let j = 0; j < results; j++) {
      const s = j ? name + ":" + j : name;
      scope.used.add(s);
      made.push(asName(s));
    }
    labels.set(i, made);
  }
  p.labelled[k] = labels;
  return labels;
}

const labelOf = (k, i, result) => {
  const made = labelsOf(k).get(i);
  return made ? made[result || 0] || made[0] : asName(part.nodes.name[i]);
};

/** The pieces of a row's text: [class, text, node?]. */
function piecesOf(k, i) {
  const n = part.nodes, out = [];
  const values = () => {
    const list = [];
    for (let j = 0; j < n.inputs[i].length; j += 2) {
      if (j) list.push(["", ", "]);
      list.push(["v", labelOf(k, n.inputs[i][j], n.inputs[i][j + 1]), n.inputs[i][j]]);
    }
    return list;
  };
  switch (n.kind[i]) {
    case "open": return [["kw", clean(n.name[i])], ["", " {"]];
    case "close": return [["", "}"]];
    case "return": return [["kw", "return"], ["", " "], ...values()];
    case "update": return [["kw", "update"], ["", " "], ["at", JSON.stringify(clean(n.name[i]))],
      ["", " = "], ...values()];
  }
  const made = labelsOf(k).get(i) || [asName(n.name[i])];
  if (n.types[i].length) {
    made.slice(0, n.types[i].length).forEach((s, j) => out.push(["", j ? ", " : ""], ["d", s, i]));
    out.push(["", " = "]);
  } else out.push(["d", "^" + clean(n.name[i]), i], ["", " = "]);
  out.push(["op", n.op[i]], ["", n.inputs[i].length ? " " : ""], ...values());
  for (const c of n.control[i]) out.push(["", " "], ["v", "^" + clean(n.name[c]), c]);
  if (n.attrs[i]) out.push(["at", " {" + clean(n.attrs[i]) + "}"]);
  if (n.types[i].length) out.push(["ty", " : " + n.types[i].join(", ")]);
  return out;
}

const textOf = (k, i) => piecesOf(k, i).map((p) => p[1]).join("");

/** Where a line is, as people say it. */
function placeOf(l) {
  const [f, n, where] = data.lines[l];
  return basename(clean(data.files[f].path)) + ":" + n + (where && where !== "<module>" ? " in " + clean(where) : "");
}

/** The text of line `n` of a file, or undefined. */
function lineText(file, n) {
  for (const [first, text] of data.files[file].pieces) {
    if (n >= first && n < first + text.length) return text[n - first];
  }
  return undefined;
}
