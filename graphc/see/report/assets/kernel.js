// ---------------------------------------------------------------- kernels: calls and their code

const TEXTS = [["loops", "Loops", LOOPS], ["llvm", "LLVM IR", LLVM], ["optimized", "Optimised", LLVM],
  ["asm", "Assembly", ASM], ["numbers", "Numbers", null], ["why", "Why", null]];

class KernelPane {
  constructor(box) {
    this.calls = el("div", { class: "code", id: "step-list" });
    this.title = el("span", { class: "note" });
    this.tabs = el("div", { class: "words", id: "texts" });
    this.phases = el("select", { id: "phase", onchange: () => { shown.phase = +this.phases.value; this.text(); } });
    this.find = el("input", { type: "search", placeholder: "Find…", id: "find-text", oninput: () => this.search() });
    this.note = el("span", { class: "note" });
    this.body = el("div", { class: "code", id: "text-list" });
    this.other = el("div", { class: "prose", id: "text-other" });
    fill(box, 
      el("div", { class: "calls" }, el("div", { class: "bar" }, el("b", {}, "Kernel calls"), this.title), this.calls),
      el("div", { class: "text" }, el("div", { class: "bar" }, this.tabs, this.phases, this.find, this.note), this.body, this.other));
    this.list = new List(this.calls, 22, (i) => this.call(i));
    this.lines = new List(this.body, 17, (i) => this.line(i));
    followed(this.calls);
    followed(this.body);
    this.text_ = [];
    this.fill();
    listen((what, from) => {
      if (what === "part") { shown.step = -1; this.fill(); }
      if (what === "pin" && from === this.body) {
        this.list.now();
        this.lines.now();
      } else if (what === "pin") {
        this.fill(from === this.calls);
      }
      if (what === "hover") { remark(this.calls); this.remark(); }
      if (what === "step") this.text();
    });
  }

  fill(keep) {
    const all = part.steps.filter((s) => s.calls).map((s) => s.id);
    if (!all.includes(shown.step)) {
      shown.step = all.length ? all.reduce((a, b) => ((part.steps[b].ns || 0) > (part.steps[a].ns || 0) ? b : a)) : -1;
    }
    this.ids = all;
    this.most = Math.max(...all.map((s) => part.steps[s].ns || 0), 1);
    this.title.textContent = plural(all.length, "call") + " of " + plural(part.kernels.length, "kernel");
    this.list.set(all.length);
    if (!keep && all.length) this.list.reveal(all.indexOf(shown.step));
    this.text();
  }

  call(at) {
    const s = part.steps[this.ids[at]];
    return el("div", { class: "row step live" + marks("step", s.id) + (s.id === shown.step ? " open" : ""), data: { kind: "step", id: s.id }, title: s.name },
      el("span", { class: "heat", style: "--w:" + ((s.ns || 0) / this.most).toFixed(3) }, part.timed ? time(s.ns) : bytes(stepBytes(s))),
      el("span", { class: "no" }, String(s.id)), el("span", { class: "name" }, clean(s.name)));
  }

  async text() {
    const s = part.steps[shown.step];
    fill(this.tabs, ...TEXTS.map(([key, title]) => el("button", {
      class: "word" + (shown.text === key ? " on" : ""), data: { text: key },
      onclick: () => { shown.text = key; this.text(); },
    }, title)));
    const plain = shown.text === "numbers" || shown.text === "why";
    this.body.hidden = plain;
    this.other.hidden = !plain;
    this.find.hidden = plain;
    this.phases.hidden = true;
    this.note.textContent = "";
    if (!s) {
      this.show(part.stages.length < 2 || data.error ? ["Nothing was compiled this far."] : ["This run calls no kernel."]);
      return;
    }
    if (shown.text === "numbers") return fill(this.other, ...numbersOf(s));
    if (shown.text === "why") return fill(this.other, ...whyOf(s));
    const asked = shown.step + shown.text;
    this.asked = asked;
    const texts = await textsOf(part.kernels[s.kernel]);
    if (this.asked !== asked) return;
    if (!texts) return this.show(["The text of this kernel was left out of the page, to keep it small."]);
    let text = texts.loops, at = null;
    if (shown.text !== "loops") {
      const made = texts.native;
      if (!made.length) return this.show(["Not in this report."]);
      shown.phase = Math.min(shown.phase, made.length - 1);
      this.phases.hidden = made.length < 2;
      fill(this.phases, ...made.map((m, i) => el("option", { value: i }, m.name || "kernel")));
      this.phases.value = shown.phase;
      text = made[shown.phase][shown.text];
      at = made[shown.phase].at[shown.text] || [];
    }
    // code that several calls share was made for the first: its lines may be none of this call's
    const mine = linked({ kind: "step", id: shown.step }).lines, only = mine.size === 1 ? [...mine][0] : -1;
    const ofLoops = (texts.lines || []).map((line) => (line < 0 || mine.has(line) ? line : only));
    this.show(text.split("\n"), (i) => {
      const loop = at ? (at[i] || 0) - 1 : i;
      return loop < 0 ? null : { loop, line: ofLoops[loop] === undefined ? -1 : ofLoops[loop] };
    }, texts.loops.split("\n"));
    this.find.title = "Find in " + plural(this.text_.length, "line");
  }

  /** Lines of a text; `from` says of each the line of the loops, and the user's line. */
  show(lines, from, loops) {
    this.text_ = lines;
    this.from = from || (() => null);
    this.loops = loops || [];
    this.body.hidden = false;
    this.other.hidden = true;
    this.body.scrollTop = 0;
    this.lines.set(lines.length);
    if (pinned && pinned.kind !== "step") {
      this.lines.reveal(lines.findIndex((_, i) => { const f = this.from(i); return f !== null && this.lit(f.line, pinned); }));
    }
    this.search(true);
  }

  line(i) {
    const pattern = (TEXTS.find((t) => t[0] === shown.text) || [])[2];
    const text = clean(this.text_[i].replace(/\t/g, "    "));
    const from = this.from(i), known = from !== null && from.line >= 0;
    const about = { class: "row code-line" + (this.hits && this.hits.has(i) ? " hit" : "") };
    if (known) {
      about.class += " live" + (this.lit(from.line, pinned) ? " pin" : "") + (this.lit(from.line, under) ? " under" : "");
      about.data = { kind: "line", id: from.line };
    }
    if (from !== null) {
      const loop = shown.text === "loops" ? "" : "loops " + (from.loop + 1) + ": " + this.loops[from.loop].trim();
      const line = known ? placeOf(from.line) + "  " + (lineText(data.lines[from.line][0], data.lines[from.line][1]) || "").trim() : "";
      about.title = clean([loop, line].filter((t) => t).join("\n"));
    }
    return el("div", about, el("span", { class: "no" }, String(i + 1)), el("span", { class: "origin" }, known ? ":" + data.lines[from.line][1] : ""),
      el("span", {}, pattern ? coloured(text, pattern) : text));
  }

  /** Whether code of a user's line is meant by something pinned, or under the mouse. */
  lit(line, item) {
    if (!item || item.kind === "step") return false;
    return item.kind === "line" ? item.id === line : linked(item).lines.has(line);
  }

  /** Mark what is under the mouse; the rows stay, so that a click finds them. */
  remark() {
    for (const e of this.body.querySelectorAll(".live[data-kind]")) {
      e.classList.toggle("under", this.lit(+e.dataset.id, under));
    }
  }

  search(again) {
    const q = this.find.value.toLowerCase();
    this.hits = q ? new Set(this.text_.flatMap((t, i) => (t.toLowerCase().includes(q) ? [i] : []))) : null;
    this.lines.now();
    if (this.hits && this.hits.size && !again) this.lines.reveal([...this.hits][0]);
    if (q) this.note.textContent = plural(this.hits.size, "hit");
  }
}

/** Bytes that a step reads and writes, each place once. */
function stepBytes(s) {
  if (s.bytes !== undefined && s.bytes !== null) return s.bytes;
  const seen = new Map();
  for (const a of s.args) seen.set(a.kind + a.index + a.name, a.bytes);
  return [...seen.values()].reduce((a, b) => a + b, 0);
}

/** Share of what the machine could do at most with this many bytes and flops. */
function roofline(s) {
  const m = data.machine;
  if (!m.flops || !m.bytes || !s.ns) return null;
  return Math.max((s.flops || 0) / m.flops, stepBytes(s) / m.bytes) * 1e9 / s.ns;
}

const KINDS = { feed: "fed", var: "variable", const: "constant", out: "result", arena: "arena", scratch: "scratch of each thread", counters: "random counter", kept: "kept between runs", written: "count of writes" };

function numbersOf(s) {
  const rows = [], add = (k, v) => rows.push(el("tr", {}, el("th", {}, k), el("td", {}, v)));
  const b = stepBytes(s);
  if (part.timed) add("Time of one run", time(s.ns) + (part.total ? " (" + share((s.ns || 0) / part.total) + " of all kernels)" : ""));
  if (s.count > 1) add("Times a run", count(s.count));
  add("Bytes read and written", bytes(b) + (s.ns ? ", " + three(b / s.ns) + " GB/s" : ""));
  if (s.flops) add("Floating point operations", ops(s.flops) + (s.ns ? ", " + three(s.flops / s.ns) + " GFLOP/s" : "") + (b ? ", " + three(s.flops / b) + " per byte" : ""));
  const r = roofline(s);
  if (r !== null) add("Share of the roofline", share(r) + (r > 1 ? " (the data was in cache)" : ""));
  const k = part.kernels[s.kernel];
  if (k.calls > 1) add("Calls of this kernel", count(k.calls) + ", compiled once");
  if (s.commit) add("Writes", "a variable in place, at the end of the run");
  add("From", s.lines.length ? s.lines.map((l) => el("div", { class: "link", data: { kind: "line", id: l }, onclick: () => pin({ kind: "line", id: l }) },
    placeOf(l), " ", el("code", {}, clean((lineText(data.lines[l][0], data.lines[l][1]) || "").trim())))) : none);
  const args = s.args.map((a) => el("tr", {}, el("td", {}, a.as), el("td", {}, a.direction === "in" ? "reads" : a.direction === "out" ? "writes" : "reads and writes"),
    el("td", {}, KINDS[a.kind] || a.kind), el("td", {}, clean(a.name)), el("td", { class: "r" }, a.bytes ? bytes(a.bytes) : none)));
  return [el("table", { class: "facts" }, rows), el("h4", {}, "Arguments"),
    el("table", { class: "grid" }, el("tr", {}, ["name", "", "where", "what", "size"].map((h) => el("th", {}, h))), args)];
}

/** Reasons that the compiler wrote down about the nodes of a step, and what the numbers say. */
function whyOf(s) {
  const out = verdictOf(s).map((t) => el("p", {}, t));
  const reasons = (s.reasons || []).map((i) => part.reasons[i]);
  out.push(el("h4", {}, "What the compiler decided, and what would change it"));
  for (const [kind, title] of Object.entries(DECIDED)) {
    const found = reasons.filter((r) => r.kind === kind);
    if (!found.length) continue;
    out.push(el("h5", {}, title));
    for (const r of found.slice(0, 40)) {
      out.push(el("div", { class: "reason" }, clean(r.text), r.remedy ? el("div", { class: "remedy" }, "→ ", clean(r.remedy)) : null));
    }
    if (found.length > 40) out.push(el("div", { class: "note" }, plural(found.length - 40, "more reason")));
  }
  if (!reasons.length) out.push(el("p", { class: "note" }, "Nothing was written down about this kernel."));
  return out;
}

const DECIDED = {
  vector: "Whole vectors", epilogue: "Behind a matrix product", fuse: "In one kernel, or not", host: "Work of Python",
  buffer: "Memory", rule: "Rules that do not apply", fold: "Before the run", size: "Sizes", compile: "Compiled again",
};

/** What the numbers say of a kernel, as sentences. */
function verdictOf(s) {
  const out = [], m = data.machine, b = stepBytes(s), r = roofline(s);
  if (!s.ns) return part.timed ? [] : ["There are no times in this report."];
  const where = part.total ? share(s.ns / part.total) + " of the time of all kernels" : time(s.ns);
  out.push("This call takes " + time(s.ns) + ", " + where + (s.count > 1 ? ", for " + count(s.count) + " calls in a run" : "") + ".");
  if (r === null) return out;
  const byFlops = (s.flops || 0) / m.flops, byBytes = b / m.bytes, floor = Math.max(byFlops, byBytes) * 1e9;
  const limit = byFlops > byBytes
    ? ops(s.flops) + " floating point operations at " + three(m.flops / 1e9) + " GFLOP/s" : bytes(b) + " at " + three(m.bytes / 1e9) + " GB/s";
  if (r > 1) {
    out.push("At least " + time(floor) + " would be needed for " + limit + ", as measured here: "
      + (byFlops > byBytes ? "the machine was busier then." : "its data was in cache."));
    return out;
  }
  out.push("No code could take less than " + time(floor) + " for " + limit + ": it reaches " + share(r) + " of that.");
  if (r < 0.5) {
    out.push(s.ns < 5000 * (s.count || 1) ? "It is so short that starting it counts."
      : byFlops > byBytes ? "It is limited by arithmetic that the kernel does not keep going: see its vectors below, and its assembly."
        : "It is not limited by memory alone: costly operations (see its loops), strided access or the arithmetic of its indices take the time.");
  } else {
    out.push(byFlops > byBytes ? "It is near what the processor can do: only fewer operations would make it faster."
      : "It is near what memory can do: only fewer bytes would make it faster - a smaller type, or one kernel with its neighbours.");
  }
  return out;
}
