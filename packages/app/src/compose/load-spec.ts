import { AppError, type PipelineSpec } from '@equipoise/core/model';
import { loadPipelineFile, type PipelineFileResult, type Problem } from '@equipoise/pipeline-file';
import { warn } from '../terminal/log.js';

/**
 * Reads a pipeline file and prints its warnings. Throws INVALID_PIPELINE with every problem, FILE_NOT_FOUND or
 * FILE_UNREADABLE.
 */
export async function loadSpec(file: string): Promise<PipelineSpec> {
  return checkedSpec(file, await loadPipelineFile(file));
}

/** Spec of a pipeline file that was read. Prints its warnings; throws INVALID_PIPELINE with every problem. */
export function checkedSpec(file: string, result: PipelineFileResult): PipelineSpec {
  if (result.kind === 'invalid') {
    const message = `${file} has ${problemCount(result.problems)}:\n${problemLines(file, result.problems).join('\n')}`;
    throw new AppError('INVALID_PIPELINE', message, { details: { problems: result.problems } });
  }
  for (const line of problemLines(file, result.warnings)) warn(line);
  return result.spec;
}

/** Problems as lines in editor format: file:line:column. */
export function problemLines(file: string, problems: readonly Problem[]): readonly string[] {
  return problems.map(({ line, column, path, message, suggestion }) => {
    const hint = suggestion === undefined ? '' : `; did you mean ${suggestion}?`;
    return `${file}:${line}:${column} ${path === '' ? '' : `${path}: `}${message}${hint}`;
  });
}

export const problemCount = ({ length }: readonly Problem[]): string =>
  length === 1 ? 'one problem' : `${length} problems`;
