// A row of versions: a card for each, one of them heard.
function startPlayer(root, lab) {
  const find = (selector) => root.querySelector(selector);
  const versions = [...root.querySelectorAll(".effi-version")];
  const names = versions.map((version) => version.dataset.name);
  const rate = Number(root.dataset.rate);
  const drawn = root.dataset.pictures === "yes";
  const live = find(".effi-live");

  // A difference is made from the two versions that it names, sample by sample.
  async function load() {
    const buffers = [];
    for (const version of versions) {
      if (version.dataset.difference) {
        const [first, second] = version.dataset.difference
          .split(" ")
          .map((i) => buffers[i].getChannelData(0));
        const buffer = new AudioBuffer({ length: first.length, sampleRate: rate });
        buffer.copyToChannel(
          first.map((x, i) => x - second[i]),
          0,
        );
        buffers.push(buffer);
      } else {
        buffers.push(await lab.decode(version.querySelector("audio").src, rate));
      }
    }
    return buffers;
  }

  const deck = lab.makeDeck(root, rate, Number(root.dataset.seconds), load, show);
  const toolbar = lab.makeToolbar(live, deck);
  const options = lab.make(live, "div", { class: "effi-controls" });
  makeBox("repeat", false, (on) => deck.setRepeat(on));
  if (root.dataset.equal) {
    const levels = versions.map((version) => 10 ** (Number(version.dataset.equal) / 20));
    makeBox("equal loudness", root.dataset.equal === "on", (on) =>
      deck.setLevels(on ? levels : null),
    );
  }
  const loops = lab.make(options, "span", {
    class: "effi-controls",
    role: "group",
    "aria-label": "Loop",
  });
  const loopKeys = {
    "[": makeLoop("Loop from here", "[", (now, [, end]) => [now, end > now ? end : deck.duration]),
    "]": makeLoop("to here", "]", (now, [begin]) => [begin < now ? begin : 0, now]),
    0: makeLoop("no loop", "0", () => null),
  };
  const said = lab.make(live, "span", {
    class: "effi-said",
    role: "status",
    "aria-live": "polite",
  });
  const choice = names.length > 1 ? `1 to ${names.length} choose the version` : "1 the version";
  lab.help(
    root,
    `${choice}, space plays, [ and ] begin and end a loop, 0 ends it`,
    drawn ? "Choose a place in a picture to hear it from there; drag to loop a part." : "",
  );
  const hint = lab.mouse && drawn ? "Point at a picture to read time, frequency and level." : "";
  const line = lab.make(live, "p", { class: "effi-controls effi-small" });
  const readout = lab.make(
    line,
    "span",
    { class: "effi-readout", "aria-hidden": "true" },
    hint,
  );
  const pictures = drawn
    ? makePictures(lab, root, deck, (text) => (readout.textContent = text || hint))
    : null;
  pictures?.legend(line);
  const buttons = versions.map(makeCard);

  function makeBox(text, checked, change) {
    const label = lab.make(options, "label", {}, ` ${text}`);
    const box = document.createElement("input");
    Object.assign(box, { type: "checkbox", checked });
    label.prepend(box);
    box.addEventListener("change", () => change(box.checked));
    if (checked) change(true);
  }

  function makeLoop(text, key, region) {
    const button = lab.make(loops, "button", { type: "button", "aria-keyshortcuts": key }, text);
    const mark = () => {
      const wanted = region(deck.position(), deck.loop() ?? [0, deck.duration]);
      const loop = wanted && wanted[1] - wanted[0] > 0.05 ? wanted : null;
      deck.setLoop(loop);
      said.textContent = loop
        ? `Loop from ${lab.seconds(loop[0])} to ${lab.seconds(loop[1])} seconds`
        : "No loop";
    };
    button.addEventListener("click", mark);
    return mark;
  }

  // The name and the audio element of the page make room for a button.
  function makeCard(version, index) {
    for (const plain of version.querySelectorAll(".effi-plain, audio")) plain.hidden = true;
    const attributes = { type: "button", class: "effi-choose", "aria-keyshortcuts": index + 1 };
    const button = lab.make(version, "button", attributes, `${index + 1} ${names[index]}`);
    button.addEventListener("click", () => hear(index));
    version.prepend(button);
    return button;
  }

  function hear(index) {
    deck.choose(index);
    said.textContent = names[index];
  }

  async function fill() {
    const buffers = await deck.buffers();
    const peak = Math.max(1e-6, ...buffers.map((buffer) => pictures?.peakOf(buffer) ?? 0));
    buffers.forEach((buffer, index) => {
      if (pictures)
        buttons[index].after(
          pictures.draw(versions[index], names[index], buffer, peak, () => hear(index)),
        );
      const attributes = {
        type: "button",
        class: "effi-download",
        "aria-label": `Download ${names[index]}`,
      };
      const link = lab.make(versions[index], "button", attributes, "Download");
      const file = [root.dataset.title, names[index]]
        .filter(Boolean)
        .join(" ")
        .replace(/[^\p{L}\p{N}.-]+/gu, "_");
      link.addEventListener("click", () => save(wav(buffer), `${file}.wav`));
    });
    show();
  }

  function show() {
    toolbar.show();
    pictures?.show();
    buttons.forEach((button, index) => {
      button.setAttribute("aria-pressed", index === deck.chosen());
      versions[index].classList.toggle("effi-heard", index === deck.chosen());
    });
  }

  root.addEventListener("keydown", (event) => {
    const index = Number(event.key) - 1;
    const typed = event.target.tagName === "INPUT" && event.target.type === "checkbox";
    if (event.key in loopKeys) loopKeys[event.key]();
    else if (event.ctrlKey || event.altKey || event.metaKey) return;
    else if (index in buttons) hear(index);
    else if (event.key === " " && event.target.tagName !== "BUTTON" && !typed) toolbar.toggle();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });

  root.effifusion = deck; // read by tests
  lab.whenSeen(root, () =>
    fill().catch((error) => (said.textContent = `This cannot be shown: ${error.message}`)),
  );
  show();
}
