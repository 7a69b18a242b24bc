// Rating of all versions on one scale, blindly, beside an open reference (after ITU-R BS.1534).
const WORDS = ["bad", "poor", "fair", "good", "excellent"];
const wordOf = (rating) => WORDS[Math.min(4, Math.floor(rating / 20))];

// `roles` says of each version whether it is a "version", the "reference" or the "anchor"; `rated` are
// the indices of those that are rated.
function runRating(stage, lab, roles, rated, test, chance, again) {
  const { deck, live } = stage;
  const order = shuffled(rated, chance); // which version each letter stands for
  const LETTERS = order.map((_, i) => String.fromCharCode(65 + i));
  const ratings = order.map(() => null);
  const heard = new Set();
  const open = roles.indexOf("reference");
  let chosen = -1; // place of the letter, -1 for the open reference
  const { toolbar } = stage.begin("Rate each of them");
  const text =
    "How good is each version, measured by the open reference? 0 to 20 is bad, to 40 poor, to 60 fair, to 80 good, to 100 excellent. One of the letters is the reference once more: find it and give it 100.";
  lab.make(live, "p", {}, text);
  const first = stage.group("Open reference");
  const reference = stage.button(first, "R Reference", "r", () => hear(-1));
  const rows = order.map(makeRow);
  const done = stage.button(stage.group("End"), "Finish the rating", null, finish);
  const left = lab.make(live, "p", { class: "effi-small" });
  const last = LETTERS.at(-1).toLowerCase();
  lab.help(
    live,
    `a to ${last} and r choose what you hear, space plays, up and down arrows change its rating`,
  );
  stage.keys.ArrowUp = () => step(1);
  stage.keys.ArrowDown = () => step(-1);

  function makeRow(_, place) {
    const letter = LETTERS[place];
    const line = lab.make(live, "div", {
      class: "effi-controls effi-rated",
      role: "group",
      "aria-label": `Version ${letter}`,
    });
    const choose = stage.button(line, letter, letter.toLowerCase(), () => hear(place));
    const range = { type: "range", min: 0, max: 100, step: 1, value: 50 };
    const input = lab.make(line, "input", { ...range, "aria-label": `Rating of ${letter}` });
    const output = lab.make(line, "span", { class: "effi-time", "aria-hidden": "true" }, "–");
    input.setAttribute("aria-valuetext", "not rated yet");
    input.addEventListener("focus", () => hear(place)); // what is rated is what is heard
    for (const event of ["input", "click"]) input.addEventListener(event, () => rate(place));
    return { choose, input, output };
  }

  function rate(place) {
    const { input, output } = rows[place];
    ratings[place] = Number(input.value);
    output.textContent = `${input.value} ${wordOf(ratings[place])}`;
    input.setAttribute("aria-valuetext", output.textContent);
    if (chosen !== place) hear(place);
    else stage.shown();
  }

  function step(way) {
    if (chosen < 0) return;
    if (ratings[chosen] !== null) rows[chosen].input.stepUp(way);
    rate(chosen);
    stage.say(rows[chosen].output.textContent);
  }

  function hear(place) {
    chosen = place;
    reference.setAttribute("aria-pressed", place < 0);
    rows.forEach(({ choose }, i) => choose.setAttribute("aria-pressed", i === place));
    deck.choose(place < 0 ? open : order[place]);
  }

  // Only what sounds counts as heard.
  stage.shown = () => {
    toolbar.show();
    if (deck.playing()) heard.add(chosen);
    const missing = LETTERS.filter((_, i) => ratings[i] === null || !heard.has(i));
    done.disabled = missing.length > 0;
    const rest = `Not heard and rated yet: ${missing.join(", ")}.`;
    left.textContent = missing.length ? rest : "All are heard and rated.";
  };

  function finish() {
    const of = (role) => ratings[order.indexOf(roles.indexOf(role))];
    const kept = of("reference") >= 90;
    const sentences = [
      `You gave the hidden reference ${of("reference")}, and the anchor ${of("anchor")}.`,
      kept
        ? "The reference is at 90 or above, so your ratings count in a pool."
        : "The reference is below 90. The recommendation leaves out listeners who rate it so in more than 15 % of the sentences: a pool of this sentence alone leaves you out. That is no shame, and no reason to change a rating now.",
      "One listener and one sentence show nothing yet: pool the files of a class.",
    ];
    const quoted = (name) => `"${name.replaceAll('"', '""')}"`;
    const lines = order.map((version, i) =>
      [test, LETTERS[i], quoted(stage.names[version]), roles[version], ratings[i]].join(),
    );
    lines.unshift("test,letter,version,role,rating");
    const result = stage.finish(sentences, lines, `rating_${test}`, again);
    const table = lab.make(result, "table");
    const head = lab.make(lab.make(table, "thead"), "tr");
    for (const text of ["version", "letter", "rating"])
      lab.make(head, "th", { scope: "col" }, text);
    const body = lab.make(table, "tbody");
    for (const i of [...order.keys()].sort((a, b) => ratings[b] - ratings[a])) {
      const line = lab.make(body, "tr");
      const cells = [stage.names[order[i]], LETTERS[i], `${ratings[i]} ${wordOf(ratings[i])}`];
      for (const cell of cells) lab.make(line, "td", {}, cell);
    }
  }

  hear(-1);
  live.querySelector("button").focus({ preventScroll: true });
}

// In random order, all orders alike.
function shuffled(values, chance) {
  const order = [...values];
  for (let i = order.length - 1; i > 0; i--) {
    const j = chance(i + 1);
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}
