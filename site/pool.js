// Puts the results of a class together, as `pool` and `pool_ratings` of the package do.
const COLUMNS = {
  abx: "test,trial,x,answer,correct,seconds",
  rating: "test,letter,version,role,rating",
};
const BOUND = 90; // a listener who rates the hidden reference lower is left out

// The fields of each line; a quoted one may hold commas, and quotes that are doubled.
function parse(text) {
  const lines = text
    .replace(/^\uFEFF/, "")
    .split(/\r?\n/)
    .filter(Boolean);
  const fields = (line) =>
    [...line.matchAll(/("((?:[^"]|"")*)"|[^,]*)(?:,|$)/g)]
      .slice(0, line.endsWith(",") ? undefined : -1) // the last match is empty
      .map((found) => found[2]?.replaceAll('""', '"') ?? found[1]);
  const names = fields(lines[0] ?? "");
  const rows = lines
    .slice(1)
    .map((line) => Object.fromEntries(fields(line).map((field, i) => [names[i], field])));
  const kind = Object.keys(COLUMNS).find((one) => COLUMNS[one] === names.join());
  return { kind: rows.length ? kind : undefined, rows };
}

// Student's t for a two-sided interval of 95 %: its distribution for whole degrees of freedom is a
// finite sum over the angle whose tangent is t / √freedom (Abramowitz and Stegun, 26.7).
function studentT(freedom) {
  const inside = (share) => {
    const angle = (share * Math.PI) / 2;
    const cosine = Math.cos(angle) ** 2;
    const odd = freedom % 2;
    let [term, sum] = [odd ? Math.cos(angle) : 1, 0];
    for (let i = odd ? 1 : 0; i <= freedom - 2; i += 2) {
      sum += term;
      term *= (cosine * (i + 1)) / (i + 2);
    }
    return odd ? (2 / Math.PI) * (angle + Math.sin(angle) * sum) : Math.sin(angle) * sum;
  };
  return Math.sqrt(freedom) * Math.tan((rateAt(0.95, inside) * Math.PI) / 2);
}

// Mean and interval; null with less than two values.
function meanInterval(values) {
  const n = values.length;
  if (n < 2) return null;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const half = studentT(n - 1) * Math.sqrt(squares / (n - 1) / n);
  return { mean, low: mean - half, high: mean + half };
}

function poolAbx(files) {
  const rows = files.flatMap(({ rows }) => rows);
  const right = rows.filter(({ x, answer }) => x === answer).length;
  const [low, high] = shareInterval(right, rows.length);
  return { trials: rows.length, right, p: atLeast(right, rows.length, 0.5), low, high };
}

function poolRatings(files) {
  const ratings = new Map(); // version: ratings, in the order of the listeners
  let leftOut = 0;
  for (const { name, rows } of files) {
    const given = new Map(rows.map(({ version, rating }) => [version, Number(rating)]));
    const good = rows.every(({ rating }) => /\d/.test(rating) && rating >= 0 && rating <= 100);
    if (!given.has("reference") || given.size < rows.length || !good)
      throw new Error(`${name} is no result of a rating: take the files the page saved.`);
    if (given.get("reference") < BOUND) leftOut++;
    else
      for (const [version, rating] of given)
        ratings.set(version, [...(ratings.get(version) ?? []), rating]);
  }
  return { ratings, leftOut };
}

function make(parent, name, text = "", attributes = {}) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.textContent = text;
  parent.append(element);
  return element;
}

function number(parent, value, digits) {
  make(parent, "data", value.toFixed(digits), { value });
}

function line(parent, heading, parts, digits) {
  const row = make(parent, "tr");
  make(row, "th", heading, { scope: "row" });
  for (const part of parts) {
    const cell = make(row, "td");
    if (typeof part === "string") cell.textContent = part;
    else number(cell, part, digits);
  }
}

function table(parent, heads) {
  const wrapper = make(parent, "div", "", { class: "table-wrapper" });
  const made = make(wrapper, "table", "", { class: "docutils" });
  const row = make(make(made, "thead"), "tr");
  for (const text of heads) make(row, "th", text, { scope: "col" });
  return make(made, "tbody");
}

function showAbx(parent, files) {
  const { trials, right, p, low, high } = poolAbx(files);
  make(parent, "p", `${files.length} files, ${trials} trials, ${right} of them right.`);
  const body = table(parent, ["result", "value"]);
  line(body, "share of right answers", [right / trials], 3);
  line(body, "95 % interval, from", [low], 3);
  line(body, "to", [high], 3);
  line(body, "p, if all had guessed", [p], 4);
  const heard =
    "The class as a whole hears a difference: chance alone gives such a result in less than 5 % of tests.";
  const open = "A difference is not shown; nor is it shown that there is none.";
  make(parent, "p", p < 0.05 ? heard : open);
}

function showRatings(parent, files) {
  const { ratings, leftOut } = poolRatings(files);
  const kept = files.length - leftOut;
  make(
    parent,
    "p",
    `${kept} listeners; ${leftOut} left out, who did not find the hidden reference.`,
  );
  if (!kept) return;
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const sorted = [...ratings].sort(([, a], [, b]) => mean(b) - mean(a));
  const body = table(parent, ["version", "mean rating", "95 %, from", "to"]);
  for (const [version, values] of sorted) {
    const found = meanInterval(values);
    line(body, version, found ? [found.mean, found.low, found.high] : [values[0], "–", "–"], 1);
  }
  const pick = make(parent, "p", "The difference that you wrote down: ");
  const [first, second] = [0, 1].map((index) => {
    const select = make(pick, "select", "", { "aria-label": index ? "minus" : "difference of" });
    for (const [version] of sorted) select.add(new Option(version));
    select.selectedIndex = index;
    if (!index) make(pick, "span", " minus ");
    select.addEventListener("change", compare);
    return select;
  });
  const said = make(parent, "p", "", { id: "difference" });
  function compare() {
    const [a, b] = [first, second].map(({ value }) => ratings.get(value));
    const found = meanInterval(a.map((value, i) => value - b[i]));
    said.textContent = found ? "" : "Two listeners or more are needed.";
    if (!found) return;
    number(said, found.mean, 1);
    make(said, "span", ", from ");
    number(said, found.low, 1);
    make(said, "span", " to ");
    number(said, found.high, 1);
    make(said, "span", found.low <= 0 && found.high >= 0 ? ": not shown." : ": shown.");
  }
  compare();
}

async function pool(chosen) {
  const place = document.querySelector("#pooled");
  place.textContent = "";
  try {
    const files = await Promise.all(
      [...chosen].map(async (file) => ({ name: file.name, ...parse(await file.text()) })),
    );
    for (const { name, kind } of files)
      if (!kind) throw new Error(`${name} is no result of a test: take the files the page saved.`);
    if (!files.length) throw new Error("There is no file: choose those that the page saved.");
    if (new Set(files.map(({ kind }) => kind)).size > 1)
      throw new Error("Some files are of blind tests and some of ratings: pool each kind alone.");
    const tests = [...new Set(files.flatMap(({ rows }) => rows.map(({ test }) => test)))].sort();
    if (tests.length > 1)
      throw new Error(`The files belong to several tests (${tests.join(", ")}): pool each alone.`);
    (files[0].kind === "abx" ? showAbx : showRatings)(place, files);
  } catch (error) {
    place.textContent = error.message;
  }
}

const box = document.querySelector("#pool");
box.hidden = false;
box.querySelector("input").addEventListener("change", ({ target }) => pool(target.files));
for (const kind of ["dragover", "drop"])
  addEventListener(kind, (event) => {
    event.preventDefault();
    if (kind === "drop") pool(event.dataTransfer.files);
  });
