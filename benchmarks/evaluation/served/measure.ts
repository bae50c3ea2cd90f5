/**
 * Measures two servers in turns, block by block, so that both see the same machine. A block has Poisson arrivals at the
 * planned rate, and ends when all its answers are there. Each pass sends the samples in the same blocks.
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
import type { ServedCase } from './cases.js';
import type { Answer, PlanServer } from './plan-server.js';

const SEED = 1;
const BLOCK = 10;
const WARM_UP = 40;

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
  readonly combined: ServedSide;
  readonly samples: number;
  readonly requests: number;
  /** Of the combined one, minus that of the other. Intervals are of pairs with the same samples. */
  readonly accuracyGain: Interval;
  /** Of the combined one, divided by that of the other. */
  readonly cpuRatio: Interval;
}

interface Turn {
  readonly server: PlanServer;
  /** By sample. */
  readonly answers: Answer[][];
  /** CPU time of each block, the mean of all passes, and its requests per pass. */
  readonly blocks: BlockTime[];
}

interface BlockTime {
  readonly cpuMs: number;
  readonly requests: number;
}

export async function measurePair(
  plain: PlanServer,
  combined: PlanServer,
  { arrivalRps, passes, data }: Pick<ServedCase, 'arrivalRps' | 'passes' | 'data'>,
): Promise<ServedPair> {
  const { score, samples } = await labelled(plain.spec, data);
  const turns = [plain, combined].map((server): Turn => ({ server, answers: samples.map(() => []), blocks: [] }));
  for (const { server } of turns)
    await sendBlock(server, samples.slice(0, WARM_UP), { arrivalRps, rng: new SeededRng(SEED) });
  const before = await Promise.all(turns.map(({ server }) => server.edges()));
  const order = samples.map((_, number) => number);
  for (let pass = 0; pass < passes; pass++) await sendPass(turns, samples, { arrivalRps, passes, pass });
  const after = await Promise.all(turns.map(({ server }) => server.edges()));
  // A failed request answers nothing: without it, failures on hard samples would raise the accuracy.
  const scoreOf = ({ answers }: Turn, numbers: readonly number[]): number =>
    score(
      numbers.flatMap((number) =>
        (answers[number] ?? []).map(({ outputs = {} }): AnsweredSample => ({ outputs, label: samples[number]?.label })),
      ),
    );
  const [first, second] = turns as [Turn, Turn];
  const sides = turns.map((turn, i): ServedSide => {
    const answers = turn.answers.flat();
    return {
      server: turn.server,
      accuracy: intervalOver(order, (numbers) => scoreOf(turn, numbers)),
      cpuMs: intervalOver(turn.blocks, perRequestMs),
      latenciesMs: answers.map(({ latencyMs }) => latencyMs).sort((a, b) => a - b),
      failed: answers.filter(({ outputs }) => outputs === undefined).length,
      shares: sharesOf(turn.server, before[i] ?? [], after[i] ?? []),
    };
  });
  const pairs = first.blocks.map((block, i): readonly [BlockTime, BlockTime] => [block, second.blocks[i] as BlockTime]);
  return {
    plain: sides[0] as ServedSide,
    combined: sides[1] as ServedSide,
    samples: samples.length,
    requests: first.answers.flat().length,
    accuracyGain: intervalOver(order, (numbers) => scoreOf(second, numbers) - scoreOf(first, numbers)),
    cpuRatio: intervalOver(
      pairs,
      (drawn) => perRequestMs(drawn.map(([, block]) => block)) / perRequestMs(drawn.map(([block]) => block)),
    ),
  };
}

/** All samples once to both servers, block by block. */
async function sendPass(
  turns: readonly Turn[],
  samples: readonly LabelledSample[],
  { arrivalRps, passes, pass }: { readonly arrivalRps: number; readonly passes: number; readonly pass: number },
): Promise<void> {
  for (let first = 0; first < samples.length; first += BLOCK) {
    const block = first / BLOCK;
    const chosen = samples.slice(first, first + BLOCK);
    for (const { server, answers, blocks } of (pass + block) % 2 === 0 ? turns : turns.toReversed()) {
      const rng = new SeededRng(SEED).fork(`pass ${pass}, block ${block}`);
      const sinceMs = server.cpuMs;
      const sent = await sendBlock(server, chosen, { arrivalRps, rng });
      const before = blocks[block]?.cpuMs ?? 0;
      blocks[block] = { cpuMs: before + (server.cpuMs - sinceMs) / passes, requests: chosen.length };
      for (const [i, answer] of sent.entries()) answers[first + i]?.push(answer);
    }
  }
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

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

const perRequestMs = (blocks: readonly BlockTime[]): number =>
  sum(blocks.map(({ cpuMs }) => cpuMs)) / sum(blocks.map(({ requests }) => requests));

/** Bootstrap interval (percentiles) of a figure of `all`. */
function intervalOver<T>(all: readonly T[], figureOf: (drawn: readonly T[]) => number): Interval {
  const positions = all.map((_, position) => position);
  const figures = drawResamples(positions, new SeededRng(SEED))
    .map((drawn) => figureOf(drawn.map((position) => all[position] as T)))
    .sort((a, b) => a - b);
  const at = (fraction: number) => figures[Math.round(fraction * (figures.length - 1))] as number;
  return [figureOf(all), at(0.025), at(0.975)];
}

/** The server counts all edges of the file, also those that the plan omits. */
function sharesOf(
  { spec, stages }: Pick<PlanServer, 'spec' | 'stages'>,
  before: readonly EdgeCount[],
  after: readonly EdgeCount[],
): readonly Share[] {
  return specOfPlan(spec, stages).edges.flatMap(({ from, to, when, fanOut }) => {
    const counted = spec.edges.findIndex((edge) => edge.from === from && edge.to === to);
    const [a, b] = [before[counted], after[counted]];
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

async function labelled({ evaluation, baseDir, ...rest }: PipelineSpec, data: string | undefined) {
  const { module: path, metric, dataPath = '' } = evaluation ?? {};
  const loadSamples = (folder: string) => labelledFiles({ ...rest, baseDir }, folder);
  const module = evaluationModule(
    path === undefined ? { loadSamples } : await importModule(path, baseDir),
    metric && metricScore(metric),
  );
  return { score: module.score, samples: await labelledSamples(module, data ?? resolve(baseDir, dataPath)) };
}
