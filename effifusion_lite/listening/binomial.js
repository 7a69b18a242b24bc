// What a number of right answers says: exact binomial test and interval, in plain words.
// Probability of at least `right` of `trials`, if each is right with probability `rate`.
function atLeast(right, trials, rate) {
  if (right <= 0 || rate === 1) return 1;
  if (rate === 0) return 0;
  let sum = 0;
  let logarithm = trials * Math.log1p(-rate); // of the probability of i right answers
  for (let i = 0; i <= trials; i++) {
    if (i >= right) sum += Math.exp(logarithm);
    logarithm += Math.log(((trials - i) / (i + 1)) * (rate / (1 - rate)));
  }
  return Math.min(1, sum);
}

// The rate at which `probability`, which rises with it, is `wanted`.
function rateAt(wanted, probability) {
  let [low, high] = [0, 1];
  for (let step = 0; step < 60; step++) {
    const middle = (low + high) / 2;
    if (probability(middle) < wanted) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

// Where the share of right answers lies, by Clopper and Pearson: exact, 2.5 % on each side.
function shareInterval(right, trials) {
  const low = right === 0 ? 0 : rateAt(0.025, (rate) => atLeast(right, trials, rate));
  const high = right === trials ? 1 : rateAt(0.975, (rate) => atLeast(right + 1, trials, rate));
  return [low, high];
}

// The fewest right answers that guessing alone gives in less than 5 % of tests; more than there are
// trials where no number is enough.
function fewest(trials) {
  let enough = trials + 1;
  while (enough > 0 && atLeast(enough - 1, trials, 0.5) < 0.05) enough--;
  return enough;
}

// `tests` are the numbers of trials of all tests that were finished so far, this one among them.
function inWords(right, trials, tests) {
  const percent = (share) =>
    `${(100 * share).toFixed(share > 0 && share < 0.01 ? 2 : share < 0.1 ? 1 : 0)} %`;
  const p = atLeast(right, trials, 0.5);
  const [low, high] = shareInterval(right, trials);
  const enough = fewest(trials);
  const verdict =
    p < 0.05
      ? "This is below 5 %, the usual bound: the result is evidence that you hear a difference. It is not the probability that you hear one."
      : "This is not below 5 %, the usual bound: the test does not show that you hear a difference. Nor does it show that there is none: " +
        (enough > trials ? "take more trials." : `${enough} right answers would have been needed.`);
  const lucky = 1 - tests.reduce((no, n) => no * (1 - atLeast(fewest(n), n, 0.5)), 1);
  const repeated =
    tests.length > 1
      ? `This is your test number ${tests.length} here. Guessing alone gets below the bound at least once in so many tests with a probability of ${percent(lucky)}. If you repeat a test until it succeeds, you only cheat yourself.`
      : "This p holds for one test whose number of trials was fixed beforehand. If you repeat a test until it succeeds, you only cheat yourself: sooner or later guessing succeeds, too.";
  return [
    `You named X correctly in ${right} of ${trials} trials (${percent(right / trials)}).`,
    `Someone who only guesses does as well or better in ${percent(p)} of such tests (exact binomial test, p = ${p.toPrecision(2)}).`,
    verdict,
    `The 95 % confidence interval of your share of right answers is ${percent(low)} to ${percent(high)}; guessing would be 50 %.`,
    repeated,
  ];
}
