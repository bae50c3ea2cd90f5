import { dirname, resolve } from 'node:path';
import type { CheckedDocument } from './check-document.js';
import type { StageDraft } from './draft.js';
import { accuracyTableResult, checkAccuracyTableText, readText } from './load-accuracy-table.js';
import { checkPipelineFile, type PipelineFileResult } from './parse-pipeline-file.js';
import type { Problem } from './problem.js';
import type { PipelineFile } from './schema/pipeline-file-schema.js';
import { toSpec } from './to-spec.js';

/**
 * Reads and parses a pipeline file; its paths are relative to its folder. Problems of an accuracy table file are
 * reported at the field that names it. Throws FILE_NOT_FOUND or FILE_UNREADABLE.
 */
export async function loadPipelineFile(path: string): Promise<PipelineFileResult> {
  const filePath = resolve(path);
  const checked = checkPipelineFile(await readText(filePath, 'pipeline file'), path);
  if (checked.kind === 'invalid') return checked;
  const { output, warnings } = checked;
  const spec = toSpec(output, dirname(filePath));
  const table = output.spec.accuracyTable;
  if (typeof table !== 'string') return { kind: 'valid', spec, warnings };
  const text = await readText(resolve(spec.baseDir, table), 'accuracy table');
  const read = accuracyTableResult(checkAccuracyTableText(text, table, output.spec.stages as readonly StageDraft[]));
  if (read.kind === 'invalid')
    return { kind: 'invalid', problems: read.problems.map((problem) => atReference(problem, table, checked)) };
  return { kind: 'valid', spec: { ...spec, accuracyTable: read.table }, warnings };
}

function atReference(
  { line, column, path, message, suggestion }: Problem,
  table: string,
  file: CheckedDocument<PipelineFile> & { readonly kind: 'valid' },
): Problem {
  const where = `${table}:${line}:${column}${path === '' ? '' : ` ${path}`}`;
  return file.problemAt({
    path: ['spec', 'accuracyTable'],
    message: `${where}: ${message}`,
    ...(suggestion === undefined ? {} : { suggestion }),
  });
}
