/**
 * `npm run bench:planner [-- SECTION…]`: sections exact, end-to-end, option-table, speed, choices, ipa; default all.
 * results.json keeps the results of other sections. `-- instances`, `-- monotone`, `-- robust` and `-- recommend` are long
 * runs with flags and results of their own.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { details } from './details.js';
import { runInstances } from './instances/run-instances.js';
import { runMonotone } from './monotone/run-monotone.js';
import { runRecommend } from './recommend/run-recommend.js';
import { runRobust } from './robust/run-robust.js';
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

const barRow = ({ claim, figure, bar, met }: Bar): string =>
  `| ${claim} | ${figure.trim()} | ${bar.trim()} | ${met ? 'met' : '**missed**'} |`;

function sectionText({ name, bars }: Section, { made, figures }: Kept): string {
  const rows = bars(figures as never).map(barRow);
  return `## ${name}\n\n${made}.\n\n| claim | measured | bar | |\n|---|---|---|---|\n${rows.join('\n')}\n\n${details(name, figures)}`;
}

const [longRun, ...flags] = process.argv.slice(2);
const longRuns: Readonly<Record<string, (args: readonly string[]) => boolean>> = {
  instances: runInstances,
  monotone: runMonotone,
  robust: runRobust,
  recommend: runRecommend,
};
const run = longRuns[longRun ?? ''];
if (run !== undefined) process.exit(run(flags) ? 0 : 1);

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !sections.some((section) => section.name === name));
if (unknown.length > 0)
  throw new Error(`unknown section ${unknown.join(', ')}; there are ${sections.map((s) => s.name).join(', ')}`);

const readKept = (): Record<string, Kept> =>
  existsSync(RESULTS) ? (JSON.parse(readFileSync(RESULTS, 'utf8')) as Record<string, Kept>) : {};

for (const section of sections) {
  if (asked.length > 0 && !asked.includes(section.name)) continue;
  const made = machine();
  const figures = await section.measure();
  // Read late: another section may have been measured meanwhile.
  writeFileSync(RESULTS, `${JSON.stringify({ ...readKept(), [section.name]: { made, figures } }, null, 1)}\n`);
}
const kept = readKept();
const shown = sections.filter(({ name }) => kept[name] !== undefined);
const text = `# The planner\n\n${shown.map((section) => sectionText(section, kept[section.name] as Kept)).join('\n')}`;
writeFileSync(REPORT, text);
process.stdout.write(`\n${text}`);
const met = shown.every((section) =>
  section.bars((kept[section.name] as Kept).figures as never).every((bar) => bar.met),
);
process.exitCode = met ? 0 : 1;
