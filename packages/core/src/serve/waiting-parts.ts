/**
 * What waits in a request for more to come: the items of a fan-out group at an edge that closes it, and the inputs of a stage with
 * several in-edges. Of `total` parts some arrive, some are skipped (they will never come and are not missed), some are lost (they were
 * dropped or failed, and are missed), some are missing (lost, too, but done without). It goes on with the smaller of `awaited` and what
 * was neither skipped nor is missing.
 */
import type { ServingEdge, ServingStage } from './serving-graph.js';
import type { SpareRule } from './spare-work.js';

/** Parts at their places, with holes for what did not come. */
export interface WaitingParts<Payload> {
  /** Index of the stage that waits, or of the closing edge. */
  readonly key: number;
  readonly total: number;
  /** Infinity for all that come. */
  readonly awaited: number;
  arrived: number;
  skipped: number;
  lost: number;
  missing: number;
  /** Set once it has gone on, or cannot; what comes later is ignored. */
  closed: boolean;
  parts: Payload[];
}

/** A part of a request (the whole, or a member of a fan-out group): collects inputs by stage; the list is made when first needed. */
export interface Collector<Payload> {
  collected: WaitingParts<Payload>[] | undefined;
}

/** The items that one fan-out made, and what has come back through each edge that closes it. */
export interface FanOutGroup<Payload> {
  readonly parent: Scope<Payload> | undefined;
  readonly size: number;
  readonly joined: WaitingParts<Payload>[];
}

/** One member of a fan-out group, or (undefined) the request as a whole. */
export interface Scope<Payload> extends Collector<Payload> {
  readonly group: FanOutGroup<Payload>;
  readonly indexInGroup: number;
}

/** What follows from the parts: `empty` when all were skipped, `lost` when too few can still come. */
export type PartsVerdict = 'wait' | 'go' | 'empty' | 'lost';

/** Decides whether to go on. */
export function verdictOf({ total, awaited, arrived, skipped, lost, missing }: WaitingParts<unknown>): PartsVerdict {
  const possible = total - skipped - missing;
  const required = Math.min(awaited, possible);
  if (arrived >= required) {
    if (possible > 0) return 'go';
    return missing > 0 ? 'lost' : 'empty';
  }
  return possible - lost < required ? 'lost' : 'wait';
}

/** Whether parts may still come that are not waited for. */
export function hasGoneOnEarly({ total, arrived, skipped, lost, missing }: WaitingParts<unknown>): boolean {
  return arrived + skipped + lost + missing < total;
}

/** What has reached an edge that closes the group. */
export function joinedOf<Payload>(group: FanOutGroup<Payload>, edge: ServingEdge): WaitingParts<Payload> {
  const known = find(group.joined, edge.index);
  if (known !== undefined) return known;
  const waiting = waitingParts<Payload>(edge.index, group.size, edge.awaited);
  group.joined.push(waiting);
  return waiting;
}

/** What has come for a stage with several in-edges in one part of a request. */
export function collectedOf<Payload>(collector: Collector<Payload>, stage: ServingStage): WaitingParts<Payload> {
  const known = find(collector.collected, stage.index);
  if (known !== undefined) return known;
  const waiting = waitingParts<Payload>(stage.index, stage.inputs, stage.awaited);
  if (collector.collected === undefined) collector.collected = [waiting];
  else collector.collected.push(waiting);
  return waiting;
}

/** Closes what waited and gives its parts, at their places. */
export function takeParts<Payload>(waiting: WaitingParts<Payload>): readonly Payload[] {
  const { parts } = waiting;
  waiting.closed = true;
  waiting.parts = [];
  return parts;
}

/** The parts that came, in their order; `filter` passes over holes. */
export function withoutHoles<Payload>(parts: readonly Payload[]): readonly Payload[] {
  return parts.filter(() => true);
}

/** Whether a join has gone on for the part of the request that an item in `scope` belongs to. */
export function hasClosed<Payload>(
  { join, levels }: SpareRule,
  request: Collector<Payload>,
  scope: Scope<Payload> | undefined,
): boolean {
  let around = scope;
  for (let i = 0; i < levels; i++) around = around?.group.parent;
  const waiting =
    join.closing === undefined
      ? find((around ?? request).collected, join.stage)
      : find(around?.group.joined, join.closing);
  return waiting?.closed === true;
}

function waitingParts<Payload>(key: number, total: number, awaited: number): WaitingParts<Payload> {
  return { key, total, awaited, arrived: 0, skipped: 0, lost: 0, missing: 0, closed: false, parts: [] };
}

function find<Payload>(list: readonly WaitingParts<Payload>[] | undefined, key: number) {
  if (list !== undefined) for (let i = 0; i < list.length; i++) if (list[i]?.key === key) return list[i];
  return undefined;
}
