/**
 * Measures two servers in turns, block by block, so that both see the same machine. A block has Poisson arrivals at the
 * planned rate, and ends when all its answers are there.
 */
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { importModule } from '@equipoise/adapter-embedded';
import { type EdgeCount, type PipelineSpec, SeededRng } from '@equipoise/core/model';
import { evaluationModule, labelledFiles, metricScore } from '@equipoise/runtime';
import { drawResamples } from '../../../packages/core/src/evaluate/bootstrap.js';
import { drawExponential, type Rng } from '../../../packages/core/src/kernel/rng.js';
import { specOfPlan } from '../../../packages/core/src/model/resolved-spec.js';
import {
  type AnsweredSample,
  type LabelledSample,
  labelledSamples,
} from '../../../packages/runtime/src/evaluate/evaluation-module.js';
import type { Answer, PlanServer } from './plan-server.js';

const SEED = 1;
const PASSES = 1;
const BLOCK = 10;
const WARM_UP = 20;

/** Value with the limits of its 95 % interval. */
export type Interval = readonly [value: number, low: number, high: number];

export interface Share {
  readonly edge: string;
  readonly planned: number;
  readonly served: number;
}

export interface ServedSide {
  readonly server: PlanServer;
  readonly accuracy: Interval;
  readonly cpuMs: Interval;
  readonly latenciesMs: readonly number[];
  readonly failed: number;
  readonly shares: readonly Share[];
}

export interface ServedPair {
  readonly plain: ServedSide;
  readonly cascade: ServedSide;
  readonly samples: number;
  readonly requests: number;
  /** Of the cascade, minus that of the other. Intervals are of pairs with the same samples. */
  readonly accuracyGain: Interval;
  /** Of the cascade, divided by that of the other. */
  readonly cpuRatio: Interval;
}

interface Turn {
  readonly server: PlanServer;
  /** By sample. */
  readonly answers: Answer[][];
  /** CPU time of each block, per request. */
  readonly blocksMs: number[];
}

export async function measurePair(plain: PlanServer, cascade: PlanServer, arrivalRps: number): Promise<ServedPair> {
  const { score, samples } = await labelled(plain.spec);
  const turns = [plain, cascade].map((server): Turn => ({ server, answers: samples.map(() => []), blocksMs: [] }));
  for (const { server } of turns)
    await sendBlock(server, samples.slice(0, WARM_UP), { arrivalRps, rng: new SeededRng(SEED) });
  const before = await Promise.all(turns.map(({ server }) => server.edges()));
  const order = samples.map((_, number) => number);
  for (let block = 0; block * BLOCK < PASSES * samples.length; block++) {
    const numbers = Array.from({ length: BLOCK }, (_, i) => order[(block * BLOCK + i) % order.length] as number);
    for (const { server, answers, blocksMs } of block % 2 === 0 ? turns : turns.toReversed()) {
      const rng = new SeededRng(SEED).fork(`block ${block}`);
      const sinceMs = server.cpuMs;
      const sent = await sendBlock(
        server,
        numbers.map((number) => samples[number] as LabelledSample),
        { arrivalRps, rng },
      );
      blocksMs.push((server.cpuMs - sinceMs) / BLOCK);
      for (const [i, answer] of sent.entries()) answers[numbers[i] as number]?.push(answer);
    }
  }
  const after = await Promise.all(turns.map(({ server }) => server.edges()));
  const scoreOf = ({ answers }: Turn, numbers: readonly number[]): number =>
    score(
      numbers.flatMap((number) =>
        (answers[number] ?? []).flatMap(({ outputs }): AnsweredSample[] =>
          outputs === undefined ? [] : [{ outputs, label: samples[number]?.label }],
        ),
      ),
    );
  const [first, second] = turns as [Turn, Turn];
  const sides = turns.map((turn, i): ServedSide => {
    const answers = turn.answers.flat();
    return {
      server: turn.server,
      accuracy: intervalOver(order, (numbers) => scoreOf(turn, numbers)),
      cpuMs: intervalOver(turn.blocksMs, mean),
      latenciesMs: answers.map(({ latencyMs }) => latencyMs).sort((a, b) => a - b),
      failed: answers.filter(({ outputs }) => outputs === undefined).length,
      shares: sharesOf(specOfPlan(turn.server.spec, turn.server.stages), before[i] ?? [], after[i] ?? []),
    };
  });
  const blocks = first.blocksMs.map((ms, i): readonly [number, number] => [ms, second.blocksMs[i] as number]);
  return {
    plain: sides[0] as ServedSide,
    cascade: sides[1] as ServedSide,
    samples: samples.length,
    requests: first.answers.flat().length,
    accuracyGain: intervalOver(order, (numbers) => scoreOf(second, numbers) - scoreOf(first, numbers)),
    cpuRatio: intervalOver(blocks, (drawn) => mean(drawn.map(([, ms]) => ms)) / mean(drawn.map(([ms]) => ms))),
  };
}

async function sendBlock(
  server: PlanServer,
  samples: readonly LabelledSample[],
  { arrivalRps, rng }: { readonly arrivalRps: number; readonly rng: Rng },
): Promise<readonly Answer[]> {
  let dueMs = performance.now();
  const sent: Promise<Answer>[] = [];
  for (const { inputs } of samples) {
    dueMs += (1000 * drawExponential(rng)) / arrivalRps;
    await sleep(Math.max(0, dueMs - performance.now()));
    sent.push(server.ask(inputs, dueMs));
  }
  return Promise.all(sent);
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Bootstrap interval (percentiles) of a figure of `all`. */
function intervalOver<T>(all: readonly T[], figureOf: (drawn: readonly T[]) => number): Interval {
  const positions = all.map((_, position) => position);
  const figures = drawResamples(positions, new SeededRng(SEED))
    .map((drawn) => figureOf(drawn.map((position) => all[position] as T)))
    .sort((a, b) => a - b);
  const at = (fraction: number) => figures[Math.round(fraction * (figures.length - 1))] as number;
  return [figureOf(all), at(0.025), at(0.975)];
}

function sharesOf(
  { edges }: PipelineSpec,
  before: readonly EdgeCount[],
  after: readonly EdgeCount[],
): readonly Share[] {
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

async function labelled({ evaluation, baseDir, ...rest }: PipelineSpec) {
  const { module: path, metric, dataPath = '' } = evaluation ?? {};
  const loadSamples = (folder: string) => labelledFiles({ ...rest, baseDir }, folder);
  const module = evaluationModule(
    path === undefined ? { loadSamples } : await importModule(path, baseDir),
    metric && metricScore(metric),
  );
  return { score: module.score, samples: await labelledSamples(module, resolve(baseDir, dataPath)) };
}
