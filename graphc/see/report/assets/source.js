// ---------------------------------------------------------------- the user's lines

class SourcePane {
  constructor(box) {
    this.box = box;
    this.choice = el("select", { title: "File", onchange: () => { shown.file = +this.choice.value; this.file(); } });
    this.body = el("div", { class: "code", id: "source-list" });
    fill(box, el("div", { class: "bar" }, el("b", {}, "Your code"), this.choice), this.body);
    this.list = new List(this.body, 19, (i) => this.row(i));
    followed(this.body);
    this.rows = [];
    this.fill();
    listen((what, from) => {
      if (what === "part") this.fill();
      if (what === "pin" && pinned) {
        const l = pinned.kind === "line" ? pinned.id : this.nearest();
        if (l !== undefined && data.lines[l][0] !== shown.file) {
          shown.file = data.lines[l][0];
          this.choice.value = shown.file;
          this.file();
        }
        if (from !== this.body) this.list.reveal(this.rows.findIndex((r) => r.id === l));
      }
      if (what === "pin") this.list.now();
      if (what === "hover") remark(this.body);
    });
  }

  /** Of the pinned lines the one that costs most. */
  nearest() {
    const lines = [...linked(pinned).lines];
    if (!lines.length) return undefined;
    return lines.reduce((a, b) => (part.lineTime[b] > part.lineTime[a] ? b : a));
  }

  fill() {
    const time = data.files.map(() => 0), uses = data.files.map(() => 0);
    data.lines.forEach(([f], l) => { time[f] += part.lineTime[l]; uses[f] += part.byLine[l].length; });
    const order = data.files.map((_, i) => i).sort((a, b) => time[b] - time[a] || uses[b] - uses[a]);
    fill(this.choice, ...order.map((i) =>
      el("option", { value: i, title: clean(data.files[i].path) }, clean(basename(data.files[i].path)))));
    this.choice.hidden = data.files.length === 0;
    if (!pinned) shown.file = order.length ? order[0] : 0;
    this.choice.value = shown.file;
    this.file();
  }

  file() {
    const f = data.files[shown.file];
    this.rows = [];
    const quoted = f ? quotedLines(f) : null;
    if (f) {
      let next = 1;
      for (const [first, text] of f.pieces) {
        if (first > next) this.rows.push({ gap: first - next });
        text.forEach((t, i) => this.rows.push({
          n: first + i, text: t, quoted: quoted.has(first + i), id: data.lineOf.get(shown.file + ":" + (first + i)),
        }));
        next = first + text.length;
      }
      if (f.total >= next) this.rows.push({ gap: f.total - next + 1 });
    }
    this.most = Math.max(...part.lineTime, 1);
    this.list.set(this.rows.length);
    this.start();
  }

  /** Show the line that costs most. */
  start() {
    const slow = this.rows.filter((r) => r.id !== undefined)
      .reduce((a, b) => (!a || part.lineTime[b.id] > part.lineTime[a.id] ? b : a), null);
    if (slow) this.list.reveal(this.rows.indexOf(slow));
  }

  row(i) {
    const r = this.rows[i];
    if (r.gap) return el("div", { class: "row gap" }, "… " + plural(r.gap, "line") + " …");
    const id = r.id, ns = id === undefined ? 0 : part.lineTime[id];
    const heat = el("span", { class: "heat", style: "--w:" + Math.sqrt(ns / this.most).toFixed(3) },
      ns && part.total && ns / part.total > 0.0005 ? share(ns / part.total)
        : id !== undefined && part.lineSteps[id].length ? "·" : "");
    const text = r.text === "" && this.rows.length < 3 ? "(the file could not be read)" : clean(r.text.replace(/\t/g, "    "));
    return el("div", {
      class: "row line" + (id === undefined ? "" : " live" + marks("line", id)),
      data: id === undefined ? {} : { kind: "line", id },
    }, heat, el("span", { class: "no" }, String(r.n)), el("span", { class: "src" }, r.quoted ? el("span", { class: "c-str" }, text) : coloured(text, PYTHON)));
  }
}

/** Lines that are inside a string of several lines. */
function quotedLines(file) {
  const out = new Set();
  for (const [first, text] of file.pieces) {
    let open = "";
    text.forEach((t, i) => {
      const was = open;
      for (const m of t.matchAll(/"""|'''/g)) open = open === m[0] ? "" : open || m[0];
      if (was && (open || /^\s*("""|''')\s*$/.test(t))) out.add(first + i);
    });
  }
  return out;
}
