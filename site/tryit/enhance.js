// One channel of any rate and length: effifusion_lite/enhancement/windows.py in JavaScript. `run`
// is the network: compressed magnitude and phase of so many frames to the same.
async function enhanceChannel(samples, rate, run, progress) {
  if (!samples.every(Number.isFinite)) throw new Error("the recording holds samples that are no numbers");
  const inner = resample(samples, rate, PACKAGE.rate);
  const sounding = soundingStretches(inner);
  const noisy = takeOut(inner, sounding);
  const energy = inner.reduce((sum, x) => sum + x * x, 0);
  const level = Math.sqrt(energy / Math.max(1, noisy.length));
  const clean = await enhanceInWindows(noisy, level, run, progress);
  return fit(resample(putBack(clean, sounding, inner.length), PACKAGE.rate, rate), samples.length);
}

// Windows of equal length that fade into each other.
async function enhanceInWindows(noisy, level, run, progress) {
  const [size, fade] = [PACKAGE.window, PACKAGE.crossfade].map((s) => Math.round(s * PACKAGE.rate));
  const span = noisy.length - fade;
  const count = Math.max(1, Math.ceil(span / (size - fade)));
  const clean = new Float32Array(noisy.length);
  for (let index = 0; index < count; index++) {
    const [start, next] = [index, index + 1].map((i) => Math.floor((i * span) / count));
    const piece = await enhancePiece(noisy.subarray(start, next + fade), level, run);
    piece.forEach((x, i) => {
      const share = index && i < fade ? (i + 0.5) / fade : 1; // of the later window
      clean[start + i] = share === 1 ? x : clean[start + i] * (1 - share) + x * share;
    });
    progress((index + 1) / count);
  }
  return clean;
}

async function enhancePiece(noisy, level, run) {
  const own = Math.sqrt(noisy.reduce((sum, x) => sum + x * x, 0) / noisy.length);
  if (!(own >= PACKAGE.silence.level)) return new Float32Array(noisy.length);
  const scale = Math.max(level, PACKAGE.silence.level);
  const [magnitude, phase] = await run(...analyse(noisy.map((x) => x / scale)));
  const clean = synthesise(magnitude, phase, noisy.length).map((x) => x * scale);
  if (!clean.every(Number.isFinite)) throw new Error("the network gives samples that are no numbers");
  return clean;
}

function takeOut(samples, sounding) {
  const taken = new Float32Array(sounding.reduce((sum, [start, end]) => sum + end - start, 0));
  let position = 0;
  for (const [start, end] of sounding) {
    taken.set(samples.subarray(start, end), position);
    position += end - start;
  }
  return taken;
}

function putBack(samples, sounding, length) {
  const whole = new Float32Array(length);
  let position = 0;
  for (const [start, end] of sounding) {
    whole.set(samples.subarray(position, position + end - start), start);
    position += end - start;
  }
  return whole;
}

function fit(samples, length) {
  const fitted = new Float32Array(length);
  fitted.set(samples.subarray(0, length));
  return fitted;
}
