import { AppError, type PipelineSpec } from '@equipoise/core/model';
import type { PipelineFileResult } from '@equipoise/pipeline-file';
import { type FailedCell, isFailed } from '../cells/failed-cell.js';
import { ownThread } from '../cells/own-thread.js';
import { checkedSpec } from '../compose/load-spec.js';

/** Has another thread read a pipeline file, because a large one takes seconds of work. Throws the errors of `loadSpec`. */
export async function loadSpecAside(file: string): Promise<PipelineSpec> {
  const thread = ownThread('pipeline-file', file);
  const answer = await new Promise<PipelineFileResult | FailedCell>((resolve, reject) => {
    thread.once('message', resolve);
    thread.once('error', reject);
    thread.once('exit', () => reject(new Error('the thread that reads the pipeline file has ended')));
  });
  if (isFailed(answer)) throw new AppError(answer.code, answer.message);
  return checkedSpec(file, answer);
}
