// ---------------------------------------------------------------- the page as a whole

const TABS = [["trace", "Line to machine code"], ["kernels", "Kernels"], ["graph", "Graph"], ["memory", "Memory"], ["passes", "Passes and rules"]];
const panes = {};

function header() {
  const p = part, last = p.stages[p.stages.length - 1], m = data.machine;
  const chip = (value, what) => el("span", { class: "chip" }, el("b", {}, value), " " + what);
  const calls = p.steps.filter((s) => s.calls).length;
  const parts = data.parts.length > 1 ? el("select", {
    id: "part", title: "Part of the run", onchange: (e) => usePart(+e.target.value),
  }, data.parts.map((q, i) => el("option", { value: i, selected: q === p }, clean(q.title || "part " + (i + 1))))) : null;
  const sizes = Object.entries(p.sizes).slice(0, 6).map(([s, n]) => s + " = " + n).join(", ");
  fill($("#head"), 
    el("span", { class: "logo" }, "graphc"), el("h1", { title: clean(data.title) }, clean(data.title)), parts,
    el("span", { class: "chips" },
      chip(count(p.stages[0].count), "ops recorded"),
      p.stages.length > 1 ? chip(count(last.count), "nodes after " + plural(p.stages.length - 2, "pass", "passes")) : null,
      p.stages.length > 1 && !data.error ? chip(count(calls), calls === 1 ? "kernel call" : "kernel calls") : null,
      p.timed ? chip(time(p.total), "in kernels a run") : null,
      p.memory ? chip(bytes(p.memory.total), "arena") : null),
    el("span", { class: "note when", title: "graphc " + data.graphc + ", Python " + m.python + ", " + m.system }, (sizes ? sizes + " · " : "") + m.cpu + ", " + m.bits + " bit vectors"));
}

function messages() {
  const out = [];
  if (data.error) {
    const names = part.stages.map((s) => s.name);
    out.push(el("div", { class: "banner error", id: "error" }, el("b", {}, "This run does not compile: " + clean(data.error.type)),
      el("pre", {}, clean(data.error.message).replace(/\\n/g, "\n")), el("div", {}, "Shown is what there was until then: " + names.slice(-3).join(", ") + ".")));
  }
  for (const t of data.left_out) out.push(el("div", { class: "banner", "data-left-out": true }, "Left out, to keep this page quick: " + clean(t) + "."));
  return out;
}

function go(tab) {
  shown.tab = tab;
  hideTip();
  for (const b of $("#tabs").children) b.classList.toggle("on", b.dataset.tab === tab);
  for (const [key] of TABS) panes[key].hidden = key !== tab;
  if (tab === "kernels") kernelsView(panes.kernels);
  if (tab === "memory") memoryView(panes.memory);
  if (tab === "passes") passesView(panes.passes);
  if (tab === "graph") {
    if (!panes.scopes) panes.scopes = new ScopeView(panes.graph);
    else if (panes.scopes.stale) { panes.scopes.stale = false; panes.scopes.reveal(); panes.scopes.draw(); }
  }
  remember();
}

function usePart(i) {
  shown.part = i;
  part = data.parts[i];
  pinned = under = null;
  header();
  trail();
  panes.scopes = null;
  tell("part");
  go(shown.tab);
}

/** What is pinned, from the line to the time, in one line. */
function trail() {
  const box = $("#trail");
  if (!pinned) {
    const slow = part.lineTime.reduce((a, x, i) => (x > (part.lineTime[a] || 0) ? i : a), -1);
    fill(box, el("span", { class: "note" }, "Click a line, an op or a kernel: everything that belongs to it lights up in all panes. "),
      slow >= 0 && part.total ? el("button", { class: "word link", id: "slowest", onclick: () => { pin({ kind: "line", id: slow }); go("trace"); } },
        "Slowest line: " + placeOf(slow) + ", " + share(part.lineTime[slow] / part.total)) : null);
    return;
  }
  const f = linked(pinned), n = part.nodes;
  const what = pinned.kind === "line" ? "line" : pinned.kind === "step" ? "kernel call" : "node";
  const title = pinned.kind === "line" ? placeOf(pinned.id) : pinned.kind === "step" ? clean(part.steps[pinned.id].name) : asName(n.name[pinned.id]);
  const ns = pinned.kind === "line" ? part.lineTime[pinned.id] : [...f.steps].reduce((t, s) => t + (part.steps[s].ns || 0), 0);
  const lines = [...f.lines], steps = [...f.steps];
  const alone = [...f.recorded].map((i) => part.fates[i]).filter(Boolean);
  const fate = !steps.length && alone.length ? alone[alone.length - 1] : null;
  fill(box, 
    el("span", { class: "tag" }, what), el("b", {}, title),
    el("span", {}, " → ", plural(f.recorded.size, "recorded op")), el("span", {}, " → ", plural(f.nodes.size - f.recorded.size, "node"), " of later stages"),
    el("span", {}, " → ", plural(steps.length, "kernel call")),
    part.timed && steps.length ? el("span", {}, " → ", el("b", {}, time(ns)), part.total ? " (" + share(ns / part.total) + ")" : "") : null,
    pinned.kind !== "line" && lines.length ? el("span", { class: "note" }, " from " + lines.slice(0, 2).map(placeOf).join(", ") + (lines.length > 2 ? " and " + (lines.length - 2) + " more" : "")) : null,
    fate ? el("span", { class: "note" }, " – it " + clean(fate)) : null,
    el("button", { class: "tool", id: "unpin", title: "Escape", onclick: () => pin(null) }, "✕"));
}

/** The place in the address, so that it can be sent to somebody. */
function remember() {
  const words = ["tab=" + shown.tab, "stage=" + (part.stages[shown.stage] || {}).name];
  if (pinned) words.push("at=" + pinned.kind + ":" + pinned.id);
  history.replaceState(null, "", "#" + words.join("&"));
}

function recall() {
  const words = new Map(location.hash.slice(1).split("&").map((w) => { const i = w.indexOf("="); return [w.slice(0, i), decodeURIComponent(w.slice(i + 1))]; }));
  const stage = part.stages.findIndex((s) => s.name === words.get("stage"));
  if (stage >= 0) shown.stage = stage;
  const at = /^(line|node|step):(\d+)$/.exec(words.get("at") || "");
  const limit = { line: data.lines.length, node: part.nodes.op.length, step: part.steps.length };
  return { tab: TABS.some(([t]) => t === words.get("tab")) ? words.get("tab") : "trace", item: at && +at[2] < limit[at[1]] ? { kind: at[1], id: +at[2] } : null };
}

/** A bar between two panes that moves with the mouse. */
function splitter(box, property, across) {
  const bar = el("div", { class: across ? "split across" : "split" });
  bar.addEventListener("pointerdown", (e) => {
    e.preventDefault();
    bar.setPointerCapture(e.pointerId);
    const move = (m) => {
      const r = box.getBoundingClientRect();
      const x = across ? (m.clientX - r.left) / r.width : (m.clientY - r.top) / r.height;
      box.style.setProperty(property, (100 * Math.min(0.85, Math.max(0.12, x))).toFixed(1) + "%");
    };
    bar.addEventListener("pointermove", move);
    bar.addEventListener("pointerup", () => bar.removeEventListener("pointermove", move), { once: true });
  });
  return bar;
}

function build() {
  fill($("#tabs"), ...TABS.map(([key, title]) => el("button", { role: "tab", data: { tab: key }, onclick: () => go(key) }, title)));
  for (const [key] of TABS) panes[key] = el("section", { class: "tab", id: "tab-" + key, hidden: true });
  const source = el("div", { class: "pane", id: "source" }), ir = el("div", { class: "pane", id: "ir" }), kernel = el("div", { class: "pane", id: "kernel" });
  const right = el("div", { class: "right" });
  right.append(ir, splitter(right, "--top", false), kernel);
  panes.trace.append(source, splitter(panes.trace, "--first", true), right);
  fill($("#main"), ...messages(), ...TABS.map(([key]) => panes[key]));
  panes.source = new SourcePane(source);
  new GraphPane(ir);
  new KernelPane(kernel);
}

async function main() {
  try {
    if (typeof DecompressionStream === "undefined") throw new Error("this browser is too old for this page: it needs DecompressionStream (2023)");
    const d = await unpack($("#data").textContent);
    useReport(d);
    shown.stage = Math.max(0, part.stages.findIndex((s) => s.name === "simplify"));
    const { tab, item } = recall();
    header();
    trail();
    build();
    listen((what) => {
      if (what === "pin") { trail(); if (["kernels"].includes(shown.tab)) go(shown.tab); else remember(); }
      if (what === "stage") remember();
    });
    go(tab);
    if (item) pin(item); else panes.source.start();
    addEventListener("keydown", (e) => {
      if (e.target.matches("input, select")) { if (e.key === "Escape") e.target.blur(); return; }
      if (e.key === "Escape") pin(null);
      const stages = { ArrowLeft: -1, ArrowRight: 1 };
      if (stages[e.key] && shown.tab === "trace") { shown.stage += stages[e.key]; tell("stage"); }
      if (/^[1-5]$/.test(e.key)) go(TABS[+e.key - 1][0]);
    });
    document.body.dataset.ready = String(Math.round(performance.now()));
  } catch (e) {
    document.body.dataset.failed = String(e);
    fill($("#main"), el("p", { class: "wait" }, "The report cannot be shown: " + e.message));
    throw e;
  }
}

// for tests and for the curious
window.report = { get data() { return data; }, get part() { return part; }, get pinned() { return pinned; }, shown, linked, pin, go, rowsOf, textOf, labelsOf };
main();
