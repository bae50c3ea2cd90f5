/** Four replicas as processes at 60 % of their capacity; each second, SIGKILL ends one of them. */
import { readFileSync } from 'node:fs';
import { invariant, SeededRng, stageId } from '@equipoise/core/model';
import type { IssueCounts } from '@equipoise/core/serve';
import { type BenchStage, nominalRps, startBenchPipeline } from './bench-pipeline.js';
import { openLoop } from './open-loop.js';

/** Effects of the kills. */
export interface FaultFigures {
  readonly requests: number;
  readonly completed: number;
  readonly dropped: number;
  readonly failed: number;
  readonly kills: number;
  /** Health issues of replicas that were not killed. */
  readonly troubles: IssueCounts;
  /** Items that ran twice. */
  readonly retriedItems: number;
  /** Maximum time from sending to the answer. */
  readonly slowestMs: number;
  readonly timeoutMs: number;
  /** Fraction of the requests that were dropped or failed. */
  readonly lostFraction: number;
}

const TIMEOUT_MS = 2_000;
const LOAD_FRACTION = 0.6;
const KILL_EVERY_MS = 1_000;
/** Process title of a replica of the stage. */
const REPLICA_TITLE = 'sleep/v';
const stages: readonly BenchStage[] = [
  { name: 'sleep', baseMs: 20, itemMs: 5, maxBatchSize: 4, replicas: 4, loads: { isolation: 'process', loadMs: 300 } },
];

/** Runs the benchmark for `durationMs`. */
export async function measureFaults(durationMs: number): Promise<FaultFigures> {
  const { runner, close } = await startBenchPipeline(stages, TIMEOUT_MS);
  const rng = new SeededRng(1);
  let kills = 0;
  const killer = setInterval(() => {
    const pids = replicaProcesses();
    const pid = pids[Math.floor(rng.next() * pids.length)];
    if (pid === undefined) return;
    process.kill(pid, 'SIGKILL');
    kills += 1;
  }, KILL_EVERY_MS);
  const answers = await openLoop(runner, { arrivalRps: LOAD_FRACTION * nominalRps(stages), durationMs, seed: 1 });
  clearInterval(killer);
  const counts = runner.stageCounts()[stageId('sleep')];
  invariant(counts !== undefined, 'the stage is there');
  const { retriedItems, troubles } = counts;
  await close();
  const count = (kind: string): number => answers.kind.filter((each) => each === kind).length;
  const [completed, dropped, failed] = [count('completed'), count('dropped'), count('failed')];
  return {
    ...{ requests: answers.kind.length, completed, dropped, failed, kills, troubles, retriedItems },
    slowestMs: answers.latencyMs.reduce((slowest, ms) => Math.max(slowest, ms), 0),
    timeoutMs: TIMEOUT_MS,
    lostFraction: (dropped + failed) / answers.kind.length,
  };
}

/** Process ids of the replicas, including those that still load. */
function replicaProcesses(): readonly number[] {
  const children = readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8');
  return children.split(' ').filter(Boolean).map(Number).filter(isReplica);
}

function isReplica(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith(REPLICA_TITLE);
  } catch {
    // The process has ended meanwhile.
    return false;
  }
}
