/**
 * `npm run bench:simulator [-- SECTION…]`: sections speed, growth, sweep, closed-forms; default all. results.json keeps the
 * results of other sections.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { type Bar, type Section, sections } from './sections.js';

interface Kept {
  readonly made: string;
  readonly figures: unknown;
}

const RESULTS = new URL('results.json', import.meta.url);
const REPORT = new URL('results.md', import.meta.url);

function machine(): string {
  const [first] = cpus();
  const load = loadavg()[0]?.toFixed(1);
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
  const day = new Date().toISOString().slice(0, 10);
  return `${cpus().length} cores, ${first?.model ?? 'unknown'}, ${process.arch}, Node ${process.version}, load ${load} at the start; ${day}, commit ${commit}`;
}

const keptResults = (): Record<string, Kept> => (existsSync(RESULTS) ? JSON.parse(readFileSync(RESULTS, 'utf8')) : {});

const barRow = ({ claim, figure, bar, met }: Bar): string =>
  `| ${claim} | ${figure} | ${bar} | ${met ? 'met' : '**missed**'} |`;

function sectionText({ name, bars, table }: Section, { made, figures }: Kept): string {
  const rows = bars(figures as never).map(barRow);
  return `## ${name}\n\n${made}.\n\n| claim | measured | bar | |\n|---|---|---|---|\n${rows.join('\n')}\n\n${table(figures as never)}`;
}

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !sections.some((section) => section.name === name));
if (unknown.length > 0)
  throw new Error(`unknown section ${unknown.join(', ')}; there are ${sections.map((s) => s.name).join(', ')}`);

for (const section of sections) {
  if (asked.length > 0 && !asked.includes(section.name)) continue;
  const made = machine();
  const figures = section.measure();
  writeFileSync(RESULTS, `${JSON.stringify({ ...keptResults(), [section.name]: { made, figures } }, null, 1)}\n`);
}
const kept = keptResults();
const shown = sections.filter(({ name }) => kept[name] !== undefined);
const text = `# The simulator\n\n${shown.map((section) => sectionText(section, kept[section.name] as Kept)).join('\n')}`;
writeFileSync(REPORT, text);
process.stdout.write(`\n${text}`);
const met = shown.every((section) =>
  section.bars((kept[section.name] as Kept).figures as never).every((bar) => bar.met),
);
process.exitCode = met ? 0 : 1;
