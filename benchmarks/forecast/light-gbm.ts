/**
 * Untuned gradient-boosted quantile model (PyPI `lightgbm`) on the same task: the lags as they are, the training part
 * of the trace, the 0.95 quantile. EQUIPOISE_LIGHTGBM_PYTHON names a Python that has it.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { forecastFigures, type PeakSeries, type PeakTask, type Trial } from '@equipoise/core/forecast';

export interface LightGbmFigures {
  readonly version: string;
  readonly pinballLoss: number;
  /** With quantiles rounded to whole requests, of LightGBM and of the selected method. */
  readonly roundedLosses: readonly [number, number];
  readonly coverageFraction: number;
}

const SCRIPT = fileURLToPath(new URL('light-gbm.py', import.meta.url));
const MOST_ANSWER_BYTES = 64 * 2 ** 20;

export const LIGHT_GBM_MISSING =
  'LightGBM was not measured. Make a Python environment outside the repository (`python3 -m venv DIR`, `DIR/bin/pip install lightgbm`) and set EQUIPOISE_LIGHTGBM_PYTHON to `DIR/bin/python`.';

/** Undefined without a Python named by the environment. */
export function lightGbmFigures(
  { maximaRps }: PeakSeries,
  { testBins, methods, selected, inForce }: Trial,
  { task, seed }: { readonly task: PeakTask; readonly seed: number },
): LightGbmFigures | undefined {
  const python = process.env['EQUIPOISE_LIGHTGBM_PYTHON'];
  if (python === undefined) return undefined;
  const question = {
    ...{ ...task, seed, maximaRps: Array.from(maximaRps) },
    ...{ firstTest: testBins[0], forecasts: testBins.length },
  };
  const { status, stdout, stderr } = spawnSync(python, [SCRIPT], {
    ...{ input: JSON.stringify(question), encoding: 'utf8', maxBuffer: MOST_ANSWER_BYTES },
  });
  if (status !== 0) throw new Error(`LightGBM failed: ${stderr}`);
  const { version, uppersRps } = JSON.parse(stdout) as { version: string; uppersRps: number[] };
  const { targetsRps } = inForce;
  const figuresOf = (uppers: Float64Array) =>
    forecastFigures({ pointsRps: uppers, uppersRps: uppers, targetsRps }, task.upperFraction);
  const theirs = Float64Array.from(uppersRps);
  const ours = Float64Array.from((methods.find(({ name }) => name === selected) ?? inForce).uppersRps);
  const { pinballLoss, coverageFraction } = figuresOf(theirs);
  const roundedLosses = [figuresOf(theirs.map(Math.round)).pinballLoss, figuresOf(ours.map(Math.round)).pinballLoss];
  return { version, pinballLoss, coverageFraction, roundedLosses: roundedLosses as [number, number] };
}
