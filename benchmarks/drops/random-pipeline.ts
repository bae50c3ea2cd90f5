/**
 * Random pipelines as files: chains, forks with joins, branches and fan-outs of 1 to 5 stages, with random service
 * times, batch sizes, SLOs and rates.
 */
import { type PipelineSpec, type Rng, SeededRng } from '@equipoise/core/model';
import { parsePipelineFile } from '@equipoise/pipeline-file';

export interface RandomPipeline {
  readonly spec: PipelineSpec;
  readonly arrivalRps: number;
}

interface Edge {
  readonly from: string;
  readonly to: string;
  readonly [field: string]: unknown;
}

const between = (rng: Rng, low: number, high: number): number => low + (high - low) * rng.next();
const logBetween = (rng: Rng, low: number, high: number): number => low * (high / low) ** rng.next();
const oneOf = <T>(rng: Rng, values: readonly T[]): T => values[Math.floor(rng.next() * values.length)] as T;

/** Variants from fast to slow: a time for one item, and a gain by batches of 0 to 90 %. */
function variantsOf(rng: Rng) {
  const count = 1 + Math.floor(3 * rng.next());
  const largest = oneOf(rng, [1, 2, 4, 8, 16]);
  const sizes = [1, 2, 4, 8, 16].filter((size) => size <= largest);
  let meanMs = logBetween(rng, 1, 60);
  return Array.from({ length: count }, (_, number) => {
    if (number > 0) meanMs *= between(rng, 1.3, 3);
    const own = between(rng, 0.1, 1);
    const tail = logBetween(rng, 1.05, 2.5);
    const profile = sizes.map((batchSize) => {
      const ofSize = meanMs * (1 - own + own * batchSize);
      return { cpuCores: 1, batchSize, meanMs: ofSize, p99Ms: tail * ofSize };
    });
    const value = 0.5 + 0.15 * number + between(rng, 0, 0.1);
    return { name: `v${number}`, accuracy: { value }, loadMs: 100, profile };
  });
}

function branchOf(probability: number, [a, b, c]: readonly [string, string, string]): readonly Edge[] {
  return [
    { from: a, to: b, when: { condition: 'output.score < 0.5', probability } },
    { from: a, to: c, when: { condition: 'true', probability: 1 - probability } },
    { from: b, to: c },
  ];
}

function edgesOf(rng: Rng, names: readonly string[]): readonly Edge[] {
  const edges: Edge[] = [];
  const kind = oneOf(rng, ['chain', 'fan-out', 'fork', 'branch'] as const);
  const at = Math.floor(rng.next() * Math.max(1, names.length - 2));
  const [a, b, c, d] = names.slice(at, at + 4);
  const special =
    kind === 'fan-out' && a && b && c
      ? [
          { from: a, to: b, fanOut: { expected: Math.round(between(rng, 1, 4)) } },
          { from: b, to: c, join: 'all' },
        ]
      : kind === 'fork' && a && b && c && d
        ? [
            { from: a, to: b },
            { from: a, to: c },
            { from: b, to: d },
            { from: c, to: d },
          ]
        : kind === 'branch' && a && b && c
          ? branchOf(between(rng, 0.1, 0.9), [a, b, c])
          : [];
  const [first, last] = special.length === 0 ? [at, at] : [at, names.indexOf((special.at(-1) as Edge).to)];
  for (let i = 1; i < names.length; i++) {
    if (i > first && i <= last) continue;
    edges.push({ from: names[i - 1] as string, to: names[i] as string });
  }
  return [...edges, ...special];
}

export function randomPipeline(seed: number): RandomPipeline {
  const rng = new SeededRng(seed);
  const names = Array.from({ length: 1 + Math.floor(5 * rng.next()) }, (_, index) => `s${index}`);
  const stages = names.map((name) => ({ name, variants: variantsOf(rng) }));
  const shortestMs = stages.reduce((sum, { variants }) => sum + (variants[0]?.profile[0]?.meanMs ?? 0), 0);
  const latencyMs = Math.ceil(shortestMs * logBetween(rng, 2, 12));
  const document = {
    apiVersion: 'equipoise.dev/v1alpha1',
    kind: 'InferencePipeline',
    metadata: { name: 'random' },
    spec: {
      slo: { latencyMs, percentile: oneOf(rng, [95, 99]) },
      budget: { cpuCores: Math.round(logBetween(rng, 6, 60)) },
      objective: oneOf(rng, ['max-accuracy', 'min-cost'] as const),
      accuracyFloor: 0.05,
      ...{ stages, edges: edgesOf(rng, names) },
    },
  };
  const slowest = Math.max(...stages.map(({ variants }) => variants[0]?.profile.at(-1)?.meanMs ?? 0));
  const arrivalRps = logBetween(rng, 0.3, 12) * (1000 / slowest);
  const parsed = parsePipelineFile(JSON.stringify(document), { fileName: `random-${seed}.json`, baseDir: '.' });
  if (parsed.kind === 'invalid') throw new Error(`random pipeline ${seed}: ${JSON.stringify(parsed.problems)}`);
  return { spec: parsed.spec, arrivalRps };
}
