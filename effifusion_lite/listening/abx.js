// Blind test: X is A or B by chance, trial after trial; at the end what that says.
function startAbx(root, lab) {
  const versions = [...root.querySelectorAll(".effi-version")];
  const names = versions.map((version) => version.dataset.name);
  const rate = Number(root.dataset.rate);
  const LETTERS = ["A", "B"];
  const live = root.querySelector(".effi-live");
  const load = () =>
    Promise.all(versions.map((version) => lab.decode(version.querySelector("audio").src, rate)));
  const deck = lab.makeDeck(root, rate, Number(root.dataset.seconds), load, () => shown());
  const said = lab.make(root, "span", {
    class: "effi-said",
    role: "status",
    "aria-live": "polite",
  });
  let shown = () => {}; // brings what stands on the page up to date
  let keys = {}; // what each key does now
  const tests = []; // number of trials of each finished test
  for (const version of versions) version.hidden = true;

  const button = (parent, text, key, action) => {
    const element = lab.make(
      parent,
      "button",
      { type: "button", ...(key && { "aria-keyshortcuts": key }) },
      text,
    );
    element.addEventListener("click", action);
    if (key) keys[key] = () => element.disabled || action();
    return element;
  };

  function clear() {
    if (deck.playing()) deck.pause();
    live.textContent = "";
    [shown, keys] = [() => {}, {}];
  }

  function welcome() {
    clear();
    const text =
      "X is one of the two, by chance, anew in each trial. Listen to A, B and X as often as you like, then say which one X is.";
    lab.make(live, "p", {}, text);
    const line = lab.make(live, "div", { class: "effi-controls" });
    const label = lab.make(line, "label", {}, "Number of trials ");
    const input = lab.make(label, "input", {
      type: "number",
      min: 1,
      max: 100,
      value: root.dataset.trials,
    });
    button(line, "Start the test", null, () => {
      const trials = Math.round(Number(input.value));
      if (trials >= 1 && trials <= 100) run(trials);
      else said.textContent = "Choose 1 to 100 trials";
    });
  }

  function run(trials) {
    const order = [...crypto.getRandomValues(new Uint8Array(trials))].map((byte) => byte & 1);
    const answers = [];
    let [chosen, heard, begun] = [0, new Set(), 0];
    clear();
    deck.setRepeat(true);
    deck.seek(0);
    const head = lab.make(live, "p", { class: "effi-title" });
    const toolbar = lab.makeToolbar(live, deck);
    keys[" "] = toolbar.toggle;
    const line = lab.make(live, "div", {
      class: "effi-controls",
      role: "group",
      "aria-label": "What is heard",
    });
    const texts = [`A: ${names[0]}`, `B: ${names[1]}`, "X"];
    const choices = texts.map((text, i) =>
      button(line, `${i + 1} ${text}`, String(i + 1), () => hear(i)),
    );
    const below = lab.make(live, "div", {
      class: "effi-controls",
      role: "group",
      "aria-label": "Your answer",
    });
    const replies = [0, 1].map((i) =>
      button(below, `X is ${LETTERS[i]}`, LETTERS[i].toLowerCase(), () => answer(i)),
    );
    lab.help(live, "1, 2 and 3 choose what you hear, space plays, a and b answer");
    const wait = "You can answer once you have heard X.";
    lab.make(live, "p", { class: "effi-small" }, wait);

    // Only what sounds counts as heard.
    shown = () => {
      toolbar.show();
      if (deck.playing()) heard.add(chosen);
      for (const reply of replies) reply.disabled = !heard.has(2);
    };

    function hear(index) {
      chosen = index;
      choices.forEach((choice, i) => choice.setAttribute("aria-pressed", i === index));
      deck.choose(index === 2 ? order[answers.length] : index);
    }

    function next() {
      [heard, begun] = [new Set(), performance.now()];
      head.textContent = `Trial ${answers.length + 1} of ${trials}`;
      said.textContent = head.textContent;
      hear(0);
      if (replies.includes(document.activeElement)) focus(); // it is disabled now
    }

    function focus() {
      live.querySelector("button").focus({ preventScroll: true });
    }

    function answer(index) {
      answers.push({
        x: order[answers.length],
        answer: index,
        seconds: (performance.now() - begun) / 1000,
      });
      if (answers.length < trials) next();
      else finish(answers);
    }

    next();
    focus();
  }

  function finish(answers) {
    clear();
    const right = answers.filter(({ x, answer }) => x === answer).length;
    const result = lab.make(live, "div", { class: "effi-result", tabindex: -1 });
    tests.push(answers.length);
    for (const sentence of inWords(right, answers.length, tests))
      lab.make(result, "p", {}, sentence);
    const line = lab.make(live, "div", { class: "effi-controls" });
    button(line, "Save as CSV", null, () =>
      save(new Blob([csv(answers)], { type: "text/csv" }), `abx_${root.dataset.test}.csv`),
    );
    button(line, "Test again", null, welcome);
    lab.make(
      live,
      "p",
      { class: "effi-small" },
      "The file holds the trials and no name, so that a class can be pooled.",
    );
    result.focus();
  }

  function csv(answers) {
    const lines = answers.map(({ x, answer, seconds }, i) =>
      [
        root.dataset.test,
        i + 1,
        LETTERS[x],
        LETTERS[answer],
        Number(x === answer),
        seconds.toFixed(1),
      ].join(","),
    );
    return ["test,trial,x,answer,correct,seconds", ...lines, ""].join("\n");
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
