/**
 * Start times of the pods of stages: from the time that a pod has a node until it is ready. The router uses it a second
 * later. A wait for room is no start: it says nothing of the next pod.
 */
import type { PipelineSpec, StartTimes } from '@equipoise/core/model';
import { LABEL_PREFIX, labelValue } from '../cluster/object-names.js';
import { isReady, isStage, type ObservedPod } from '../cluster/observed-objects.js';

interface PodStart {
  readonly stage: string | undefined;
  readonly variant: string | undefined;
  readonly readyMs: number;
  readonly atOnce: number;
}

export class PodStarts {
  #counted: ReadonlySet<string> = new Set();
  #ended: PodStart[] = [];

  /** Counts the pods that became ready since the last look, at the first look all that are ready. */
  note(pods: readonly ObservedPod[]): void {
    const counted = new Set<string>();
    for (const pod of pods) {
      const { uid } = pod.metadata;
      const readyAtMs = isReady(pod) ? sinceMs(pod, 'Ready') : undefined;
      const isCounted = uid !== undefined && this.#counted.has(uid);
      if (uid === undefined || (readyAtMs === undefined && !isCounted)) continue;
      counted.add(uid);
      if (!isCounted && readyAtMs !== undefined) this.#count(pod, readyAtMs, pods);
    }
    this.#counted = counted;
  }

  /** Starts since the last call. */
  take({ stages }: Pick<PipelineSpec, 'stages'>): readonly StartTimes[] {
    const ended = this.#ended;
    this.#ended = [];
    return ended.flatMap(({ stage, variant, readyMs, atOnce }) => {
      const of = stages.find(({ id }) => labelValue(id) === stage);
      const variantId = of?.variants.find(({ id }) => labelValue(id) === variant)?.id;
      if (of === undefined || variantId === undefined) return [];
      return [{ stageId: of.id, variantId, startMs: [readyMs], atOnce }];
    });
  }

  #count(pod: ObservedPod, readyAtMs: number, pods: readonly ObservedPod[]): void {
    const readyMs = readyAtMs - (sinceMs(pod, 'PodScheduled') ?? Number.NaN);
    if (!isStage(pod) || !(readyMs >= 0)) return;
    const [stage, variant] = [labelOf(pod, 'stage'), labelOf(pod, 'variant')];
    const starting = pods.filter(
      (other) => !isReady(other) && labelOf(other, 'stage') === stage && labelOf(other, 'variant') === variant,
    );
    this.#ended.push({ stage, variant, readyMs, atOnce: starting.length + 1 });
  }
}

const labelOf = ({ metadata }: ObservedPod, name: string): string | undefined =>
  metadata.labels?.[`${LABEL_PREFIX}/${name}`];

/** Time at which the condition began to hold; undefined if the API server does not say. */
function sinceMs({ status }: ObservedPod, type: string): number | undefined {
  const at = status?.conditions?.find((condition) => condition.type === type)?.lastTransitionTime;
  const epochMs = Date.parse(at ?? '');
  return Number.isNaN(epochMs) ? undefined : epochMs;
}
