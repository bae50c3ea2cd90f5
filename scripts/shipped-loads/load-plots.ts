/** The pictures of docs/reference/loads.md: each form of arrivals, each spread and each shipped load. */
import { type arrivalForms, parseArrivals } from '../../packages/app/src/compose/resolve-load.js';
import { plotGrid, plotPicture } from '../../packages/app/src/report/plot/picture.js';
import type { PlotSpec } from '../../packages/app/src/report/plot/plot-spec.js';
import { countsInWindows } from '../../packages/core/src/kernel/count-statistics.js';
import { SeededRng } from '../../packages/core/src/kernel/rng.js';
import type { ArrivalProcess } from '../../packages/core/src/simulate/arrivals/constant-rate.js';
import { arrivalsOf } from '../../packages/core/src/simulate/arrivals/load-spec.js';
import { traceArrivals, traceSpreads } from '../../packages/core/src/simulate/arrivals/trace.js';
import { countsOf } from './load-model.js';
import { readModels } from './shipped-loads.js';

/** An example of each form, at the scale of the picture. */
export const exampleForms: Readonly<Record<keyof typeof arrivalForms, string>> = {
  poisson: 'poisson',
  deterministic: 'deterministic',
  gamma: 'gamma:3',
  mmpp: 'mmpp:0.5@20,3@5',
  'daily-cycle': 'daily-cycle:0.8@120',
  step: 'step:3@60',
  ramp: 'ramp:3',
  'square-wave': 'square-wave:1@20,3@10',
  'piecewise-linear': 'piecewise-linear:1@20,3@60,1@80',
};

const scale = { arrivalRps: 20, durationS: 120 };
const SEED = 1;

/** Requests per second of each form. */
export function drawArrivalForms(): string {
  const plots = Object.values(exampleForms).map((form) => {
    const instants = instantsOf(arrivalsOf(parseArrivals(form, scale), new SeededRng(SEED)));
    const windows = { fromMs: 0, toMs: scale.durationS * 1000, windowMs: 1000 };
    return secondsPlot(form, countsInWindows(instants, windows));
  });
  return plotGrid('Requests per second of each form of arrivals', plots, 3);
}

/** Requests per second of each shipped load. */
export function drawShippedLoads(): string {
  const plots = Object.entries(readModels()).map(([name, model]) => secondsPlot(name, countsOf(model)));
  return plotGrid('Requests per second of each shipped load', plots, 2);
}

/** Arrival instants in three seconds with five, ten and two requests, one line per spread. */
export function drawTraceSpreads(): string {
  return plotPicture({
    title: 'Arrivals of 5, 10 and 2 requests in three seconds',
    isWide: true,
    x: { label: 'second', domain: [0, 3], ticks: [0, 1, 2, 3] },
    y: { bands: [...traceSpreads] },
    layers: [
      {
        ...{ kind: 'segments', color: 'c1' },
        segments: traceSpreads.flatMap((spread, row) =>
          instantsOf(traceArrivals([5, 10, 2], new SeededRng(SEED), spread)).map(
            (atMs) => [atMs / 1000, row - 0.3, atMs / 1000, row + 0.3] as const,
          ),
        ),
      },
    ],
  });
}

const secondsPlot = (title: string, counts: readonly number[]): PlotSpec => ({
  title,
  x: { label: 'seconds', domain: [0, Math.max(1, counts.length - 1)] },
  y: { unit: 'requests per second' },
  layers: [{ kind: 'line', name: 'requests', color: 'c1', xs: counts.map((_, atS) => atS), values: counts }],
});

function instantsOf(arrivals: ArrivalProcess): readonly number[] {
  const instants: number[] = [];
  for (let atMs = arrivals.nextAtMs(); atMs !== undefined; atMs = arrivals.nextAtMs()) instants.push(atMs);
  return instants;
}
