/**
 * Parts of a request that a join collects: items of a fan-out at a closing edge, or inputs of a stage with several
 * in-edges. Of `total` parts, some arrive. Others are skipped (never come), lost (dropped or failed), or missing (lost,
 * but tolerated). The join needs `awaited` parts.
 */

import type { DiscardRule } from './discardable-work.js';
import type { ServingEdge, ServingStage } from './serving-graph.js';

/** Parts at their positions, with holes. */
export interface WaitingParts<Payload> {
  /** Index of the waiting stage or closing edge. */
  readonly key: number;
  readonly total: number;
  /** Infinity for all parts. */
  readonly awaited: number;
  arrived: number;
  skipped: number;
  lost: number;
  missing: number;
  /** Set once the join has continued or cannot continue. */
  closed: boolean;
  parts: Payload[];
}

/** Part of a request that collects inputs of stages. The list is created on demand. */
export interface Collector<Payload> {
  collected: WaitingParts<Payload>[] | undefined;
}

/** Items of one fan-out, and arrivals at each closing edge. */
export interface FanOutGroup<Payload> {
  readonly parent: Scope<Payload> | undefined;
  readonly size: number;
  readonly joined: WaitingParts<Payload>[];
}

/** One item of a fan-out; undefined stands for the whole request. */
export interface Scope<Payload> extends Collector<Payload> {
  readonly group: FanOutGroup<Payload>;
  readonly indexInGroup: number;
}

/** `empty`: all parts were skipped. `lost`: too few parts can still arrive. */
export type PartsVerdict = 'wait' | 'go' | 'empty' | 'lost';

export function verdictOf({ total, awaited, arrived, skipped, lost, missing }: WaitingParts<unknown>): PartsVerdict {
  const possible = total - skipped - missing;
  const required = Math.min(awaited, possible);
  if (arrived >= required) {
    if (possible > 0) return 'go';
    return missing > 0 ? 'lost' : 'empty';
  }
  return possible - lost < required ? 'lost' : 'wait';
}

/** True if unneeded parts may still arrive. */
export function hasGoneOnEarly({ total, arrived, skipped, lost, missing }: WaitingParts<unknown>): boolean {
  return arrived + skipped + lost + missing < total;
}

export function joinedOf<Payload>(group: FanOutGroup<Payload>, edge: ServingEdge): WaitingParts<Payload> {
  const known = find(group.joined, edge.index);
  if (known !== undefined) return known;
  const waiting = waitingParts<Payload>(edge.index, group.size, edge.awaited);
  group.joined.push(waiting);
  return waiting;
}

/** Inputs of a stage with several in-edges. `awaited`: number of inputs that its join waits for. */
export function collectedOf<Payload>(
  collector: Collector<Payload>,
  stage: ServingStage,
  awaited: number,
): WaitingParts<Payload> {
  const known = find(collector.collected, stage.index);
  if (known !== undefined) return known;
  const waiting = waitingParts<Payload>(stage.index, stage.inputs, awaited);
  if (collector.collected === undefined) collector.collected = [waiting];
  else collector.collected.push(waiting);
  return waiting;
}

/** Closes the join and returns its parts by position. */
export function takeParts<Payload>(waiting: WaitingParts<Payload>): readonly Payload[] {
  const { parts } = waiting;
  waiting.closed = true;
  waiting.parts = [];
  return parts;
}

/** The parts that arrived, in order: `filter` skips holes. */
export function withoutHoles<Payload>(parts: readonly Payload[]): readonly Payload[] {
  return parts.filter(() => true);
}

/** True if a join has continued for the part of the request around `scope`. */
export function hasClosed<Payload>(
  { join, levels }: DiscardRule,
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
