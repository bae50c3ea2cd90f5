/** Service times: one replica against its peers, and all replicas against the profile. */

import type { ReplicaBlock } from '../../history/replica-blocks.js';
import { normalQuantile } from '../../kernel/normal-quantile.js';
import type { StageId } from '../../model/ids.js';
import { BLOCK_S, type CaseFile } from '../case-file.js';
import type { Suspect } from '../incident-card.js';
import { FALSE_ALARM, type Interval, logChange } from '../statistics.js';
import { type Span, secondsOf, sumIn } from '../symptoms.js';

/** A replica this much slower than its peers counts as slow even if no request suffers. */
const PLAIN_FACTOR = 1.5;
/** Smaller factors are within what a profile promises. */
const LEAST_FACTOR = 1.1;
/** Of a stage that was slow before the harm, too. */
const LEAST_SCORE = Math.log(1.05);
/** Fewer batches say nothing about a replica. */
const FEWEST_BATCHES = 5;
/** Lengths in blocks of the parts of a replica's life that are tested, besides all of it. */
const LENGTHS = [1, 2, 4, 12];
/** A replica hangs before requests miss the SLO. */
const REPLACED_BEFORE_S = 10;
/** Replicas that count as left where all hung, so that the score is finite. */
const LEFT_OF_NONE = 0.5;
/** Least noise of ln(service time), so that equal times do not make every difference certain. */
const LEAST_NOISE = 0.05;

interface SlowReplica {
  readonly replicaId: string;
  /** Start of the part of its life in which it is slowest. */
  readonly sinceEpochMs: number;
  /** ln(service time ÷ that of the peers). */
  readonly slowness: Interval;
}

/** `difference`: mean ln(service time) minus the median of the `peers`, in the same block of time. */
interface Compared {
  readonly replicaId: string;
  readonly fromEpochMs: number;
  readonly measured: number;
  readonly peers: number;
  readonly difference: number;
}

/** Replicas that are slower than their peers (other replicas of the variant) during some part of their life. */
function slowReplicas(blocks: readonly ReplicaBlock[]): readonly SlowReplica[] {
  const together = new Map<string, ReplicaBlock[]>();
  for (const block of blocks) {
    const others = together.get(peersKey(block));
    if (others === undefined) together.set(peersKey(block), [block]);
    else others.push(block);
  }
  const compared = blocks.flatMap((block) => comparedWithPeers(block, together.get(peersKey(block)) ?? []));
  const ids = [...new Set(compared.map(({ replicaId }) => replicaId))];
  const noise = Math.max(LEAST_NOISE, noiseOf(compared) ?? noiseWithin(blocks));
  return ids.flatMap((replicaId) => {
    const own = compared.filter((each) => each.replicaId === replicaId);
    const parts = [own, ...LENGTHS.filter((length) => length < own.length).flatMap((length) => partsOf(own, length))];
    const z = normalQuantile(1 - FALSE_ALARM / (2 * ids.length * parts.length));
    const { part, slowness } = parts
      .map((each) => ({ part: each, slowness: slownessIn(each, noise, z) }))
      .reduce((a, b) => (b.slowness.low > a.slowness.low ? b : a));
    if (slowness.low <= Math.log(LEAST_FACTOR)) return [];
    return [{ replicaId, sinceEpochMs: Math.min(...part.map(({ fromEpochMs }) => fromEpochMs)), slowness }];
  });
}

/**
 * Standard deviation of ln(service time) of a batch, from the differences of all replicas: the median absolute deviation,
 * which one slow replica does not change. Undefined if only pairs are compared: there, one that is slow shifts both.
 */
function noiseOf(compared: readonly Compared[]): number | undefined {
  const among = compared.filter(({ peers }) => peers > 1);
  if (among.length === 0) return undefined;
  return 1.4826 * median(among.map(({ measured, difference }) => Math.abs(difference) * Math.sqrt(measured)));
}

/** The same from the batches of each replica within each block. */
function noiseWithin(blocks: readonly ReplicaBlock[]): number {
  let [squares, degrees] = [0, 0];
  for (const { measured, logSum, logSquares } of blocks) {
    if (measured < 2) continue;
    // The squares are 32-bit floats, so equal times may give a difference below zero.
    squares += Math.max(0, logSquares - logSum ** 2 / measured);
    degrees += measured - 1;
  }
  return degrees === 0 ? Number.POSITIVE_INFINITY : Math.sqrt(squares / degrees);
}

const peersKey = ({ atEpochMs, variantId }: ReplicaBlock): string => `${atEpochMs} ${variantId}`;

/** `together`: blocks of the same variant and time. */
function comparedWithPeers(block: ReplicaBlock, together: readonly ReplicaBlock[]): readonly Compared[] {
  const { replicaId, measured } = block;
  const fromEpochMs = block.atEpochMs - 1000 * BLOCK_S;
  const peers = together.filter((peer) => peer.replicaId !== replicaId && peer.measured > 0);
  if (measured === 0 || peers.length === 0) return [];
  const usual = median(peers.map((peer) => peer.logSum / peer.measured));
  return [{ replicaId, fromEpochMs, measured, peers: peers.length, difference: block.logSum / measured - usual }];
}

const partsOf = <Value>(values: readonly Value[], length: number): readonly (readonly Value[])[] =>
  Array.from({ length: values.length - length + 1 }, (_, from) => values.slice(from, from + length));

function slownessIn(part: readonly Compared[], noise: number, z: number): Interval {
  const measured = part.reduce((sum, each) => sum + each.measured, 0);
  const value = part.reduce((sum, each) => sum + each.measured * each.difference, 0) / measured;
  const half = measured < FEWEST_BATCHES ? Number.POSITIVE_INFINITY : (z * noise) / Math.sqrt(measured);
  return { value, low: value - half, high: value + half };
}

/** Lower median: of two peers, the quicker one is the measure. */
const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[(values.length - 1) >> 1] ?? 0;

/** Suspects at one stage. */
export function serviceSuspects(file: CaseFile, stage: number): readonly Suspect[] {
  const stageId = file.stageIds[stage];
  if (stageId === undefined) return [];
  const blocks = file.replicaBlocks(file.extent, stageId);
  const [slow] = slowReplicas(blocks).toSorted((a, b) => b.slowness.value - a.slowness.value);
  const peers = slow === undefined ? undefined : peersLog(blocks, slow.replicaId);
  const profile = file.isHarmed ? profileSuspects(file, stage, peers) : [];
  // A replica without harm only counts if it is plainly slow.
  const isSlow = slow !== undefined && (file.isHarmed || slow.slowness.low > Math.log(PLAIN_FACTOR));
  return [...(isSlow ? [slowSuspect(stageId, blocks, slow)] : replacedSuspects(file, stage)), ...profile];
}

function slowSuspect(stageId: StageId, blocks: readonly ReplicaBlock[], slow: SlowReplica): Suspect {
  const { replicaId, sinceEpochMs, slowness } = slow;
  const factor = Math.exp(slowness.value);
  return {
    cause: 'slow-replica',
    stageId,
    replicaId,
    sinceEpochMs,
    score: Math.max(Math.log(1 + shareOf(blocks, replicaId) * (factor - 1)), slowness.value / 2),
    summary: `replica ${replicaId} of stage ${stageId} takes ${times(factor)} as long as its peers`,
    evidence: [
      {
        text: `service time of ${replicaId} ÷ that of the other replicas, in the same seconds`,
        measured: factor,
        expected: 1,
        ...exponentials(slowness),
      },
    ],
  };
}

/** `peers`: mean of ln(service ÷ profile) without a slow replica, if there is one. */
function profileSuspects(file: CaseFile, stage: number, peers: number | undefined): readonly Suspect[] {
  const { episode, before, history } = file;
  const pairsOf = (span: Span) =>
    file.pairs(
      span,
      (at) => history.stageFigure(at, stage, 'serviceMs'),
      (at) => history.stageFigure(at, stage, 'expectedMs'),
    );
  // Harm that chance may explain is short; a wrong profile lasts.
  const spans = file.isCertain ? file.harmSpans : [{ from: episode.from, to: file.asked.to }];
  const alpha = file.alpha / file.stageIds.length / spans.length;
  // Without seconds before, a lasting deviation from the profile counts, too.
  const reference = (before && logChange(pairsOf(before), undefined, FALSE_ALARM)?.value) ?? 0;
  const found = spans.flatMap((span) => {
    const all = logChange(pairsOf(span), undefined, alpha);
    return all === undefined
      ? []
      : [{ all, change: logChange(pairsOf(span), before && pairsOf(before), alpha) ?? all }];
  });
  const [plainest] = found.toSorted((a, b) => b.change.low - a.change.low);
  if (plainest === undefined) return [];
  const slowness = peers ?? plainest.all.value;
  const score = slowness - reference;
  if (plainest.change.low > Math.log(LEAST_FACTOR) && score > Math.log(LEAST_FACTOR))
    return [profileSuspect(file, stage, { slowness, all: plainest.all, reference, score })];
  // A stage that was as slow before the harm explains what nothing else does.
  const [slowest] = found.toSorted((a, b) => b.all.low - a.all.low);
  const least = Math.log(file.isCertain ? LEAST_FACTOR : PLAIN_FACTOR);
  if (slowest === undefined || slowest.all.low <= least || slowness <= least) return [];
  return [profileSuspect(file, stage, { slowness, all: slowest.all, reference: 0, score: LEAST_SCORE })];
}

/** Logarithms of factors. `reference`: that of the service times before. */
interface Slowness {
  readonly slowness: number;
  readonly all: Interval;
  readonly reference: number;
  readonly score: number;
}

function profileSuspect(file: CaseFile, stage: number, { slowness, all, reference, score }: Slowness): Suspect {
  const stageId = file.stageIds[stage];
  return {
    cause: 'wrong-profile',
    stageId,
    score,
    summary: `batches of stage ${stageId} take ${times(Math.exp(slowness))} as long as the profile says, in all replicas`,
    evidence: [
      {
        text: `service time of stage ${stageId} ÷ that of the profile`,
        measured: Math.exp(all.value),
        expected: Math.exp(reference),
        ...exponentials(all),
      },
    ],
  };
}

/**
 * Replicas that hung or were slow, and that the server replaced: a batch that never ends is in no service time. Peers
 * that go on, or replacements that are as quick as before, show that the stage as a whole is not to blame.
 */
function replacedSuspects(file: CaseFile, stage: number): readonly Suspect[] {
  const { history, extent } = file;
  const stageId = file.stageIds[stage];
  const span = { from: Math.max(0, extent.from - REPLACED_BEFORE_S), to: extent.to };
  const replaced = sumIn(span, (at) => history.stageFigure(at, stage, 'replacedSlow'));
  const most = Math.max(...secondsOf(span).map((at) => history.stageFigure(at, stage, 'ready')));
  if (replaced === 0 || (replaced >= most && !isQuickAgain(file, stage))) return [];
  const first = secondsOf(span).find((at) => history.stageFigure(at, stage, 'replacedSlow') > 0) ?? extent.from;
  return [
    {
      cause: 'slow-replica',
      stageId,
      sinceEpochMs: file.epochMsOf(first),
      score: Math.log(most / Math.max(LEFT_OF_NONE, most - replaced)),
      summary: `${replaced === 1 ? 'a replica' : `${replaced} replicas`} of stage ${stageId} hung or took several times as long as the peers, and ${replaced === 1 ? 'was' : 'were'} replaced`,
      evidence: [
        {
          text: `replicas of stage ${stageId} that were replaced because they hung or were slow`,
          measured: replaced,
          expected: 0,
        },
        { text: `ready replicas of stage ${stageId}`, measured: most },
      ],
    },
  ];
}

/** After the incident, batches take as long as before it, or as long as the profile says. */
function isQuickAgain({ history, episode, before, asked }: CaseFile, stage: number): boolean {
  const factorIn = (span: Span): number =>
    sumIn(span, (at) => history.stageFigure(at, stage, 'serviceMs')) /
    sumIn(span, (at) => history.stageFigure(at, stage, 'expectedMs'));
  const usual = before === undefined ? 1 : factorIn(before) || 1;
  return factorIn({ from: episode.to, to: asked.to }) < LEAST_FACTOR * usual;
}

/** Mean of ln(service ÷ profile) of the other replicas. */
function peersLog(blocks: readonly ReplicaBlock[], replicaId: string): number {
  const others = blocks.filter((block) => block.replicaId !== replicaId);
  const measured = others.reduce((sum, block) => sum + block.measured, 0);
  return measured === 0 ? 0 : others.reduce((sum, block) => sum + block.logSum, 0) / measured;
}

function shareOf(blocks: readonly ReplicaBlock[], replicaId: string): number {
  const items = (of: readonly ReplicaBlock[]) => of.reduce((sum, block) => sum + block.items, 0);
  return items(blocks.filter((block) => block.replicaId === replicaId)) / Math.max(1, items(blocks));
}

const exponentials = ({ low, high }: Interval) => ({ low: Math.exp(low), high: Math.exp(high) });

export const times = (factor: number): string => `${factor.toPrecision(2)} ×`;
