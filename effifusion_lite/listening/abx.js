// Blind test: X is A or B by chance, trial after trial; at the end what that says.
function startAbx(root, lab) {
  const versions = [...root.querySelectorAll(".effi-version")];
  const names = versions.map((version) => version.dataset.name);
  const rate = Number(root.dataset.rate);
  const LETTERS = ["A", "B"];
  const live = root.querySelector(".effi-live");
  const load = () => Promise.all(versions.map((version) => lab.decode(version.querySelector("audio").src, rate)));
  const deck = lab.makeDeck(root, rate, Number(root.dataset.seconds), load, () => toolbar?.show());
  const said = lab.make(root, "span", { class: "effi-said", role: "status", "aria-live": "polite" });
  let toolbar = null;
  let keys = {}; // what each key does now
  for (const version of versions) version.hidden = true;

  const button = (parent, text, key, action) => {
    const element = lab.make(parent, "button", { type: "button", ...(key && { "aria-keyshortcuts": key }) }, text);
    element.addEventListener("click", action);
    if (key) keys[key] = () => element.disabled || action();
    return element;
  };

  function clear() {
    if (deck.playing()) deck.pause();
    live.textContent = "";
    [toolbar, keys] = [null, {}];
  }

  function welcome() {
    clear();
    const text = "X is one of the two, by chance, anew in each trial. Listen to A, B and X as often as you like, then say which one X is.";
    lab.make(live, "p", {}, text);
    const line = lab.make(live, "div", { class: "effi-controls" });
    const label = lab.make(line, "label", {}, "Number of trials ");
    const input = lab.make(label, "input", { type: "number", min: 1, max: 100, value: root.dataset.trials });
    button(line, "Start the test", null, () => {
      const trials = Math.round(Number(input.value));
      if (trials >= 1 && trials <= 100) run(trials);
      else said.textContent = "Choose 1 to 100 trials";
    });
  }

  function run(trials) {
    const order = [...crypto.getRandomValues(new Uint8Array(trials))].map((byte) => byte & 1);
    const answers = [];
    let [heard, begun] = [new Set(), performance.now()];
    clear();
    deck.setRepeat(true);
    deck.seek(0);
    const head = lab.make(live, "p", { class: "effi-title" });
    toolbar = lab.makeToolbar(live, deck);
    keys[" "] = toolbar.toggle;
    const line = lab.make(live, "div", { class: "effi-controls", role: "group", "aria-label": "What is heard" });
    const texts = [`A: ${names[0]}`, `B: ${names[1]}`, "X"];
    const choices = texts.map((text, i) => button(line, `${i + 1} ${text}`, String(i + 1), () => hear(i)));
    const below = lab.make(live, "div", { class: "effi-controls", role: "group", "aria-label": "Your answer" });
    const replies = [0, 1].map((i) => button(below, `X is ${LETTERS[i]}`, LETTERS[i].toLowerCase(), () => answer(i)));
    const help = "Keys: 1, 2 and 3 choose what you hear, space plays, a and b answer, once you have heard X.";
    lab.make(live, "p", { class: "effi-small" }, help);

    function hear(index) {
      heard.add(index);
      deck.choose(index === 2 ? order[answers.length] : index);
      choices.forEach((choice, i) => choice.setAttribute("aria-pressed", i === index));
      for (const reply of replies) reply.disabled = !heard.has(2);
    }

    function next() {
      [heard, begun] = [new Set(), performance.now()];
      head.textContent = `Trial ${answers.length + 1} of ${trials}`;
      said.textContent = head.textContent;
      hear(0);
    }

    function answer(index) {
      answers.push({ x: order[answers.length], answer: index, seconds: (performance.now() - begun) / 1000 });
      if (answers.length < trials) next();
      else finish(answers);
    }

    next();
    live.querySelector("button").focus();
  }

  function finish(answers) {
    clear();
    const right = answers.filter(({ x, answer }) => x === answer).length;
    const result = lab.make(live, "div", { class: "effi-result", tabindex: -1 });
    for (const sentence of inWords(right, answers.length)) lab.make(result, "p", {}, sentence);
    const line = lab.make(live, "div", { class: "effi-controls" });
    button(line, "Save as CSV", null, () => lab.save(new Blob([csv(answers)], { type: "text/csv" }), `abx_${root.dataset.test}.csv`));
    button(line, "Test again", null, welcome);
    lab.make(live, "p", { class: "effi-small" }, "The file holds the trials and no name, so that a class can be pooled.");
    result.focus();
  }

  function csv(answers) {
    const lines = answers.map(({ x, answer, seconds }, i) =>
      [root.dataset.test, i + 1, LETTERS[x], LETTERS[answer], Number(x === answer), seconds.toFixed(1)].join(","),
    );
    return ["test,trial,x,answer,correct,seconds", ...lines, ""].join("\n");
  }

  // Probability of at least `right` of `trials`, if each is right with probability `rate`.
  function atLeast(right, trials, rate) {
    let [sum, binomial] = [0, 1];
    for (let i = 0; i <= trials; i++) {
      if (i >= right) sum += binomial * rate ** i * (1 - rate) ** (trials - i);
      binomial *= (trials - i) / (i + 1);
    }
    return sum;
  }

  // The rate at which `probability`, which rises with it, is `wanted`.
  function rateAt(wanted, probability) {
    let [low, high] = [0, 1];
    for (let step = 0; step < 60; step++) {
      const middle = (low + high) / 2;
      if (probability(middle) < wanted) low = middle;
      else high = middle;
    }
    return (low + high) / 2;
  }

  function inWords(right, trials) {
    const percent = (share) => `${(100 * share).toFixed(share > 0 && share < 0.01 ? 2 : share < 0.1 ? 1 : 0)} %`;
    const p = atLeast(right, trials, 0.5);
    // Clopper and Pearson: exact, 2.5 % on each side.
    const low = right === 0 ? 0 : rateAt(0.025, (rate) => atLeast(right, trials, rate));
    const high = right === trials ? 1 : rateAt(0.975, (rate) => atLeast(right + 1, trials, rate));
    let enough = trials + 1;
    while (enough > 0 && atLeast(enough - 1, trials, 0.5) < 0.05) enough--;
    const verdict =
      p < 0.05
        ? "So most likely you hear a difference."
        : "So this test does not show that you hear a difference. It does not show either that there is none: " +
          (enough > trials ? "take more trials." : `${enough} right answers would have been needed.`);
    return [
      `You named X rightly in ${right} of ${trials} trials (${percent(right / trials)}).`,
      `Who only guesses does as well or better in ${percent(p)} of such tests (exact binomial test, p = ${p.toPrecision(2)}).`,
      `With 95 % confidence you are right in ${percent(low)} to ${percent(high)} of all trials; guessing would be 50 %.`,
      verdict,
    ];
  }

  root.addEventListener("keydown", (event) => {
    const { tagName, type } = event.target;
    if (event.ctrlKey || event.altKey || event.metaKey || type === "number") return;
    if (!(event.key in keys) || (event.key === " " && tagName === "BUTTON")) return;
    keys[event.key]();
    event.preventDefault();
    event.stopPropagation();
  });

  root.effifusion = deck; // read by tests
  welcome();
}
