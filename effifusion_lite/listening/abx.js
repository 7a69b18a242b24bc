// Blind test: X is A or B by chance, trial after trial; at the end what that says.
function startAbx(root, lab) {
  const stage = makeStage(root, lab);
  const { test, trials } = root.dataset;
  const chance = makeChance();
  (function welcome() {
    stage.clear();
    askAbx(stage, lab, trials, (number) =>
      runAbx(stage, lab, [0, 1], test, number, chance, welcome),
    );
  })();
}

const ABX =
  "X is one of the two, by chance, anew in each trial. Listen to A, B and X as often as you like, then say which one X is.";

// Ask for the number of trials, beside what else the line holds.
function askAbx(stage, lab, proposed, start) {
  lab.make(stage.live, "p", {}, ABX);
  const line = lab.make(stage.live, "div", { class: "effi-controls" });
  const label = lab.make(line, "label", {}, "Number of trials ");
  const number = { type: "number", min: 1, max: 100, value: proposed };
  const input = lab.make(label, "input", number);
  stage.button(line, "Start the test", null, () => {
    const trials = Math.round(Number(input.value));
    if (trials >= 1 && trials <= 100) start(trials);
    else stage.say("Choose 1 to 100 trials");
  });
  return line;
}

// `pair` are the indices of A and B, `test` is what the file calls them.
function runAbx(stage, lab, pair, test, trials, chance, again) {
  const LETTERS = ["A", "B"];
  const { deck, live } = stage;
  const order = Array.from({ length: trials }, () => chance(2));
  const answers = [];
  let [chosen, heard, begun] = [0, new Set(), 0];
  const { head, toolbar } = stage.begin("");
  const line = stage.group("What is heard");
  const texts = [...pair.map((index, i) => `${LETTERS[i]}: ${stage.names[index]}`), "X"];
  const choices = texts.map((text, i) =>
    stage.button(line, `${i + 1} ${text}`, String(i + 1), () => hear(i)),
  );
  const below = stage.group("Your answer");
  const replies = [0, 1].map((i) =>
    stage.button(below, `X is ${LETTERS[i]}`, LETTERS[i].toLowerCase(), () => answer(i)),
  );
  lab.help(live, "1, 2 and 3 choose what you hear, space plays, a and b answer");
  lab.make(live, "p", { class: "effi-small" }, "You can answer once you have heard X.");

  // Only what sounds counts as heard.
  stage.shown = () => {
    toolbar.show();
    if (deck.playing()) heard.add(chosen);
    for (const reply of replies) reply.disabled = !heard.has(2);
  };

  function hear(index) {
    chosen = index;
    choices.forEach((choice, i) => choice.setAttribute("aria-pressed", i === index));
    deck.choose(pair[index === 2 ? order[answers.length] : index]);
  }

  function next() {
    [heard, begun] = [new Set(), performance.now()];
    head.textContent = `Trial ${answers.length + 1} of ${trials}`;
    stage.say(head.textContent);
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
    else finish();
  }

  function finish() {
    const right = answers.filter(({ x, answer }) => x === answer).length;
    stage.tests.push(trials);
    const lines = answers.map(({ x, answer, seconds }, i) =>
      [test, i + 1, LETTERS[x], LETTERS[answer], Number(x === answer), seconds.toFixed(1)].join(),
    );
    lines.unshift("test,trial,x,answer,correct,seconds");
    stage.finish(inWords(right, trials, stage.tests), lines, `abx_${test}`, again);
  }

  next();
  focus();
}
