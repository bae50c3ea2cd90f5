/**
 * Usage: print-figures [FOLDER] [--json] [--list] [--under PATH] [--tick]. Prints the structure figures of the checkout
 * in FOLDER (default: this one). --list adds their places; --under limits the places to files whose path begins with
 * PATH. With --tick it prints the functions that a tick of a served pipeline runs; the checkout has to be compiled.
 */
import path from 'node:path';
import { parseArgs } from 'node:util';
import { measureFigures } from './figures/figures.js';
import { renderFigures, renderPlaces, renderTick } from './figures/render-figures.js';
import { measureTick } from './figures/tick/measure-tick.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean' },
    list: { type: 'boolean' },
    tick: { type: 'boolean' },
    under: { type: 'string', default: '' },
  },
});
const root = path.resolve(positionals[0] ?? '.');

await (values.tick ? printTick() : printStructure());

async function printTick(): Promise<void> {
  const tick = await measureTick(root);
  if (tick === undefined) throw new Error(`No tick came to the solver in ${root}. Is it compiled?`);
  console.log(values.json ? JSON.stringify(tick, undefined, 2) : renderTick(tick));
}

async function printStructure(): Promise<void> {
  const figures = measureFigures(root);
  if (values.json) console.log(JSON.stringify(figures, undefined, 2));
  else
    console.log([renderFigures(figures), ...(values.list ? [renderPlaces(figures, values.under)] : [])].join('\n\n'));
}
