/**
 * Usage: print-figures [FOLDER] [--json] [--list] [--under PATH]. Prints the structure figures of the checkout in FOLDER (this one by
 * default), with --list also the places behind them, with --under only those in files whose path begins so.
 */
import path from 'node:path';
import { parseArgs } from 'node:util';
import { measureFigures } from './figures/figures.js';
import { renderFigures, renderPlaces } from './figures/render-figures.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean' }, list: { type: 'boolean' }, under: { type: 'string', default: '' } },
});
const figures = measureFigures(path.resolve(positionals[0] ?? '.'));

if (values.json) console.log(JSON.stringify(figures, undefined, 2));
else console.log(renderFigures(figures));
if (!values.json && values.list) console.log(`\n${renderPlaces(figures, values.under)}`);
