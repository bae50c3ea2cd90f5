/** Random graphs: outputs follow from the structure, every request ends once, and no state remains. */
import { expect, it } from 'vitest';
import { type Rng, SeededRng } from '../kernel/rng.js';
import type { EdgeSpec, PipelineSpec } from '../model/pipeline-spec.js';
import { type Choices, type RandomGraph, randomGraph } from './random-graph.test-support.js';
import { type WalkResult, type WalkScript, walkThrough } from './walk-bench.test-support.js';

const GRAPHS = 200;
/** Usually takes seconds; a busy machine needs more. */
const PATIENCE = { timeout: 120_000 };

/** Whole number below `below` that depends on `text` only. */
function drawn(text: string, below: number): number {
  return Math.floor(new SeededRng(7).fork(text).next() * below);
}

function perStage({ spec }: RandomGraph, draw: () => number): Record<string, number> {
  return Object.fromEntries(spec.stages.map(({ id }) => [id, draw()]));
}

function expectNothingLeft(
  { scheduler, endsPerRequest }: WalkResult,
  { spec }: Pick<RandomGraph, 'spec'>,
  requests: number,
): void {
  expect(endsPerRequest).toEqual(new Array(requests).fill(1));
  expect(scheduler.inFlight).toBe(0);
  expect(spec.stages.map((_, stage) => scheduler.queueLength(stage))).toEqual(spec.stages.map(() => 0));
}

/** Most stages where plain edges meet can do without some of them. Most of these combine. */
function withLenientMeetings(spec: PipelineSpec, rng: Rng): PipelineSpec {
  const isPlain = ({ when, fanOut, join }: EdgeSpec) => (when ?? fanOut ?? join) === undefined;
  const meetings = spec.stages.filter(({ id }) => {
    const into = spec.edges.filter(({ to }) => to === id);
    return into.length > 1 && into.every(isPlain) && rng.next() < 0.7;
  });
  const combines = meetings.filter(
    ({ id }) => spec.edges.every((edge) => edge.from !== id || isPlain(edge)) && rng.next() < 0.7,
  );
  return {
    ...spec,
    stages: spec.stages.filter((stage) => !combines.includes(stage)),
    combines: combines.map(({ id }) => ({ id, method: 'vote', tensor: 'label', output: 'label' })),
    edges: spec.edges.map(
      (edge): EdgeSpec => (meetings.some(({ id }) => id === edge.to) ? { ...edge, onMissing: 'partial' } : edge),
    ),
  };
}

function sizeOf(rng: Rng): number {
  return 2 + Math.floor(rng.next() * 9);
}

it('gives the outputs that the structure says, whatever the order of events', PATIENCE, () => {
  const choices: Choices = {
    takes: (edge, output) => drawn(`${edge} ${output}`, 10) < 6,
    items: (output) => drawn(output, 4),
  };
  for (let seed = 1; seed <= GRAPHS; seed++) {
    const rng = new SeededRng(seed);
    const graph = randomGraph(rng, sizeOf(rng), false);
    const serviceMs = perStage(graph, () => 1 + Math.floor(rng.next() * 9));
    const result = walkThrough(graph.spec, { ...choices, serviceMs }, 3, 2);
    const expected = ['x', 'y', 'z'].map((name) =>
      graph
        .expected(name, choices)
        .map((output) => output ?? '-')
        .join(' '),
    );
    expect(result.ends.map((end) => end.replace(/^\S+ /, ''))).toEqual(expected);
    expectNothingLeft(result, graph, 3);
  }
});

it('leaves out, with early joins, exactly what no way leads to', PATIENCE, () => {
  const choices: Choices = {
    takes: (edge, output) => drawn(`${edge} ${requestOf(output)}`, 10) < 6,
    items: (output) => 1 + drawn(requestOf(output), 3),
  };
  for (let seed = 1; seed <= GRAPHS; seed++) {
    const rng = new SeededRng(seed);
    const graph = randomGraph(rng, sizeOf(rng), true);
    const serviceMs = perStage(graph, () => 1 + Math.floor(rng.next() * 9));
    const result = walkThrough(graph.spec, { ...choices, serviceMs }, 3, 2);
    const isThere = result.ends.map((end) => outputsOf(end).map((output) => output !== '-'));
    expect(isThere).toEqual(
      ['x', 'y', 'z'].map((name) => graph.expected(name, choices).map((output) => output !== undefined)),
    );
    expectNothingLeft(result, graph, 3);
  }
});

it('ends every request once under failures, short queues and deadlines', PATIENCE, () => {
  let [completed, others] = [0, 0];
  for (let seed = 1; seed <= GRAPHS; seed++) {
    const rng = new SeededRng(seed);
    const graph = randomGraph(rng, sizeOf(rng), true);
    const spec = withLenientMeetings(graph.spec, rng);
    const script: WalkScript = {
      takes: (edge, output) => drawn(`${edge} ${output}`, 10) < 6,
      items: (output) => drawn(output, 4),
      fails: (input, stage) => drawn(`${stage} ${input}`, 12) === 0,
      serviceMs: perStage(graph, () => 1 + Math.floor(rng.next() * 40)),
      expectedMs: perStage(graph, () => Math.floor(rng.next() * 40)),
      replicas: perStage(graph, () => 1 + Math.floor(rng.next() * 2)),
      maxQueueLength: 4,
    };
    const result = walkThrough({ ...spec, slo: { latencyMs: 150, percentile: 99 } }, script, 3, 2);
    expectNothingLeft(result, { spec }, 3);
    const done = result.ends.filter((end) => !/failed|queue-full|deadline/.test(end)).length;
    completed += done;
    others += result.ends.length - done;
  }
  expect(completed).toBeGreaterThan(100);
  expect(others).toBeGreaterThan(100);
});

const requestOf = (payload: string): string => payload.replace(/^[[{| ]+/, '').slice(0, 1);

/** Outputs of an end. Brackets enclose outputs that hold several items. */
function outputsOf(end: string): readonly string[] {
  const outputs: string[] = [];
  let depth = 0;
  for (const piece of end.split(' ').slice(1)) {
    if (depth > 0) outputs.push(`${outputs.pop()} ${piece}`);
    else outputs.push(piece);
    depth += piece.split('[').length - piece.split(']').length;
  }
  return outputs;
}
