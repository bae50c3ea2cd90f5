/**
 * `npm run bench:data-plane`: what the data plane does in overload and when replicas die, with the bars beside the figures. `overload` or
 * `faults` measures that one anew, `--minutes M` for M minutes instead of the full time; results.json keeps the others.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { type Bar, sections } from './sections.js';

interface Kept {
  readonly made: string;
  readonly figures: unknown;
}

const RESULTS = new URL('results.json', import.meta.url);
const REPORT = new URL('results.md', import.meta.url);
const MINUTE_MS = 60_000;

function machine(minutes: number): string {
  const load = loadavg()[0]?.toFixed(1);
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
  const day = new Date().toISOString().slice(0, 10);
  return `${minutes} min; ${cpus().length} cores, ${cpus()[0]?.model}, Node ${process.version}, load ${load} at the start; ${day}, commit ${commit}`;
}

const row = ({ claim, figure, bar, met }: Bar): string =>
  `| ${claim} | ${figure} | ${bar} | ${met ? 'met' : '**missed**'} |`;

const asked = process.argv.slice(2);
const minutesAt = asked.indexOf('--minutes');
const minutesAsked = minutesAt < 0 ? undefined : Number(asked.splice(minutesAt, 2)[1]);
const unknown = asked.filter((name) => !sections.some((section) => section.name === name));
if (unknown.length > 0) throw new Error(`unknown section ${unknown.join(', ')}`);

const kept: Record<string, Kept> = existsSync(RESULTS) ? JSON.parse(readFileSync(RESULTS, 'utf8')) : {};
for (const { name, minutes, measure } of sections) {
  if (asked.length > 0 && !asked.includes(name)) continue;
  const duration = minutesAsked ?? minutes;
  const made = machine(duration);
  kept[name] = { made, figures: await measure(duration * MINUTE_MS) };
  writeFileSync(RESULTS, `${JSON.stringify(kept, null, 1)}\n`);
}
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
process.stdout.write(text);
process.exitCode = text.includes('**missed**') ? 1 : 0;
