"use strict";
// Proved maxima: sorting and filtering of their table, and the plots of each sweep over the ordinal axis of the
// prediction.  `page` has what report.js shares: data, make, table, decimal, decode, shown, FORMAT.

function sweepsOf(page) {
  const { data, make, table, decimal, decode, shown, MANTISSA, EXPONENT } = page;
  const { groups, budget, firsts } = data.sweeps;
  const CHUNK = 6; // sweeps drawn at once: some 24 plots
  const EDGE = 1.6; // how much higher than the largest error a plot is
  const CUT = 2 ** 60; // ULP: more are not told apart either
  const LEAST = 0.5; // ULP: no correctly rounded result is farther off, and those below are not told apart
  const HEIGHT = 180, TOP = 52, SLIM = 8, LANE = 11, TICK = 38; // pixels: of a plot, of the strip above it, of one kind of first input, of a number
  const BEND = [-30, 8]; // binades outside [2^-30, 2^8) are one step where the axis shows where the loss bends
  const COLUMNS = {
    ideal: "gradual underflow",
    flushed: "flushing to zero accepted",
    scaled: "relative to the natural terms",
    contract: "against the contract",
  };
  const DASHES = { ideal: null, flushed: "6 3", scaled: "2 3", contract: "9 3 2 3" };
  const SYMBOLS = { "4 ulp": "circle", "0.1 %": "square", "10 %": "triangle", zero: "times" };
  const FIRSTS = { "4 ulp": "> 4 ULP", "0.1 %": "> 0.1 %", "10 %": "> 10 %", zero: "0" };

  // -- controls ---------------------------------------------------------------------------------------------------

  const controls = document.getElementById("sweep-controls");
  // One written label has another value in each dtype: those that bfloat16 does not tell apart are one choice.
  const coarse = (label) => {
    const bits = new Uint32Array(new Float32Array([Number(label)]).buffer)[0];
    return Number.isNaN(Number(label)) ? label : String((bits + 0x7fff + ((bits >> 16) & 1)) >>> 16);
  };
  const written = new Map();
  for (const { label } of groups.flatMap((group) => group.results)) {
    const known = written.get(coarse(label));
    if (known === undefined || label.length < known.length) written.set(coarse(label), label);
  }
  const labels = [...written.values()];
  const choice = (name, text, pairs) => controls.append(make("label", {}, text,
    make("select", { name }, ...pairs.map(([value, told]) => make("option", { value }, told)))));
  choice("sweep-label", "label", [["", `all (${labels.length})`], ...labels.map((label) => [label, label])]);
  choice("sweep-kind", "kind", [["", "all"], ["proof", "proofs"], ["lower bound", "lower bounds"]]);
  choice("sweep-line", "lines", [["", "all that differ"], ...Object.entries(COLUMNS)]);
  choice("sweep-range", "predictions", [["", "where the loss bends"], ["all", "all binades"]]);
  controls.hidden = document.getElementById("sweep-axes").hidden = false;
  const chosen = () => Object.fromEntries(new FormData(controls));

  // -- the axis: one step for each binade, or for all binades beyond a bound ----------------------------------------

  // x of a prediction on the whole axis is its ordinal in units of one binade: 0 at 0, negative ones mirrored.
  function axisOf(group, range) {
    const mantissa = MANTISSA[group.dtype], bias = 2 ** (EXPONENT[group.dtype] - 1) - 1;
    const two = group.form === "logits", half = 2 ** EXPONENT[group.dtype] - 1; // binades of one sign, and subnormals
    const field = (exponent) => exponent + bias; // the subnormal numbers are field 0
    const top = two ? half : bias; // of probabilities 1 is the last
    const low = range === "all" ? 0 : Math.max(0, field(BEND[0]));
    const high = range === "all" ? top : Math.min(top, field(BEND[1]));
    const whole = (bits) => { // ordinal of a bit pattern / 2^mantissa
      const n = BigInt(`0x${bits}`), sign = 1n << BigInt(mantissa + EXPONENT[group.dtype]);
      const size = Number(n & (sign - 1n)) / 2 ** mantissa;
      return n & sign ? -size : size;
    };
    // Binades below `low` share the step [0, 1], those from `high` on the last one.
    const fold = (x) => {
      const size = Math.abs(x);
      const at = low > 0 && size < low ? 0.5 : size >= high && high < top ? high - low + (low > 0 ? 1 : 0) + 0.5
        : size - low + (low > 0 ? 1 : 0);
      return Math.sign(x) * at;
    };
    const first = low > 0 ? 1 : 0, last = high - low + first + (high < top ? 1 : 0);
    const power = (f) => (f === 0 ? "0" : `2^${f - bias}`);
    const steps = []; // [from, to, x0, x1, words] with binades [from, to) of one sign
    const side = (sign) => {
      const add = (from, to, x0, words) => steps.push({ sign, from, to, x0: sign < 0 ? -x0 - 1 : x0, words });
      const named = (f) => `${sign < 0 ? "-" : ""}[${power(f)}, ${power(f + 1)})`;
      if (low > 0) add(0, low, 0, `${sign < 0 ? "-" : ""}[0, ${power(low)})`);
      for (let f = low; f < high; f++) add(f, f + 1, f - low + first, named(f));
      if (high < top) add(high, top, last - 1, `${sign < 0 ? "-" : ""}[${power(high)}, ∞)`);
    };
    if (two) side(-1);
    if (two) steps.reverse();
    side(1);
    if (!two) steps.push({ sign: 1, from: top, to: top + 1, x0: last, words: "1" });
    const value = (magnitude) => { // x of a power of ten
      const exponent = Math.floor(Math.log2(magnitude));
      return fold(exponent < 1 - bias ? magnitude / 2 ** (1 - bias) : field(exponent) + magnitude / 2 ** exponent - 1);
    };
    const smallest = 2 ** (Math.max(low, 1) - bias), largest = 2 ** (high - bias);
    const tens = d3.range(-36, 37).map((k) => Number(`1e${k}`)).filter((v) => v >= smallest && v < Math.min(largest, two ? Infinity : 1.5));
    const domain = [two ? -last : 0, two ? last : last + 1];
    const rank = (v) => (v === 1 ? 0 : [12, 6, 3, 2, 1].findIndex((n) => Math.round(Math.log10(v)) % n === 0) + 1);
    const ticks = (width) => { // as many as have room: 0, 1, then the others, each with its negative
      const room = ((domain[1] - domain[0]) / width) * TICK, taken = new Map([[0, 0]]);
      for (const v of [...tens].sort((a, b) => rank(a) - rank(b))) {
        const x = value(v);
        if ([...taken.keys()].some((other) => Math.abs(other - x) < room)) continue;
        taken.set(x, v);
        if (two) taken.set(-x, -v);
      }
      return taken;
    };
    return { steps, offset: two ? half : 0, domain, x: (bits) => fold(whole(bits)), ticks };
  }

  const short = (v) => (v === 0 ? "0" : Math.abs(v) >= 1e-3 && Math.abs(v) < 1e4 ? String(v) : v.toExponential(0).replace("e+", "e"));
  const raised = (n) => [...String(n)].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]).join("");
  const ulps = (error) => (error < LEAST || error === LEAST ? "≤ 0.5" : error < 1000 ? String(Number(error.toPrecision(3))) : error.toExponential(1).replace("e+", "e"));

  // The largest error in each step of the axis; null where nothing was tried.
  function line(axis, errors) {
    return axis.steps.map(({ sign, from, to }) => {
      const [start, stop] = sign < 0 ? [axis.offset - to, axis.offset - from] : [axis.offset + from, axis.offset + to];
      const tried = errors.slice(start, stop).filter((one) => one !== null);
      return tried.length ? Math.max(LEAST, ...tried) : null;
    });
  }

  // The lines of a result by column: those that differ from gradual underflow, or the one that is wanted.
  function linesOf(result, wanted) {
    const errors = (column) => result.binades[column] || (column in result.worst ? result.binades.ideal
      : result.binades.ideal.map((one) => (one === null ? null : 0)));
    if (wanted) return wanted === "contract" && !(wanted in result.worst) ? {} : { [wanted]: errors(wanted) };
    const differing = ["flushed", "scaled", "contract"].filter((column) => column in result.binades
      || (column !== "contract" && !(column in result.worst) && "ideal" in result.worst));
    return Object.fromEntries(["ideal", ...differing].map((column) => [column, errors(column)]));
  }

  // -- plots ------------------------------------------------------------------------------------------------------

  // The top of all plots of a sweep.  Against a contract that says 0 an error can have no sensible scale: it is cut.
  const largest = (results, wanted) => Math.max(8, ...results.flatMap((result) => Object.entries(result.worst)
    .filter(([column]) => column !== "contract" || wanted === "contract").map(([, one]) => one[0])));

  function powers(top) {
    const high = Math.log2(top * EDGE), step = high <= 6 ? 1 : high <= 12 ? 2 : high <= 26 ? 4 : 8;
    return [LEAST, ...(step === 1 ? [1, 2] : []), ...d3.range(2, high, step).map((k) => 2 ** k)]; // 4 is the budget
  }

  function plot(group, result, axis, { top, strip, width, wanted }) {
    const lines = linesOf(result, wanted);
    const drawn = Object.entries(lines).map(([column, errors]) => [column, line(axis, errors)]);
    const points = axis.steps.map((step, n) => ({
      ...step, middle: step.x0 + 0.5, most: Math.min(top * EDGE, Math.max(...drawn.map(([, of]) => of[n] ?? LEAST))),
      title: [`prediction in ${step.words}`, ...drawn.map(([column, of]) => `${COLUMNS[column]}: ${of[n] === null ? "not tried" : `${ulps(of[n])} ULP${of[n] === LEAST && other(result) ? ", or no error in ULP" : ""}`}`)].join("\n"),
    }));
    const height = (error) => (error === null ? NaN : Math.min(error, top * EDGE));
    const path = (of) => [...axis.steps.map((step, n) => ({ x: step.x0, y: height(of[n]) })), { x: axis.domain[1], y: height(of[of.length - 1]) }];
    const lanes = firsts.map((name, lane) => ({ name, lane, at: ["-", "+"].map((sign) => result.firsts[sign + name]).filter(Boolean) }));
    const worst = result.worst[wanted || "ideal"];
    const marks = [
      Plot.ruleY([LEAST], { stroke: "var(--line)" }),
      Plot.ruleY([budget], { strokeDasharray: "4 3", stroke: "currentColor", strokeOpacity: 0.7 }),
      Plot.ruleX(lanes.flatMap(({ at }) => at.map(([bits]) => axis.x(bits))), { strokeOpacity: 0.25, strokeWidth: 0.75, insetTop: 14 - strip }),
    ];
    for (const [column, of] of [...drawn].reverse()) { // gradual underflow last: where lines agree its colour is seen
      const colour = `var(--${column})`;
      if (column === (wanted || "ideal")) marks.push(Plot.areaY(path(of), { x: "x", y1: LEAST, y2: "y", curve: "step-after", fill: colour, fillOpacity: 0.16 }));
      marks.push(Plot.line(path(of), { x: "x", y: "y", curve: "step-after", stroke: colour, strokeWidth: 1.5, strokeDasharray: DASHES[column] }));
    }
    if (worst && drawn.length) marks.push(Plot.dot([0], { x: () => axis.x(worst[1]), y: () => height(worst[0]), r: 3.2, fill: "var(--paper)", stroke: `var(--${wanted || "ideal"})`, strokeWidth: 1.8 }));
    for (const { name, lane, at } of strip > SLIM ? lanes : []) {
      const dy = 6 + lane * LANE - TOP + 8;
      marks.push(Plot.text([0], { frameAnchor: "top-left", text: () => FIRSTS[name], dx: -5, dy: dy - 4, textAnchor: "end", fontSize: 9, fillOpacity: at.length ? 0.9 : 0.35 }));
      if (at.length) marks.push(Plot.dot(at, { x: ([bits]) => axis.x(bits), frameAnchor: "top", dy, r: 3, symbol: SYMBOLS[name],
        fill: name === "zero" ? null : "var(--first)", stroke: name === "zero" ? "var(--first)" : null, strokeWidth: 1.8, strokeOpacity: 1,
        title: ([bits, label]) => `the first input ${name === "zero" ? "with the result 0 for a number that does not round to 0" : `more than ${name.replace("ulp", "ULP")} off`}: ${decimal(bits, group.dtype)} (0x${bits}), label ${decimal(label, group.dtype)}` }));
    }
    marks.push(Plot.tip(points, Plot.pointerX({ x: "middle", y: "most", title: "title", fontSize: 11 })));
    const ticks = axis.ticks(width - 56);
    const told = worst ? `${ulps(worst[0])} ULP at ${decimal(worst[1], group.dtype)}` : "at most 0.5 ULP";
    return Plot.plot({
      style: "font-size: 11px", width, height: HEIGHT + strip, marginLeft: 46, marginRight: 10, marginTop: strip, marginBottom: 24,
      ariaLabel: `Largest error by binade of the prediction, ${group.implementation}, ${group.quantity}, ${group.dtype}, label ${result.label}: ${told}`,
      x: { domain: axis.domain, ticks: [...ticks.keys()], tickFormat: (x) => short(ticks.get(x)), label: null, tickSize: 4 },
      y: { type: "log", base: 2, domain: [LEAST * 0.8, top * EDGE], ticks: powers(top), tickFormat: (v) => (v >= 256 ? `2${raised(Math.log2(v))}` : String(v)), label: null, grid: true },
      marks,
    });
  }

  // -- one sweep --------------------------------------------------------------------------------------------------

  const other = (result) => Object.entries(result.classes).map(([name, count]) => `${count.toLocaleString("en")} ${name}`).join(", ");
  const breaking = (name) => name.split(/(?<=[/_.])/).flatMap((part) => [part, make("wbr")]); // where a name may be broken
  const cell = (...children) => make("td", {}, ...children);
  const input = (group, bits) => `${decimal(bits, group.dtype)} (0x${bits})`;

  function caption(group, result) {
    const worst = result.worst.ideal;
    const label = make("strong", {}, `label ${result.label}`);
    const beside = other(result) ? `; not drawn: ${other(result)}` : "";
    if (!worst) return make("figcaption", {}, label, `: at most 0.5 ULP${beside}`);
    const where = result.label.startsWith("all ") ? `, label ${input(group, worst[2])}` : "";
    return make("figcaption", {}, label, `: ${ulps(worst[0])} ULP at ${input(group, worst[1])}${where}, got ${decimal(worst[3], result.dtype)} for ${shown(worst[4])}${beside}`);
  }

  function firstsOf(group, result, name) {
    return ["-", "+"].map((sign) => result.firsts[sign + name]).filter(Boolean).map(([bits, label]) =>
      input(group, bits) + (result.label.startsWith("all ") ? `, label ${decimal(label, group.dtype)}` : "")).join("; ");
  }

  function counts(group, results) {
    const bar = (count, result) => make("td", { class: "number" },
      make("span", { class: "bar", style: `width: ${(4 * count / result.points).toFixed(2)}rem`, "aria-hidden": "true" }), " ", count.toLocaleString("en"));
    const rows = results.map((result) => [
      make("th", { scope: "row" }, result.label), ...result.ordinals.map((count) => bar(count, result)),
      cell(other(result) + (result.raised ? `: ${result.raised}` : "")), ...firsts.map((name) => cell(firstsOf(group, result, name))),
    ]);
    const heading = ["label", "0 off", "1 off", "2 off", "≥ 3 off", "no error in ULP", "first > 4 ULP", "of them > 0.1 %", "of them > 10 %", "first 0 for a number"];
    return table("Results by distance from the correctly rounded one, in bit patterns; first inputs of each sign, from 0 outwards", heading, rows);
  }

  function entry({ group, results }, want) {
    const proof = group.kind === "proof";
    const figures = make("div", { class: "plots" });
    const made = make("article", { class: "sweep", "data-sweep": group.name, tabindex: "-1" },
      make("h3", {}, ...breaking(group.implementation), make("small", {}, ` ${group.quantity}, ${group.dtype}`), " ",
        make("a", { href: `#sweep=${encodeURIComponent(group.name)}`, class: "meta", "aria-label": `link to ${group.name}` }, "#")),
      make("p", { class: "meta" }, make("strong", { class: `key ${proof ? "within" : "bound"}` }, proof ? "Proof" : "Lower bound"), ` ${group.covered}`),
      figures,
      make("details", {}, make("summary", {}, "Counts, first inputs, command, versions"),
        make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `Counts of ${group.name}` }, counts(group, results)),
        make("p", {}, make("code", {}, group.command)), make("p", { class: "meta" }, group.where), make("p", { class: "meta" }, group.code)));
    const axis = axisOf(group, want["sweep-range"]), wanted = want["sweep-line"], top = Math.min(largest(results, wanted), CUT);
    const strip = results.some((result) => Object.keys(result.firsts).length) ? TOP : SLIM;
    for (const result of results) figures.append(make("figure", {}, caption(group, result), make("div", { class: "plot" })));
    return { made, draw: () => {
      const width = Math.min(Math.max(figures.firstElementChild.clientWidth, 260), 700);
      results.forEach((result, n) => figures.children[n].lastElementChild.replaceChildren(plot(group, result, axis, { top, strip, width, wanted })));
    } };
  }

  // -- the list and the table follow the filters --------------------------------------------------------------------

  let kept = [], listed = 0;
  const list = document.getElementById("sweep-list"), more = document.getElementById("more-sweeps");

  function showMore(count) {
    const want = chosen();
    const entries = kept.slice(listed, listed + count).map((one) => entry(one, want));
    list.append(...entries.map((one) => one.made));
    for (const one of entries) one.draw(); // when they are as wide as they will be
    listed = Math.min(listed + count, kept.length);
    more.hidden = listed === kept.length;
    more.textContent = `Show more sweeps (${kept.length - listed})`;
  }
  more.addEventListener("click", () => showMore(CHUNK));

  const body = document.querySelector("#maxima-table tbody");
  const rows = groups.flatMap((group) => group.results.map((result) => ({ group, result })));
  [...body.rows].forEach((row, n) => {
    const head = row.cells[0], { group } = rows[n];
    rows[n].row = row;
    head.replaceChildren(make("a", { href: `#sweep=${encodeURIComponent(group.name)}` }, ...breaking(head.textContent)));
  });

  function passes(group, filter) {
    const [backend, , mode] = group.implementation.split("/"), text = filter.text.toLowerCase();
    return [[filter.backend, backend], [filter.mode, mode], [filter.dtype, group.dtype], [filter.form, group.form], [filter.quantity, group.quantity],
      [chosen()["sweep-kind"], group.kind]].every(([wanted, is]) => !wanted || wanted === is) && (!text || group.implementation.toLowerCase().includes(text));
  }

  function draw(filter) {
    const label = chosen()["sweep-label"];
    kept = groups.filter((group) => passes(group, filter))
      .map((group) => ({ group, results: group.results.filter((result) => !label || coarse(result.label) === coarse(label)) }))
      .filter(({ results }) => results.length);
    const taken = new Set(kept.flatMap(({ results }) => results));
    for (const { row, result } of rows) row.hidden = !taken.has(result);
    listed = 0;
    list.replaceChildren();
    legend();
    showMore(CHUNK);
    return `${taken.size} of ${rows.length} maxima`;
  }

  function legend() {
    const wanted = chosen()["sweep-line"];
    const sample = (column) => {
      const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg"), path = document.createElementNS(svg.namespaceURI, "path");
      for (const [name, value] of Object.entries({ width: 30, height: 8, "aria-hidden": "true" })) svg.setAttribute(name, value);
      for (const [name, value] of Object.entries({ d: "M0 4H30", "stroke-width": 2, "stroke-dasharray": DASHES[column] || "none", style: `stroke: var(--${column})` })) path.setAttribute(name, value);
      svg.append(path);
      return svg;
    };
    const columns = Object.keys(COLUMNS).filter((column) => !wanted || column === wanted);
    document.getElementById("sweep-legend").replaceChildren(
      ...columns.map((column) => make("span", {}, sample(column), " ", COLUMNS[column])),
      make("span", {}, `- - budget of ${budget} ULP`), make("span", {}, "○ the largest error"),
      make("span", {}, "● ■ ▲ the first input more than 4 ULP, 0.1 %, 10 % off"), make("span", {}, "× the first result 0 for a number"));
  }

  function open(name) {
    const place = kept.findIndex(({ group }) => group.name === name);
    if (place < 0) return;
    if (place >= listed) showMore(place + 1 - listed);
    const found = [...list.children].find((one) => one.dataset.sweep === name);
    found.scrollIntoView();
    found.focus({ preventScroll: true });
  }

  // Sorting: by number where a column has numbers, which may stand behind "<" or ">" or have commas.
  const COLUMN_OF = { 4: "ideal", 5: "flushed", 6: "scaled", 7: "contract" }; // cells that have errors in two digits
  const number = (text) => Number(text.replace(/[<>=≤,%\s]/g, "") || NaN);
  [...document.querySelectorAll("#maxima-table thead th")].forEach((head, column) => {
    const sort = () => {
      const down = head.getAttribute("aria-sort") !== "descending";
      for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const key = ({ row }) => row.cells[column].textContent;
      const error = ({ result }) => (result.worst[COLUMN_OF[column]] || [LEAST])[0];
      const order = (a, b) => {
        const [x, y] = [key(a), key(b)], [m, n] = COLUMN_OF[column] ? [error(a), error(b)] : [number(x), number(y)];
        if (!x || !y) return (x ? 0 : 1) - (y ? 0 : 1); // empty cells last, either way
        return (down ? -1 : 1) * (Number.isNaN(m) || Number.isNaN(n) ? x.localeCompare(y) : m - n);
      };
      body.append(...[...rows].sort(order).map(({ row }) => row));
    };
    head.replaceChildren(make("button", { type: "button", onclick: sort }, head.textContent));
  });

  return { draw, open, controls, groups };
}
