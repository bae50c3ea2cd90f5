/**
 * Which stages a request visits, with what probability: one scenario per outcome of the `when` edges. Of the `when` edges that leave a stage
 * at most one is taken, independently of those of other stages; every other edge is always taken, and a stage is visited when an edge
 * into it is; behind a join it is whenever the fan-out was entered. Outcomes that visit the same stages are one scenario.
 */
import { AppError } from '../model/app-error.js';
import type { StageId } from '../model/ids.js';
import type { EdgeSpec, PipelineSpec } from '../model/pipeline-spec.js';
import { groupOpeners } from './group-openers.js';
import { topologicalOrder } from './stage-order.js';

/** Stages visited together with this probability (0…1); the probabilities of all scenarios sum to 1. */
export interface VisitScenario {
  readonly probability: number;
  readonly visited: ReadonlySet<StageId>;
}

interface Outcome {
  readonly probability: number;
  /** The `when` edges taken. */
  readonly taken: ReadonlySet<EdgeSpec>;
}

const MOST_OUTCOMES = 4096;
const ROUNDING = 1e-9;

function branchesOf(spec: PipelineSpec, from: StageId): readonly EdgeSpec[] {
  const branches = spec.edges.filter((edge) => edge.from === from && edge.when !== undefined);
  const total = branches.reduce((sum, edge) => sum + (edge.when?.probability ?? 0), 0);
  const impossible = branches.some(({ when }) => !((when?.probability ?? -1) >= 0));
  if (impossible || total > 1 + ROUNDING) {
    const found = branches.map(({ when }) => when?.probability).join(', ');
    throw new AppError(
      'INVALID_PIPELINE',
      `The probabilities of the \`when\` edges that leave stage ${from} must be at least 0 and sum to at most 1, found ${found}.`,
    );
  }
  return branches;
}

function outcomesAt(spec: PipelineSpec, from: StageId): readonly Outcome[] {
  const branches = branchesOf(spec, from);
  const none = 1 - branches.reduce((sum, edge) => sum + (edge.when?.probability ?? 0), 0);
  const taken = branches.map((edge) => ({ probability: edge.when?.probability ?? 0, taken: new Set([edge]) }));
  const outcomes = [...taken, { probability: none, taken: new Set<EdgeSpec>() }];
  return outcomes.filter(({ probability }) => probability > ROUNDING);
}

function outcomesOf(spec: PipelineSpec): readonly Outcome[] {
  let outcomes: readonly Outcome[] = [{ probability: 1, taken: new Set() }];
  for (const { id } of spec.stages) {
    const here = outcomesAt(spec, id);
    outcomes = outcomes.flatMap((before) =>
      here.map(({ probability, taken }) => ({
        probability: before.probability * probability,
        taken: new Set([...before.taken, ...taken]),
      })),
    );
    if (outcomes.length > MOST_OUTCOMES)
      throw new AppError('INVALID_PIPELINE', `The \`when\` edges have more than ${MOST_OUTCOMES} outcomes; use fewer.`);
  }
  return outcomes;
}

function visitedIn(
  spec: PipelineSpec,
  { taken }: Outcome,
  openers: ReturnType<typeof groupOpeners>,
): ReadonlySet<StageId> {
  const visited = new Set<StageId>();
  for (const id of topologicalOrder(spec)) {
    const inEdges = spec.edges.filter((edge) => edge.to === id);
    const reached = inEdges.some((edge) => {
      const way = openers.get(edge) ?? edge;
      return visited.has(way.from) && (way.when === undefined || taken.has(way));
    });
    if (reached || inEdges.length === 0) visited.add(id);
  }
  return visited;
}

/** All scenarios; a single one without `when`. Throws AppError INVALID_PIPELINE for impossible probabilities. */
export function visitScenarios(spec: PipelineSpec): readonly VisitScenario[] {
  if (spec.edges.every((edge) => edge.when === undefined))
    return [{ probability: 1, visited: new Set(spec.stages.map((stage) => stage.id)) }];
  const scenarios = new Map<string, VisitScenario>();
  const openers = groupOpeners(spec);
  for (const outcome of outcomesOf(spec)) {
    const visited = visitedIn(spec, outcome, openers);
    const key = [...visited].join(' ');
    const probability = outcome.probability + (scenarios.get(key)?.probability ?? 0);
    scenarios.set(key, { probability, visited });
  }
  return [...scenarios.values()];
}
