// Whole numbers from 0 to n - 1 by chance: the browser's, or, with a seed, the same for everyone.
function makeChance(seed = "") {
  if (!seed)
    return (n) => Math.floor((crypto.getRandomValues(new Uint32Array(1))[0] / 2 ** 32) * n);
  let state = 2166136261; // the seed's letters by FNV-1a, then numbers by mulberry32
  for (const letter of seed) state = Math.imul(state ^ letter.codePointAt(0), 16777619);
  return (n) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * n);
  };
}
