// ---------------------------------------------------------------- tables: kernels, passes, rules

/** A table whose heads sort it; `columns` are [title, class, value for sorting, cell]. */
function table(columns, rows, sorted, row) {
  let by = sorted, down = true;
  const body = el("tbody");
  const heads = columns.map(([title, cls], i) => el("th", { class: cls + " sort", onclick: () => { down = by === i ? !down : true; by = i; draw(); } }, title));
  const draw = () => {
    const value = columns[by][2], order = rows.map((r) => r);
    order.sort((a, b) => {
      const x = value(a), y = value(b);
      const d = typeof x === "string" ? x.localeCompare(y) : (y ?? -1) - (x ?? -1);
      return down ? d : -d;
    });
    heads.forEach((h, i) => h.classList.toggle("by", i === by));
    fill(body, ...order.slice(0, 2000).map((r) => el("tr", row(r), columns.map(([, cls, , cell]) => el("td", { class: cls }, cell(r))))));
    if (order.length > 2000) body.append(el("tr", {}, el("td", { class: "note", colspan: columns.length }, plural(order.length - 2000, "more row"))));
  };
  draw();
  return el("table", { class: "grid whole" }, el("thead", {}, el("tr", {}, heads)), body);
}

function kernelsView(box) {
  const steps = part.steps.filter((s) => s.calls);
  const m = data.machine;
  const columns = [
    ["call", "r", (s) => -s.id, (s) => String(s.id)],
    ["kernel", "name", (s) => s.name, (s) => clean(s.name)],
    ["your line", "keep", (s) => (s.lines.length ? placeOf(s.lines[0]) : ""), (s) => linesCell(s)],
    ["time", "r", (s) => s.ns, (s) => time(s.ns)],
    ["share", "bar", (s) => s.ns, (s) => el("span", { class: "heat", style: "--w:" + (part.total ? (s.ns || 0) / part.total : 0).toFixed(3) }, part.total ? share((s.ns || 0) / part.total) : "")],
    ["bytes", "r", stepBytes, (s) => bytes(stepBytes(s))],
    ["GB/s", "r", (s) => (s.ns ? stepBytes(s) / s.ns : -1), (s) => (s.ns ? three(stepBytes(s) / s.ns) : none)],
    ["flops", "r", (s) => s.flops, (s) => ops(s.flops)],
    ["GFLOP/s", "r", (s) => (s.ns && s.flops ? s.flops / s.ns : -1), (s) => (s.ns && s.flops ? three(s.flops / s.ns) : none)],
    ["roofline", "r", (s) => roofline(s), (s) => share(roofline(s))],
  ].filter(([t]) => part.timed || !["time", "share", "GB/s", "GFLOP/s", "roofline"].includes(t));
  const grid = el("div", { class: "scroll", id: "kernel-table" }, table(columns, steps, part.timed ? 3 : columns.findIndex((c) => c[0] === "bytes"), (s) => ({
    class: "live" + marks("step", s.id), data: { kind: "step", id: s.id },
  })));
  grid.addEventListener("click", (e) => {
    const line = e.target.closest("[data-kind=line]"), row = e.target.closest("tr[data-id]");
    if (line) pin({ kind: "line", id: +line.dataset.id }, grid);
    else if (row) pin({ kind: "step", id: +row.dataset.id }, grid);
    else return;
    go("trace");
  });
  const side = part.timed && m.flops ? rooflineChart(steps) : null;
  const words = !part.timed
    ? el("p", { class: "note" }, data.untimed || "Times are missing: this run was compiled, not run.")
    : el("p", { class: "note" }, "Click a row to see its code. Times are medians of " + plural(data.runs || 1, "run") + " with clocks around each call"
      + (m.flops ? "; the roofline is " + three(m.flops / 1e9) + " GFLOP/s and " + three(m.bytes / 1e9) + " GB/s, measured." : "."));
  fill(box, el("div", { class: "page" }, words, side, grid));
}

function linesCell(s) {
  if (!s.lines.length) return none;
  const most = s.lines.reduce((a, b) => (part.lineTime[b] > part.lineTime[a] ? b : a));
  return [el("span", { class: "link", data: { kind: "line", id: most } }, placeOf(most)),
    s.lines.length > 1 ? el("span", { class: "note" }, " +" + (s.lines.length - 1)) : null];
}

/** Attained against attainable rate, over flops per byte. */
function rooflineChart(steps) {
  const m = data.machine, W = 560, H = 250, L = 56, B = 34, T = 12, R = 12;
  const points = steps.filter((s) => s.ns && s.flops && stepBytes(s));
  if (!points.length) return null;
  const xs = points.map((s) => s.flops / stepBytes(s)), ys = points.map((s) => s.flops / s.ns);
  const x0 = Math.min(0.05, ...xs) / 1.5, x1 = Math.max(200, ...xs) * 1.5;
  const y1 = Math.max(m.flops / 1e9, ...ys) * 2, y0 = Math.min(y1 / 1e4, ...ys) / 1.5;
  const X = (v) => L + (W - L - R) * Math.log(v / x0) / Math.log(x1 / x0);
  const Y = (v) => H - B - (H - B - T) * Math.log(v / y0) / Math.log(y1 / y0);
  const knee = m.flops / m.bytes, peak = m.flops / 1e9;
  const decades = (a, b) => {
    const out = [];
    for (let e = Math.ceil(Math.log10(a)); e <= Math.floor(Math.log10(b)); e++) out.push(10 ** e);
    return out;
  };
  return el("svg:svg", { class: "chart", viewBox: "0 0 " + W + " " + H, width: W, height: H, id: "roofline" },
    decades(x0, x1).map((v) => [el("svg:line", { class: "rule", x1: X(v), x2: X(v), y1: T, y2: H - B }), el("svg:text", { x: X(v), y: H - B + 14, "text-anchor": "middle" }, String(+v.toPrecision(1)))]),
    decades(y0, y1).map((v) => [el("svg:line", { class: "rule", x1: L, x2: W - R, y1: Y(v), y2: Y(v) }), el("svg:text", { x: L - 6, y: Y(v) + 4, "text-anchor": "end" }, String(+v.toPrecision(1)))]),
    el("svg:text", { x: (W + L) / 2, y: H - 4, "text-anchor": "middle" }, "floating point operations per byte"),
    el("svg:text", { x: 12, y: H / 2, "text-anchor": "middle", transform: "rotate(-90 12 " + H / 2 + ")" }, "GFLOP/s"),
    el("svg:path", { class: "roof", d: "M" + X(x0) + " " + Y(x0 * m.bytes / 1e9) + "L" + X(knee) + " " + Y(peak) + "L" + X(x1) + " " + Y(peak) }),
    points.map((s, i) => el("svg:circle", {
      class: "point live", cx: X(xs[i]), cy: Y(ys[i]), r: 3 + 9 * Math.sqrt(s.ns / part.total),
      onclick: () => { pin({ kind: "step", id: s.id }); go("trace"); },
    }, el("svg:title", {}, clean(s.name) + ": " + time(s.ns) + ", " + three(ys[i]) + " GFLOP/s"))));
}

// ---------------------------------------------------------------- passes and rules

function passesView(box) {
  const rules = new Map();
  const toStage = (k) => { shown.stage = k; go("trace"); tell("stage"); };
  const rows = part.stages.map((s, k) => {
    const before = k ? part.stages[k - 1] : s;
    const changes = k ? changesOf(s) : 0;
    const used = Object.entries(s.rules).sort((a, b) => b[1] - a[1]);
    for (const [rule, n] of used) {
      if (!rules.has(rule)) rules.set(rule, { n: 0, stages: [] });
      rules.get(rule).n += n;
      rules.get(rule).stages.push(k);
    }
    const d = s.count - before.count, db = s.bytes - before.bytes;
    const delta = (x, f) => (x ? el("span", { class: x < 0 ? "good" : "bad" }, " " + (x < 0 ? "−" : "+") + f(Math.abs(x))) : null);
    return el("tr", { class: "live", onclick: () => toStage(k), data: { stage: k } },
      el("td", { class: "r" }, k ? String(k) : ""), el("td", {}, el("b", {}, s.name)),
      el("td", { class: "r" }, s.ms === null ? none : time(s.ms * 1e6)),
      el("td", { class: "r" }, k ? count(before.count) : none), el("td", { class: "r" }, count(s.count)), el("td", { class: "keep" }, delta(d, count)),
      el("td", { class: "r" }, k ? bytes(before.bytes) : none), el("td", { class: "r" }, bytes(s.bytes)), el("td", { class: "keep" }, delta(db, bytes)),
      el("td", { class: "r" }, k > 1 ? count(changes) : none),
      el("td", {}, used.slice(0, 6).map(([rule, n]) => el("span", { class: "tag", title: clean(rule) }, clean(rule.length > 34 ? rule.slice(0, 33) + "…" : rule) + " ×" + n)), used.length > 6 ? el("span", { class: "note" }, " and " + (used.length - 6) + " more") : null));
  });
  const list = [...rules].sort((a, b) => b[1].n - a[1].n);
  fill(box, el("div", { class: "page scroll", id: "passes" },
    el("h3", {}, "Passes, in order"),
    el("p", { class: "note" }, "Click a pass to see what it changed, line by line. Bytes are those of all values that the graph makes, as if each were stored."),
    el("table", { class: "grid whole" }, el("thead", {}, el("tr", {}, ["", "pass", "time", "nodes before", "after", "", "bytes before", "after", "", "rows changed", "rules that matched"].map((h, i) => el("th", { class: [2, 3, 4, 6, 7, 9].includes(i) ? "r" : "" }, h)))), el("tbody", {}, rows)),
    el("h3", {}, "Rules that matched"),
    list.length ? el("table", { class: "grid", id: "rules" }, el("tr", {}, ["matches", "rule", "in"].map((h) => el("th", {}, h))), list.map(([rule, r]) => el("tr", {},
      el("td", { class: "r" }, count(r.n)), el("td", {}, el("code", {}, clean(rule))),
      el("td", {}, r.stages.map((k) => el("span", { class: "link", onclick: () => toStage(k) }, part.stages[k].name + " "))))))
      : el("p", { class: "note" }, "None."),
    part.guards.length ? [el("h3", {}, "This code is for sizes with"), el("p", {}, part.guards.map((g) => el("code", { class: "tag" }, g)))] : null));
}
