/**
 * Visited stages and their probability: one scenario per outcome of the `when` edges and of the parts of sources.
 * A stage takes at most one of its `when` edges. A stage after a join is visited whenever the fan-out is. Scenarios
 * with equal visits merge.
 */
import { AppError } from '../model/app-error.js';
import type { StageId } from '../model/ids.js';
import { type EdgeSpec, nodeIds, type PipelineSpec, type SourceSpec } from '../model/pipeline-spec.js';
import { fanOutOpeners, topologicalOrder } from '../model/stage-order.js';

/** Probabilities of all scenarios sum to 1. */
export interface VisitScenario {
  readonly probability: number;
  readonly visited: ReadonlySet<StageId>;
}

interface Outcome {
  readonly probability: number;
  readonly visited: ReadonlySet<StageId>;
  readonly taken: ReadonlySet<EdgeSpec>;
  readonly missing: ReadonlySet<SourceSpec>;
}

interface BranchChoice {
  readonly probability: number;
  readonly edge?: EdgeSpec;
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

function branchChoices(spec: PipelineSpec, from: StageId): readonly BranchChoice[] {
  const branches = branchesOf(spec, from);
  const none = 1 - branches.reduce((sum, edge) => sum + (edge.when?.probability ?? 0), 0);
  const taken = branches.map((edge) => ({ probability: edge.when?.probability ?? 0, edge }));
  return [...taken, { probability: none }].filter(({ probability }) => probability > ROUNDING);
}

function outcomesOf(spec: PipelineSpec): readonly Outcome[] {
  const openers = fanOutOpeners(spec);
  const ways = new Map(nodeIds(spec).map((id) => [id, branchChoices(spec, id)]));
  let outcomes = sourceOutcomes(spec);
  for (const id of topologicalOrder(spec)) {
    const inEdges = spec.edges.filter((edge) => edge.to === id).map((edge) => openers.get(edge) ?? edge);
    outcomes = outcomes.flatMap((before) =>
      isEntered(spec, id, before) || inEdges.some((edge) => isTaken(edge, before))
        ? visitStage(id, before, ways.get(id) ?? [])
        : [before],
    );
    if (outcomes.length > MOST_OUTCOMES)
      throw new AppError('INVALID_PIPELINE', `The \`when\` edges have more than ${MOST_OUTCOMES} outcomes; use fewer.`);
  }
  return outcomes;
}

/** Combinations of parts that are there or missing, independently of each other. */
function sourceOutcomes({ sources }: PipelineSpec): readonly Outcome[] {
  const all: Outcome = { probability: 1, visited: new Set(), taken: new Set(), missing: new Set() };
  return sources.reduce<readonly Outcome[]>(
    (outcomes, source) => {
      const { share = 1 } = source;
      return outcomes
        .flatMap((outcome) => [
          { ...outcome, probability: outcome.probability * share },
          {
            ...outcome,
            probability: outcome.probability * (1 - share),
            missing: new Set([...outcome.missing, source]),
          },
        ])
        .filter(({ probability }) => probability > 0);
    },
    [all],
  );
}

/** A stage without in-edges is an entry, even if no source names it. */
function isEntered({ sources, edges }: PipelineSpec, id: StageId, { missing }: Outcome): boolean {
  const entering = sources.filter(({ to }) => to.includes(id));
  if (entering.length === 0) return !edges.some(({ to }) => to === id);
  return entering.some((source) => !missing.has(source));
}

const isTaken = (edge: EdgeSpec, { visited, taken }: Outcome): boolean =>
  visited.has(edge.from) && (edge.when === undefined || taken.has(edge));

function visitStage(id: StageId, before: Outcome, ways: readonly BranchChoice[]): readonly Outcome[] {
  const visited = new Set([...before.visited, id]);
  return ways.map(({ probability, edge }) => ({
    probability: before.probability * probability,
    visited,
    taken: edge === undefined ? before.taken : new Set([...before.taken, edge]),
    missing: before.missing,
  }));
}

const known = new WeakMap<PipelineSpec, readonly VisitScenario[]>();

/** Throws AppError INVALID_PIPELINE for impossible probabilities or too many outcomes. */
export function visitScenarios(spec: PipelineSpec): readonly VisitScenario[] {
  const scenarios = known.get(spec) ?? scenariosOf(spec);
  known.set(spec, scenarios);
  return scenarios;
}

function scenariosOf(spec: PipelineSpec): readonly VisitScenario[] {
  const { edges, sources } = spec;
  if (edges.every(({ when }) => when === undefined) && sources.every(({ share }) => share === undefined))
    return [{ probability: 1, visited: new Set(nodeIds(spec)) }];
  const scenarios = new Map<string, VisitScenario>();
  for (const { probability, visited } of outcomesOf(spec)) {
    const key = [...visited].join(' ');
    scenarios.set(key, { probability: probability + (scenarios.get(key)?.probability ?? 0), visited });
  }
  return [...scenarios.values()];
}
