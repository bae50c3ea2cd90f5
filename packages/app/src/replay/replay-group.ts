/** Decisions that threads replay together: those with the same rules share curves, verdicts and plans. */
import type { StepInput } from '@equipoise/core/control';
import type { DecisionRecord } from '@equipoise/core/model';
import { LogReplay, type RecordedLog, type ReplayVerdict } from '@equipoise/runtime';

/** `indices`: places of the records in the log. */
export interface ReplayGroup {
  readonly indices: readonly number[];
  readonly records: readonly DecisionRecord[];
}

export interface GroupVerdicts {
  readonly kind: 'replayed';
  readonly verdicts: readonly ReplayVerdict[];
}

/** Larger groups are divided, so that all threads have work until the end. */
const MOST_RECORDS = 16;

/**
 * Groups of decisions with the same rules, for similar rates: these share the most plans and verdicts, and threads share
 * none. Each step has all of its input in the log, so any order is right.
 */
export function replayGroups({ decisions }: Pick<RecordedLog, 'decisions'>): readonly ReplayGroup[] {
  const sameRules = new Map<string, { readonly index: number; readonly record: DecisionRecord }[]>();
  for (const [index, { record }] of decisions.entries()) {
    const key = rulesKey(record);
    const entries = sameRules.get(key) ?? [];
    entries.push({ index, record });
    sameRules.set(key, entries);
  }
  return [...sameRules.values()].flatMap((entries) => {
    entries.sort((a, b) => plannedRps(a.record) - plannedRps(b.record));
    return Array.from({ length: Math.ceil(entries.length / MOST_RECORDS) }, (_, group) => {
      const part = entries.slice(group * MOST_RECORDS, (group + 1) * MOST_RECORDS);
      return { indices: part.map(({ index }) => index), records: part.map(({ record }) => record) };
    });
  });
}

function plannedRps({ decision }: DecisionRecord): number {
  return decision?.evidence.load?.arrivalRps ?? decision?.evidence.forecast.upperRps ?? 0;
}

function rulesKey({ setupDigest, input }: DecisionRecord): string {
  const { pins, corrections, edges } = (input ?? {}) as Partial<StepInput>;
  return JSON.stringify([setupDigest, pins, corrections, edges]);
}

/** Replays groups one after the other, with the setups of their log. */
export function groupReplayer(setups: RecordedLog['setups']): (group: ReplayGroup) => GroupVerdicts {
  const replay = new LogReplay(setups);
  return ({ records }) => ({ kind: 'replayed', verdicts: records.map((record) => replay.verdictOn(record)) });
}
