/** Load generator of a served cell, in its own process. The load is that of the simulator: same seed, same arrivals. */
import { arrivalRng } from '@equipoise/core/control';
import { arrivalsOf, type LoadSpec } from '@equipoise/core/simulate';
import { runLoad } from '@equipoise/runtime';
import { readBodies, type SampleBody } from '../../compose/sample-bodies.js';

export interface ServedLoad {
  readonly url: string;
  /** Sent in turn. */
  readonly bodies: readonly SampleBody[];
  readonly load: LoadSpec;
  readonly seed: number;
}

/** Times in ms; `scheduledAtMs` counts from the start of the load. `outcome`: completed, failed, or reason of a drop. */
export interface SentRequest {
  readonly scheduledAtMs: number;
  readonly startedAtMs: number;
  readonly latencyMs: number;
  readonly outcome: string;
}

/** `startedAtEpochMs`: start of the load. */
export type LoadNews =
  | { readonly kind: 'sent'; readonly requests: readonly SentRequest[]; readonly startedAtEpochMs: number }
  | { readonly kind: 'ended'; readonly firstFailure?: string };

const TIMEOUT_MS = 30_000;
const MOST_CONNECTIONS = 2000;
const TELL_EVERY_MS = 500;

const tell = (news: LoadNews) => process.send?.(news);

async function send(task: ServedLoad): Promise<void> {
  const bodies = await readBodies(task.bodies);
  let requests: SentRequest[] = [];
  let startedAtEpochMs = performance.timeOrigin + performance.now();
  const arrivals = arrivalsOf(task.load, arrivalRng(task.seed));
  const dueMs: number[] = [];
  const tellSent = () => {
    tell({ kind: 'sent', requests, startedAtEpochMs });
    requests = [];
  };
  const timer = setInterval(tellSent, TELL_EVERY_MS);
  const { firstRefusal } = await runLoad({
    url: task.url,
    arrivals: {
      nextAtMs: () => {
        const atMs = arrivals.nextAtMs();
        if (atMs !== undefined) dueMs.push(atMs);
        return atMs;
      },
    },
    bodies,
    timeoutMs: TIMEOUT_MS,
    maxConnections: MOST_CONNECTIONS,
    onEnd: ({ seq, sentAtEpochMs, startedAtEpochMs: sentAt = sentAtEpochMs, latencyMs, status, dropReason }) => {
      const scheduledAtMs = dueMs[seq] ?? 0;
      startedAtEpochMs = sentAtEpochMs - scheduledAtMs;
      const startedAtMs = sentAt - startedAtEpochMs;
      requests.push({ scheduledAtMs, startedAtMs, latencyMs, outcome: outcomeOf(status, dropReason) });
    },
  });
  clearInterval(timer);
  tellSent();
  tell({ kind: 'ended', ...(firstRefusal && { firstFailure: firstRefusal.message }) });
}

/** Refusals of an overloaded server are drops. */
function outcomeOf(status: number | string, dropReason: string | undefined): string {
  if (typeof status !== 'number') return 'failed';
  if (status >= 200 && status < 300) return 'completed';
  if (dropReason !== undefined) return dropReason;
  if (status === 504) return 'deadline-passed';
  return status === 429 || status === 503 ? 'queue-full' : 'failed';
}

// The terminal sends Ctrl-C to this process, too; the parent decides.
process.on('SIGINT', () => {});
process.on('message', (task: ServedLoad) => {
  send(task).catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  });
});
process.on('disconnect', () => process.exit());
