/**
 * `npm run bench:data-plane`: the data plane at full speed, in overload, with bad input and with dying replicas, each
 * figure with its bar. Names of sections measure only these sections; `--minutes M`, `--requests N` or `--times N`
 * replaces the full amount. results.json keeps the other sections; `report` only writes the page. `--json` prints
 * figures and bars of the named sections (default: all that are kept) instead of the page.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import type { Bar } from './bar.js';
import { sections } from './sections.js';

interface Kept {
  readonly made: string;
  readonly figures: unknown;
}

const RESULTS = new URL('results.json', import.meta.url);
const REPORT = new URL('results.md', import.meta.url);
/** Argument that measures no section and only writes the page. */
const REPORT_ALONE = 'report';

function machine(amount: string): string {
  const load = loadavg()[0]?.toFixed(1);
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
  const day = new Date().toISOString().slice(0, 10);
  return `${amount}; ${cpus().length} cores, ${cpus()[0]?.model}, Node ${process.version}, load ${load} at the start; ${day}, commit ${commit}`;
}

const row = ({ claim, figure, bar, met }: Bar): string =>
  `| ${claim} | ${figure} | ${bar} | ${bar === '' ? '' : met ? 'met' : '**missed**'} |`;

const asked = process.argv.slice(2);
const amounts = { minutes: flag('--minutes'), requests: flag('--requests'), times: flag('--times') };
const isJson = asked.includes('--json');
if (isJson) asked.splice(asked.indexOf('--json'), 1);
const unknown = asked.filter((name) => name !== REPORT_ALONE && !sections.some((section) => section.name === name));
if (unknown.length > 0) throw new Error(`unknown section ${unknown.join(', ')}`);

for (const { name, unit, full, measure } of sections) {
  if (asked.length > 0 && !asked.includes(name)) continue;
  const amount = amounts[unit] ?? full;
  const made = machine(`${amount} ${unit}`);
  const figures = await measure(amount);
  // Read again, because another process may have measured a section meanwhile.
  const results: Record<string, Kept> = { ...keptResults(), [name]: { made, figures } };
  writeFileSync(RESULTS, `${JSON.stringify(results, null, 1)}\n`);
}
const kept = keptResults();
const parts = sections.flatMap((section) => {
  const found = kept[section.name];
  if (found === undefined) return [];
  const rows = section.bars(found.figures as never).map(row);
  return [
    `## ${section.name}\n\n${found.made}.\n\n| claim | measured | bar | |\n|---|---|---|---|\n${rows.join('\n')}\n`,
  ];
});
const text = `# The data plane\n\n${parts.join('\n')}`;
writeFileSync(REPORT, text);
process.stdout.write(isJson ? `${JSON.stringify(documentOf(kept), null, 1)}\n` : text);
process.exitCode = text.includes('**missed**') ? 1 : 0;

/** Figures and bars of the named sections, or of all. */
function documentOf(all: Record<string, Kept>): Record<string, Kept & { readonly bars: readonly Bar[] }> {
  const named = sections.filter(
    ({ name }) => asked.length === 0 || asked.includes(REPORT_ALONE) || asked.includes(name),
  );
  return Object.fromEntries(
    named.flatMap(({ name, bars }) => {
      const found = all[name];
      return found === undefined ? [] : [[name, { ...found, bars: bars(found.figures as never) }] as const];
    }),
  );
}

function keptResults(): Record<string, Kept> {
  return existsSync(RESULTS) ? JSON.parse(readFileSync(RESULTS, 'utf8')) : {};
}

/** Number after a flag. Removes both from the arguments. */
function flag(name: string): number | undefined {
  const at = asked.indexOf(name);
  return at < 0 ? undefined : Number(asked.splice(at, 2)[1]);
}
