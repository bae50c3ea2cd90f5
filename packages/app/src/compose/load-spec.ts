/** A pipeline file as a spec; warnings go to stderr, problems are all listed in one error. */
import { AppError, type PipelineSpec } from '@equipoise/core/model';
import { loadPipelineFile, type Problem } from '@equipoise/pipeline-file';
import pc from 'picocolors';

/** Throws AppError INVALID_PIPELINE with every problem in its message, FILE_NOT_FOUND or FILE_UNREADABLE. */
export async function loadSpec(file: string): Promise<PipelineSpec> {
  const result = await loadPipelineFile(file);
  if (result.kind === 'invalid') {
    const count = result.problems.length === 1 ? 'one problem' : `${result.problems.length} problems`;
    const message = `${file} has ${count}:\n${problemLines(file, result.problems).join('\n')}`;
    throw new AppError('INVALID_PIPELINE', message, { details: { problems: result.problems } });
  }
  for (const line of problemLines(file, result.warnings)) process.stderr.write(`${pc.yellow('warning')} ${line}\n`);
  return result.spec;
}

/** One line a problem, as editors read them: file:line:column. */
export function problemLines(file: string, problems: readonly Problem[]): readonly string[] {
  return problems.map(({ line, column, path, message, suggestion }) => {
    const hint = suggestion === undefined ? '' : `; did you mean ${suggestion}?`;
    return `${file}:${line}:${column} ${path === '' ? '' : `${path}: `}${message}${hint}`;
  });
}
