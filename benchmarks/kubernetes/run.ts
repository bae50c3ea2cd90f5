/**
 * `npm run bench:operators`: section `operators`, many pipelines under several operators; `--amount N` replaces the number
 * of pipelines, `--operators` that of operators (with as many shards), `--settling`, `--steady` and `--decisions` the
 * rest of the question. `npm run bench:kubernetes`: changes under load with real MLServer, and many pipelines under one
 * operator. Sections (`changes`, `scale`, `planning`, `split`; on a node `following`, `switching`, `ramp`, `pins`,
 * `named-faults`, `routers`, `stages`, `router-cpu`, `starts`, `limits`) are measured again by name; `--amount N` replaces the full amount
 * of changes, decisions, seconds, rounds or requests. results.json keeps the other sections; `report` only writes the
 * page, `image`, `routers-image` and `working-image` only the images for the node.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Bar } from './bar-rows.js';
import {
  changesBars,
  followBars,
  operatorsBars,
  pinnedChangesBars,
  planningBars,
  rampBars,
  scaleBars,
  switchBars,
} from './bars.js';
import { type ChangesFigures, measureChanges } from './changes.js';
import { type DrainFigures, measureDrain } from './drain.js';
import { type LimitsFigures, measureLimits } from './limits.js';
import { limitsBars } from './limits-bars.js';
import { buildMlServerImage } from './mlserver-image.js';
import { measureNamedFaults, type NamedFaultsFigures } from './named-faults.js';
import { measureOperators, type OperatorsFigures } from './operators.js';
import { carrySection } from './operators-carry.js';
import { measurePinnedChanges, type PinnedChangesFigures } from './pinned-changes.js';
import { measureRamp, type RampFigures } from './ramp.js';
import { drainBars, faultsBars, namedFaultsBars, routerCpuBars, splitBars, startBars } from './router-bars.js';
import { measureRouterCpu, type RouterCpuFigures } from './router-cpu.js';
import { measureSplit, type SplitFigures } from './router-split.js';
import { type FaultsFigures, measureRouterFaults, measureStageFaults, type RoutersQuestion } from './routers.js';
import { buildRoutersImage } from './routers-pipeline.js';
import { measureScale, type ScaleFigures } from './scale.js';
import { measurePlanning, type PlanningFigures } from './scale-planning.js';
import { measureStarts, type StartFigures } from './start-time.js';
import { type FollowFigures, measureFollowing, measureSwitches, type SwitchFigures } from './theirs.js';
import { buildWorkingImage } from './working-pipeline.js';

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
const ROUNDS_OF_FAULTS = 4;
const ROUNDS_OF_NAMED_FAULTS = 3;
const ROUNDS_OF_TURNS = 6;
const ROUNDS_OF_STARTS = 7;
const FAULTS_RPS = 25;
const ROUTER_CPU_RPS = 200;
const REQUESTS_AT_LIMIT = 400;
const PINNED_CHANGES = 30;
const PINNED_CANARIES = 9;
/** Sections that need a node that is up, and its image. */
const OPERATED_ON_NODE = ['following', 'switching', 'ramp', 'pins', 'named-faults'] as const;
const ON_NODE = [...OPERATED_ON_NODE, 'routers', 'stages', 'router-cpu', 'starts', 'limits'] as const;
const SECTIONS = ['changes', 'scale', 'planning', 'operators', 'split', ...ON_NODE] as const;
/** Not measured unless named. */
const BY_NAME: readonly string[] = ['operators', 'split', ...ON_NODE];

interface Made<Figures> {
  readonly made: string;
  readonly figures: Figures;
}

interface Results {
  readonly changes?: Made<ChangesFigures>;
  readonly scale?: Made<ScaleFigures>;
  readonly planning?: Made<PlanningFigures>;
  /** One for each number of pipelines and operators. */
  readonly operators?: readonly Made<OperatorsFigures>[];
  readonly following?: Made<FollowFigures>;
  readonly switching?: Made<SwitchFigures>;
  readonly ramp?: Made<RampFigures>;
  readonly pins?: Made<PinnedChangesFigures>;
  readonly namedFaults?: Made<NamedFaultsFigures>;
  readonly routers?: Made<FaultsFigures>;
  readonly drain?: Made<DrainFigures>;
  readonly stages?: Made<FaultsFigures>;
  readonly routerCpu?: Made<RouterCpuFigures>;
  readonly split?: Made<SplitFigures>;
  readonly starts?: Made<StartFigures>;
  readonly limits?: Made<LimitsFigures>;
}

const number = { type: 'string' } as const;
const { values, positionals } = parseArgs({
  ...{
    allowPositionals: true,
    options: { amount: number, operators: number, decisions: number, settling: number, steady: number },
  },
});
if (positionals.includes('image')) {
  const archive = join(tmpdir(), 'equipoise-bench-mlserver.tar');
  await buildMlServerImage(archive);
  process.stdout.write(`${archive}\n`);
  process.exit();
}
if (positionals.includes('routers-image')) {
  process.stdout.write(`${buildRoutersImage()}\n`);
  process.exit();
}
if (positionals.includes('working-image')) {
  process.stdout.write(`${buildWorkingImage()}\n`);
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
  const operators = Number(values.operators ?? 4);
  const fleet = { pipelines: Number(values.amount ?? PIPELINES), stages: 3, operators, shards: operators };
  const times = { settlingS: Number(values.settling ?? SETTLING_S), steadyS: Number(values.steady ?? STEADY_S) };
  const load = { arrivalRps: 20, ...times, decisions: Number(values.decisions ?? 20), seed: 1 };
  const figures = await measureOperators({ ...fleet, ...load, onProgress });
  keep({ operators: withRun(kept().operators ?? [], { made, figures }) });
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
if (isAsked('routers')) {
  const made = machine();
  keep({ routers: { made, figures: await measureRouterFaults(faults()) } });
  keep({ drain: { made, figures: await measureDrain(faults()) } });
}
if (isAsked('stages')) {
  const made = machine();
  keep({ stages: { made, figures: await measureStageFaults(faults()) } });
}
if (isAsked('router-cpu')) {
  const made = machine();
  const rounds = Number(values.amount ?? ROUNDS_OF_TURNS);
  keep({ routerCpu: { made, figures: await measureRouterCpu({ ...faults(), arrivalRps: ROUTER_CPU_RPS, rounds }) } });
}
if (isAsked('starts')) {
  const made = machine();
  const rounds = Number(values.amount ?? ROUNDS_OF_STARTS);
  keep({ starts: { made, figures: await measureStarts({ ...faults(), rounds }) } });
}
if (isAsked('ramp')) {
  const made = machine();
  const { kubeconfig, seed } = faults();
  keep({ ramp: { made, figures: await measureRamp({ kubeconfig, seed, onProgress }) } });
}
if (isAsked('pins')) {
  const made = machine();
  const { kubeconfig, seed } = faults();
  const counts = { changes: Number(values.amount ?? PINNED_CHANGES), canaries: PINNED_CANARIES };
  keep({ pins: { made, figures: await measurePinnedChanges({ kubeconfig, seed, ...counts, onProgress }) } });
}
if (isAsked('named-faults')) {
  const made = machine();
  const { kubeconfig, seed } = faults();
  const rounds = Number(values.amount ?? ROUNDS_OF_NAMED_FAULTS);
  keep({ namedFaults: { made, figures: await measureNamedFaults({ kubeconfig, seed, rounds, onProgress }) } });
}
if (isAsked('limits')) {
  const made = machine();
  const { kubeconfig, seed } = faults();
  const requests = Number(values.amount ?? REQUESTS_AT_LIMIT);
  keep({ limits: { made, figures: await measureLimits({ kubeconfig, seed, requests, onProgress }) } });
}
if (isAsked('split')) {
  const made = machine();
  keep({ split: { made, figures: measureSplit() } });
}
const text = page(kept());
writeFileSync(REPORT, text);
process.stdout.write(text);
process.exit(text.includes('**missed**') ? 1 : 0);

function faults(): RoutersQuestion {
  const { KUBECONFIG: kubeconfig } = process.env;
  if (kubeconfig === undefined) throw new Error('set KUBECONFIG (npm run kube:up prints it)');
  const rounds = Number(values.amount ?? ROUNDS_OF_FAULTS);
  return { kubeconfig, arrivalRps: FAULTS_RPS, rounds, seed: 1, onProgress };
}

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

/** Runs in order of their size; a run replaces one of the same size. */
function withRun(
  runs: readonly Made<OperatorsFigures>[],
  run: Made<OperatorsFigures>,
): readonly Made<OperatorsFigures>[] {
  const { pipelines, operators } = run.figures;
  const others = runs.filter(({ figures }) => figures.pipelines !== pipelines || figures.operators !== operators);
  return [...others, run].sort(
    ({ figures: a }, { figures: b }) => a.pipelines - b.pipelines || a.operators - b.operators,
  );
}

function operatorsTitle({ pipelines, operators }: OperatorsFigures): string {
  return `Several operators: ${operators} for ${pipelines} pipelines`;
}

function page(results: Results): string {
  const { operators = [] } = results;
  const part = <Figures>(
    title: string,
    measured: Made<Figures> | undefined,
    bars: (figures: Figures) => readonly Bar[],
  ): readonly string[] => (measured === undefined ? [] : [section(title, measured.made, bars(measured.figures))]);
  const parts = [
    ...part('Changes under load', results.changes, changesBars),
    ...part('Many pipelines', results.scale, scaleBars),
    ...part('Many pipelines, planned for', results.planning, planningBars),
    ...operators.map(({ made, figures }) => section(operatorsTitle(figures), made, operatorsBars(figures))),
    ...carrySection(operators.map(({ figures }) => figures)),
    ...part('An engine that walks the graph: load', results.following, followBars),
    ...part('An engine that walks the graph: variants', results.switching, switchBars),
    ...part('A load that rises and falls', results.ramp, rampBars),
    ...part('Changes by pins, and canaries', results.pins, pinnedChangesBars),
    ...part('Faults, and the status that names them', results.namedFaults, namedFaultsBars),
    ...part('Two routers: faults under load', results.routers, faultsBars),
    ...part('Two routers: a node is drained', results.drain, drainBars),
    ...part('Two routers: processor time', results.routerCpu, routerCpuBars),
    ...part('Several routers, simulated', results.split, splitBars),
    ...part('Start of a stage', results.starts, startBars),
    ...part('CPU limits, served and simulated', results.limits, limitsBars),
    ...part('One router: faults of stages and router under load', results.stages, faultsBars),
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
