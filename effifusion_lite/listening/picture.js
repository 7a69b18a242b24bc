// Waveform and spectrogram of one version, computed from its samples and drawn on one scale.
function makePictures(lab, root, deck, showReadout) {
  const [LOW, HIGH] = [-90, -20]; // dB relative to a full-scale sine, after the common gain
  const COLUMNS = 420;
  const WAVE = 44; // pixels
  const MAGMA =
    "0000030a07221c1046350f6a50127b691c808225819c2e7fb63679d0416fe65162f56a5bfb8861fea671fec488fde1a3fbfcbf";
  const STOPS = MAGMA.match(/.{6}/g).map((c) => c.match(/../g).map((pair) => parseInt(pair, 16)));
  const SHORTEST = 0.1; // s, of the part that is looked at
  const whole = [0, deck.duration];
  const drawn = []; // the pictures that follow `view`
  let view = whole; // [begin, end] in s
  let marked = null; // the same, while a loop is being dragged

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

  function describe(name, samples, rate, levels) {
    const power = samples.reduce((sum, x) => sum + x * x, 0) / samples.length;
    const peak = samples.reduce((largest, x) => Math.max(largest, Math.abs(x)), 0);
    const part =
      view === whole
        ? `${lab.seconds(deck.duration)} s`
        : `from ${view[0].toFixed(2)} to ${view[1].toFixed(2)} s`;
    const bin = rate / 2 / levels[0].length; // Hz
    const band = (low, high) => {
      const [from, to] = [Math.floor(low / bin), Math.min(levels[0].length, Math.ceil(high / bin))];
      let sum = 0;
      for (const column of levels) for (let k = from; k < to; k++) sum += 10 ** (column[k] / 10);
      return decibel(sum / levels.length / (to - from));
    };
    return [
      `Waveform of ${name}: ${part}, level ${decibel(power)}, peak ${decibel(peak ** 2)}.`,
      `Spectrogram of ${name}, 0 to ${rate / 2000} kHz. Mean level of a bin: ${band(0, 1000)} below ` +
        `1 kHz, ${band(1000, 4000)} from 1 to 4 kHz, ${band(4000, rate / 2)} above.`,
    ];
  }

  // Pointing reads time, frequency and, with `levels`, level. A click goes there, dragging marks a
  // loop, and both `choose` what the picture shows. Its cursor and loop are those of the sound.
  // `levels` are those of the part in view; without them, the picture always shows the whole.
  function listen(picture, name, rate, choose, levels = null) {
    const axis = (kind, text) =>
      lab.make(picture, "span", { class: `effi-axis ${kind}`, "aria-hidden": "true" }, text);
    axis("effi-high", `${rate / 2000} kHz`);
    const ends = ["effi-begin", "effi-end"].map((kind) => axis(kind, ""));
    ends[1].textContent = `${lab.seconds(deck.duration)} s`;
    lab.make(picture, "span", { class: "effi-region" }).hidden = true;
    lab.make(picture, "span", { class: "effi-cursor" });
    const place = (event, box) =>
      Math.max(0, Math.min(0.9999, (event.clientX - box.left) / box.width));
    const at = (share) => {
      const [from, to] = levels ? view : whole;
      return from + share * (to - from);
    };
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
      const text = [name, `${at(now).toFixed(2)} s`];
      if (height >= 0 && height < 1) {
        const column = levels?.()[Math.floor(now * COLUMNS)];
        text.push(`${Math.round((height * rate) / 2)} Hz`);
        if (column) text.push(`${column[Math.floor(height * column.length)].toFixed(0)} dB`);
      }
      showReadout(text.join(" · "));
      if (begin === null || Math.abs(now - begin) * box.width < 5) return;
      marked = [Math.min(begin, now), Math.max(begin, now)].map(at);
      show();
    });
    picture.addEventListener("pointerup", () => {
      const region = marked;
      if (begin === null) return;
      const place = at(begin);
      begin = marked = null;
      choose();
      if (!region) deck.seek(place);
      else if (region[1] - region[0] > 0.05) deck.setLoop(region);
      else show();
    });
    picture.addEventListener("pointercancel", () => {
      begin = marked = null;
      show();
    });
    picture.addEventListener("pointerleave", () => begin === null && showReadout(""));
    return ends;
  }

  function draw(parent, name, buffer, peak, choose) {
    const picture = lab.make(parent, "div", { class: "effi-picture" });
    const canvases = ["effi-wave", "effi-spectrogram"].map((kind) =>
      lab.make(picture, "canvas", { class: kind, role: "img" }),
    );
    const entry = { picture, canvases, name, buffer, peak, levels: [], view: null };
    entry.ends = listen(picture, name, buffer.sampleRate, choose, () => entry.levels);
    drawn.push(entry);
    paint(entry);
    return picture;
  }

  function paint(entry) {
    const { buffer, canvases, ends } = entry;
    const rate = buffer.sampleRate;
    const [from, to] = view.map((time) => Math.round(time * rate));
    const samples = buffer.getChannelData(0);
    entry.levels = spectrogram(samples, rate, COLUMNS, from, Math.min(to, samples.length));
    entry.view = view;
    const seen = samples.subarray(from, to);
    drawWaveform(canvases[0], seen, entry.peak);
    drawSpectrogram(canvases[1], entry.levels);
    const texts = describe(entry.name, seen, rate, entry.levels);
    canvases.forEach((canvas, i) => canvas.setAttribute("aria-label", texts[i]));
    const digits = view === whole ? 1 : 2;
    ends[0].textContent = view === whole ? "" : `${view[0].toFixed(digits)} s`;
    ends[1].textContent = `${view[1].toFixed(digits)} s`;
  }

  // Look at a part; at all of it where the part is no shorter.
  function setView(begin, end) {
    const span = Math.max(SHORTEST, end - begin);
    const from = Math.max(0, Math.min(begin, deck.duration - span));
    view = span < deck.duration ? [from, from + span] : whole;
    show();
  }

  // Into the loop where there is one, else around the place that is heard.
  function zoom(factor) {
    const [loop, span] = [deck.loop(), (view[1] - view[0]) / factor];
    if (factor > 1 && loop && loop[1] - loop[0] < 0.8 * (view[1] - view[0])) {
      if (deck.position() < loop[0] || deck.position() > loop[1]) deck.seek(loop[0]);
      return setView(loop[0] - 0.05, loop[1] + 0.05);
    }
    const middle = Math.max(view[0], Math.min(deck.position(), view[1]));
    setView(middle - span / 2, middle + span / 2);
  }

  // The cursor and the loop of all pictures. A view that the cursor has left goes along with it, and
  // what is out of sight is painted when it comes back.
  function show() {
    const now = deck.position();
    if (now < view[0] || now > view[1]) {
      const from = Math.max(0, Math.min(now, deck.duration - (view[1] - view[0])));
      view = [from, from + (view[1] - view[0])];
    }
    for (const entry of drawn) if (entry.view !== view && entry.picture.offsetParent) paint(entry);
    const loop = marked ?? deck.loop();
    for (const picture of root.querySelectorAll(".effi-picture")) {
      const [from, to] = picture.classList.contains("effi-map") ? whole : view;
      const share = (time) => (time - from) / (to - from);
      const percent = (value) => `${100 * Math.max(0, Math.min(1, value))}%`;
      picture.querySelector(".effi-cursor").style.left = percent(share(now));
      const region = picture.querySelector(".effi-region");
      region.hidden = loop === null || loop[1] <= from || loop[0] >= to;
      if (region.hidden) continue;
      region.style.left = percent(share(loop[0]));
      region.style.right = percent(1 - share(loop[1]));
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

  // Buttons and keys that change what part is in view.
  function makeZoom(parent) {
    const zooms = { role: "group", "aria-label": "Zoom in time", class: "effi-controls" };
    const group = lab.make(parent, "span", zooms);
    for (const [key, text, factor] of [
      ["+", "Zoom in", 2],
      ["-", "Zoom out", 0.5],
    ]) {
      const attributes = { type: "button", class: "effi-zoom", "aria-keyshortcuts": key };
      lab.make(group, "button", attributes, text).addEventListener("click", () => zoom(factor));
    }
    root.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.altKey || event.metaKey || !"+=-".includes(event.key)) return;
      zoom(event.key === "-" ? 0.5 : 2);
      event.preventDefault();
      event.stopPropagation();
    });
  }

  // Draw other sounds in the place of these.
  function clear() {
    for (const { picture } of drawn.splice(0)) picture.remove();
  }

  return {
    draw,
    clear,
    listen,
    show,
    legend,
    makeZoom,
    peakOf,
    setView,
    view: () => (view === whole ? null : view),
  };
}
