// What the blind tests share: sounds on one clock, a place whose content changes, keys, a result.
function makeStage(root, lab) {
  const versions = [...root.querySelectorAll(".effi-version")];
  const rate = Number(root.dataset.rate);
  const live = root.querySelector(".effi-live");
  const load = () =>
    Promise.all(versions.map((version) => lab.decode(version.querySelector("audio").src, rate)));
  const deck = lab.makeDeck(root, rate, Number(root.dataset.seconds), load, () => stage.shown());
  const said = lab.make(root, "span", {
    class: "effi-said",
    role: "status",
    "aria-live": "polite",
  });
  for (const version of versions) version.hidden = true;

  const stage = {
    names: versions.map((version) => version.dataset.name),
    deck,
    live,
    shown: () => {}, // brings what is on the page up to date
    keys: {}, // what each key does now
    tests: [], // number of trials of each finished ABX test
    say: (text) => (said.textContent = text),

    clear() {
      if (deck.playing()) deck.pause();
      live.textContent = "";
      [stage.shown, stage.keys] = [() => {}, {}];
    },

    group(label) {
      return lab.make(live, "div", { class: "effi-controls", role: "group", "aria-label": label });
    },

    button(parent, text, key, action) {
      const attributes = { type: "button", ...(key && { "aria-keyshortcuts": key }) };
      const element = lab.make(parent, "button", attributes, text);
      element.addEventListener("click", action);
      if (key) stage.keys[key] = () => element.disabled || action();
      return element;
    },

    // Begin to listen: a head, and Play with its place.
    begin(title) {
      stage.clear();
      deck.setRepeat(true);
      deck.seek(0);
      const head = lab.make(live, "p", { class: "effi-title" }, title);
      const toolbar = lab.makeToolbar(live, deck);
      stage.keys[" "] = toolbar.toggle;
      return { head, toolbar };
    },

    // Show what came out, and hand the file over: to save, or to copy where nothing can be saved.
    finish(sentences, lines, name, again) {
      stage.clear();
      const result = lab.make(live, "div", { class: "effi-result", tabindex: -1 });
      for (const sentence of sentences) lab.make(result, "p", {}, sentence);
      const csv = `${lines.join("\n")}\n`;
      const line = lab.make(live, "div", { class: "effi-controls" });
      stage.button(line, "Save as CSV", null, () =>
        save(new Blob([csv], { type: "text/csv" }), `${name}.csv`),
      );
      stage.button(line, "Test again", null, again);
      const note =
        "The file holds what you answered and no name, so that a class can be pooled.";
      lab.make(live, "p", { class: "effi-small" }, note);
      const fold = lab.make(live, "details");
      lab.make(fold, "summary", {}, "The file as text, to copy");
      const label = { "aria-label": "The file as text", readonly: "", rows: 6 };
      const text = lab.make(fold, "textarea", label, csv);
      text.addEventListener("focus", () => text.select());
      result.focus();
      return result;
    },
  };

  root.addEventListener("keydown", (event) => {
    const { tagName, type } = event.target;
    if (event.ctrlKey || event.altKey || event.metaKey || type === "number") return;
    if (["TEXTAREA", "SELECT"].includes(tagName)) return;
    if (!(event.key in stage.keys) || (event.key === " " && tagName === "BUTTON")) return;
    if (type === "range" && event.key.startsWith("Arrow")) return;
    stage.keys[event.key]();
    event.preventDefault();
    event.stopPropagation();
  });

  root.effifusion = deck; // read by tests
  return stage;
}
