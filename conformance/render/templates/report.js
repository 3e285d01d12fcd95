"use strict";
// Draws what depends on the filters.  Every text of the data is put into the page by textContent, never as markup.

(async () => {
  const packed = Uint8Array.from(atob(document.getElementById("data").textContent.trim()), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const data = JSON.parse(await new Response(stream).text());
  const { names = { implementation: [] }, checks, findings } = data; // without a run there is none of them
  const parts = names.implementation.map((id) => id.split("/")); // backend, entry, mode, device
  const CHUNK = 40; // problems shown at once
  const SERIES = 10; // implementations in one plot: as many colours as can be told apart
  const BUDGET = 4; // ULP

  // -- elements ---------------------------------------------------------------------------------------------------

  const counted = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;

  function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name === "onclick" || name === "ontoggle") element.addEventListener(name.slice(2), value);
      else if (value !== null) element.setAttribute(name, value);
    }
    element.append(...children.map((child) => (child instanceof Node ? child : String(child))));
    return element;
  }

  function table(caption, heading, rows) {
    const head = make("tr", {}, ...heading.map((text) => make("th", { scope: "col" }, text)));
    const body = rows.map((cells) => make("tr", {}, ...cells));
    return make("table", {}, make("caption", { class: "meta" }, caption), make("thead", {}, head), make("tbody", {}, ...body));
  }

  function link(url) {
    return /^https:\/\//.test(url) ? make("a", { href: url, rel: "noreferrer" }, url) : document.createTextNode(url);
  }

  // -- harm: the worst of each check, -1 where nothing was found; colour means harm and nothing else -----------------

  const worst = data.run ? new Int8Array(checks.i.length).fill(-1) : null;
  if (data.run) findings.check.forEach((n, f) => { if (findings.harm[f] !== null) worst[n] = Math.max(worst[n], findings.harm[f]); });
  const harmWord = (harm) => data.harms[harm].replace("-", " ");
  const REFUSES = 0; // what an implementation says that it cannot do is not wrong

  // -- filters ----------------------------------------------------------------------------------------------------

  const distinct = (values) => [...new Set(values)].sort();
  const swept = data.sweeps.groups;
  const sweptParts = swept.map((group) => group.implementation.split("/"));
  const both = (ran, key) => [...new Set([...ran, ...swept.map((group) => group[key])])];
  const forms = names.implementation.map((id) => (data.implementations[id] || {}).form);
  const dtypes = data.run ? new Set(checks.d) : new Set();
  const CHOICES = {
    backend: distinct([...parts, ...sweptParts].map((part) => part[0])),
    mode: distinct([...parts, ...sweptParts].map((part) => part[2])),
    dtype: both((names.dtype || []).filter((_, index) => dtypes.has(index)), "dtype"),
    form: both(forms.filter(Boolean), "form").sort(),
    quantity: both(names.quantity || [], "quantity"),
  };
  if (data.run) {
    for (const kind of ["flag", "family", "verdict", "outcome", "problem"]) CHOICES[kind] = [...names[kind]].sort();
    CHOICES.harm = [...data.harms].reverse();
  }
  const filters = document.getElementById("filters");
  for (const [name, values] of Object.entries(CHOICES)) {
    const options = ["", ...values].map((value) => make("option", { value }, value || `all (${values.length})`));
    filters.append(make("label", {}, name, make("select", { name }, ...options)));
  }
  filters.append(make("label", {}, data.run ? "implementation or case contains" : "implementation contains", make("input", { name: "text", type: "search" })));
  filters.append(make("button", { type: "reset" }, "Reset"));

  const chosen = () => Object.fromEntries(new FormData(filters));

  // Whether a finding is of the problem and does the harm that are chosen.
  function wanted(want) {
    const problem = want.problem ? names.problem.indexOf(want.problem) : null, harm = want.harm ? data.harms.indexOf(want.harm) : null;
    return (f) => (problem === null || findings.problem[f] === problem) && (harm === null || findings.harm[f] === harm);
  }

  function passing() {
    const want = chosen(), meant = wanted(want), some = want.problem || want.harm;
    const found = some && new Set(findings.check.filter((_, f) => meant(f)));
    const index = (kind) => (want[kind] ? names[kind].indexOf(want[kind]) : null);
    const [d, f, q, v, o] = ["dtype", "family", "quantity", "verdict", "outcome"].map(index);
    const flag = want.flag ? names.flag.indexOf(want.flag) : null;
    const text = want.text.toLowerCase();
    const implementations = parts.map(
      (part, i) => (!want.backend || part[0] === want.backend) && (!want.mode || part[2] === want.mode)
        && (!want.form || forms[i] === want.form));
    const cases = data.cases.map((one) => flag === null || (one !== null && one.flags.includes(flag)));
    const named = (table) => table.map((name) => !text || name.toLowerCase().includes(text));
    const byImplementation = named(names.implementation), byCase = named(names.case);
    const kept = [];
    for (let n = 0; n < checks.i.length; n++) {
      const i = checks.i[n], c = checks.c[n];
      if (implementations[i] && cases[c] && (byImplementation[i] || byCase[c]) && (d === null || checks.d[n] === d)
        && (f === null || checks.f[n] === f) && (q === null || checks.q[n] === q)
        && (v === null || checks.v[n] === v) && (o === null || checks.o[n] === o) && (!some || found.has(n))) kept.push(n);
    }
    return kept;
  }

  // -- families ---------------------------------------------------------------------------------------------------

  function drawHeat(kept) {
    const cells = new Map(), documented = names.verdict.indexOf("by-contract");
    for (const n of kept) {
      const key = `${checks.i[n]}/${checks.f[n]}`;
      if (!cells.has(key)) cells.set(key, { worst: -1, wrong: 0, documented: 0 });
      const cell = cells.get(key);
      cell.worst = Math.max(cell.worst, worst[n]);
      cell.wrong += worst[n] > REFUSES;
      cell.documented += checks.v[n] === documented;
    }
    const seen = (position) => [...new Set([...cells.keys()].map((key) => Number(key.split("/")[position])))].sort((a, b) => a - b);
    const families = seen(1);
    const told = (cell) => {
      if (!cell) return make("td", { class: "untested" }, "–");
      if (cell.wrong) return make("td", { class: data.harms[cell.worst] }, `${cell.wrong} ${harmWord(cell.worst)}`);
      if (cell.worst === REFUSES) return make("td", { class: data.harms[REFUSES] }, harmWord(REFUSES));
      return cell.documented ? make("td", { class: "documented" }, "documented") : make("td", { class: "ok" }, "ok");
    };
    const rows = seen(0).map((i) => [make("th", { scope: "row" }, names.implementation[i]), ...families.map((f) => told(cells.get(`${i}/${f}`)))]);
    const place = document.getElementById("heat-table");
    place.replaceChildren(table(counted(kept.length, "check"), ["implementation", ...families.map((f) => names.family[f])], rows));
  }

  // -- findings ---------------------------------------------------------------------------------------------------

  const MANTISSA = { float64: 52, float32: 23, float16: 10, bfloat16: 7, float8_e5m2: 2 };
  const EXPONENT = { float64: 11, float32: 8, float16: 5, bfloat16: 8, float8_e5m2: 5 };

  function decode(hex, dtype) {
    if (!(dtype in MANTISSA)) return BigInt(`0x${hex}`).toString();
    const bits = BigInt(`0x${hex}`), m = BigInt(MANTISSA[dtype]), e = BigInt(EXPONENT[dtype]);
    const fraction = Number(bits & ((1n << m) - 1n)), exponent = Number((bits >> m) & ((1n << e) - 1n));
    const sign = bits >> (m + e) ? -1 : 1, bias = 2 ** (Number(e) - 1) - 1, scale = 2 ** Number(m);
    if (exponent === 2 ** Number(e) - 1) return fraction ? NaN : sign * Infinity;
    return sign * (exponent ? (1 + fraction / scale) * 2 ** (exponent - bias) : (fraction / scale) * 2 ** (1 - bias));
  }

  // The shortest decimal that means the same number in the dtype, to within what nine digits can tell.
  function decimal(hex, dtype) {
    const value = decode(hex, dtype);
    if (typeof value !== "number" || !Number.isFinite(value) || dtype === "float64") return Object.is(value, -0) ? "-0" : String(value);
    const tiny = 2 ** (2 - 2 ** (EXPONENT[dtype] - 1)), near = 2 ** -(MANTISSA[dtype] + 1); // subnormal numbers are evenly spaced
    const room = Math.abs(value) < tiny ? tiny * near : Math.abs(value) * near / 2;
    for (let digits = 1; digits < 9; digits++) {
      const text = value.toPrecision(digits);
      if (Math.abs(Number(text) - value) <= room) return String(Number(text));
    }
    return String(Number(value.toPrecision(9)));
  }

  const shown = (value) => (typeof value === "number" ? String(Number(value.toPrecision(9))) : String(value));

  function inputsText(told, element) {
    const place = told.elements.indexOf(element);
    const places = place >= 0 ? [place] : told.elements.map((_, index) => index);
    return Object.entries(told.inputs).map(([name, bits]) => {
      const dtype = told.dtypes[name], list = places.map((p) => decimal(bits[p], dtype));
      return place >= 0 ? `${name}=${list[0]} (0x${bits[place]})` : `${name}=[${list.join(", ")}]`;
    }).join(" ");
  }

  function findingRow(f) {
    const n = findings.check[f], dtype = names.dtype[checks.d[n]], element = findings.element[f];
    const told = data.inputs[`${checks.c[n]}/${checks.d[n]}`];
    const quantity = names.quantity[checks.q[n]], place = told ? told.elements.indexOf(element) : -1;
    const ideals = told && told.ideal[quantity === "contract" ? "value" : quantity];
    const ideal = ideals && place >= 0 ? ideals[place] : findings.ideal[f];
    const got = findings.got[f], as = findings.as[f] >= 0 ? names.dtype[findings.as[f]] : dtype;
    const contract = findings.contract[f], ulp = findings.ulp[f];
    const cell = (...children) => make("td", {}, ...children);
    return [
      make("th", { scope: "row" }, `${names.case[checks.c[n]]}#${element}`),
      findings.harm[f] === null ? cell() : make("td", { class: data.harms[findings.harm[f]] }, harmWord(findings.harm[f])),
      cell(names.implementation[checks.i[n]]), cell(dtype), cell(quantity),
      cell(told ? inputsText(told, element) : ""),
      cell(got ? `${decimal(got, as)} (0x${got})` : names.what[findings.what[f]]),
      cell(ideal === null || ideal === undefined ? "" : shown(ideal)),
      cell(contract === null ? "" : shown(contract)),
      make("td", { class: "number" }, ulp === null ? "" : ulp.toPrecision(3)),
      cell(names.verdict[findings.verdict[f]]),
      make("td", { class: "long" }, make("code", {}, names.cause[findings.cause[f]])),
      make("td", { class: "long" }, names.text[findings.detail[f]]),
      make("td", { class: "long" }, make("code", {}, names.command[findings.command[f]])),
    ];
  }

  const HEADING = ["case and element", "harm", "implementation", "dtype", "quantity", "inputs", "got", "ideal", "contract", "ULP", "verdict", "cause", "detail", "show it again"];

  function problemEntry(group) {
    const id = names.problem[group.problem], title = data.titles[group.problem];
    const outcome = make("span", { class: "outcome" }, group.outcome);
    const harm = group.worst < 0 ? "" : make("span", { class: `harm ${data.harms[group.worst]}` }, harmWord(group.worst));
    const summary = make("summary", {}, outcome, " ", harm, " ", title || make("code", {}, id), ` · ${counted(group.members.length, "element")}`);
    const entry = make("details", { "data-problem": id }, summary);
    let limit = 0;
    const fill = () => {
      limit += 50;
      const body = make("div", {});
      if (title && group.outcome === "recorded") body.append(make("p", {}, make("a", { href: `#problem-${id}` }, "Why, who has it, and what helps")));
      const contracts = new Set(group.members.map((f) => checks.i[findings.check[f]]));
      const fields = data.implementations[names.implementation[[...contracts][0]]].contract;
      if (fields.length) {
        const items = fields.map((field) => make("li", {}, make("code", {}, field.text), ` “${field.quote}” `, link(field.link)));
        body.append(make("p", { class: "meta" }, "Contract:"), make("ul", { class: "meta" }, ...items));
      }
      const rows = group.members.slice(0, limit).map(findingRow);
      body.append(make("div", { class: "scroll", tabindex: "0" }, table(`${rows.length} of ${counted(group.members.length, "element")}`, HEADING, rows)));
      if (limit < group.members.length) body.append(make("button", { type: "button", onclick: fill }, "Show 50 more"));
      entry.replaceChildren(summary, body);
    };
    entry.addEventListener("toggle", () => { if (entry.open && !limit) fill(); });
    return entry;
  }

  let groups = [], listed = 0;
  const more = document.getElementById("more");

  function showMore(count) {
    const list = document.getElementById("finding-list");
    list.append(...groups.slice(listed, listed + count).map(problemEntry));
    listed = Math.min(listed + count, groups.length);
    more.hidden = listed === groups.length;
  }
  if (more) more.addEventListener("click", () => showMore(CHUNK));

  function drawFindings(kept) {
    const taken = new Set(kept), found = new Map(), order = ["new", "fixed", "recorded"], meant = wanted(chosen());
    for (let f = 0; f < findings.check.length; f++) {
      if (!taken.has(findings.check[f]) || !meant(f)) continue;
      const key = `${findings.problem[f]}/${findings.outcome[f]}`;
      if (!found.has(key)) found.set(key, { problem: findings.problem[f], outcome: names.outcome[findings.outcome[f]], worst: -1, members: [] });
      const group = found.get(key);
      group.worst = Math.max(group.worst, findings.harm[f] ?? -1);
      group.members.push(f);
    }
    for (const group of found.values()) group.members.sort((a, b) => (findings.harm[b] ?? -1) - (findings.harm[a] ?? -1));
    groups = [...found.values()].sort((a, b) => order.indexOf(a.outcome) - order.indexOf(b.outcome) || b.worst - a.worst || b.members.length - a.members.length);
    listed = 0;
    document.getElementById("finding-list").replaceChildren();
    showMore(CHUNK);
    return groups.length;
  }

  // The findings of the one problem that is chosen.
  function openFindings() {
    const entry = document.querySelector("#finding-list > details");
    if (!entry) return;
    entry.open = true;
    entry.scrollIntoView();
    entry.querySelector("summary").focus();
  }

  // A link to a problem opens what it leads to.
  function openProblem() {
    const entry = location.hash.startsWith("#problem-") && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (entry) { entry.open = true; entry.scrollIntoView(); }
  }

  // -- plots ------------------------------------------------------------------------------------------------------

  const controls = document.getElementById("plot-controls");
  const labelled = (name, text, pairs) => controls.append(
    make("label", {}, text, make("select", { name }, ...pairs.map(([value, told]) => make("option", { value }, told)))));
  const samples = data.samples || [];
  const sampleKeys = [...new Set(samples.map((one) => one.in))];
  const first = (key) => (key.endsWith("/float32") ? 2 : 0) + (key.startsWith("sample/logits") ? 1 : 0);
  const preferred = [...sampleKeys].sort((a, b) => first(b) - first(a));
  if (samples.length) {
    labelled("in", "form and dtype", preferred.map((key) => [key, key.replace("sample/", "").replace("/", ", ")]));
    labelled("quantity", "quantity", [...new Set(samples.map((one) => one.q))].map((q) => [q, names.quantity[q]]));
    labelled("label", "label", ["0", "1", "0.5", "0.3"].map((label) => [label, label]));
    labelled("part", "inputs", [["bend", "where the loss bends"], ["all", "all bit patterns"]]);
    labelled("flush", "results below the smallest normal number", [["gradual", "gradual underflow"], ["flush", "0 is right"]]);
  }

  function series() {
    const want = Object.fromEntries(new FormData(controls)), filter = chosen();
    const inputs = data.sampleInputs[want.in];
    const points = inputs.predictions.map((_, index) => index).filter(
      (index) => inputs.labels[index] === want.label && inputs.parts[index] === want.part);
    const text = filter.text.toLowerCase();
    const lines = samples.filter((one) => one.in === want.in && String(one.q) === want.quantity
      && (!filter.backend || parts[one.i][0] === filter.backend) && (!filter.mode || parts[one.i][2] === filter.mode)
      && (!text || names.implementation[one.i].toLowerCase().includes(text)));
    const ideal = inputs.ideal[names.quantity[Number(want.quantity)]].map(Number);
    return { want, inputs, points, lines, ideal };
  }

  function result(line, index, ideal) {
    const got = line.got[index];
    return got === undefined ? ideal[index] : Number(got);
  }

  // Error of a point in ULP, or what stands in its place.
  function judged(line, index, view) {
    const got = result(line, index, view.ideal), exact = view.ideal[index];
    if (view.want.flush === "flush" && got === 0 && Math.abs(exact) < view.inputs.smallestNormal) return { ulp: 2 ** -6 };
    if (line.steps[index] === null) return { failed: Number.isNaN(got) ? "NaN" : Number.isFinite(got) ? "other" : "infinite" };
    return { ulp: 2 ** (line.steps[index] / data.steps) };
  }

  function drawPlots() {
    if (!samples.length) {
      document.getElementById("sampled").textContent = "This run measured no sample of inputs (a run of chosen cases has none).";
      return;
    }
    const view = series(), { want, inputs, points, lines, ideal } = view;
    const few = lines.slice(0, SERIES);
    document.getElementById("sampled").textContent =
      `${counted(points.length, "prediction")} for label ${want.label}, ${counted(lines.length, "implementation")}`
      + (few.length < lines.length ? `; the first ${SERIES} are drawn, the filters choose others` : "")
      + ". A sample proves no maximum.";
    // For probabilities where the loss bends, the distance from 1 tells more than p, all of which is one binade.
    const mirrored = want.part === "bend" && want.in.includes("probabilities");
    const x = (index) => inputs.ordinals[index];
    const at = [...points].sort((a, b) => x(a) - x(b));
    const tick = (ordinal) => {
      const near = at.reduce((best, index) => (Math.abs(x(index) - ordinal) < Math.abs(x(best) - ordinal) ? index : best), at[0]);
      const p = inputs.predictions[near];
      return mirrored ? `1-${(1 - p).toPrecision(1)}` : p.toPrecision(2);
    };
    const rank = new Map(at.map((index, place) => [index, place])); // even spacing is what the sample is even in
    const axis = { label: mirrored ? "prediction p (even in the ordinal of 1 - p)" : "prediction (even in its ordinal)",
      ticks: at.filter((_, place) => place % Math.ceil(at.length / 10) === 0).map((index) => rank.get(index)), tickFormat: (place) => tick(x(at[place])) };
    const width = Math.min(Math.max(document.getElementById("error-plot").clientWidth, 480), 1100);
    const errors = [], failures = [], results = [];
    for (const line of few) {
      const name = names.implementation[line.i];
      for (const index of at) {
        const one = judged(line, index, view);
        if (one.ulp !== undefined) errors.push({ x: rank.get(index), y: one.ulp, name });
        else failures.push({ x: rank.get(index), name, what: one.failed });
        results.push({ x: rank.get(index), y: result(line, index, ideal), name });
      }
    }
    const colour = { domain: few.map((line) => names.implementation[line.i]), legend: true, scheme: "observable10" };
    const top = errors.reduce((most, one) => Math.max(most, one.y), 8);
    document.getElementById("error-plot").replaceChildren(Plot.plot({
      width, height: 320, marginLeft: 60, x: axis, color: colour, ariaLabel: "Error in ULP over the prediction",
      y: { type: "log", base: 2, domain: [2 ** -6, top * 4], label: "ULP", grid: true, tickFormat: (v) => (v >= 1024 ? `2^${Math.round(Math.log2(v))}` : String(v)), ticks: 8 },
      marks: [
        Plot.ruleY([BUDGET], { strokeDasharray: "4 3" }),
        Plot.dot(errors, { x: "x", y: "y", fill: "name", r: 2.2, tip: true, channels: { prediction: (one) => inputs.predictions[at[one.x]] } }),
        Plot.dot(failures, { x: "x", y: () => top * 3, stroke: "name", symbol: "times", r: 3, tip: true, channels: { what: "what" } }),
      ],
    }));
    const finite = ideal.filter((value, index) => rank.has(index) && Number.isFinite(value));
    const [low, high] = [Math.min(...finite), Math.max(...finite)];
    const exact = at.map((index) => ({ x: rank.get(index), y: ideal[index] })).filter((one) => Number.isFinite(one.y));
    const inside = results.filter((one) => Number.isFinite(one.y) && Math.abs(one.y) <= 4 * Math.max(Math.abs(low), Math.abs(high), 1));
    document.getElementById("curve-plot").replaceChildren(Plot.plot({
      width, height: 300, marginLeft: 60, x: axis, color: colour, ariaLabel: `${names.quantity[Number(want.quantity)]} over the prediction, with the exact curve`,
      y: { type: "symlog", constant: 1e-3, label: names.quantity[Number(want.quantity)], grid: true, ticks: DECADES.filter((v) => v >= low * 1.5 && v <= high * 1.5), tickFormat: (v) => String(v) },
      marks: [
        Plot.line(exact, { x: "x", y: "y", stroke: "currentColor", strokeWidth: 4, strokeOpacity: 0.35 }),
        Plot.dot(inside, { x: "x", y: "y", fill: "name", r: 1.8, tip: true }),
      ],
    }));
    drawHistogram(view);
  }

  const DECADES = [-1000, -100, -10, -1, -0.1, -0.01, 0, 0.01, 0.1, 1, 10, 100, 1000];
  const BINS = [["≤ 0.5", 0.505], ["≤ 1", 1], ["≤ 2", 2], ["≤ 4", 4], ["≤ 256", 256], ["> 256", Infinity]];

  function drawHistogram(view) {
    const rows = view.lines.map((line) => {
      const counts = BINS.map(() => 0);
      let failed = 0, worst = 0;
      for (const index of view.points) {
        const one = judged(line, index, view);
        if (one.ulp === undefined) { failed += 1; continue; }
        worst = Math.max(worst, one.ulp);
        counts[BINS.findIndex(([, limit]) => one.ulp <= limit)] += 1;
      }
      const bar = (count) => make("td", { class: "number" }, make("span", { class: "bar", style: `width: ${(4 * count / view.points.length).toFixed(2)}rem`, "aria-hidden": "true" }), " ", count);
      return [make("th", { scope: "row" }, names.implementation[line.i]), ...counts.map(bar), bar(failed), make("td", { class: "number" }, worst.toPrecision(3))];
    });
    document.getElementById("histogram").replaceChildren(
      table("Points by error in ULP", ["implementation", ...BINS.map(([text]) => text), "no number", "largest"], rows));
  }

  // -- the page follows its filters, and the address follows them, so that a view can be passed on -------------------

  const sweeps = swept.length ? sweepsOf({ data, make, table, decimal, decode, shown, MANTISSA, EXPONENT }) : null;

  function draw() {
    const told = [];
    if (data.run) {
      const kept = passing();
      drawHeat(kept);
      const problems = drawFindings(kept);
      told.push(`${kept.length} of ${counted(checks.i.length, "check")}`, `${counted(problems, "problem")} or causes`);
      drawPlots();
    }
    if (sweeps) told.push(sweeps.draw(chosen()));
    document.getElementById("left").textContent = told.join(", ");
  }

  const remembered = [filters, ...(sweeps ? [sweeps.controls] : [])];

  function remember() {
    const kept = remembered.flatMap((form) => [...new FormData(form)]).filter(([, value]) => value);
    history.replaceState(null, "", `#${new URLSearchParams(kept)}`);
  }

  function follow() {
    openProblem();
    const asked = new URLSearchParams(location.hash.slice(1));
    const ours = ["sweep"], elements = remembered.flatMap((form) => [...form.elements]).filter((one) => one.name);
    if (![...asked.keys()].some((key) => ours.includes(key) || elements.some((one) => one.name === key))) return;
    for (const element of elements) element.value = asked.get(element.name) || "";
    draw();
    if (data.run && asked.has("problem")) openFindings();
    if (sweeps && asked.has("sweep")) sweeps.open(asked.get("sweep"));
  }

  for (const event of ["input", "change"]) { // some browsers and their drivers send only one of them
    filters.addEventListener(event, () => { remember(); draw(); });
    if (data.run) controls.addEventListener(event, drawPlots);
    if (sweeps) sweeps.controls.addEventListener(event, () => { remember(); draw(); });
  }
  filters.addEventListener("reset", () => setTimeout(() => { remember(); draw(); }));
  filters.addEventListener("submit", (event) => event.preventDefault());
  window.addEventListener("hashchange", follow);
  draw();
  follow();
  document.documentElement.dataset.ready = "yes";
})();
