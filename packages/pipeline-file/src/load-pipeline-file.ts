import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { AppError, type PipelineSpec } from '@equipoise/core/model';
import { type CheckedDocument, checkDocument } from './check-document.js';
import type { SpecDraft } from './draft.js';
import { checkPipelineFile, type PipelineFileResult } from './parse-pipeline-file.js';
import { byPosition, type Finding, type Problem } from './problem.js';
import { accuracyTableSchema } from './schema/accuracy-table-schema.js';
import type { PipelineFile } from './schema/pipeline-file-schema.js';
import { checkAccuracyTable, type TableDraft } from './semantic-checks/accuracy-table.js';
import { checkFiles, type MissingReference } from './semantic-checks/files.js';
import { type MeasuredTable, toAccuracyTable, toSpec, withAccuracyTable } from './to-spec.js';

/** Checks of the files that a pipeline file names. `unusable` runs only if there are no other problems. */
export interface FileChecks {
  readonly missing: MissingReference;
  readonly unusable: (spec: PipelineSpec) => Promise<readonly Finding[]>;
}

/**
 * Paths in the file are relative to its folder. Problems in an accuracy table file are reported at the field that names
 * the table. With `checks`, files that are missing or unusable are problems. Throws FILE_NOT_FOUND or FILE_UNREADABLE.
 */
export async function loadPipelineFile(path: string, checks?: FileChecks): Promise<PipelineFileResult> {
  const result = await readPipelineFile(path, checks?.missing);
  if (result.kind === 'invalid' || checks === undefined) return result;
  const { spec, warnings, problemAt } = result;
  const problems = (await checks.unusable(spec)).map(problemAt).sort(byPosition);
  return problems.length > 0 ? { kind: 'invalid', problems } : { kind: 'valid', spec, warnings };
}

type ReadPipelineFile =
  | (PipelineFileResult & { readonly kind: 'valid'; readonly problemAt: (finding: Finding) => Problem })
  | (PipelineFileResult & { readonly kind: 'invalid' });

async function readPipelineFile(path: string, missing: MissingReference | undefined): Promise<ReadPipelineFile> {
  const filePath = resolve(path);
  const baseDir = dirname(filePath);
  const text = await readText(filePath, 'pipeline file');
  const checked = checkPipelineFile(text, path, missing && ((draft) => checkFiles(draft, baseDir, missing)));
  if (checked.kind === 'invalid') return checked;
  const { output, warnings, problemAt } = checked;
  const spec = toSpec(output, baseDir);
  const table = output.spec.accuracyTable;
  if (typeof table !== 'string') return { kind: 'valid', spec, warnings, problemAt };
  const tableText = await readText(resolve(baseDir, table), 'accuracy table');
  const read = accuracyTableResult(checkAccuracyTableText(tableText, table, output.spec as SpecDraft));
  if (read.kind === 'invalid')
    return { kind: 'invalid', problems: read.problems.map((problem) => atReference(problem, table, checked)) };
  return { kind: 'valid', spec: withAccuracyTable(spec, read.table), warnings, problemAt };
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

type AccuracyTableResult =
  | { readonly kind: 'valid'; readonly table: MeasuredTable }
  | { readonly kind: 'invalid'; readonly problems: readonly Problem[] };

/** Throws FILE_NOT_FOUND or FILE_UNREADABLE. */
export async function loadAccuracyTable(path: string, spec: PipelineSpec): Promise<AccuracyTableResult> {
  const text = await readText(resolve(path), 'accuracy table');
  const stages = spec.stages.map(({ id, variants, optional }) => ({
    name: id,
    optional: optional ?? false,
    variants: variants.map((variant) => ({ name: variant.id })),
  }));
  const edges = spec.edges.map(({ from, to, when, join }) => ({
    ...{ from, to, when: { threshold: when?.thresholds } },
    ...(typeof join === 'object' && { join: { quorum: join.quorums ?? join.quorum } }),
  }));
  return accuracyTableResult(checkAccuracyTableText(text, path, { stages, edges }));
}

function checkAccuracyTableText(text: string, fileName: string, graph: Pick<SpecDraft, 'stages' | 'edges'>) {
  return checkDocument(text, fileName, {
    schema: accuracyTableSchema,
    semanticFindings: (table) =>
      table === undefined ? [] : checkAccuracyTable(table as TableDraft, { graph, path: [] }),
  });
}

function accuracyTableResult(checked: CheckedDocument<Parameters<typeof toAccuracyTable>[0]>): AccuracyTableResult {
  return checked.kind === 'invalid' ? checked : { kind: 'valid', table: toAccuracyTable(checked.output) };
}

/** Reads a file, which errors call `what`. Throws FILE_NOT_FOUND or FILE_UNREADABLE. */
export async function readText(path: string, what: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR')
      throw new AppError('FILE_NOT_FOUND', `${what} not found: ${path}`, { details: { path }, cause });
    if (code === 'EISDIR')
      throw new AppError('FILE_UNREADABLE', `${path} is a folder; expected a file that is the ${what}`, {
        details: { path },
        cause,
      });
    throw new AppError('FILE_UNREADABLE', `${what} ${path} cannot be read: ${message}`, { details: { path }, cause });
  }
}
