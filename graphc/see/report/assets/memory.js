// ---------------------------------------------------------------- memory over the steps of a run

function memoryView(box) {
  const m = part.memory;
  if (!m || !m.buffers.length) {
    fill(box, el("div", { class: "page" }, el("p", { class: "note" }, "This run keeps nothing in memory between its kernels.")));
    return;
  }
  const steps = part.steps.length;
  const canvas = el("canvas", { id: "arena" });
  const frame = el("div", { class: "arena" }, canvas);
  const lineOf = (b) => (b.lines.length ? b.lines[0] : -1);
  // what is alive when most is
  const live = new Float64Array(steps + 2);
  for (const b of m.buffers) { live[b.first] += b.bytes; live[Math.min(steps, b.last) + 1] -= b.bytes; }
  let peak = 0, at = 0, sum = 0;
  for (let i = 0; i <= steps; i++) { sum += live[i]; if (sum > peak) { peak = sum; at = i; } live[i] = sum; }
  const byLine = new Map();
  for (const b of m.buffers) {
    if (b.first > at || b.last < at) continue;
    const l = lineOf(b);
    if (!byLine.has(l)) byLine.set(l, { line: l, bytes: 0, names: [] });
    byLine.get(l).bytes += b.bytes;
    byLine.get(l).names.push(b);
  }
  const rows = [...byLine.values()].sort((a, b) => b.bytes - a.bytes);
  const name = (b) => clean((b.name || "temporary").split("/").slice(-2).join("/")) + (b.kind === "value" ? "" : " (" + b.kind + ")");
  const list = el("table", { class: "grid", id: "peak" }, el("tr", {}, ["at the peak", "share", "line", "what"].map((h) => el("th", {}, h))),
    rows.slice(0, 200).map((r) => el("tr", r.line < 0 ? {} : { class: "live", data: { kind: "line", id: r.line }, onclick: () => { pin({ kind: "line", id: r.line }); go("trace"); } },
      el("td", { class: "r" }, bytes(r.bytes)), el("td", { class: "r" }, share(r.bytes / peak)),
      el("td", {}, el("i", { class: "dot", style: "--c:" + hue(r.line) }), r.line < 0 ? "graphc itself" : [placeOf(r.line), " ", el("code", {}, clean((lineText(data.lines[r.line][0], data.lines[r.line][1]) || "").trim()))]),
      el("td", { class: "note" }, r.names.slice(0, 4).map(name).join(", ") + (r.names.length > 4 ? " and " + (r.names.length - 4) + " more" : "")))));
  fill(box, el("div", { class: "page scroll" },
    el("p", {}, el("b", {}, bytes(m.total)), " for all temporaries of a run, in one arena; at most ", el("b", {}, bytes(peak)), " of it is in use at once, in step " + at
      + ". Without sharing it would be ", el("b", {}, bytes(m.buffers.reduce((t, b) => t + b.bytes, 0))), "."
      + (m.variables ? " Variables take " + bytes(m.variables) + " more" + (m.feeds || m.results ? ", what is fed " + bytes(m.feeds) + ", results " + bytes(m.results) : "") + "." : "")),
    frame, el("h3", {}, "What is alive in step " + at + ", by line"), list));
  const draw = () => {
    const w = frame.clientWidth, h = 300, ratio = devicePixelRatio || 1;
    canvas.width = w * ratio;
    canvas.height = h * ratio;
    canvas.style.width = w + "px";
    canvas.style.height = h + "px";
    const g = canvas.getContext("2d"), css = getComputedStyle(document.documentElement);
    const light = css.getPropertyValue("--light");
    g.scale(ratio, ratio);
    const L = 64, B = 24, X = (s) => L + (w - L - 6) * s / Math.max(1, steps), Y = (o) => h - B - (h - B - 8) * o / m.total;
    g.font = "11px system-ui, sans-serif";
    g.fillStyle = css.getPropertyValue("--soft");
    g.strokeStyle = css.getPropertyValue("--edge");
    g.textAlign = "right";
    for (let i = 0; i <= 4; i++) {
      g.fillText(bytes(Math.round(m.total * i / 4)), L - 6, Y(m.total * i / 4) + 4);
      g.beginPath(); g.moveTo(L, Y(m.total * i / 4)); g.lineTo(w - 6, Y(m.total * i / 4)); g.stroke();
    }
    g.textAlign = "center";
    const every = Math.max(1, Math.ceil(steps / 16));
    for (let s = 0; s < steps; s += every) g.fillText(String(s), X(s + 0.5), h - 8);
    const set = pinned ? linked(pinned) : null;
    for (const b of m.buffers) {
      const x = X(b.first), y = Y(b.offset + b.bytes), bw = Math.max(1.5, X(Math.min(steps, b.last + 1)) - x - 0.5), bh = Math.max(1, Y(b.offset) - y);
      g.globalAlpha = set && !b.lines.some((l) => set.lines.has(l)) ? 0.3 : 0.9;
      g.fillStyle = lineOf(b) < 0 ? css.getPropertyValue("--soft") : hue(lineOf(b)).replace("var(--light)", light);
      g.fillRect(x, y, bw, bh);
      if (bh > 13 && bw > 40) {
        g.globalAlpha = 1;
        g.fillStyle = "#fff";
        g.textAlign = "left";
        g.save();
        g.beginPath(); g.rect(x, y, bw - 3, bh); g.clip();
        g.fillText(name(b).split("/").pop() + "  " + bytes(b.bytes), x + 4, y + Math.min(bh / 2 + 4, bh - 3));
        g.restore();
      }
    }
    g.globalAlpha = 1;
    g.strokeStyle = css.getPropertyValue("--hot");
    g.setLineDash([4, 3]);
    g.beginPath(); g.moveTo(X(at + 0.5), 4); g.lineTo(X(at + 0.5), h - B); g.stroke();
    g.setLineDash([]);
    canvas.hit = (x, y) => {
      for (let i = m.buffers.length - 1; i >= 0; i--) {
        const b = m.buffers[i];
        if (x >= X(b.first) && x < X(b.last + 1) && y <= Y(b.offset) && y >= Y(b.offset + b.bytes)) return b;
      }
      return null;
    };
  };
  canvas.addEventListener("mousemove", (e) => {
    const b = canvas.hit(e.offsetX, e.offsetY);
    canvas.style.cursor = b ? "pointer" : "default";
    if (!b) return hideTip();
    showTip(e, [el("b", {}, clean(b.name || "temporary")), el("div", {}, b.kind + ", " + bytes(b.bytes) + " at " + count(b.offset) + ", steps " + b.first + " to " + b.last),
      b.lines.map((l) => el("div", {}, placeOf(l), " ", el("code", {}, clean((lineText(data.lines[l][0], data.lines[l][1]) || "").trim()))))]);
  });
  canvas.addEventListener("mouseleave", hideTip);
  canvas.addEventListener("click", (e) => {
    const b = canvas.hit(e.offsetX, e.offsetY);
    if (!b) return;
    pin(b.node >= 0 ? { kind: "node", id: b.node } : { kind: "line", id: b.lines[0] });
    go("trace");
  });
  draw();
  new ResizeObserver(perFrame(draw)).observe(frame);
}
