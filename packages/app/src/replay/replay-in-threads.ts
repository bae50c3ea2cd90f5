/** Replays a log of decisions in threads. Starting a thread takes longer than a few decisions, so short logs need none. */
import { availableParallelism } from 'node:os';
import type { RecordedLog, ReplayVerdict } from '@equipoise/runtime';
import { ownThread } from '../cells/own-thread.js';
import { runCells } from '../cells/run-cells.js';
import { stopSignal } from '../terminal/stop-signal.js';
import { type GroupVerdicts, groupReplayer, type ReplayGroup, replayGroups } from './replay-group.js';

/** Fewest decisions for one more thread. */
const PER_THREAD = 8;

export interface ReplayRun {
  readonly threads?: number;
  /** Called with the number of decisions that are replayed. */
  readonly onProgress?: (replayed: number) => void;
}

/** Verdicts in the order of the log. */
export async function replayInThreads(
  { setups, decisions }: RecordedLog,
  { threads = availableParallelism(), onProgress = () => {} }: ReplayRun = {},
): Promise<readonly ReplayVerdict[]> {
  const groups = replayGroups({ decisions });
  const verdicts: ReplayVerdict[] = new Array(decisions.length);
  let replayed = 0;
  const note = ({ indices }: ReplayGroup, answer: GroupVerdicts): void => {
    for (const [i, index] of indices.entries()) verdicts[index] = answer.verdicts[i] as ReplayVerdict;
    replayed += indices.length;
    onProgress(replayed);
  };
  const useful = Math.min(threads, groups.length, Math.floor(decisions.length / PER_THREAD));
  if (useful <= 1) {
    const replayGroup = groupReplayer(setups);
    for (const group of groups) note(group, replayGroup(group));
    return verdicts;
  }
  const stop = new AbortController();
  void stopSignal().then(() => stop.abort());
  await runCells<ReplayGroup, GroupVerdicts>(groups, {
    threads: useful,
    stop: stop.signal,
    afterStop: 'Nothing is saved.',
    newThread: () => ownThread('replay', setups),
    nameOf: ({ records: [first] }) => ({ text: `decision ${first?.id}`, details: { id: first?.id } }),
    onCell: note,
  });
  return verdicts;
}
