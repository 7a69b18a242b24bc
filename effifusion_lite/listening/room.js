// The listening room: a blind test of any two versions, or a rating of all of them.
function startRoom(root, lab) {
  const stage = makeStage(root, lab);
  const roles = [...root.querySelectorAll(".effi-version")].map((card) => card.dataset.role);
  const { test, trials } = root.dataset;
  const pair = [0, 1];

  (function welcome() {
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
      const id = [test, ...sorted.map((index) => index + 1)].join("-");
      runAbx(stage, lab, sorted, id, number, welcome);
    });
    lab.make(stage.live, "p", { class: "effi-title" }, "All of them: how good is each?");
    const count = `${roles.length} versions under letters, in random order, beside an open reference.`;
    lab.make(stage.live, "p", {}, `${count} This takes about ten minutes.`);
    const below = lab.make(stage.live, "div", { class: "effi-controls" });
    stage.button(below, "Start the rating", null, () =>
      runRating(stage, lab, roles, test, welcome),
    );
  })();
}
