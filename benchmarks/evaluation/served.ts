/**
 * `npm run bench:served-plans -- PLAIN.yaml CASCADE.yaml RPS FLOOR`: the cheapest plans of two pipelines for the same task
 * that reach an accuracy, served. Each serves the labelled samples one by one: measured are the accuracy, the shares of
 * conditions and fan-outs, and the CPU time of a request. The SLO is 60 s, so that a busy machine drops nothing. Needs
 * profiles of both. Writes served-NAME.md.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join, resolve } from 'node:path';
import { importModule } from '@equipoise/adapter-embedded';
import { openInferenceClient } from '@equipoise/adapter-open-inference';
import {
  type EdgeCount,
  type PipelineSpec,
  type RunningPlan,
  SeededRng,
  type StageId,
  type StagePlan,
  type VariantId,
} from '@equipoise/core/model';
import { pipelineAccuracy } from '@equipoise/core/plan';
import { toDocument } from '@equipoise/pipeline-file';
import { evaluationModule, labelledFiles, metricScore } from '@equipoise/runtime';
import { loadSpec } from '../../packages/app/src/compose/load-spec.js';
import { bootstrapScores, drawResamples, intervalOf } from '../../packages/core/src/evaluate/bootstrap.js';
import { specOfPlan } from '../../packages/core/src/model/resolved-spec.js';
import { type AnsweredSample, labelledSamples } from '../../packages/runtime/src/evaluate/evaluation-module.js';

const SEED = 1;
const MOST_CORES = 64;
const Z_95 = 1.96;
const WARM_UP = 10;
/** Requests per measured block of CPU time. */
const BLOCK = 10;
const TICKS_PER_S = 100;
const PATIENCE_MS = 60_000;
const SLO = { latencyMs: PATIENCE_MS, percentile: 99 };

const [plain = '', cascade = '', rate = '8', floor = '0.83'] = process.argv.slice(2);

interface Served {
  readonly name: string;
  readonly plan: string;
  readonly expected: number;
  readonly measured: string;
  readonly accuracy: readonly [number, number, number];
  readonly cpuMs: readonly [number, number, number];
  readonly shares: readonly { readonly edge: string; readonly planned: number; readonly served: number }[];
}

type Stages = Readonly<Record<StageId, readonly StagePlan[]>>;

async function serveSamples(file: string): Promise<Served> {
  const spec = await loadSpec(file);
  const path = join(spec.baseDir, `.served-${spec.name}.yaml`);
  const objective = { kind: 'min-cost', accuracyFloor: Number(floor) } as const;
  const document = toDocument({ ...spec, objective, slo: SLO, budget: { cpuCores: MOST_CORES } });
  writeFileSync(path, JSON.stringify(document));
  const child = spawn(
    process.execPath,
    [
      'packages/app/bin/equipoise.js',
      'serve',
      path,
      '--fixed',
      '--arrival-rps',
      rate,
      '--port',
      '0',
      '--admin-port',
      '0',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  try {
    return await measure(spec, child);
  } finally {
    child.kill('SIGTERM');
    if (child.exitCode === null) await once(child, 'exit');
    rmSync(path, { force: true });
  }
}

async function measure(spec: PipelineSpec, child: ChildProcess): Promise<Served> {
  const { url, admin } = await addressesOf(child);
  const stages = await planOf(admin, spec.name);
  const resolved = specOfPlan(spec, stages);
  const { score, samples } = await labelled(spec);
  const client = openInferenceClient(url);
  const send = (inputs: (typeof samples)[number]['inputs']) =>
    client.infer(spec.name, { inputs, parameters: { timeout_ms: PATIENCE_MS } });
  for (const { inputs } of samples.slice(0, WARM_UP)) await send(inputs);
  const before = await edgesOf(admin, spec.name);
  const answers: AnsweredSample[] = [];
  const blocks: number[] = [];
  let sinceMs = cpuMsOf(child);
  for (const [index, { inputs, label }] of samples.entries()) {
    const { outputs } = await send(inputs);
    answers.push({ outputs, label });
    if ((index + 1) % BLOCK > 0) continue;
    const nowMs = cpuMsOf(child);
    blocks.push((nowMs - sinceMs) / BLOCK);
    sinceMs = nowMs;
  }
  const after = await edgesOf(admin, spec.name);
  return {
    name: spec.name,
    plan: planText(spec, stages),
    expected: pipelineAccuracy(resolved, choiceOf(stages)).pas,
    measured: `${samples.length} samples`,
    accuracy: intervalFor(answers, (numbers) => score(numbers.map((n) => answers[n] as AnsweredSample)), true),
    cpuMs: intervalFor(
      blocks,
      (numbers) => numbers.reduce((sum, n) => sum + (blocks[n] as number), 0) / numbers.length,
    ),
    shares: sharesOf(resolved, before, after),
  };
}

/** Bootstrap interval over the entries of `all`. */
function intervalFor(all: readonly unknown[], scoreOf: (numbers: readonly number[]) => number, isFraction = false) {
  const numbers = all.map((_, number) => number);
  const scores = bootstrapScores(numbers, drawResamples(numbers, new SeededRng(SEED)), scoreOf);
  if (isFraction) {
    const [low = 0, high = 1] = intervalOf(scores, { samples: all.length, z: Z_95, unseenFraction: 1 });
    return [scores.score, low, high] as const;
  }
  const sorted = scores.resampled.toSorted((a, b) => a - b);
  const at = (fraction: number) => sorted[Math.round(fraction * (sorted.length - 1))] as number;
  return [scores.score, at(0.025), at(0.975)] as const;
}

function sharesOf({ edges }: PipelineSpec, before: readonly EdgeCount[], after: readonly EdgeCount[]) {
  return edges.flatMap(({ from, to, when, fanOut }, index) => {
    const [a, b] = [before[index], after[index]];
    if (a === undefined || b === undefined) return [];
    const edge = `${from} → ${to}`;
    const taken = when && { edge, planned: when.probability, served: (b.taken - a.taken) / (b.offered - a.offered) };
    const items = fanOut && {
      ...{ edge: `${edge}, items`, planned: fanOut.expected },
      served: (b.items - a.items) / (b.fanOuts - a.fanOuts),
    };
    return [taken, items].filter((share) => share !== undefined);
  });
}

const choiceOf = (stages: Stages): Readonly<Record<StageId, VariantId>> =>
  Object.fromEntries(Object.entries(stages).flatMap(([id, [part]]) => (part ? [[id, part.variantId]] : [])));

function planText({ stages }: PipelineSpec, planned: Stages): string {
  return stages
    .flatMap(({ id, variants }) => {
      const [part] = planned[id] ?? [];
      if (part === undefined || (variants.length === 1 && part.threshold === undefined)) return [];
      return [
        `${id} ${part.replicas === 0 ? 'omitted' : part.variantId}${part.threshold ? ` at ${part.threshold}` : ''}`,
      ];
    })
    .join(', ');
}

async function labelled({ evaluation, baseDir, ...rest }: PipelineSpec) {
  const { module: path, metric, dataPath = '' } = evaluation ?? {};
  const loadSamples = (folder: string) => labelledFiles({ ...rest, baseDir }, folder);
  const module = evaluationModule(
    path === undefined ? { loadSamples } : await importModule(path, baseDir),
    metric && metricScore(metric),
  );
  return { score: module.score, samples: await labelledSamples(module, resolve(baseDir, dataPath)) };
}

async function addressesOf(child: ChildProcess): Promise<{ url: string; admin: string }> {
  let log = '';
  const ended = once(child, 'exit');
  child.stderr?.setEncoding('utf8').on('data', (part: string) => {
    log += part;
  });
  for (;;) {
    const url = /ready\S* (http:\/\/\S+) serves/.exec(log)?.[1];
    const admin = /control it at (http:\/\/[^\s/]+)/.exec(log)?.[1];
    if (url !== undefined && admin !== undefined) return { url, admin };
    if (child.exitCode !== null) throw new Error(log);
    await Promise.race([once(child.stderr ?? child, 'data'), ended]);
  }
}

async function asked(url: string): Promise<unknown> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${await response.text()}`);
  return response.json();
}

/** Stages of the running plan. */
async function planOf(admin: string, name: string): Promise<Stages> {
  const { stages } = (await asked(`${admin}/admin/pipelines/${name}/running-plan`)) as RunningPlan;
  const entries = Object.entries(stages).flatMap(([id, { replicas, maxBatchSize, maxBatchWaitMs, threshold }]) => {
    const [replica] = replicas;
    if (replica === undefined) return [];
    const { variantId, resources } = replica;
    const part = { variantId, resources, maxBatchSize, maxBatchWaitMs, replicas: replicas.length, trafficFraction: 1 };
    return [[id, [threshold === undefined ? part : { ...part, threshold }]]];
  });
  return Object.fromEntries(entries);
}

const edgesOf = async (admin: string, name: string) =>
  ((await asked(`${admin}/admin/pipelines/${name}/counts`)) as { edges: EdgeCount[] }).edges;

/** User and system time of a process with its threads. */
function cpuMsOf({ pid }: ChildProcess): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (1000 * (Number(fields[11]) + Number(fields[12]))) / TICKS_PER_S;
}

const fixed = ([value, low, high]: readonly [number, number, number], digits: number) =>
  `${value.toFixed(digits)} (${low.toFixed(digits)} to ${high.toFixed(digits)})`;

const runs = [await serveSamples(plain), await serveSamples(cascade)];
const rows = runs.map(
  ({ name, plan, expected, accuracy, cpuMs }) =>
    `| ${name} | ${plan} | ${expected.toFixed(3)} | ${fixed(accuracy, 3)} | ${fixed(cpuMs, 1)} |`,
);
const shares = runs.flatMap(({ name, shares: all }) =>
  all.map(
    ({ edge, planned, served }) =>
      `| ${name} | ${edge} | ${planned.toFixed(3)} | ${served.toFixed(3)} | ${(100 * (served / planned - 1)).toFixed(1)} % |`,
  ),
);
const [first, second] = runs as [Served, Served];
const less = (a: number, b: number) => `${(100 * (1 - b / a)).toFixed(0)} %`;
const page = `# Plans with and without a cascade, served: ${second.name}

${cpus().length} cores, ${cpus()[0]?.model ?? 'unknown'}, Node ${process.version}. \`npm run bench:served-plans -- ${plain} ${cascade} ${rate} ${floor}\`.

The cheapest plans at ${rate} rps with an accuracy of at least ${floor}. Each serves ${first.measured} one by one. Intervals are 95 % bootstrap intervals,
of CPU time over blocks of ${BLOCK} requests. The CPU time is that of the whole server.

| pipeline | plan | accuracy expected | accuracy served | CPU ms per request |
|---|---|---|---|---|
${rows.join('\n')}

The cascade needs ${less(first.cpuMs[0], second.cpuMs[0])} less CPU time per request.

| pipeline | edge | share planned | share served | difference |
|---|---|---|---|---|
${shares.join('\n')}
`;
writeFileSync(new URL(`served-${second.name}.md`, import.meta.url), page);
process.stdout.write(page);
