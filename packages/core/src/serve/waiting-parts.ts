/** What waits in a request for more to come: the parts of fan-out groups and the inputs of stages with several in-edges. */
import type { CollectedInputs, Collector, FanOutGroup, JoinProgress, Scope } from './request-state.js';
import type { ServingStage } from './serving-graph.js';
import type { SpareRule } from './spare-work.js';

/** What has reached an edge that closes the group. */
export function progressOf<Payload>(group: FanOutGroup<Payload>, edge: number): JoinProgress<Payload> {
  const { joined } = group;
  for (let i = 0; i < joined.length; i++) if (joined[i]?.edge === edge) return joined[i] as JoinProgress<Payload>;
  const progress: JoinProgress<Payload> = { edge, arrived: 0, settled: 0, closed: false, parts: [] };
  joined.push(progress);
  return progress;
}

/** What has come for a stage with several in-edges in one part of a request. */
export function collectedOf<Payload>(collector: Collector<Payload>, stage: ServingStage): CollectedInputs<Payload> {
  const known = findCollected(collector.collected, stage.index);
  if (known !== undefined) return known;
  const collected = { stage: stage.index, missing: stage.inputs, arrived: 0, closed: false, parts: [] };
  if (collector.collected === undefined) collector.collected = [collected];
  else collector.collected.push(collected);
  return collected;
}

function findCollected<Payload>(list: Collector<Payload>['collected'], stage: number) {
  if (list !== undefined) for (let i = 0; i < list.length; i++) if (list[i]?.stage === stage) return list[i];
  return undefined;
}

/** Whether a join has gone on for the part of the request that an item in `scope` belongs to. */
export function hasGoneOn<Payload>(
  { join, levels }: SpareRule,
  request: Collector<Payload>,
  scope: Scope<Payload> | undefined,
): boolean {
  let around = scope;
  for (let i = 0; i < levels; i++) around = around?.group.parent;
  if (join.closing === undefined) return findCollected((around ?? request).collected, join.stage)?.closed === true;
  return around?.group.joined.some(({ edge, closed }) => edge === join.closing && closed) === true;
}

/** The parts that came, in their order; `filter` passes over holes. */
export function withoutHoles<Payload>(parts: readonly Payload[]): Payload[] {
  return parts.filter(() => true);
}
