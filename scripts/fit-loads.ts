/**
 * Fits the models of the shipped loads to the published loads; `npm run generate` makes the load files from the models.
 * Needs the reference data in EQUIPOISE_REFERENCE_DIR; every run gives the same numbers.
 */
import { writeFileSync } from 'node:fs';
import { fitModel } from './shipped-loads/fit-model.js';
import type { Burst, LoadModel } from './shipped-loads/load-model.js';
import { publishedStatistics } from './shipped-loads/reference-loads.js';
import { type LoadModels, MODELS_PATH } from './shipped-loads/shipped-loads.js';

const STEPS = 10_000;

const noise = { durationS: 1200, dispersion: 0.13, driftFraction: 0.03 };
const burst = (riseAtS: number, fallAtS: number): Burst => ({ heightRps: 22, riseAtS, riseS: 10, fallAtS, fallS: 30 });

/** Starting points of the fits. The number of bursts is chosen here; their times are not among the statistics and start at a guess. */
const starts: LoadModels = {
  bursty: { ...noise, seed: 11, levelRps: 5, bursts: [burst(300, 650)] },
  fluctuating: { ...noise, seed: 14, levelRps: 5, bursts: [burst(180, 500), burst(760, 1000)] },
  'steady-high': { ...noise, seed: 13, levelRps: 29, bursts: [] },
  'steady-low': { ...noise, seed: 12, levelRps: 5, bursts: [] },
};

function fitted(name: string, start: LoadModel, referenceDir: string): LoadModel {
  const wanted = publishedStatistics(referenceDir, name);
  const model = fitModel(start, wanted, STEPS);
  if (model.bursts.length > 0) return model;
  return { ...model, autocorrelationAt10s: wanted.autocorrelationAt10s.map((value) => Number(value.toFixed(2))) };
}

const referenceDir = process.env['EQUIPOISE_REFERENCE_DIR'];
if (referenceDir === undefined) {
  process.stderr.write('Set EQUIPOISE_REFERENCE_DIR to the folder of the reference data.\n');
  process.exitCode = 2;
} else {
  const models = Object.entries(starts).map(([name, start]) => [name, fitted(name, start, referenceDir)]);
  writeFileSync(MODELS_PATH, `${JSON.stringify(Object.fromEntries(models), undefined, 2)}\n`);
  process.stderr.write(`Wrote ${MODELS_PATH}; now run npm run generate\n`);
}
