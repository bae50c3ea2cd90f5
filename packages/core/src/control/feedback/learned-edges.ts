/**
 * Fan-outs and branches as traffic has taught them. A value is in force until the estimate leaves it by more than a tenth and by more than
 * four standard errors, and moves in steps, so that noise neither makes new plans nor new verdicts; where the estimate comes back to what
 * the pipeline file says, that counts again. The branches that leave a stage are learned together, for each output takes but one of them.
 */
import type { EdgeCount, LearnedEdge } from '../../model/decision.js';
import type { EdgeSpec, PipelineSpec } from '../../model/pipeline-spec.js';
import {
  type EdgeEstimate,
  type EdgeMemory,
  itemsEstimate,
  nothingCounted,
  shareEstimate,
  withCounts,
} from './edge-feedback.js';

/** What traffic has said of the edges so far; plain data. */
export interface EdgeState {
  /** In the order of the pipeline's edges. */
  readonly memories: readonly EdgeMemory[];
  /** What plans rest on. */
  readonly inForce: readonly LearnedEdge[];
}

/** How far an estimate may lie from the value in force, as a fraction of it and absolutely. */
const TOLERANCE_FRACTION = 0.1;
const TOLERANCE = { 'fan-out': 0.02, branch: 0.01 } as const;
/** The same in standard errors. */
const TOLERANCE_ERRORS = 4;
/** Learned fan-outs are powers of it times what the pipeline file says. */
const STEP = 1.05;
/** Learned shares have so many digits that count. */
const DIGITS = 2;
/** So near to the pipeline file it is right: half of the tolerance. */
const AGREES = 0.5;

/** The state with what was counted since the tick before; what is in force follows where a plan is due. */
export function observeEdgeCounts(
  { edges }: Pick<PipelineSpec, 'edges'>,
  before: EdgeState,
  { counts, atMs, due }: { readonly counts: readonly EdgeCount[]; readonly atMs: number; readonly due: boolean },
): EdgeState {
  const memories = edges.map(({ fanOut, when }, edge) => {
    const memory = before.memories[edge] ?? nothingCounted;
    const fresh = counts[edge];
    return fresh === undefined || (fanOut === undefined && when === undefined)
      ? memory
      : withCounts(memory, fresh, atMs);
  });
  return { memories, inForce: due ? learnedEdges({ edges }, { memories, inForce: before.inForce }) : before.inForce };
}

/** What of the state goes on in another process, whose clock is another: the block that is being filled begins anew. */
export function keptEdges({ memories, inForce }: EdgeState): EdgeState {
  return { memories: memories.map(({ blocks }) => ({ ...nothingCounted, blocks })), inForce };
}

/** What is in force from now on. */
function learnedEdges(
  { edges }: Pick<PipelineSpec, 'edges'>,
  { memories, inForce }: EdgeState,
): readonly LearnedEdge[] {
  const standings = edges.flatMap((spec, edge) => {
    const memory = memories[edge] ?? nothingCounted;
    return [fanOutStanding(spec, edge, memory), branchStanding(spec, edge, memory)].flatMap((found) =>
      found === undefined ? [] : [{ ...found, present: presentOf(inForce, found.of) }],
    );
  });
  return standings.flatMap(({ of, estimate, present }) => {
    const together = of.kind === 'fan-out' ? [{ of, estimate, present }] : standings.filter(isBranchOf(of));
    const moves = together.some((each) => hasLeft(each.estimate, each.present?.value ?? each.of.stated, each.of.kind));
    if (!moves || estimate === undefined) return present === undefined ? [] : [present];
    if (together.every((each) => agrees(each.estimate, each.of))) return [];
    const { standardError, outputs } = estimate;
    return [{ ...of, value: stepped(estimate.value, of), standardError, outputs }];
  });
}

/** The pipeline with what was learned in place of what its file says. */
export function learnedSpec(spec: PipelineSpec, inForce: readonly LearnedEdge[]): PipelineSpec {
  if (inForce.length === 0) return spec;
  const edges = spec.edges.map((each, edge): EdgeSpec => {
    const items = learnedValue(inForce, edge, 'fan-out');
    const share = learnedValue(inForce, edge, 'branch');
    return {
      ...each,
      ...(each.fanOut && items !== undefined && { fanOut: stretched(each.fanOut, items) }),
      ...(each.when && share !== undefined && { when: { ...each.when, probability: share } }),
    };
  });
  return { ...spec, edges: edges.map((each) => withinOne(each, edges)) };
}

type FanOut = NonNullable<EdgeSpec['fanOut']>;

type Subject = Pick<LearnedEdge, 'edge' | 'from' | 'to' | 'kind' | 'stated'>;

interface Standing {
  readonly of: Subject;
  readonly estimate: EdgeEstimate | undefined;
}

function fanOutStanding({ from, to, fanOut }: EdgeSpec, edge: number, memory: EdgeMemory): Standing | undefined {
  if (fanOut === undefined) return undefined;
  const stated = fanOut.expected;
  return { of: { edge, from, to, kind: 'fan-out', stated }, estimate: itemsEstimate(memory, stated) };
}

function branchStanding({ from, to, when }: EdgeSpec, edge: number, memory: EdgeMemory): Standing | undefined {
  if (when === undefined) return undefined;
  const stated = when.probability;
  return { of: { edge, from, to, kind: 'branch', stated }, estimate: shareEstimate(memory, stated) };
}

const isBranchOf =
  ({ from }: Subject) =>
  ({ of }: Standing): boolean =>
    of.kind === 'branch' && of.from === from;

function presentOf(inForce: readonly LearnedEdge[], { edge, kind }: Subject): LearnedEdge | undefined {
  return inForce.find((each) => each.edge === edge && each.kind === kind);
}

const learnedValue = (inForce: readonly LearnedEdge[], edge: number, kind: LearnedEdge['kind']): number | undefined =>
  inForce.find((each) => each.edge === edge && each.kind === kind)?.value;

function hasLeft(estimate: EdgeEstimate | undefined, value: number, kind: LearnedEdge['kind']): boolean {
  if (estimate === undefined) return false;
  const allowed = Math.max(toleranceAt(value, kind), TOLERANCE_ERRORS * estimate.standardError);
  return Math.abs(estimate.value - value) > allowed;
}

function agrees(estimate: EdgeEstimate | undefined, { stated, kind }: Subject): boolean {
  return estimate === undefined || Math.abs(estimate.value - stated) <= AGREES * toleranceAt(stated, kind);
}

const toleranceAt = (value: number, kind: LearnedEdge['kind']): number =>
  Math.max(TOLERANCE_FRACTION * value, TOLERANCE[kind]);

function stepped(value: number, { kind, stated }: Subject): number {
  if (kind === 'branch') return Number(value.toPrecision(DIGITS));
  const factor = Math.max(value, TOLERANCE['fan-out']) / stated;
  return stated * STEP ** Math.round(Math.log(factor) / Math.log(STEP));
}

/** A fan-out with another mean. A distribution keeps its shape: what gave k items gives k times as many as the mean has grown, rounded up or down by chance. */
function stretched({ expected, distribution }: FanOut, mean: number): FanOut {
  if (distribution === undefined) return { expected: mean };
  const factor = mean / expected;
  const fractions = new Array<number>(Math.ceil((distribution.length - 1) * factor) + 1).fill(0);
  for (const [items, fraction] of distribution.entries()) {
    const lower = Math.floor(items * factor);
    const above = items * factor - lower;
    fractions[lower] = (fractions[lower] ?? 0) + fraction * (1 - above);
    if (above > 0) fractions[lower + 1] = (fractions[lower + 1] ?? 0) + fraction * above;
  }
  return { expected: mean, distribution: fractions };
}

/** Shares are rounded one by one: together they are no more than all. */
function withinOne(edge: EdgeSpec, edges: readonly EdgeSpec[]): EdgeSpec {
  const { when, from } = edge;
  if (when === undefined) return edge;
  const sum = edges.reduce((shares, each) => shares + (each.from === from ? (each.when?.probability ?? 0) : 0), 0);
  return sum <= 1 ? edge : { ...edge, when: { ...when, probability: when.probability / sum } };
}
