/**
 * Pipelines of ten stages that end in an ensemble: six stages in a chain, three members, a vote and a last stage. One
 * member is asked only if another is not confident. `open` has optional members, three thresholds, and shares that depend
 * on the variant and the threshold; `fixed` is the same pipeline with one choice made for each. With quorums, the vote
 * waits for two or three members, which is a choice, too.
 */
import { type Rng, SeededRng } from '../../packages/core/src/kernel/rng.js';
import type { AccuracyTable } from '../../packages/core/src/model/accuracy-table.js';
import { type StageId, stageId, type VariantId, variantId } from '../../packages/core/src/model/ids.js';
import { OMITTED } from '../../packages/core/src/model/omission.js';
import type { EdgeSpec, PipelineSpec, StageSpec, VariantSpec } from '../../packages/core/src/model/pipeline-spec.js';
import { atQuorum } from '../../packages/core/src/model/quorum.js';
import { atThreshold } from '../../packages/core/src/model/threshold.js';
import { prepareProblem } from '../../packages/core/src/optimize/options/prepared-problem.js';
import { surrogateProblem } from '../../packages/core/src/optimize/options/surrogate.js';
import type { Estimator, PlanningProblem } from '../../packages/core/src/optimize/planning-problem.js';
import { graphLatencyMs } from '../../packages/core/src/optimize/problem/planning-graph.js';
import { costOf } from '../../packages/core/src/optimize/surrogate/objective-value.js';
import { solve } from '../../packages/core/src/optimize/surrogate/solve.js';

export interface ChoiceInstance {
  readonly fixed: PlanningProblem;
  readonly open: PlanningProblem;
}

const CHAIN = ['a', 'b', 'c', 'd', 'e', 'f'].map(stageId);
const [FIRST, DECIDES, ASKED] = ['first', 'decides', 'asked'].map(stageId) as [StageId, StageId, StageId];
const MEMBERS = [FIRST, DECIDES, ASKED];
const LAST = stageId('last');
const VOTE = stageId('vote');
const THRESHOLDS = [0.6, 0.8, 0.95];
const FIXED_THRESHOLD = 0.8;
const QUORUMS = [2, 3];
const FIXED_QUORUM = 2;
/** Gain of a vote that waits for two members, relative to that of all three. */
const GAIN_OF_TWO = 0.85;
const BATCHES = [1, 4, 16];
const ARRIVAL_RPS = 20;

const between = (rng: Rng, low: number, high: number): number => low + (high - low) * rng.next();

function variantOf(index: number, serviceMs: number, rng: Rng): VariantSpec {
  const fixedShare = between(rng, 0.2, 0.7);
  const tail = between(rng, 1.1, 2);
  const timeMs = serviceMs * between(rng, 1.4, 2) ** index;
  return {
    id: variantId(`v${index}`),
    accuracy: { value: 0.7 + 0.08 * index, metric: 'accuracy' },
    cpuCores: [1, 2],
    memoryBytes: 2 ** 28,
    gpus: 0,
    profile: [1, 2].flatMap((cpuCores) =>
      BATCHES.map((batchSize) => {
        const meanMs = (timeMs * (fixedShare + (1 - fixedShare) * batchSize)) / cpuCores ** 0.8;
        return { cpuCores, batchSize, meanMs, p99Ms: meanMs * tail };
      }),
    ),
    parameters: {},
  };
}

function stageOf(id: StageId, variants: number, rng: Rng): StageSpec {
  const serviceMs = between(rng, 2, 25);
  return {
    id,
    kind: 'model',
    variants: Array.from({ length: variants }, (_, index) => variantOf(index, serviceMs, rng)),
    bounds: { minReplicas: 1, maxReplicas: 8, maxBatchWaitMs: 0 },
    pins: {},
  };
}

const VARIANTS = Array.from({ length: 3 }, (_, index) => variantId(`v${index}`));

/** A better variant or a lower threshold escalates less often. */
function escalations(rng: Rng): Readonly<Record<VariantId, number>> {
  const base = between(rng, 0.5, 0.9);
  return Object.fromEntries(
    VARIANTS.flatMap((variant, index) =>
      THRESHOLDS.map((threshold) => [atThreshold(variant, threshold), base * threshold ** 2 * 0.75 ** index]),
    ),
  );
}

type Combinations = AccuracyTable['combinations'];

/** Accuracy of each combination of members. More members, better variants and higher thresholds help, with diminishing returns. */
function combinations(rng: Rng, hasQuorums: boolean): Combinations {
  const choices: readonly (readonly [VariantId, VariantId, VariantId, number])[] = VARIANTS.flatMap((decides) =>
    [OMITTED, ...VARIANTS].flatMap((first) => [
      ...VARIANTS.flatMap((asked) => THRESHOLDS.map((threshold) => [first, decides, asked, threshold] as const)),
      [first, decides, OMITTED, Number.NaN] as const,
    ]),
  );
  const gainOf = (variant: VariantId): number => (variant === OMITTED ? 0 : 1 + VARIANTS.indexOf(variant));
  return choices.flatMap(([first, decides, asked, threshold]) => {
    const gain = gainOf(first) + 1.5 * gainOf(decides) + (asked === OMITTED ? 0 : threshold * gainOf(asked));
    const noise = between(rng, -0.01, 0.01);
    return (hasQuorums ? QUORUMS : [undefined]).map((quorum) => {
      const part = quorum === FIXED_QUORUM ? GAIN_OF_TWO : 1;
      const variants: Readonly<Record<StageId, VariantId>> = {
        [FIRST]: first,
        [DECIDES]: atQuorum(asked === OMITTED ? decides : atThreshold(decides, threshold), quorum),
        [ASKED]: asked,
      };
      return { variants, accuracy: 0.95 - 0.35 * Math.exp((-part * gain) / 4) + noise };
    });
  });
}

function fixedCombinations(all: Combinations, hasQuorums: boolean): Combinations {
  return all.flatMap(({ variants, ...rest }) => {
    const decides = VARIANTS.find(
      (id) => atQuorum(atThreshold(id, FIXED_THRESHOLD), hasQuorums ? FIXED_QUORUM : undefined) === variants[DECIDES],
    );
    if (decides === undefined || variants[FIRST] === OMITTED) return [];
    return [{ ...rest, variants: { ...variants, [DECIDES]: decides } }];
  });
}

function specOf(seed: number, hasQuorums: boolean): { readonly open: PipelineSpec; readonly fixed: PipelineSpec } {
  const rng = new SeededRng(seed).fork('choices');
  const chain = [...CHAIN, LAST].map((id) => stageOf(id, 1, rng));
  const members = MEMBERS.map((id) => stageOf(id, 3, rng));
  const stages = [...chain, ...members];
  const entry = CHAIN.at(-1) as StageId;
  const shares = escalations(rng);
  const probability = Object.values<number>(shares).reduce((sum, share) => sum + share, 0) / 9;
  const edgesOf = (join: Pick<EdgeSpec, 'join'>): readonly EdgeSpec[] => [
    ...CHAIN.slice(1).map((to, i) => ({ from: CHAIN[i] as StageId, to })),
    { from: entry, to: FIRST },
    { from: entry, to: DECIDES },
    ...MEMBERS.map((from) => ({ from, to: VOTE, ...join })),
    { from: VOTE, to: LAST },
  ];
  const openEdges = edgesOf(hasQuorums ? { join: { quorum: FIXED_QUORUM, quorums: QUORUMS } } : {});
  const fixedEdges = edgesOf(hasQuorums ? { join: { quorum: FIXED_QUORUM } } : {});
  const condition = 'output.confidence < threshold';
  const asks = { from: DECIDES, to: ASKED };
  const all = combinations(rng, hasQuorums);
  const base: PipelineSpec = {
    name: 'choices',
    baseDir: '.',
    slo: { latencyMs: 1e9, percentile: 99 },
    budget: {},
    prices: { cpuCorePerHour: 1, memoryGibPerHour: 0, gpuPerHour: 0 },
    objective: { kind: 'max-accuracy' },
    sources: [{ name: 'in', to: [CHAIN[0] as StageId], tensors: [] }],
    stages,
    combines: [{ id: VOTE, method: 'vote', tensor: 'label', output: 'label' }],
    edges: fixedEdges,
    outputs: [{ from: LAST }],
    control: { mode: 'auto', intervalMs: 10_000, minDwellMs: 0 },
    admission: { maxQueueLength: 1000 },
  };
  const optional = new Set<StageId>([FIRST, ASKED]);
  return {
    open: {
      ...base,
      stages: stages.map((stage) => (optional.has(stage.id) ? { ...stage, optional: true } : stage)),
      edges: [...openEdges, { ...asks, when: { condition, thresholds: THRESHOLDS, probability, byVariant: shares } }],
      accuracyTable: { combinations: all },
    },
    fixed: {
      ...base,
      edges: [...fixedEdges, { ...asks, when: { condition: 'output.confidence < 0.8', probability } }],
      accuracyTable: { combinations: fixedCombinations(all, hasQuorums) },
    },
  };
}

/** Both with the same SLO, budget and objective, which bind in the fixed pipeline. */
export function choiceInstance(
  seed: number,
  estimator: Estimator,
  { hasQuorums = false }: { readonly hasQuorums?: boolean } = {},
): ChoiceInstance {
  const specs = specOf(seed, hasQuorums);
  const rng = new SeededRng(seed).fork('limits');
  const plain: PlanningProblem = { spec: specs.fixed, profiles: [], arrivalRps: ARRIVAL_RPS, estimator };
  const prepared = prepareProblem(plain);
  const surrogate = surrogateProblem(prepared, { theta: 0.5, kappa: 1 });
  const best = solve(surrogate).choice ?? [];
  const cheapest = solve({ ...surrogate, objective: { kind: 'min-cost', accuracyFloor: 0 } }).choice ?? [];
  const bestMs = graphLatencyMs(prepared.graph, (s) => best[s]?.latencyMs ?? 0);
  const cheapestMs = graphLatencyMs(prepared.graph, (s) => cheapest[s]?.latencyMs ?? 0);
  const limits = {
    slo: { latencyMs: between(rng, 0.9, 1.4) * Math.max(bestMs, cheapestMs), percentile: 99 },
    ...(rng.next() < 0.5
      ? { objective: { kind: 'min-cost' as const, accuracyFloor: between(rng, 0.7, 0.85) } }
      : {
          budget: {
            cpuCores: Math.ceil(costOf(cheapest) + between(rng, 0.2, 0.8) * (costOf(best) - costOf(cheapest))),
          },
        }),
  };
  const withLimits = (spec: PipelineSpec): PlanningProblem => ({ ...plain, spec: { ...spec, ...limits } });
  return { fixed: withLimits(specs.fixed), open: withLimits(specs.open) };
}
