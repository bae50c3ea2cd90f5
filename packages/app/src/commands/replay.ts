import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { AppError } from '@equipoise/core/model';
import { type Difference, logLines, type RecordedLog, type ReplayVerdict, readDecisionLog } from '@equipoise/runtime';
import pc from 'picocolors';
import { replayInThreads } from '../replay/replay-in-threads.js';
import { outputFile } from '../report/output-file.js';
import { counted } from '../terminal/counted.js';
import { PlanProgress } from '../terminal/plan-progress.js';
import type { CommandResult } from '../terminal/run-command.js';
import { textTable } from '../terminal/text-table.js';
import { newestText } from './explain.js';

export interface ReplayOptions {
  readonly pipeline?: string;
  readonly newest?: number;
  readonly out?: string;
}

interface DifferentDecision {
  readonly pipeline: string;
  readonly id: number;
  readonly differences: readonly Difference[];
}

/**
 * `equipoise replay`: repeats logged decisions with the current code. Exits with 1 if a decision differs or none
 * was compared.
 */
export async function replay(path: string, { pipeline, newest, out }: ReplayOptions): Promise<CommandResult> {
  const selection = {
    ...(pipeline !== undefined && { pipelineName: pipeline }),
    ...(newest !== undefined && { newest }),
  };
  if (out !== undefined) await outputFile(out);
  const log = await readDecisionLog(path, selection);
  if (pipeline !== undefined && log.decisions.length === 0)
    throw new AppError('NOT_FOUND', `${path} has no decisions of a pipeline ${pipeline}; ${await newestText(path)}.`);
  if (out !== undefined) await writeLines(out, logLines(log));
  const json = await verdictsOn(log, path);
  const note = out === undefined ? [] : [pc.dim(`written to ${out}`)];
  const answerIsNo = json.same === 0 || json.different.length > 0;
  return { json, text: [replayText(json), ...note].join('\n'), answerIsNo };
}

async function verdictsOn(log: RecordedLog, path: string): Promise<Replayed> {
  const notReplayable: Record<string, number> = {};
  const different: DifferentDecision[] = [];
  let same = 0;
  const { length } = log.decisions;
  const progress = new PlanProgress(`replaying ${path}`);
  const verdicts = await replayInThreads(log, {
    onProgress: (replayed) => progress.say(`replaying ${path}, ${replayed} of ${counted(length, 'decision')}`),
  }).finally(() => progress.stop());
  for (const [index, { pipelineName, record }] of log.decisions.entries()) {
    const verdict = verdicts[index] as ReplayVerdict;
    if (verdict.kind === 'same') same += 1;
    else if (verdict.kind === 'different')
      different.push({ pipeline: pipelineName, id: record.id, differences: verdict.differences });
    else notReplayable[verdict.reason] = (notReplayable[verdict.reason] ?? 0) + 1;
  }
  return { decisions: length, same, different, notReplayable };
}

interface Replayed {
  readonly decisions: number;
  readonly same: number;
  readonly different: readonly DifferentDecision[];
  readonly notReplayable: Readonly<Record<string, number>>;
}

function replayText({ decisions, same, different, notReplayable }: Replayed): string {
  const skipped = Object.entries(notReplayable).map(([reason, count]) => `${count} not taken again: ${reason}`);
  const nothing = same + different.length === 0 ? ['nothing was compared'] : [];
  const summary = `${counted(decisions, 'decision')}: ${same} the same, ${different.length} different`;
  const rows = different.flatMap(({ pipeline, id, differences }) =>
    differences.map(({ path, recorded, replayed }) => [pipeline, id, path, short(recorded), short(replayed)]),
  );
  const table =
    rows.length === 0 ? [] : [textTable(['pipeline', { right: 'id' }, 'where', 'recorded', 'replayed'], rows)];
  const isAsBefore = different.length === 0 && nothing.length === 0;
  const title = [summary, ...nothing].join('; ');
  return [isAsBefore ? title : pc.red(title), ...skipped.map((line) => pc.dim(line)), ...table].join('\n');
}

const LONGEST = 40;

function short(value: unknown): string {
  const text = value === undefined ? '(none)' : JSON.stringify(value);
  return text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text;
}

async function writeLines(path: string, lines: Iterable<string>): Promise<void> {
  const stream = createWriteStream(path);
  try {
    await once(stream, 'open');
    for (const line of lines) if (!stream.write(`${line}\n`)) await once(stream, 'drain');
    stream.end();
    await once(stream, 'finish');
  } catch (cause) {
    throw new AppError('FILE_UNREADABLE', `${path} cannot be written: ${(cause as Error).message}.`, { cause });
  }
}
