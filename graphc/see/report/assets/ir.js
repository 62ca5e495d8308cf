// ---------------------------------------------------------------- the graph after each pass

class GraphPane {
  constructor(box) {
    this.diff = true;
    this.only = "all"; // all, changed, linked
    this.query = "";
    this.choice = el("select", { id: "stage", title: "Stage", onchange: () => this.go(+this.choice.value) });
    this.mode = el("select", { id: "rows", title: "Which rows", onchange: () => { this.only = this.mode.value; this.fill(); } },
      el("option", { value: "all" }, "all rows"), el("option", { value: "changed" }, "changed rows"),
      el("option", { value: "linked" }, "linked rows"));
    this.find = el("input", { type: "search", placeholder: "Find…", id: "find-row", oninput: () => { this.query = this.find.value.toLowerCase(); this.fill(); } });
    this.side = el("button", { class: "tool", id: "side", title: "Before and after side by side", onclick: () => { this.diff = !this.diff; this.fill(); } }, "⇆ diff");
    this.note = el("span", { class: "note" });
    this.body = el("div", { class: "code", id: "ir-list" });
    const step = (d, sign, title) => el("button", { class: "tool", title, id: d < 0 ? "stage-back" : "stage-on", onclick: () => this.go(shown.stage + d) }, sign);
    fill(box, el("div", { class: "bar" }, el("b", {}, "Graph"), step(-1, "‹", "Stage before"), this.choice,
      step(1, "›", "Next stage"), this.side, this.mode, this.find, this.note), this.body);
    this.list = new List(this.body, 19, (i) => this.row(i));
    followed(this.body);
    this.body.addEventListener("mouseover", (e) => this.tip(e));
    this.body.addEventListener("mouseleave", () => hideTip());
    this.stages();
    listen((what, from) => {
      if (what === "part") this.stages();
      if (what === "stage") this.go(shown.stage);
      if (what === "pin") {
        if (this.only === "linked") this.fill();
        if (pinned && from !== this.body) this.reveal();
      }
      if (what === "pin") this.list.now();
      if (what === "hover") remark(this.body);
    });
  }

  stages() {
    fill(this.choice, ...part.stages.map((s, k) => {
      const changes = k ? changesOf(s) : 0;
      return el("option", { value: k }, s.name + (k > 1 ? (changes ? "  (" + plural(changes, "row") + ")" : "  (nothing)") : ""));
    }));
    this.go(Math.min(shown.stage, part.stages.length - 1));
  }

  go(k) {
    shown.stage = Math.max(0, Math.min(part.stages.length - 1, k));
    this.choice.value = shown.stage;
    this.fill();
    if (pinned) this.reveal();
  }

  fill() {
    const k = shown.stage, both = this.diff && k > 0;
    this.both = both;
    this.stage = k; // of the rows that are listed
    this.side.classList.toggle("on", this.diff);
    this.side.disabled = k === 0;
    let rows = rowsOf(k).filter((r) => both || r[1] >= 0);
    const all = rows.length;
    if (this.only === "changed" && k) rows = rows.filter((r) => this.changed(r));
    if (this.only === "linked" && pinned) {
      const nodes = linked(pinned).nodes;
      rows = rows.filter((r) => nodes.has(r[0]) || nodes.has(r[1]));
    }
    if (this.query) {
      rows = rows.filter((r) => (r[2] && r[2].toLowerCase().includes(this.query))
        || [[k - 1, r[0]], [k, r[1]]].some(([s, i]) => i >= 0 && s >= 0 && textOf(s, i).toLowerCase().includes(this.query)));
    }
    this.rows = rows;
    const s = part.stages[k];
    this.note.textContent = (rows.length < all ? count(rows.length) + " of " : "") + plural(all, "row")
      + (s.ms !== null ? ", pass took " + time(s.ms * 1e6) : "");
    this.body.classList.toggle("both", both);
    this.list.set(rows.length);
  }

  /** Whether a pass did something here: not where only the operand is another node of that name. */
  changed(r) {
    return r[4];
  }

  reveal() {
    const nodes = linked(pinned).nodes;
    const own = pinned.kind === "node" ? this.rows.findIndex((r) => r[1] === pinned.id || r[0] === pinned.id) : -1;
    this.list.reveal(own >= 0 ? own : this.rows.findIndex((r) => nodes.has(r[1]) || (this.both && nodes.has(r[0]))));
  }

  row(at) {
    const r = this.rows[at], k = this.stage;
    if (!this.both) return this.cell(k, r[1], "row", null);
    const changed = this.changed(r), a = r[0], b = r[1];
    const kind = !changed ? "same" : a < 0 ? "more" : b < 0 ? "less" : "other";
    const other = changed && a >= 0 && b >= 0 ? [new Set(piecesOf(k - 1, a).map((p) => p[1])), new Set(piecesOf(k, b).map((p) => p[1]))] : null;
    const why = r[2] || (r[3] >= 0 ? "is " + labelOf(k, r[3]) : "");
    return el("div", { class: "row pair " + kind },
      a >= 0 ? this.cell(k - 1, a, "half before", other && other[1]) : el("div", { class: "half before void" }),
      el("div", { class: "why" + (why ? " has" : ""), data: why ? { why: (r[2] ? part.stages[k].name + ": " : "") + (r[2] || "the same value as " + labelOf(k, r[3])) } : {} },
        why ? (r[2] ? "●" : "=") : ""),
      b >= 0 ? this.cell(k, b, "half after", other && other[0]) : el("div", { class: "half after void" }, r[3] >= 0 ? "= " + labelOf(k, r[3]) : ""));
  }

  cell(k, i, cls, others) {
    const n = part.nodes, sign = n.kind[i];
    const spans = piecesOf(k, i).map(([c, text, node]) => el("span", {
      class: (c ? "p-" + c : "") + (others && !others.has(text) && text.trim() ? " new" : ""),
      data: node === undefined ? {} : { kind: "node", id: node },
    }, this.both && (c === "d" || c === "v") ? shortened(text) : text));
    return el("div", {
      class: cls + " node" + (sign ? " sign" : " live") + (sign ? "" : marks("node", i)),
      style: "--d:" + n.depth[i],
      data: sign ? {} : { kind: "node", id: i, at: k },
    }, spans);
  }

  tip(e) {
    const why = e.target.closest("[data-why]");
    if (why) return showTip(e, [el("b", {}, why.dataset.why)]);
    const cell = e.target.closest(".node[data-id]");
    if (!cell || !this.body.contains(cell)) return hideTip();
    const id = +cell.dataset.id, k = +cell.dataset.at, n = part.nodes;
    const from = (part.came[id] || []).filter((r) => r !== id);
    showTip(e, [
      el("code", {}, textOf(k, id)),
      n.lines[id].length ? el("div", {}, n.lines[id].slice(0, 4).map((l) => el("div", {}, placeOf(l), " ", el("code", {}, clean((lineText(data.lines[l][0], data.lines[l][1]) || "").trim()))))) : null,
      from.length ? el("div", {}, "from " + plural(from.length, "recorded op") + ": " + from.slice(0, 6).map((r) => clean(n.name[r])).join(", ") + (from.length > 6 ? " …" : "")) : null,
      n.bytes[id] ? el("div", {}, bytes(n.bytes[id])) : null,
      (part.reasonsOf.get(id) || []).slice(0, 3).map((r) => el("div", { class: "reason" }, part.reasons[r].text)),
    ]);
  }
}

/** A long name by its end: the op behind it has to be seen too. */
function shortened(label) {
  if (label.length <= 30) return label;
  const end = label.slice(-27), cut = end.indexOf("/");
  return "%…" + (cut >= 0 && cut < 18 ? end.slice(cut) : end);
}

// ---------------------------------------------------------------- what floats beside the mouse

function showTip(e, kids) {
  const tip = $("#tip");
  fill(tip, ...kids.flat().filter(Boolean));
  tip.hidden = false;
  const x = Math.min(e.clientX + 14, innerWidth - tip.offsetWidth - 8);
  let y = e.clientY + 18;
  if (y + tip.offsetHeight > innerHeight - 8) y = Math.max(8, e.clientY - tip.offsetHeight - 12);
  tip.style.left = Math.max(8, x) + "px";
  tip.style.top = y + "px";
}

function hideTip() {
  $("#tip").hidden = true;
}
