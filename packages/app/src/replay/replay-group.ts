/** Decisions that threads replay together: those with the same rules share curves, verdicts and plans. */
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

/** Groups in the order of their first decisions. Each step has all of its input in the log, so any order is right. */
export function replayGroups({ decisions }: Pick<RecordedLog, 'decisions'>): readonly ReplayGroup[] {
  const open = new Map<string, { readonly indices: number[]; readonly records: DecisionRecord[] }>();
  const groups: ReplayGroup[] = [];
  for (const [index, { record }] of decisions.entries()) {
    const key = rulesKey(record);
    let group = open.get(key);
    if (group === undefined || group.records.length === MOST_RECORDS) {
      group = { indices: [], records: [] };
      open.set(key, group);
      groups.push(group);
    }
    group.indices.push(index);
    group.records.push(record);
  }
  return groups;
}

function rulesKey({ setupDigest, input }: DecisionRecord): string {
  const { pins, corrections } = (input ?? {}) as { readonly pins?: unknown; readonly corrections?: unknown };
  return JSON.stringify([setupDigest, pins, corrections]);
}

/** Replays groups one after the other, with the setups of their log. */
export function groupReplayer(setups: RecordedLog['setups']): (group: ReplayGroup) => GroupVerdicts {
  const replay = new LogReplay(setups);
  return ({ records }) => ({ kind: 'replayed', verdicts: records.map((record) => replay.verdictOn(record)) });
}
