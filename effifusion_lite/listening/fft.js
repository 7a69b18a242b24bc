// Fast Fourier transform in place; the length is a power of two.
function fft(real, imaginary) {
  const n = real.length;
  for (let i = 1, j = 0; i < n; i++) {
    let bit = n >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i > j) continue;
    [real[i], real[j]] = [real[j], real[i]];
    [imaginary[i], imaginary[j]] = [imaginary[j], imaginary[i]];
  }
  for (let size = 2; size <= n; size *= 2) {
    const half = size / 2;
    for (let k = 0; k < half; k++) {
      const [c, s] = [Math.cos((-2 * Math.PI * k) / size), Math.sin((-2 * Math.PI * k) / size)];
      for (let a = k; a < n; a += size) {
        const b = a + half;
        const re = c * real[b] - s * imaginary[b];
        const im = s * real[b] + c * imaginary[b];
        real[b] = real[a] - re;
        imaginary[b] = imaginary[a] - im;
        real[a] += re;
        imaginary[a] += im;
      }
    }
  }
}

// Level in dB, 0 for the peak bin of a full-scale sine: [columns][bins], lowest frequency first, of
// the samples from `begin` to `end`.
function spectrogram(samples, rate, columns, begin = 0, end = samples.length) {
  const width = Math.round(0.025 * rate); // 25 ms, as in the whole series
  const n = 2 ** Math.ceil(Math.log2(width));
  const window = Float32Array.from(
    { length: width },
    (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / width),
  );
  return Array.from({ length: columns }, (_, column) => {
    const start = Math.round(begin + ((column + 0.5) / columns) * (end - begin) - width / 2);
    const [real, imaginary] = [new Float32Array(n), new Float32Array(n)];
    for (let i = 0; i < width; i++) real[i] = window[i] * (samples[start + i] ?? 0);
    fft(real, imaginary);
    return Float32Array.from(
      { length: n / 2 },
      (_, k) => 10 * Math.log10((real[k] ** 2 + imaginary[k] ** 2) / (width / 4) ** 2 + 1e-20),
    );
  });
}
