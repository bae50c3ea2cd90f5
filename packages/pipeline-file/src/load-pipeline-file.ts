/** A pipeline file from disk, with the accuracy table that it may name by path. */
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { AppError } from '@equipoise/core';
import { type CheckedDocument, checkDocument } from './check-document.js';
import type { StageDraft } from './draft.js';
import { checkPipelineFile, type PipelineFileResult } from './parse-pipeline-file.js';
import type { Problem } from './problem.js';
import { accuracyTableSchema } from './schema/accuracy-table-schema.js';
import type { PipelineFile } from './schema/pipeline-file-schema.js';
import { accuracyTableJsonSchema } from './schema/pipeline-json-schema.js';
import { checkAccuracyTable, type TableDraft } from './semantic-checks/accuracy-table.js';
import { toAccuracyTable, toSpec } from './to-spec.js';

/**
 * Reads and parses a pipeline file; paths inside it are relative to its folder. Problems of an accuracy table file are told at
 * the field that names it. Throws AppError FILE_NOT_FOUND or FILE_UNREADABLE, which name the path tried.
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
  const checkedTable = checkDocument(text, table, tableRules(output));
  if (checkedTable.kind === 'invalid')
    return { kind: 'invalid', problems: checkedTable.problems.map((problem) => atReference(problem, table, checked)) };
  return { kind: 'valid', spec: { ...spec, accuracyTable: toAccuracyTable(checkedTable.output) }, warnings };
}

function tableRules(file: PipelineFile) {
  return {
    schema: { zod: accuracyTableSchema, json: accuracyTableJsonSchema },
    semanticFindings: (table: unknown) =>
      table === undefined
        ? []
        : checkAccuracyTable(table as TableDraft, { stages: file.spec.stages as readonly StageDraft[], path: [] }),
  };
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

async function readText(path: string, what: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR')
      throw new AppError('FILE_NOT_FOUND', `${what} not found: ${path}`, { details: { path }, cause });
    throw new AppError('FILE_UNREADABLE', `${what} ${path} cannot be read: ${message}`, { details: { path }, cause });
  }
}
