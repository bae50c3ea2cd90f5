/**
 * Trains the spam models on the half of the mails that is not held out, and writes them to ../models. Writes samples of
 * typical lengths to ../samples: text of the Universal Declaration of Human Rights, because real mails name people.
 */
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { type FeatureKind, featureCount, featuresOf } from '../spam/features.js';
import { spamLogit, spamProbability } from '../spam/linear-model.js';
import { isHeldOut, readMails } from '../spam/mails.js';

interface Example {
  readonly features: ReadonlySet<number>;
  readonly isSpam: boolean;
}

const epochs = 12;
const learningRate = 0.3;
const mails = (await readMails(fileURLToPath(new URL('../node_modules', import.meta.url)))).filter(
  (mail) => !isHeldOut(mail),
);

/** Random numbers in 0…1 (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Logistic regression by AdaGrad. */
function regression(examples: readonly Example[]): Float32Array {
  const random = randomOf(1);
  const values = new Float32Array(1 + featureCount);
  const squares = new Float32Array(values.length).fill(1e-6);
  const step = (at: number, slope: number) => {
    squares[at] = (squares[at] ?? 0) + slope * slope;
    values[at] = (values[at] ?? 0) - (learningRate * slope) / Math.sqrt(squares[at] ?? 1);
  };
  for (let round = 0; round < epochs * examples.length; round++) {
    const example = examples[Math.floor(random() * examples.length)];
    if (example === undefined) continue;
    const error = spamProbability(values, example.features) - (example.isSpam ? 1 : 0);
    const slope = error / Math.sqrt(Math.max(1, example.features.size));
    step(0, error);
    for (const feature of example.features) step(1 + feature, slope + 1e-5 * (values[1 + feature] ?? 0));
  }
  return values;
}

/** Naive Bayes: weights are the logarithms of the ratios of frequencies; the bias makes the fewest errors. */
function bayes(examples: readonly Example[]): Float32Array {
  const seen = [new Float64Array(featureCount).fill(1), new Float64Array(featureCount).fill(1)] as const;
  const totals = [2, 2];
  for (const { features, isSpam } of examples) {
    const side = isSpam ? 1 : 0;
    totals[side] = (totals[side] ?? 0) + 1;
    for (const feature of features) seen[side][feature] = (seen[side][feature] ?? 0) + 1;
  }
  const [ham, spam] = totals as [number, number];
  const values = new Float32Array(1 + featureCount);
  for (let feature = 0; feature < featureCount; feature++) {
    values[1 + feature] = Math.log((seen[1][feature] ?? 1) / spam) - Math.log((seen[0][feature] ?? 1) / ham);
  }
  const sums = examples
    .map(({ features, isSpam }) => ({ sum: spamLogit(values, features), isSpam }))
    .sort((a, b) => a.sum - b.sum);
  let [errors, fewest] = [sums.filter(({ isSpam }) => !isSpam).length, Number.POSITIVE_INFINITY];
  for (const { sum, isSpam } of sums) {
    errors += isSpam ? 1 : -1;
    if (errors < fewest) [fewest, values[0]] = [errors, -sum];
  }
  return values;
}

for (const kind of ['words', 'letters', 'bayes'] as const satisfies FeatureKind[]) {
  for (const [name, characters] of [
    ['brief', 300],
    ['full', 4000],
  ] as const) {
    const examples = mails.map(({ text, route }) => ({
      features: featuresOf(text, kind, characters),
      isSpam: route === 'junk',
    }));
    const values = kind === 'bayes' ? bayes(examples) : regression(examples);
    await writeFile(new URL(`../models/${kind}-${name}.bin`, import.meta.url), new Uint8Array(values.buffer));
  }
}

const paragraphs = mails.filter(({ route }) => !['en', 'junk'].includes(route));
for (const [index, length] of [150, 300, 500, 700, 900, 1200, 1800, 3400].entries()) {
  const { route } = paragraphs[index * 20] ?? { route: '' };
  const text = paragraphs
    .filter((each) => each.route === route)
    .map((each) => each.text)
    .join(' ')
    .slice(0, length);
  await writeFile(new URL(`../samples/${route}-${length}.txt`, import.meta.url), `${text}\n`);
}
