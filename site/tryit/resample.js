// Another sample rate, with a filter of the form and the edges of soxr's "HQ", which the package
// uses: a sinc under a Kaiser window, fitted to the output of soxr for white noise.
const [CUTOFF, BETA, REACH] = [0.95687, 13.04, 96.83]; // share of Nyquist; samples of the lower rate

// Modified Bessel function of the first kind and order 0, by its power series.
function bessel(x) {
  let [sum, term] = [1, 1];
  for (let k = 1; term > 1e-12 * sum; k++) sum += term *= (x / 2 / k) ** 2;
  return sum;
}

// As the package rounds: half to even.
function resampledLength(length, from, to) {
  const exact = (length * to) / from;
  const nearest = Math.round(exact);
  return Math.max(1, nearest - exact === 0.5 && nearest % 2 ? nearest - 1 : nearest);
}

function resample(samples, from, to) {
  if (from === to) return samples;
  const divisor = (a, b) => (b ? divisor(b, a % b) : a);
  const [up, down] = [to, from].map((rate) => rate / divisor(from, to));
  const scale = Math.min(1, to / from); // the lower of the two rates, in samples of the input
  const half = Math.ceil(REACH / scale);
  const kernels = new Array(up); // one for each place between two samples

  function makeKernel(phase) {
    return Float32Array.from({ length: 2 * half }, (_, i) => {
      const distance = (i - half + 1 - phase / up) * scale;
      if (Math.abs(distance) >= REACH) return 0;
      const x = Math.PI * CUTOFF * distance;
      const window = bessel(BETA * Math.sqrt(1 - (distance / REACH) ** 2)) / bessel(BETA);
      return scale * CUTOFF * window * (x ? Math.sin(x) / x : 1);
    });
  }

  return Float32Array.from(
    { length: resampledLength(samples.length, from, to) },
    (_, n) => {
      const phase = (n * down) % up;
      const kernel = (kernels[phase] ??= makeKernel(phase));
      const start = Math.floor((n * down) / up) - half + 1;
      const end = Math.min(2 * half, samples.length - start);
      let sum = 0;
      for (let i = Math.max(0, -start); i < end; i++) sum += kernel[i] * samples[start + i];
      return sum;
    },
  );
}
