// The listening room: a blind test of any two versions, or a rating of all of them.
function startRoom(root, lab) {
  const stage = makeStage(root, lab);
  const roles = [...root.querySelectorAll(".effi-version")].map((card) => card.dataset.role);
  const { test, trials } = root.dataset;
  const pair = [0, 1];
  const given = root.dataset.given && JSON.parse(root.dataset.given); // a test that is set
  const chance = makeChance(given?.seed);
  const all = [...roles.keys()];
  if (given) welcomeTo(given);
  else welcome();

  const idOf = (indices) => [test, ...indices.map((index) => index + 1)].join("-");

  // One test of the versions that it names, as it was set: the same for everyone.
  function welcomeTo({ kind, versions, trials }) {
    stage.clear();
    const again = () => welcomeTo(given);
    const chosen = all.filter((i) => roles[i] === "version" && versions.includes(stage.names[i]));
    const rated = all.filter((i) => roles[i] !== "version" || chosen.includes(i));
    const texts = { abx: `${ABX} There are ${trials} trials.`, rating: inRoom(rated.length) };
    lab.make(stage.live, "p", {}, texts[kind]);
    const line = lab.make(stage.live, "div", { class: "effi-controls" });
    stage.button(line, kind === "abx" ? "Start the test" : "Start the rating", null, () => {
      if (kind === "abx") runAbx(stage, lab, chosen, idOf(chosen), trials, chance, again);
      else {
        const id = rated.length < all.length ? idOf(chosen) : test;
        runRating(stage, lab, roles, rated, id, chance, again);
      }
    });
  }

  function inRoom(count) {
    const text = `${count} versions under letters, in random order, beside an open reference.`;
    return `${text} This takes about ${Math.ceil((count * 10) / 12)} minutes.`;
  }

  function welcome() {
    stage.clear();
    lab.make(stage.live, "p", { class: "effi-title" }, "Two of them: is there a difference?");
    const line = stage.group("What to compare");
    const selects = ["A ", "B "].map((letter, which) => {
      const label = lab.make(line, "label", {}, letter);
      const select = lab.make(label, "select");
      stage.names.forEach((name, i) => {
        if (roles[i] === "version") lab.make(select, "option", { value: i }, name);
      });
      select.value = pair[which];
      select.addEventListener("change", () => choose(which, Number(select.value)));
      return select;
    });

    // Who chooses the version that the other place has exchanges the two.
    function choose(which, index) {
      if (index === pair[1 - which]) pair[1 - which] = pair[which];
      pair[which] = index;
      selects.forEach((select, i) => (select.value = pair[i]));
    }

    askAbx(stage, lab, trials, (number) => {
      const sorted = [...pair].sort((a, b) => a - b); // one test, whichever was chosen first
      runAbx(stage, lab, sorted, idOf(sorted), number, chance, welcome);
    });
    lab.make(stage.live, "p", { class: "effi-title" }, "All of them: how good is each?");
    lab.make(stage.live, "p", {}, inRoom(roles.length));
    const below = lab.make(stage.live, "div", { class: "effi-controls" });
    stage.button(below, "Start the rating", null, () =>
      runRating(stage, lab, roles, all, test, chance, welcome),
    );
  }
}
