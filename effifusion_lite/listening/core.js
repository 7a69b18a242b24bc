// What all players share: sounds are decoded in the page, and all versions run on one clock.
// Made once for a page; `lab.playing` is the one deck that is heard.
function makeLab() {
  const FADE = 0.012; // s, cross-fade between two versions
  const contexts = new Map(); // one for each sample rate, so that nothing is resampled twice
  const lab = {
    playing: null,
    decode,
    makeDeck,
    makeToolbar,
    make,
    help,
    seconds,
    readDeck,
    writeDeck,
    mouse: matchMedia("(hover: hover) and (pointer: fine)").matches, // and so, most likely, keys
    whenSeen,
    begin,
  };

  // What only a page without scripts needs goes; the first player asks to lower the volume. A click
  // anywhere in a player gives it the focus, so that its keys go on working.
  function begin(root, start) {
    root.dataset.ready = "yes";
    root.tabIndex = -1;
    root.querySelector(".effi-untrusted").hidden = true;
    root.querySelector(".effi-quieter").hidden =
      document.querySelector(".effi[data-ready]") !== root;
    start(root, lab);
  }

  function contextOf(rate) {
    if (!contexts.has(rate)) contexts.set(rate, new AudioContext({ sampleRate: rate }));
    return contexts.get(rate);
  }

  // A browser that has no sound output may never answer: that is said, not waited for.
  function resumed(context) {
    const late = (_, refuse) =>
      setTimeout(() => refuse(new Error("the browser finds no sound output")), 5000);
    return Promise.race([context.resume(), new Promise(late)]);
  }

  // An offline context decodes before the first click, which an audible one may not.
  function decode(address, rate) {
    const bytes = Uint8Array.from(atob(address.split(",")[1]), (letter) => letter.charCodeAt(0));
    return new OfflineAudioContext(1, 1, rate).decodeAudioData(bytes.buffer);
  }

  // Versions of a sound: all of them run, and only the chosen one is let through, at its level.
  function makeDeck(root, rate, duration, load, changed) {
    let [buffers, loading] = [null, null];
    let voices = null; // [{source, gain}] while playing
    let chosen = 0;
    let levels = null; // gain of each version; 1 where null
    let mix = null; // what gains all sounds have in a version, where versions are mixtures
    let repeat = false;
    let loop = null; // [begin, end] in s
    let from = 0; // s, position at which playing began, or stopped
    let began = 0; // s, time of the audio clock at which playing began
    let shown = 0; // ms, when the cursor moved last
    const calm = matchMedia("(prefers-reduced-motion: reduce)");
    const level = (index) => {
      if (mix) return mix(chosen)[index];
      return index === chosen ? (levels?.[index] ?? 1) : 0;
    };

    function position() {
      if (!voices) return from;
      const passed = from + Math.max(0, contextOf(rate).currentTime - began);
      const [begin, end] = loop ?? [0, duration];
      if (!loop && !repeat) return Math.min(passed, duration);
      return passed < end ? passed : begin + ((passed - begin) % (end - begin));
    }

    function run() {
      const context = contextOf(rate);
      const [loopStart, loopEnd] = loop ?? [0, duration];
      if (loop && (from < loopStart || from >= loopEnd)) from = loopStart;
      began = context.currentTime + 0.02;
      voices = buffers.map((buffer, index) => {
        const gain = new GainNode(context, { gain: level(index) });
        const options = { buffer, loop: repeat || loop !== null, loopStart, loopEnd };
        const source = new AudioBufferSourceNode(context, options);
        source.connect(gain).connect(context.destination);
        source.start(began, from);
        return { source, gain };
      });
    }

    function halt() {
      from = position();
      for (const { source, gain } of voices ?? []) {
        source.stop();
        gain.disconnect();
      }
      voices = null;
    }

    function restart(change) {
      const running = voices !== null;
      halt();
      change();
      if (running) run();
      changed();
    }

    function fade() {
      const now = contextOf(rate).currentTime;
      voices?.forEach(({ gain: { gain } }, index) => {
        gain.cancelScheduledValues(now);
        gain.setValueAtTime(gain.value, now);
        gain.linearRampToValueAtTime(level(index), now + FADE);
      });
    }

    function follow(time) {
      if (!voices) return;
      if (!root.isConnected) return deck.pause(); // a new output took its place
      if (!loop && !repeat && position() >= duration) return deck.pause();
      if (!calm.matches || time - shown > 500) {
        shown = time;
        changed();
      }
      requestAnimationFrame(follow);
    }

    // One load for all who ask at once; one that failed is tried again.
    async function ready() {
      loading ??= load().catch((error) => {
        loading = null;
        throw error;
      });
      const found = await loading;
      return (buffers ??= found);
    }

    const deck = {
      duration,
      position,
      playing: () => voices !== null,
      chosen: () => chosen,
      loop: () => loop,
      buffers: ready,
      swap: (others) => restart(() => (buffers = others)), // as many, of the same length
      levels: () => voices?.map(({ gain }) => gain.gain.value) ?? [], // read by tests
      async play() {
        const context = contextOf(rate);
        await resumed(context);
        await deck.buffers();
        if (voices) return;
        lab.playing?.pause();
        lab.playing = deck;
        run();
        changed();
        requestAnimationFrame(follow);
      },
      pause() {
        halt();
        if (from >= duration) from = 0;
        if (lab.playing === deck) lab.playing = null;
        changed();
      },
      choose(index) {
        chosen = index;
        if (voices) fade();
        changed();
      },
      setLevels(values) {
        levels = values;
        if (voices) fade();
      },
      setMix(gains) {
        mix = gains;
        if (voices) fade();
      },
      seek: (time) => restart(() => (from = Math.max(0, Math.min(time, duration - 0.01)))),
      setRepeat: (value) => restart(() => (repeat = value)),
      setLoop: (region) => restart(() => (loop = region)),
    };
    return deck;
  }

  function make(parent, name, attributes = {}, text = "") {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.textContent = text;
    parent.append(element);
    return element;
  }

  // Where there is no mouse there are most likely no keys either, and nothing is said of them.
  function help(root, keys, touch = "") {
    const text = [lab.mouse ? `Keys: ${keys}.` : "", touch].filter(Boolean).join(" ");
    if (text) make(root, "p", { class: "effi-small" }, text);
  }

  function seconds(time) {
    return time.toFixed(1);
  }

  // Place, loop and part in view, as a link holds them: texts by name, and back from its parameters.
  function readDeck(deck, pictures) {
    const span = (region) => region.map((time) => time.toFixed(2)).join("-");
    const [loop, view] = [deck.loop(), pictures?.view()];
    return {
      t: deck.position().toFixed(2),
      ...(loop && { loop: span(loop) }),
      ...(view && { view: span(view) }),
    };
  }

  function writeDeck(deck, pictures, wanted) {
    const region = (name) => {
      const [begin, end] = (wanted.get(name) ?? "").split("-").map(Number);
      return begin >= 0 && begin < end && end <= deck.duration + 0.01 ? [begin, end] : null;
    };
    const [time, view] = [Number(wanted.get("t")), region("view")];
    deck.setLoop(region("loop"));
    if (time >= 0) deck.seek(time); // NaN is not
    if (pictures) pictures.setView(...(view ?? [0, deck.duration]));
  }

  // Play, place and time, in a bar that stays in sight. Made here and not in the page, so that
  // nothing dead is shown where scripts are removed. Returns the bar, and what keeps it up to date.
  function makeToolbar(parent, deck) {
    const bar = make(parent, "div", { class: "effi-bar" });
    const line = make(bar, "div", { class: "effi-controls" });
    const play = make(line, "button", { type: "button", class: "effi-play" }, "Play");
    const range = { type: "range", min: 0, max: deck.duration, step: 0.01, value: 0 };
    const place = make(line, "input", { ...range, "aria-label": "Position in seconds" });
    const time = make(line, "span", { class: "effi-time", "aria-hidden": "true" });
    const toggle = () => {
      if (deck.playing()) return deck.pause();
      play.textContent = "Wait …"; // until the sounds are there
      deck.play().catch((error) => {
        play.textContent = "Play";
        time.textContent = `This cannot be played: ${error.message}`;
      });
    };
    play.addEventListener("click", toggle);
    place.addEventListener("input", () => deck.seek(Number(place.value)));
    function show() {
      const now = deck.position();
      play.textContent = deck.playing() ? "Pause" : "Play";
      place.value = now;
      place.setAttribute("aria-valuetext", `${seconds(now)} of ${seconds(deck.duration)} seconds`);
      time.textContent = `${seconds(now)} / ${seconds(deck.duration)} s`;
    }
    return { bar, show, toggle };
  }

  // Pictures are drawn when the reader comes near, not all at once.
  function whenSeen(root, action) {
    const observer = new IntersectionObserver(
      (entries) => {
        if (!entries.some((entry) => entry.isIntersecting)) return;
        observer.disconnect();
        action();
      },
      { rootMargin: "400px" },
    );
    observer.observe(root);
  }

  return lab;
}
