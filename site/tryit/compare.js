// Versions that are mixtures of some sounds, so that a slider can change them while they play: each
// has a name, and `gains(strength)` of the sounds. Returns the deck.
function startComparison(root, lab, options) {
  const { title, buffers, versions, text = () => "", adjustable = true } = options;
  root.textContent = "";
  root.tabIndex = -1;
  const [{ sampleRate, numberOfChannels, length, duration }] = buffers;
  const gain = commonGain(buffers);
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

  // The samples of a version, of one channel or, for the pictures, the mean of all.
  function samplesOf(index, channel = null) {
    const gains = versions[index].gains(strength);
    const mixed = new Float32Array(length);
    const taken = channel === null ? [...Array(numberOfChannels).keys()] : [channel];
    for (const [i, buffer] of buffers.entries())
      for (const one of gains[i] ? taken : []) {
        const [samples, share] = [buffer.getChannelData(one), gains[i] / taken.length];
        for (let n = 0; n < length; n++) mixed[n] += share * samples[n];
      }
    return mixed;
  }

  // As it is played, so that all players have one scale of colours.
  function drawnOf(index) {
    const samples = samplesOf(index).map((x) => gain * x);
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
    const channels = Array.from({ length: numberOfChannels }, (_, i) => samplesOf(index, i));
    const peak = channels.reduce((most, one) => one.reduce((a, x) => Math.max(a, Math.abs(x)), most), 1);
    const kept = new AudioBuffer({ length, sampleRate, numberOfChannels });
    channels.forEach((samples, i) => kept.copyToChannel(samples.map((x) => x / peak), i));
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
