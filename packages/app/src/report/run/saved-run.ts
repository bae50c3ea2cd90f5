/** A run as a file: answers of the admin port, so that a report can be made later and elsewhere. */
import { closeSync, openSync, readSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import type { LatencyBucket } from '@equipoise/core/history';
import { AppError, type DecisionRecord, type Slo } from '@equipoise/core/model';
import { adminAnswers } from '@equipoise/runtime';
import type { RunPoint, RunRecord } from './run-record.js';

/** `decisions`: oldest first. */
export interface SavedRun {
  readonly kind: 'run';
  readonly pipeline: string;
  readonly slo: Pick<Slo, 'latencyMs' | 'percentile'>;
  readonly history: {
    readonly stepMs: number;
    readonly points: readonly RunPoint[];
    readonly latencies: readonly LatencyBucket[];
  };
  readonly decisions: readonly DecisionRecord[];
}

const HEAD = /^\s*\{\s*"kind"\s*:\s*"run"/;
const HEAD_BYTES = 64;
const MOST_BYTES = 128 * 1024 ** 2;
/** The latest time of JavaScript's dates. */
const LATEST_EPOCH_MS = 8.64e15;

/** True for a file that `savedRun` reads; false without such a file. */
export function isSavedRun(path: string): boolean {
  const head = Buffer.alloc(HEAD_BYTES);
  try {
    const file = openSync(path, 'r');
    try {
      return HEAD.test(head.toString('latin1', 0, readSync(file, head, 0, head.length, 0)));
    } finally {
      closeSync(file);
    }
  } catch {
    return false;
  }
}

/** Rejects with AppError FILE_UNREADABLE. */
export async function savedRun(path: string): Promise<SavedRun> {
  const wrong = (why: string, cause?: unknown) =>
    new AppError(
      'FILE_UNREADABLE',
      `${path} is not a saved run: ${why}. Save it again with report --admin URL --save FILE.`,
      {
        details: { path },
        cause,
      },
    );
  if ((await stat(path)).size > MOST_BYTES) throw wrong(`it has more than ${MOST_BYTES / 1024 ** 2} MiB`);
  let value: Partial<Record<keyof SavedRun, unknown>>;
  try {
    value = JSON.parse(await readFile(path, 'utf8')) as typeof value;
  } catch (cause) {
    throw wrong('it is not JSON', cause);
  }
  const { pipeline, slo, history, decisions } = value;
  if (typeof pipeline !== 'string' || !isSlo(slo) || !Array.isArray(decisions))
    throw wrong('it lacks the pipeline, its SLO or its decisions');
  const parsed = adminAnswers.history.safeParse(history);
  if (!parsed.success)
    throw wrong(`history.${parsed.error.issues[0]?.path.join('.')}: ${parsed.error.issues[0]?.message}`);
  const times = [...parsed.data.points, ...(decisions as readonly DecisionRecord[])];
  const wrongTime = times.find(({ atEpochMs }) => !(Math.abs(atEpochMs) <= LATEST_EPOCH_MS));
  for (const [i, decision] of decisions.entries()) {
    const { success, error } = adminAnswers.record.safeParse(decision);
    if (!success) throw wrong(`decisions.${i}.${error.issues[0]?.path.join('.')}: ${error.issues[0]?.message}`);
  }
  if (wrongTime !== undefined) throw wrong(`${wrongTime.atEpochMs} is no time`);
  return { ...(value as SavedRun), history: parsed.data as SavedRun['history'] };
}

function isSlo(value: unknown): value is SavedRun['slo'] {
  const { latencyMs, percentile } = (value ?? {}) as Partial<SavedRun['slo']>;
  return typeof latencyMs === 'number' && typeof percentile === 'number';
}

/** Latencies of a history are those of the percentile 99. */
export const runOfSaved = ({ pipeline, slo, history, decisions }: SavedRun, origin: string): RunRecord => ({
  ...{ pipeline, origin, slo, percentile: 99, points: history.points, latencies: history.latencies, decisions },
});
