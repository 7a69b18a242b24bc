// A row of versions: a card for each, one of them heard.
function startPlayer(root, lab) {
  const find = (selector) => root.querySelector(selector);
  const versions = [...root.querySelectorAll(".effi-version")];
  const names = versions.map((version) => version.dataset.name);
  const rate = Number(root.dataset.rate);
  const drawn = root.dataset.pictures === "yes";
  const live = find(".effi-live");
  let loaded = null; // the sounds of the versions, once they are there
  let equal = false; // whether all versions have equal loudness
  let only = ""; // what alone is heard of each version: a key of ONLY, or all of it

  function minus(first, second) {
    const samples = second.getChannelData(0);
    const buffer = new AudioBuffer({ length: first.length, sampleRate: rate });
    buffer.copyToChannel(
      first.getChannelData(0).map((x, i) => x - samples[i]),
      0,
    );
    return buffer;
  }

  // A difference is made from the two versions that it names, sample by sample.
  async function load() {
    const buffers = [];
    for (const version of versions) {
      if (version.dataset.difference) {
        const [first, second] = version.dataset.difference.split(" ").map((i) => buffers[i]);
        buffers.push(minus(first, second));
      } else {
        buffers.push(await lab.decode(version.querySelector("audio").src, rate));
      }
    }
    return (loaded = buffers);
  }

  // What a row with its noisy and its clean version can be asked for, whichever version is chosen.
  const ends = ["noisy", "clean"].map((end) =>
    names.findIndex((name) => name.toLowerCase() === end || name.startsWith(`${end},`)),
  );
  const [noisy, clean] = find("[data-difference]") ? [-1, -1] : ends;
  const ONLY = {
    ...(noisy >= 0 && names.length > 1 && { removed: (sound) => minus(loaded[noisy], sound) }),
    ...(clean >= 0 && names.length > 1 && { wrong: (sound) => minus(sound, loaded[clean]) }),
  };
  const onlyText = (key) => `only what ${key === "removed" ? "was" : "is"} ${key}`;

  // Differences keep the one gain of the row.
  const levels = versions.map((version) => 10 ** (Number(version.dataset.equal) / 20));
  const setLevels = () => deck.setLevels(equal && !only ? levels : null);
  const deck = lab.makeDeck(root, rate, Number(root.dataset.seconds), load, show);
  const toolbar = lab.makeToolbar(live, deck);
  const options = lab.make(live, "div", { class: "effi-controls" });
  makeBox("repeat", false, (on) => deck.setRepeat(on));
  if (root.dataset.equal) {
    makeBox("equal loudness", root.dataset.equal === "on", (on) => {
      equal = on;
      setLevels();
    });
  }
  const onlies = makeOnlies();
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
  const zoom = drawn ? ", + and - zoom in and out" : "";
  lab.help(
    root,
    `${choice}, space plays, [ and ] begin and end a loop, 0 ends it${zoom}`,
    drawn ? "Choose a place in a picture to hear it from there; drag to loop a part." : "",
  );
  const hint = lab.mouse && drawn ? "Point at a picture to read time, frequency and level." : "";
  const line = lab.make(live, "p", { class: "effi-controls effi-small" });
  const readout = lab.make(line, "span", { class: "effi-readout", "aria-hidden": "true" }, hint);
  const pictures = drawn
    ? makePictures(lab, root, deck, (text) => (readout.textContent = text || hint))
    : null;
  pictures?.legend(line);
  pictures?.makeZoom(options);
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

  function makeOnlies() {
    if (!Object.keys(ONLY).length) return [];
    const attributes = {
      class: "effi-controls",
      role: "group",
      "aria-label": "What is heard of it",
    };
    const group = lab.make(options, "span", attributes);
    return ["", ...Object.keys(ONLY)].map((key) => {
      const text = key ? onlyText(key) : "the sound";
      const button = lab.make(group, "button", { type: "button" }, text);
      button.addEventListener("click", () => tell(hearOnly(key), text));
      return { key, button };
    });
  }

  // Instead of the sounds, what is missing in them or wrong with them.
  async function hearOnly(key) {
    await deck.buffers();
    only = key;
    setLevels();
    deck.swap(key ? loaded.map(ONLY[key]) : loaded);
    if (drawn) await fill();
    show();
  }

  function tell(work, text) {
    work.then(
      () => (said.textContent = text),
      (error) => (said.textContent = `This cannot be shown: ${error.message}`),
    );
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

  const nameOf = (index) => (only ? `${names[index]}, ${onlyText(only)}` : names[index]);

  async function fill() {
    const buffers = await deck.buffers();
    pictures?.clear();
    for (const link of root.querySelectorAll(".effi-download")) link.remove();
    const peak = Math.max(1e-6, ...buffers.map((buffer) => pictures?.peakOf(buffer) ?? 0));
    buffers.forEach((buffer, index) => {
      if (pictures)
        buttons[index].after(
          pictures.draw(versions[index], nameOf(index), buffer, peak, () => hear(index)),
        );
      const attributes = {
        type: "button",
        class: "effi-download",
        "aria-label": `Download ${nameOf(index)}`,
      };
      const link = lab.make(versions[index], "button", attributes, "Download");
      const file = [root.dataset.title, nameOf(index)]
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
    for (const { key, button } of onlies) button.setAttribute("aria-pressed", key === only);
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

  // What is heard and where, for a link to it.
  root.state = {
    read: () => ({
      version: names[deck.chosen()],
      ...lab.readDeck(deck, pictures),
      ...(only && { only }),
    }),
    write(wanted) {
      const version = names.indexOf(wanted.get("version"));
      if (version >= 0) hear(version);
      lab.writeDeck(deck, pictures, wanted);
      if (wanted.get("only") in ONLY) tell(hearOnly(wanted.get("only")), "");
    },
  };
  root.effifusion = deck; // read by tests
  lab.whenSeen(root, () =>
    fill().catch((error) => (said.textContent = `This cannot be shown: ${error.message}`)),
  );
  show();
}
