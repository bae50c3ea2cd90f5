/** The tables of docs/reference/loads.md. */
import { arrivalForms } from '../../packages/app/src/compose/resolve-load.js';
import { markdownTable } from '../markdown-table.js';
import { countsOf } from './load-model.js';
import { exampleForms } from './load-plots.js';
import { loadStatistics } from './load-statistics.js';
import { readModels } from './shipped-loads.js';

const kinds = Object.keys(arrivalForms) as (keyof typeof arrivalForms)[];

/** Every form of `--arrivals` with an example. */
export function renderArrivalForms(): string {
  const rows = kinds.map((kind) => [
    `\`${arrivalForms[kind].form}\``,
    `\`${exampleForms[kind]}\``,
    arrivalForms[kind].meaning,
  ]);
  return markdownTable(['form', 'example', 'meaning'], rows);
}

/** Figures of the shipped loads. */
export function renderLoadStatistics(): string {
  const rows = Object.entries(readModels()).map(([name, model]) => {
    const of = loadStatistics(countsOf(model));
    const figures = [of.meanRps, of.minRps, of.medianRps, of.p95Rps, of.p99Rps, of.maxRps, of.stdRps];
    const texts = [...figures, of.dispersionAt1s, of.dispersionAt10s].map((value) => String(Number(value.toFixed(2))));
    return [`\`${name}\``, String(of.seconds), String(of.requests), ...texts];
  });
  const head = ['load', 's', 'requests', 'mean rps', 'min', 'median', 'p95', 'p99', 'max', 'std'];
  return markdownTable([...head, 'dispersion 1 s', 'dispersion 10 s'], rows);
}
