// One or two sliders over prepared sounds with their pictures; all run on one clock.
function startSlider(root, lab) {
  const cards = [...root.querySelectorAll(".effi-version")]; // frames first, then what stays
  const names = cards.map((card) => card.dataset.name);
  const rate = Number(root.dataset.rate);
  const axes = JSON.parse(root.dataset.axes); // [[label, [value, …]], …]
  const frames = axes.reduce((product, [, values]) => product * values.length, 1);
  const live = root.querySelector(".effi-live");
  const load = () =>
    Promise.all(cards.map((card) => lab.decode(card.querySelector("audio").src, rate)));
  const deck = lab.makeDeck(root, rate, Number(root.dataset.seconds), load, show);
  const said = lab.make(live, "span", {
    class: "effi-said",
    role: "status",
    "aria-live": "polite",
  });
  const toolbar = lab.makeToolbar(live, deck);
  const start = JSON.parse(root.dataset.start);
  const inputs = axes.map(makeAxis);
  const line = lab.make(live, "p", { class: "effi-controls effi-small" });
  const hint = lab.mouse ? "Point at a picture to read time, frequency and level." : "";
  const readout = lab.make(line, "span", { class: "effi-readout", "aria-hidden": "true" }, hint);
  const pictures = makePictures(lab, root, deck, (text) => (readout.textContent = text || hint));
  pictures.legend(line);
  pictures.makeZoom(line);
  let frame = 0; // where the sliders stand
  let stays = null; // index of what is heard instead of the frame
  let peak = 0;
  const buttons = makeButtons();
  const choice = buttons.length ? `, 1 to ${buttons.length} choose what you hear` : "";
  lab.help(root, `space plays, arrows move the slider${choice}, + and - zoom in and out`);
  cards.forEach((card, index) => {
    for (const plain of card.querySelectorAll(".effi-plain, audio")) plain.hidden = true;
    for (const map of card.querySelectorAll(".effi-picture"))
      pictures.listen(map, names[index], rate, () => hear(buttonOf(index)));
  });

  function makeAxis([label, values], axis) {
    const row = lab.make(toolbar.bar, "label", { class: "effi-controls" }, label);
    const range = { type: "range", min: 0, max: values.length - 1, step: 1, value: start[axis] };
    const input = lab.make(row, "input", {
      ...range,
      class: "effi-axis-input",
      "aria-label": label,
    });
    const output = lab.make(row, "output", { class: "effi-time" });
    input.addEventListener("input", move);
    return { input, output, values };
  }

  function makeButtons() {
    if (cards.length === frames) return [];
    const group = lab.make(live, "div", {
      class: "effi-controls",
      role: "group",
      "aria-label": "What is heard",
    });
    const texts = ["at the slider", ...names.slice(frames)];
    return texts.map((text, index) => {
      const attributes = { type: "button", "aria-keyshortcuts": index + 1 };
      const button = lab.make(group, "button", attributes, `${index + 1} ${text}`);
      button.addEventListener("click", () => hear(index));
      return button;
    });
  }

  const buttonOf = (index) => Math.max(0, index - frames + 1);

  function hear(index) {
    stays = index === 0 ? null : frames + index - 1;
    said.textContent = index === 0 ? names[frame] : names[stays];
    deck.choose(stays ?? frame);
  }

  function move() {
    frame = 0;
    for (const { input, output, values } of inputs) {
      const value = values[Number(input.value)];
      output.textContent = value;
      input.setAttribute("aria-valuetext", value);
      frame = frame * values.length + Number(input.value);
    }
    stays = null; // who moves the slider wants to hear it
    deck.choose(frame);
    draw().catch((error) => (said.textContent = `This cannot be shown: ${error.message}`));
  }

  // Only what is looked at is drawn.
  async function draw() {
    const buffers = await deck.buffers();
    peak ||= Math.max(1e-6, ...buffers.map(pictures.peakOf));
    buffers.forEach((buffer, index) => {
      if ((index < frames && index !== frame) || cards[index].querySelector("canvas")) return;
      const choose = () => hear(buttonOf(index));
      cards[index].prepend(pictures.draw(cards[index], names[index], buffer, peak, choose));
      cards[index].prepend(lab.make(cards[index], "p", { class: "effi-name" }, names[index]));
    });
    show();
  }

  function show() {
    toolbar.show();
    cards.forEach((card, index) => {
      card.hidden = index < frames && index !== frame;
      card.classList.toggle("effi-heard", index === deck.chosen());
    });
    buttons.forEach((button, index) => {
      button.setAttribute("aria-pressed", index === buttonOf(stays ?? 0));
    });
    pictures?.show(); // paints what is in sight
  }

  root.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const index = Number(event.key) - 1;
    const way = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowDown: [1, -1], ArrowUp: [1, 1] };
    const [axis, step] = event.target.type === "range" ? [] : (way[event.key] ?? []);
    if (index in buttons) hear(index);
    else if (axis in inputs) {
      inputs[axis].input.stepUp(step);
      move();
    } else if (event.key === " " && event.target.tagName !== "BUTTON") toolbar.toggle();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });

  // What is heard and where, for a link to it.
  root.state = {
    read: () => ({
      ...lab.readDeck(deck, pictures),
      at: inputs.map(({ input, values }) => values[Number(input.value)]),
      ...(stays !== null && { version: names[stays] }),
    }),
    write(wanted) {
      inputs.forEach(({ input, values }, axis) => {
        const place = values.indexOf(wanted.getAll("at")[axis]);
        if (place >= 0) input.value = place;
      });
      move();
      const beside = names.indexOf(wanted.get("version"), frames);
      if (beside >= 0) hear(buttonOf(beside));
      lab.writeDeck(deck, pictures, wanted);
    },
  };
  root.effifusion = deck; // read by tests
  deck.setRepeat(true);
  lab.whenSeen(root, move);
}
