/** Thread that reads one pipeline file. */
import { parentPort, workerData } from 'node:worker_threads';
import { loadPipelineFile, type PipelineFileResult } from '@equipoise/pipeline-file';
import { type FailedCell, failedCell } from '../cells/failed-cell.js';

/** Without functions, which cannot be posted. */
async function answerFor(file: string): Promise<PipelineFileResult | FailedCell> {
  try {
    const result = await loadPipelineFile(file);
    return result.kind === 'invalid' ? result : { kind: 'valid', spec: result.spec, warnings: result.warnings };
  } catch (error) {
    return failedCell(error);
  }
}

parentPort?.postMessage(await answerFor(workerData as string));
