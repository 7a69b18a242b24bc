// Waveform to compressed magnitude and phase, and back: effifusion_lite/spectral.py in JavaScript.
// PACKAGE holds the package's own constants.

// Discrete Fourier transform of a length with small prime factors; one factor after the other,
// from one pair of arrays into the other. Real and imaginary part exchanged, it is the inverse.
function makeTransform(size) {
  const factors = [];
  for (let rest = size, factor = 2; rest > 1; )
    if (rest % factor) factor++;
    else [rest] = [rest / factor, factors.push(factor)];
  const turn = (2 * Math.PI) / size;
  const cos = Float64Array.from({ length: size }, (_, k) => Math.cos(turn * k));
  const sin = Float64Array.from({ length: size }, (_, k) => Math.sin(turn * k));
  const array = () => new Float64Array(size);
  const spare = [array(), array()];

  function step([re, im], [toRe, toIm], done, factor) {
    const rest = size / done / factor;
    for (let k = 0; k < done * factor; k++) {
      const from = (k % done) * factor * rest;
      for (let r = 0; r < rest; r++) {
        let [sumRe, sumIm] = [0, 0];
        for (let s = 0; s < factor; s++) {
          const [at, angle] = [from + s * rest + r, (s * k * rest) % size];
          sumRe += re[at] * cos[angle] + im[at] * sin[angle];
          sumIm += im[at] * cos[angle] - re[at] * sin[angle];
        }
        toRe[k * rest + r] = sumRe;
        toIm[k * rest + r] = sumIm;
      }
    }
  }

  return (re, im) => {
    let [from, to, done] = [[re, im], spare, 1];
    for (const factor of factors) {
      step(from, to, done, factor);
      [from, to, done] = [to, from, done * factor];
    }
    return from; // one of the two pairs, whose other one is written over next
  };
}

const { size: SIZE, hop: HOP, compression: COMPRESSION } = PACKAGE.spectral;
const BINS = SIZE / 2 + 1;
const HANN = Float64Array.from(
  { length: SIZE },
  (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / SIZE),
);
const transform = makeTransform(SIZE);
const framesOf = (length) => 1 + Math.floor(length / HOP);

// Samples to [magnitude, phase], each [bins · frames] with the frames of a frequency in a row.
function analyse(samples) {
  const { magnitudeEps, realEps, imagEps } = PACKAGE.spectral;
  const frames = framesOf(samples.length);
  const [magnitude, phase] = [0, 1].map(() => new Float32Array(BINS * frames));
  for (let t = 0; t < frames; t++) {
    const start = t * HOP - SIZE / 2; // zeros surround the sound
    const windowed = HANN.map((weight, i) => weight * (samples[start + i] ?? 0));
    const [re, im] = transform(windowed, new Float64Array(SIZE));
    for (let f = 0; f < BINS; f++) {
      const power = re[f] ** 2 + im[f] ** 2 + magnitudeEps;
      magnitude[f * frames + t] = power ** (COMPRESSION / 2);
      phase[f * frames + t] = Math.atan2(im[f] + imagEps, re[f] + realEps);
    }
  }
  return [magnitude, phase];
}

// The inverse of analyse: overlap-add, divided by the sum of the squared windows.
function synthesise(magnitude, phase, length) {
  const frames = framesOf(length);
  const [sum, weight] = [0, 1].map(() => new Float64Array((frames - 1) * HOP + SIZE));
  for (let t = 0; t < frames; t++) {
    const [re, im] = [0, 1].map(() => new Float64Array(SIZE));
    for (let f = 0; f < BINS; f++) {
      const level = magnitude[f * frames + t] ** (1 / COMPRESSION);
      const angle = phase[f * frames + t];
      const [real, imaginary] = [level * Math.cos(angle), level * Math.sin(angle)];
      [re[f], im[f]] = [real, imaginary];
      if (f > 0 && f < SIZE / 2) [re[SIZE - f], im[SIZE - f]] = [real, -imaginary];
    }
    im[0] = im[SIZE / 2] = 0; // a real signal has none there
    const samples = transform(im, re)[1];
    for (let i = 0; i < SIZE; i++) {
      sum[t * HOP + i] += (HANN[i] * samples[i]) / SIZE;
      weight[t * HOP + i] += HANN[i] ** 2;
    }
  }
  return Float32Array.from({ length }, (_, i) => sum[i + SIZE / 2] / weight[i + SIZE / 2]);
}
