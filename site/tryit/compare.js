// Versions that are mixtures of some sounds, so that a slider can change them while they play: each
// has a name, and `gains(strength)` of the sounds. Returns the deck.
function startComparison(root, lab, options) {
  const { title, buffers, versions, text = () => "", adjustable = true } = options;
  root.textContent = "";
  root.tabIndex = -1;
  const [{ sampleRate, numberOfChannels, length, duration }] = buffers;
  const gain = commonGain(buffers);
  const everyChannel = [...Array(numberOfChannels).keys()];
  let strength = 1;
  let pictures = null; // made anew with each strength
  const deck = lab.makeDeck(root, sampleRate, duration, async () => buffers, show);
  const mix = () => deck.setMix((chosen) => versions[chosen].gains(strength).map((x) => gain * x));
  lab.make(root, "p", { class: "effi-title" }, title);
  const toolbar = lab.makeToolbar(root, deck);
  if (adjustable) makeStrength();
  const end = lab.make(toolbar.bar.firstChild, "button", { type: "button" }, "No loop");
  end.addEventListener("click", () => deck.setLoop(null));
  const line = lab.make(root, "p", { class: "effi-controls effi-small" });
  const readout = lab.make(line, "span", { class: "effi-readout", "aria-hidden": "true" });
  const said = lab.make(root, "span", { class: "effi-said", role: "status" });
  const cards = lab.make(root, "div", { class: "effi-versions" });
  const buttons = versions.map(makeCard);
  lab.help(
    root,
    `1 to ${versions.length} choose the version, space plays`,
    "Choose a place in a picture to hear it from there; drag to loop a part.",
  );

  function makeStrength() {
    const row = lab.make(toolbar.bar, "label", { class: "effi-controls" }, "Strength");
    const range = { type: "range", min: 0, max: 100, step: 5, value: 100 };
    const input = lab.make(row, "input", range);
    const output = lab.make(row, "output", { class: "effi-time" }, "100 %");
    input.addEventListener("input", () => {
      strength = Number(input.value) / 100;
      input.setAttribute("aria-valuetext", (output.textContent = `${input.value} %`));
      mix();
    });
    input.addEventListener("change", draw); // not at each step: it may be a long sound
    return input;
  }

  function makeCard({ name }, index) {
    const card = lab.make(cards, "div", { class: "effi-version", "data-name": name });
    const choose = { type: "button", class: "effi-choose", "aria-keyshortcuts": index + 1 };
    const button = lab.make(card, "button", choose, `${index + 1} ${name}`);
    button.addEventListener("click", () => hear(index));
    lab.make(card, "div", { class: "effi-drawn" });
    lab.make(card, "p", { class: "effi-small effi-text" });
    const attributes = { type: "button", class: "effi-download", "aria-label": `Download ${name}` };
    const download = lab.make(card, "button", attributes, "Download");
    download.addEventListener("click", () => keep(index));
    return button;
  }

  // The samples of a version: the mean of these channels, joined from [[start, end], …].
  function samplesOf(index, channels, pieces = [[0, length]]) {
    const gains = versions[index].gains(strength);
    const mixed = new Float32Array(pieces.reduce((sum, [start, end]) => sum + end - start, 0));
    for (const [i, buffer] of buffers.entries()) {
      const share = gains[i] / channels.length;
      for (const samples of share ? channels.map((one) => buffer.getChannelData(one)) : []) {
        let at = 0;
        for (const [start, end] of pieces)
          for (let n = start; n < end; n++) mixed[at++] += share * samples[n];
      }
    }
    return mixed;
  }

  // What the pictures show, as it is played: of a long sound a piece from the middle of each of the
  // columns, one minute in all, so that it is drawn at once.
  function drawnOf(index) {
    const [columns, size] = [420, Math.floor((60 * sampleRate) / 420)];
    const middles = Array.from({ length: columns }, (_, x) => ((x + 0.5) / columns) * length);
    const pieces = middles
      .map((middle) => Math.floor(middle - size / 2))
      .map((start) => [start, start + size]);
    const joined = samplesOf(index, everyChannel, duration > 60 ? pieces : undefined);
    const samples = joined.map((x) => gain * x);
    return { sampleRate, getChannelData: () => samples };
  }

  function draw() {
    pictures = makePictures(lab, root, deck, (what) => (readout.textContent = what));
    const drawn = versions.map((_, index) => drawnOf(index));
    const peak = Math.max(1e-6, ...drawn.map(pictures.peakOf));
    drawn.forEach((sound, index) => {
      const [place, { name }] = [buttons[index].nextElementSibling, versions[index]];
      place.textContent = "";
      pictures.draw(place, name, sound, peak, () => hear(index));
      place.nextElementSibling.textContent = text(name, sound.getChannelData(0));
    });
    show();
  }

  // Saved at the level of the recording; softer only where 16 bits would clip it.
  function keep(index) {
    const channels = everyChannel.map((one) => samplesOf(index, [one]));
    let peak = 1;
    for (const samples of channels)
      for (const x of samples) if (Math.abs(x) > peak) peak = Math.abs(x);
    if (peak > 1)
      for (const samples of channels) for (let i = 0; i < length; i++) samples[i] /= peak;
    const kept = { numberOfChannels, length, sampleRate, getChannelData: (i) => channels[i] };
    const file = `${title} ${versions[index].name}`.replace(/[^\p{L}\p{N}.-]+/gu, "_");
    save(wav(kept), `${file}.wav`);
    const softer = (20 * Math.log10(peak)).toFixed(1);
    said.textContent = peak > 1 ? `Saved ${softer} dB softer, to avoid clipping.` : "Saved.";
  }

  function hear(index) {
    deck.choose(index);
    said.textContent = versions[index].name;
  }

  function show() {
    toolbar.show();
    pictures?.show();
    end.hidden = !deck.loop();
    buttons.forEach((button, index) => {
      button.setAttribute("aria-pressed", index === deck.chosen());
      button.parentElement.classList.toggle("effi-heard", index === deck.chosen());
    });
  }

  root.onkeydown = (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const index = Number(event.key) - 1;
    if (index in buttons) hear(index);
    else if (event.key === " " && event.target.tagName !== "BUTTON") toolbar.toggle();
    else return;
    event.preventDefault();
  };

  root.effifusion = { deck, rate: sampleRate, samplesOf }; // read by tests
  mix();
  draw();
  pictures.legend(line);
  return deck;
}

// One gain for all, as in the other players: the loudest at -26 dB, no peak above -1 dB.
function commonGain(buffers) {
  let [power, peak] = [0, 1e-9];
  for (const buffer of buffers) {
    let energy = 0;
    for (let i = 0; i < buffer.numberOfChannels; i++)
      for (const x of buffer.getChannelData(i)) {
        energy += x * x;
        if (Math.abs(x) > peak) peak = Math.abs(x);
      }
    power = Math.max(power, energy / buffer.length / buffer.numberOfChannels);
  }
  return Math.min(10 ** (-26 / 20) / Math.sqrt(power || 1), 10 ** (-1 / 20) / peak);
}
