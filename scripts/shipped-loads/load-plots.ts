/** The pictures of docs/reference/loads.md: each form of arrivals, each spread and each shipped load. */
import { type arrivalForms, parseArrivals } from '../../packages/app/src/compose/resolve-load.js';
import { plotSvg } from '../../packages/app/src/report/plot.js';
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
const COLOR = '#2f6fdb';

interface Second {
  readonly of: string;
  readonly atS: number;
  readonly requests: number;
}

/** Requests per second of each form. */
export function drawArrivalForms(): Promise<string> {
  const values = Object.values(exampleForms).flatMap((form) => {
    const instants = instantsOf(arrivalsOf(parseArrivals(form, scale), new SeededRng(SEED)));
    const windows = { fromMs: 0, toMs: scale.durationS * 1000, windowMs: 1000 };
    return secondsOf(form, countsInWindows(instants, windows));
  });
  return drawSeconds(values, { columns: 3, width: 230, height: 110 });
}

/** Requests per second of each shipped load. */
export function drawShippedLoads(): Promise<string> {
  const values = Object.entries(readModels()).flatMap(([name, model]) => secondsOf(name, countsOf(model)));
  return drawSeconds(values, { columns: 2, width: 360, height: 150 });
}

/** Arrival instants in three seconds with five, ten and two requests, one line per spread. */
export function drawTraceSpreads(): Promise<string> {
  const values = traceSpreads.flatMap((spread) =>
    instantsOf(traceArrivals([5, 10, 2], new SeededRng(SEED), spread)).map((atMs) => ({ spread, atS: atMs / 1000 })),
  );
  return plotSvg({
    ...{ width: 720, height: 90, background: 'white', padding: 12, data: { values } },
    mark: { type: 'tick', thickness: 2, color: COLOR },
    encoding: {
      x: { field: 'atS', type: 'quantitative', title: 'second', scale: { domain: [0, 3] }, axis: { tickCount: 3 } },
      y: { field: 'spread', type: 'nominal', title: null, sort: [...traceSpreads] },
    },
  });
}

function drawSeconds(
  values: readonly Second[],
  { columns, width, height }: Readonly<Record<'columns' | 'width' | 'height', number>>,
): Promise<string> {
  const names = [...new Set(values.map(({ of }) => of))];
  return plotSvg({
    ...{ background: 'white', padding: 12, columns, data: { values: [...values] } },
    facet: { field: 'of', type: 'nominal', title: null, sort: names },
    resolve: { axis: { x: 'independent', y: 'independent' } },
    spec: {
      ...{ width, height },
      mark: { type: 'line', strokeWidth: 1, color: COLOR },
      encoding: {
        x: { field: 'atS', type: 'quantitative', title: 's', scale: { nice: false } },
        y: { field: 'requests', type: 'quantitative', title: 'requests per second' },
      },
    },
  });
}

function secondsOf(of: string, counts: readonly number[]): readonly Second[] {
  return counts.map((requests, atS) => ({ of, atS, requests }));
}

function instantsOf(arrivals: ArrivalProcess): readonly number[] {
  const instants: number[] = [];
  for (let atMs = arrivals.nextAtMs(); atMs !== undefined; atMs = arrivals.nextAtMs()) instants.push(atMs);
  return instants;
}
