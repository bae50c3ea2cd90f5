/**
 * `npm run bench:forecast [-- SECTION…]`: forecasters on the reference trace (EQUIPOISE_REFERENCE_DIR; skipped without
 * it). Sections accuracy, loads, step-time; default all. EQUIPOISE_LIGHTGBM_PYTHON adds LightGBM to the first two.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { forecastMethods } from '@equipoise/core/forecast';
import { accuracyOf } from './accuracy.js';
import { allBars, forecastReport, type KeptResults, type LoadAccuracy } from './report.js';
import { stepTimes } from './step-time.js';
import { SYNTHETIC_SEED, syntheticLoads } from './synthetic-loads.js';
import { DAY_S, referenceCounts, SCALE, TRAIN_DAYS } from './trace.js';

const RESULTS = new URL('results.json', import.meta.url);
const REPORT = new URL('results.md', import.meta.url);
const SEEDS = [1, 2, 3];

function madeOn(): string {
  const [first] = cpus();
  const load = loadavg()[0]?.toFixed(1);
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
  const day = new Date().toISOString().slice(0, 10);
  return `${cpus().length} cores, ${first?.model ?? 'unknown'}, ${process.arch}, Node ${process.version}, load ${load} at the start; ${day}, commit ${commit}`;
}

function accuracies(counts: readonly number[]) {
  return [false, true].flatMap((keepZeros) =>
    SEEDS.map((seed) => {
      process.stderr.write(`seed ${seed}, zero seconds ${keepZeros ? 'kept' : 'removed'}\n`);
      const trainS = TRAIN_DAYS * DAY_S;
      return accuracyOf({ counts, trainS, scale: SCALE, keepZeros, seed, methods: forecastMethods });
    }),
  );
}

function loadAccuracies(counts: readonly number[]): readonly LoadAccuracy[] {
  const methods = forecastMethods.filter(({ name }) => name !== 'lstm');
  const trace = { counts, trainS: TRAIN_DAYS * DAY_S, scale: SCALE, seed: 1 };
  const questions = [
    { load: 'reference trace, zero seconds removed', ...trace, keepZeros: false },
    { load: 'reference trace, zero seconds kept', ...trace, keepZeros: true },
    ...syntheticLoads().map(({ name, counts: drawn }) => {
      const synthetic = { counts: drawn, trainS: DAY_S, scale: 1, seed: SYNTHETIC_SEED, keepZeros: true };
      return { load: name, ...synthetic };
    }),
  ];
  return questions.map(({ load, ...question }) => {
    process.stderr.write(`${load}\n`);
    return { load, accuracy: accuracyOf({ ...question, methods }) };
  });
}

const measures = { accuracy: accuracies, loads: loadAccuracies, 'step-time': stepTimes } as const;

const keptResults = (): KeptResults => (existsSync(RESULTS) ? JSON.parse(readFileSync(RESULTS, 'utf8')) : {});

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !(name in measures));
if (unknown.length > 0)
  throw new Error(`unknown section ${unknown.join(', ')}; there are ${Object.keys(measures).join(', ')}`);

const counts = referenceCounts(process.env['EQUIPOISE_REFERENCE_DIR'] ?? '');
if (counts === undefined) {
  process.stdout.write('skipped: the forecasters on the reference trace (set EQUIPOISE_REFERENCE_DIR)\n');
} else {
  for (const [name, measure] of Object.entries(measures)) {
    if (asked.length > 0 && !asked.includes(name)) continue;
    const made = madeOn();
    const figures = measure(counts);
    writeFileSync(RESULTS, `${JSON.stringify({ ...keptResults(), [name]: { made, figures } }, null, 1)}\n`);
  }
  const kept = keptResults();
  const text = forecastReport(kept);
  writeFileSync(REPORT, text);
  process.stdout.write(text);
  process.exitCode = allBars(kept).every(({ met }) => met) ? 0 : 1;
}
