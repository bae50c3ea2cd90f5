/** Accuracy tables in their own file, in the form that `equipoise evaluate` writes. */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type AccuracyTable, AppError, type StageSpec } from '@equipoise/core/model';
import { type CheckedDocument, checkDocument } from './check-document.js';
import type { StageDraft } from './draft.js';
import type { Problem } from './problem.js';
import { accuracyTableSchema } from './schema/accuracy-table-schema.js';
import { accuracyTableJsonSchema } from './schema/pipeline-json-schema.js';
import { checkAccuracyTable, type TableDraft } from './semantic-checks/accuracy-table.js';
import { toAccuracyTable } from './to-spec.js';

export type AccuracyTableResult =
  | { readonly kind: 'valid'; readonly table: AccuracyTable }
  | { readonly kind: 'invalid'; readonly problems: readonly Problem[] };

/** Reads a table for a pipeline of `stages`. Throws FILE_NOT_FOUND or FILE_UNREADABLE. */
export async function loadAccuracyTable(path: string, stages: readonly StageSpec[]): Promise<AccuracyTableResult> {
  const text = await readText(resolve(path), 'accuracy table');
  const drafts = stages.map(({ id, variants }) => ({ name: id, variants: variants.map((v) => ({ name: v.id })) }));
  return accuracyTableResult(checkAccuracyTableText(text, path, drafts));
}

export function checkAccuracyTableText(text: string, fileName: string, stages: readonly StageDraft[]) {
  return checkDocument(text, fileName, {
    schema: { zod: accuracyTableSchema, json: accuracyTableJsonSchema },
    semanticFindings: (table) =>
      table === undefined ? [] : checkAccuracyTable(table as TableDraft, { stages, path: [] }),
  });
}

export function accuracyTableResult(
  checked: CheckedDocument<Parameters<typeof toAccuracyTable>[0]>,
): AccuracyTableResult {
  return checked.kind === 'invalid' ? checked : { kind: 'valid', table: toAccuracyTable(checked.output) };
}

/** Reads a text file; `what` names it in errors. Throws FILE_NOT_FOUND or FILE_UNREADABLE. */
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
