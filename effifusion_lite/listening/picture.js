// Waveform and spectrogram of one version, computed from its samples and drawn on one scale.
function makePictures(lab, root, deck, showReadout) {
  const [LOW, HIGH] = [-90, -20]; // dB relative to a full-scale sine, after the common gain
  const COLUMNS = 420;
  const WAVE = 44; // pixels
  const MAGMA =
    "0000030a07221c1046350f6a50127b691c808225819c2e7fb63679d0416fe65162f56a5bfb8861fea671fec488fde1a3fbfcbf";
  const STOPS = MAGMA.match(/.{6}/g).map((c) => c.match(/../g).map((pair) => parseInt(pair, 16)));
  let marked = null; // [begin, end] in s, while a loop is being dragged

  const PALETTE = Array.from({ length: 256 }, (_, index) => {
    const place = (index / 255) * (STOPS.length - 1);
    const stop = Math.min(STOPS.length - 2, Math.floor(place));
    return STOPS[stop].map((value, i) => value + (place - stop) * (STOPS[stop + 1][i] - value));
  });

  function drawSpectrogram(canvas, levels) {
    const bins = levels[0].length;
    [canvas.width, canvas.height] = [COLUMNS, bins];
    const image = new ImageData(COLUMNS, bins);
    levels.forEach((column, x) =>
      column.forEach((level, k) => {
        const share = Math.max(0, Math.min(1, (level - LOW) / (HIGH - LOW)));
        const at = 4 * ((bins - 1 - k) * COLUMNS + x);
        image.data.set(PALETTE[Math.round(255 * share)], at);
        image.data[at + 3] = 255;
      }),
    );
    canvas.getContext("2d").putImageData(image, 0, 0);
  }

  function drawWaveform(canvas, samples, peak) {
    [canvas.width, canvas.height] = [COLUMNS, WAVE];
    const pen = canvas.getContext("2d");
    pen.fillStyle = "#3584e4"; // seen on light and on dark
    for (let x = 0; x < COLUMNS; x++) {
      const begin = Math.floor((x * samples.length) / COLUMNS);
      const piece = samples.subarray(begin, Math.floor(((x + 1) * samples.length) / COLUMNS));
      const [low, high] = [
        piece.reduce((a, b) => Math.min(a, b), 0),
        piece.reduce((a, b) => Math.max(a, b), 0),
      ];
      const y = (value) => (WAVE / 2) * (1 - value / peak);
      pen.fillRect(x, y(high), 1, Math.max(1, y(low) - y(high)));
    }
  }

  const decibel = (power) => (power > 0 ? `${(10 * Math.log10(power)).toFixed(0)} dB` : "silence");
  const peakOf = (buffer) =>
    buffer.getChannelData(0).reduce((peak, x) => Math.max(peak, Math.abs(x)), 0);

  function describe(name, buffer, levels) {
    const [samples, rate] = [buffer.getChannelData(0), buffer.sampleRate];
    const power = samples.reduce((sum, x) => sum + x * x, 0) / samples.length;
    const bin = rate / 2 / levels[0].length; // Hz
    const band = (low, high) => {
      const [from, to] = [Math.floor(low / bin), Math.min(levels[0].length, Math.ceil(high / bin))];
      let sum = 0;
      for (const column of levels) for (let k = from; k < to; k++) sum += 10 ** (column[k] / 10);
      return decibel(sum / levels.length / (to - from));
    };
    return [
      `Waveform of ${name}: ${lab.seconds(deck.duration)} s, level ${decibel(power)}, peak ${decibel(peakOf(buffer) ** 2)}.`,
      `Spectrogram of ${name}, 0 to ${rate / 2000} kHz. Mean level of a bin: ${band(0, 1000)} below ` +
        `1 kHz, ${band(1000, 4000)} from 1 to 4 kHz, ${band(4000, rate / 2)} above.`,
    ];
  }

  // Pointing reads time, frequency and, with `levels`, level. A click goes there, dragging marks a
  // loop, and both `choose` what the picture shows. Its cursor and loop are those of the sound.
  function listen(picture, name, rate, choose, levels) {
    const axis = (kind, text) =>
      lab.make(picture, "span", { class: `effi-axis ${kind}`, "aria-hidden": "true" }, text);
    axis("effi-high", `${rate / 2000} kHz`);
    axis("effi-end", `${lab.seconds(deck.duration)} s`);
    lab.make(picture, "span", { class: "effi-region" }).hidden = true;
    lab.make(picture, "span", { class: "effi-cursor" });
    const place = (event, box) =>
      Math.max(0, Math.min(0.9999, (event.clientX - box.left) / box.width));
    let begin = null;
    picture.addEventListener("dragstart", (event) => event.preventDefault()); // of an image
    picture.addEventListener("pointerdown", (event) => {
      picture.setPointerCapture(event.pointerId);
      [begin, marked] = [place(event, picture.getBoundingClientRect()), null];
    });
    picture.addEventListener("pointermove", (event) => {
      const box = picture.getBoundingClientRect();
      const now = place(event, box);
      const spectrum = picture.querySelector(".effi-spectrogram, img").getBoundingClientRect();
      const height = (spectrum.bottom - event.clientY) / spectrum.height;
      const text = [name, `${(now * deck.duration).toFixed(2)} s`];
      if (height >= 0 && height < 1) {
        const column = levels?.[Math.floor(now * COLUMNS)];
        text.push(`${Math.round((height * rate) / 2)} Hz`);
        if (column) text.push(`${column[Math.floor(height * column.length)].toFixed(0)} dB`);
      }
      showReadout(text.join(" · "));
      if (begin === null || Math.abs(now - begin) * box.width < 5) return;
      marked = [Math.min(begin, now), Math.max(begin, now)].map((share) => share * deck.duration);
      show();
    });
    picture.addEventListener("pointerup", () => {
      const region = marked;
      if (begin === null) return;
      const at = begin * deck.duration;
      begin = marked = null;
      choose();
      if (!region) deck.seek(at);
      else if (region[1] - region[0] > 0.05) deck.setLoop(region);
      else show();
    });
    picture.addEventListener("pointercancel", () => {
      begin = marked = null;
      show();
    });
    picture.addEventListener("pointerleave", () => begin === null && showReadout(""));
  }

  function draw(parent, name, buffer, peak, choose) {
    const samples = buffer.getChannelData(0);
    const levels = spectrogram(samples, buffer.sampleRate, COLUMNS);
    const picture = lab.make(parent, "div", { class: "effi-picture" });
    const texts = describe(name, buffer, levels);
    const [wave, spectrum] = ["effi-wave", "effi-spectrogram"].map((kind, i) =>
      lab.make(picture, "canvas", { class: kind, role: "img", "aria-label": texts[i] }),
    );
    drawWaveform(wave, samples, peak);
    drawSpectrogram(spectrum, levels);
    listen(picture, name, buffer.sampleRate, choose, levels);
    return picture;
  }

  // The cursor and the loop of all pictures.
  function show() {
    const share = (time) => `${(100 * time) / deck.duration}%`;
    const loop = marked ?? deck.loop();
    for (const cursor of root.querySelectorAll(".effi-cursor"))
      cursor.style.left = share(deck.position());
    for (const region of root.querySelectorAll(".effi-region")) {
      region.hidden = loop === null;
      if (loop)
        [region.style.left, region.style.width] = [share(loop[0]), share(loop[1] - loop[0])];
    }
  }

  function legend(parent) {
    const line = lab.make(parent, "span", { class: "effi-legend" });
    lab.make(line, "span", {}, `−${-LOW} dB`);
    const stops = STOPS.map((rgb) => `rgb(${rgb})`);
    lab.make(line, "span", { class: "effi-scale", "aria-hidden": "true" }).style.background =
      `linear-gradient(90deg, ${stops})`;
    lab.make(line, "span", {}, `−${-HIGH} dB, one scale for all`);
  }

  return { draw, listen, show, legend, peakOf };
}
