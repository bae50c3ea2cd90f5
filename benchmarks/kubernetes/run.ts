/**
 * `npm run bench:operators`: section `operators`, many pipelines under several operators; `--amount N` replaces the number
 * of pipelines. `npm run bench:kubernetes`: changes under load with real MLServer, and many pipelines under one operator.
 * Sections (`changes`, `scale`, `planning`; on a node `following`, `switching`) are measured again by name; `--amount N`
 * replaces the full amount of changes, decisions, seconds or rounds. results.json keeps the other sections; `report` only
 * writes the page, `image` only the image for the node.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Bar, changesBars, followBars, operatorsBars, planningBars, scaleBars, switchBars } from './bars.js';
import { type ChangesFigures, measureChanges } from './changes.js';
import { buildMlServerImage } from './mlserver-image.js';
import { measureOperators, type OperatorsFigures } from './operators.js';
import { measureScale, type ScaleFigures } from './scale.js';
import { measurePlanning, type PlanningFigures } from './scale-planning.js';
import { type FollowFigures, measureFollowing, measureSwitches, type SwitchFigures } from './theirs.js';

const RESULTS = new URL('results.json', import.meta.url);
const REPORT = new URL('results.md', import.meta.url);
const CHANGES = 50;
const DECISIONS = 100;
const ROUNDS = 5;
const QUIET_S = 300;
const SETTLING_S = 150;
const STEADY_S = 300;
const PIPELINES = 1_000;
const ROUNDS_OF_SWITCHES = 7;
const SECTIONS = ['changes', 'scale', 'planning', 'operators', 'following', 'switching'] as const;
/** Not measured unless named. The last two need a node that is up, and its image. */
const BY_NAME: readonly string[] = ['operators', 'following', 'switching'];

interface Made<Figures> {
  readonly made: string;
  readonly figures: Figures;
}

interface Results {
  readonly changes?: Made<ChangesFigures>;
  readonly scale?: Made<ScaleFigures>;
  readonly planning?: Made<PlanningFigures>;
  readonly operators?: Made<OperatorsFigures>;
  readonly following?: Made<FollowFigures>;
  readonly switching?: Made<SwitchFigures>;
}

const { values, positionals } = parseArgs({ allowPositionals: true, options: { amount: { type: 'string' } } });
if (positionals.includes('image')) {
  const archive = join(tmpdir(), 'equipoise-bench-mlserver.tar');
  await buildMlServerImage(archive);
  process.stdout.write(`${archive}\n`);
  process.exit();
}
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
if (isAsked('following')) {
  const made = machine();
  keep({ following: { made, figures: await measureFollowing(onNode()) } });
}
if (isAsked('switching')) {
  const made = machine();
  const rounds = Number(values.amount ?? ROUNDS_OF_SWITCHES);
  keep({ switching: { made, figures: await measureSwitches(onNode(), { rounds, canaries: 1 }) } });
}
const text = page(kept());
writeFileSync(REPORT, text);
process.stdout.write(text);
process.exit(text.includes('**missed**') ? 1 : 0);

function onNode() {
  const { KUBECONFIG: kubeconfig, EQUIPOISE_REFERENCE_DIR: reference } = process.env;
  if (kubeconfig === undefined || reference === undefined)
    throw new Error('set KUBECONFIG (npm run kube:up prints it) and EQUIPOISE_REFERENCE_DIR (published definitions)');
  return { kubeconfig, definitions: join(reference, 'crds'), onProgress };
}

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

function page({ changes, scale, planning, operators, following, switching }: Results): string {
  const parts = [
    ...(changes ? [section('Changes under load', changes.made, changesBars(changes.figures))] : []),
    ...(scale ? [section('Many pipelines', scale.made, scaleBars(scale.figures))] : []),
    ...(planning ? [section('Many pipelines, planned for', planning.made, planningBars(planning.figures))] : []),
    ...(operators ? [section('Several operators', operators.made, operatorsBars(operators.figures))] : []),
    ...(following
      ? [section('An engine that walks the graph: load', following.made, followBars(following.figures))]
      : []),
    ...(switching
      ? [section('An engine that walks the graph: variants', switching.made, switchBars(switching.figures))]
      : []),
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
