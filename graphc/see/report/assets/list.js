// ---------------------------------------------------------------- long lists

/** A list of rows of equal height of which only those in sight exist. */
class List {
  constructor(box, height, draw) {
    this.box = box;
    this.height = height;
    this.draw = draw; // (index) => element
    this.count = 0;
    this.wide = el("div", { class: "wide" });
    this.tall = el("div", { class: "tall" }, this.wide);
    box.classList.add("list");
    box.replaceChildren(this.tall);
    this.later = perFrame(() => this.now());
    box.addEventListener("scroll", this.later, { passive: true });
    new ResizeObserver(this.later).observe(box);
  }

  /** Show `count` rows. */
  set(count) {
    this.count = count;
    this.tall.style.height = count * this.height + "px";
    this.now();
  }

  now() {
    const first = Math.max(0, Math.floor(this.box.scrollTop / this.height) - 4);
    const last = Math.min(this.count, first + Math.ceil(this.box.clientHeight / this.height) + 9);
    const rows = [];
    for (let i = first; i < last; i++) rows.push(this.draw(i));
    this.wide.style.transform = "translateY(" + first * this.height + "px)";
    this.wide.replaceChildren(...rows);
  }

  /** Scroll so that row `i` is in sight, a third from the top unless it is already. */
  reveal(i) {
    if (i < 0) return;
    const y = i * this.height, top = this.box.scrollTop, room = this.box.clientHeight;
    if (y < top || y + this.height > top + room) this.box.scrollTop = Math.max(0, y - room / 3);
    this.now();
  }
}

/** Make a box tell what is under the mouse and what is clicked: elements with data-kind, data-id. */
function followed(box) {
  const item = (e) => {
    const t = e.target.closest && e.target.closest("[data-kind]");
    return t && box.contains(t) ? { kind: t.dataset.kind, id: +t.dataset.id } : null;
  };
  box.addEventListener("mouseover", (e) => hover(item(e), box));
  box.addEventListener("mouseleave", () => hover(null, box));
  box.addEventListener("click", (e) => {
    const i = item(e);
    if (i) pin(i, box);
  });
}

/** Mark what is linked with what is under the mouse; the rows stay, so that a click finds them. */
function remark(box) {
  for (const e of box.querySelectorAll(".live[data-kind]")) {
    const id = +e.dataset.id, on = under !== null && linked(under)[PLURAL[e.dataset.kind]].has(id);
    if (e.classList.contains("under") !== on) e.classList.toggle("under", on);
  }
}

/** Coloured text: pieces by a pattern with named groups. */
function coloured(text, pattern) {
  const out = [];
  let at = 0;
  if (text.length > 2000) return [text];
  for (const m of text.matchAll(pattern)) {
    if (m.index > at) out.push(text.slice(at, m.index));
    const kind = Object.keys(m.groups).find((k) => m.groups[k] !== undefined);
    out.push(el("span", { class: "c-" + kind }, m[0]));
    at = m.index + m[0].length;
  }
  out.push(text.slice(at));
  return out;
}

const PYTHON = /(?<rem>#.*$)|(?<str>[rbfu]{0,2}("""|'''|"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?))|(?<kw>\b(?:def|class|return|import|from|as|with|for|in|if|elif|else|while|and|or|not|is|None|True|False|lambda|try|except|finally|raise|yield|assert|global|nonlocal|pass|break|continue|del|async|await)\b)|(?<num>\b\d[\w.]*)/g;
const LOOPS = /(?<rem>#.*$)|(?<kw>\b(?:kernel|parallel|vector|for|in|block|reduce|scan|repeat|template|epilogue|yield|store|load|alloc|check|test|next|lanes|unroll|stream|where|step|after)\b)|(?<ty>\b(?:f16|bf16|f32|f64|i8|i16|i32|i64|u8|u16|u32|u64|bool)\b)|(?<v>%[\w.]+)|(?<num>\b\d[\w.]*)/g;
const LLVM = /(?<rem>;.*$)|(?<v>[%@](?:"[^"]*"|[\w.$-]+))|(?<ty>\b(?:i1|i8|i16|i32|i64|float|double|half|bfloat|void|ptr|x|label)\b)|(?<kw>\b(?:define|declare|ret|br|phi|load|store|getelementptr|call|tail|select|icmp|fcmp|fadd|fsub|fmul|fdiv|add|sub|mul|shl|lshr|ashr|and|or|xor|bitcast|sext|zext|trunc|fpext|fptrunc|sitofp|fptosi|insertelement|extractelement|shufflevector|inbounds|nuw|nsw|align|switch|unreachable|alloca|attributes)\b)|(?<num>\b(?:0x)?\d[\w.+]*)/g;
const ASM = /(?<rem>#.*$)|(?<kw>^\s+\.?[a-z][\w.]*)|(?<d>^[\w.$"]+:)|(?<v>%[\w{}]+)|(?<num>[$-]?\b(?:0x)?\d\w*)/g;
