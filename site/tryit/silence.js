// Where a recording of 16 kHz sounds: effifusion_lite/enhancement/silence.py in JavaScript.
// Returns [[start, end], …] in samples; without silence it is one stretch, of silence there is none.
function soundingStretches(samples) {
  const { frame, quiet, shortest, joint } = PACKAGE.silence;
  const { length } = samples;
  const frames = Array.from({ length: Math.ceil(length / frame) }, (_, i) =>
    describe(samples.subarray(i * frame, (i + 1) * frame)),
  );
  const loudest = frames.reduce((most, { peak }) => Math.max(most, peak), 0);
  const edges = [0];
  for (let start = 0; start < frames.length; start++) {
    let end = start;
    while (end < frames.length && frames[end].peak <= quiet * loudest) end++;
    if (end - start >= shortest) add(start, end);
    if (end > start) start = end - 1;
  }
  const stretches = [];
  for (const [i, edge] of [...edges, length].entries())
    if (i % 2) stretches.push([edges[i - 1], edge]);
  return stretches.filter(([start, end]) => start < end);

  // The zeros at the edges of the neighbours belong to the silence, too; in the middle of a
  // recording, a joint of it stays.
  function add(start, end) {
    const before = start ? frames[start - 1].after : 0;
    const after = end < frames.length ? frame * end + frames[end].before : length;
    let [from, to] = [start * frame - before, after];
    if (from > 0 && to < length) [from, to] = [from + joint / 2, to - joint / 2];
    edges.push(from, to);
  }

  function describe(piece) {
    const first = piece.findIndex((x) => x !== 0);
    const last = piece.findLastIndex((x) => x !== 0);
    return {
      peak: piece.reduce((peak, x) => Math.max(peak, Math.abs(x)), 0),
      before: Math.max(0, first),
      after: last < 0 ? 0 : piece.length - 1 - last,
    };
  }
}
