/**
 * `npm run bench:operators`: section `operators`, many pipelines under several operators; `--amount N` replaces the number
 * of pipelines. `npm run bench:kubernetes`: changes under load with real MLServer, and many pipelines under one operator. Sections
 * (`changes`, `scale`, `planning`) are measured again by name; `--amount N` replaces the full amount of changes,
 * decisions or seconds. results.json keeps the other sections; `report` only writes the page.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { type Bar, changesBars, operatorsBars, planningBars, scaleBars } from './bars.js';
import { type ChangesFigures, measureChanges } from './changes.js';
import { measureOperators, type OperatorsFigures } from './operators.js';
import { measureScale, type ScaleFigures } from './scale.js';
import { measurePlanning, type PlanningFigures } from './scale-planning.js';

const RESULTS = new URL('results.json', import.meta.url);
const REPORT = new URL('results.md', import.meta.url);
const CHANGES = 50;
const DECISIONS = 100;
const ROUNDS = 5;
const QUIET_S = 300;
const SETTLING_S = 150;
const STEADY_S = 300;
const PIPELINES = 1_000;
const SECTIONS = ['changes', 'scale', 'planning', 'operators'] as const;
/** Not measured unless named. */
const BY_NAME: readonly string[] = ['operators'];

interface Made<Figures> {
  readonly made: string;
  readonly figures: Figures;
}

interface Results {
  readonly changes?: Made<ChangesFigures>;
  readonly scale?: Made<ScaleFigures>;
  readonly planning?: Made<PlanningFigures>;
  readonly operators?: Made<OperatorsFigures>;
}

const { values, positionals } = parseArgs({ allowPositionals: true, options: { amount: { type: 'string' } } });
const isReportAlone = positionals.includes('report');
const unknown = positionals.filter((name) => name !== 'report' && !SECTIONS.some((section) => section === name));
if (unknown.length > 0) throw new Error(`unknown: ${unknown.join(', ')}; there are ${SECTIONS.join(', ')}`);
const isAsked = (name: (typeof SECTIONS)[number]): boolean =>
  !isReportAlone && (positionals.length === 0 ? !BY_NAME.includes(name) : positionals.includes(name));
const onProgress = (line: string): void => void process.stderr.write(`${line}\n`);

if (isAsked('changes')) {
  const made = machine();
  const question = { changes: Number(values.amount ?? CHANGES), arrivalRps: 5, seed: 1, onProgress };
  keep({ changes: { made, figures: await measureChanges(question) } });
}
if (isAsked('scale')) {
  const made = machine();
  const question = { pipelines: 20, stages: 10, quietS: QUIET_S, decisions: Number(values.amount ?? DECISIONS) };
  keep({ scale: { made, figures: await measureScale({ ...question, rounds: ROUNDS, seed: 1, onProgress }) } });
}
if (isAsked('planning')) {
  const made = machine();
  const question = { pipelines: 20, stages: 10, arrivalRps: 20, settlingS: SETTLING_S, seed: 1, onProgress };
  const figures = await measurePlanning({ ...question, steadyS: Number(values.amount ?? STEADY_S) });
  keep({ planning: { made, figures } });
}
if (isAsked('operators')) {
  const made = machine();
  const fleet = { pipelines: Number(values.amount ?? PIPELINES), stages: 3, operators: 4, shards: 4 };
  const load = { arrivalRps: 20, settlingS: SETTLING_S, steadyS: STEADY_S, decisions: 20, seed: 1 };
  keep({ operators: { made, figures: await measureOperators({ ...fleet, ...load, onProgress }) } });
}
const text = page(kept());
writeFileSync(REPORT, text);
process.stdout.write(text);
process.exit(text.includes('**missed**') ? 1 : 0);

function machine(): string {
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
  const day = new Date().toISOString().slice(0, 10);
  const memory = `${(totalmem() / 1024 ** 3).toFixed(0)} GiB`;
  const load = loadavg()[0]?.toFixed(1);
  return `${cpus().length} cores, ${cpus()[0]?.model ?? 'unknown'}, ${memory}, Node ${process.version}, load ${load} at the start; ${day}, commit ${commit}`;
}

function kept(): Results {
  return existsSync(RESULTS) ? (JSON.parse(readFileSync(RESULTS, 'utf8')) as Results) : {};
}

function keep(done: Results): void {
  writeFileSync(RESULTS, `${JSON.stringify({ ...kept(), ...done }, undefined, 1)}\n`);
}

function page({ changes, scale, planning, operators }: Results): string {
  const parts = [
    ...(changes ? [section('Changes under load', changes.made, changesBars(changes.figures))] : []),
    ...(scale ? [section('Many pipelines', scale.made, scaleBars(scale.figures))] : []),
    ...(planning ? [section('Many pipelines, planned for', planning.made, planningBars(planning.figures))] : []),
    ...(operators ? [section('Several operators', operators.made, operatorsBars(operators.figures))] : []),
  ];
  return `# Kubernetes\n\n${parts.join('\n')}`;
}

function section(title: string, made: string, bars: readonly Bar[]): string {
  const rows = bars.map(
    ({ claim, figure, bar, met }) =>
      `| ${claim} | ${figure} | ${bar} | ${bar === '' ? '' : met ? 'met' : '**missed**'} |`,
  );
  return `## ${title}\n\n${made}.\n\n| claim | measured | bar | |\n|---|---|---|---|\n${rows.join('\n')}\n`;
}
