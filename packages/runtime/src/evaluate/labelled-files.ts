/**
 * Labelled samples without code: `labels.json` ([{ "file", "label" }, …]) or `labels.csv` (columns `file` and `label`)
 * lists the files of a folder. They are accepted like the files of `samples`; with several sources, a JSON file has the
 * tensors of all.
 */
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { AppError, type PipelineSpec } from '@equipoise/core/model';
import { z } from 'zod';
import { sampleInputs } from '../profiling/pipeline-samples.js';
import type { LabelledSample } from './evaluation-module.js';

const rowsSchema = z.array(z.object({ file: z.string().min(1), label: z.unknown() }));
type Row = z.output<typeof rowsSchema>[number];

const FORM = 'expected [{ "file": "a.jpg", "label": … }, …]';

/**
 * First `limit` samples. Rejects with FILE_NOT_FOUND or FILE_UNREADABLE, and names the file and the place; with
 * INVALID_PIPELINE if the source declares no tensors.
 */
export async function labelledFiles(
  { sources }: PipelineSpec,
  folder: string,
  limit?: number,
): Promise<readonly LabelledSample[]> {
  const tensors = sources.flatMap((source) => source.tensors);
  if (tensors.length === 0) {
    const message =
      'The source declares no tensors, so labelled files cannot become inputs. Declare its tensors in spec.sources.';
    throw new AppError('INVALID_PIPELINE', message, { details: { path: 'spec.sources' } });
  }
  return (await labelRows(folder)).slice(0, limit).map(({ file, label }) => {
    const path = resolve(folder, file);
    const inputs = sampleInputs(path, tensors);
    if (typeof inputs !== 'string') return { inputs, label };
    throw new AppError('FILE_UNREADABLE', `The labelled sample ${path} is no input: ${inputs}.`);
  });
}

async function labelRows(folder: string): Promise<readonly Row[]> {
  const json = await textOf(join(folder, 'labels.json'));
  if (json !== undefined) return jsonRows(json, join(folder, 'labels.json'));
  const csv = await textOf(join(folder, 'labels.csv'));
  if (csv !== undefined) return csvRows(csv, join(folder, 'labels.csv'));
  const message = `${folder} has neither labels.json nor labels.csv, which list the labelled samples. Add one, or name a module in spec.evaluation.module.`;
  throw new AppError('FILE_NOT_FOUND', message, { details: { folder } });
}

async function textOf(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, 'utf8')).replace(/^\uFEFF/, '');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new AppError('FILE_UNREADABLE', `${path} cannot be read.`, { details: { path }, cause });
  }
}

function jsonRows(text: string, path: string): readonly Row[] {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (cause) {
    throw unreadable(path, `it is no JSON; ${FORM}`, cause);
  }
  const rows = rowsSchema.safeParse(document);
  if (!rows.success) throw unreadable(path, `${rows.error.issues[0]?.path.join('.') || 'it'} is wrong; ${FORM}`);
  return rows.data;
}

/** Cells as in RFC 4180: quotes enclose commas and line breaks, and a doubled quote is a quote. */
const CELL = /(?:"([^"]*(?:""[^"]*)*)"|([^",\r\n]*))(,|\r\n?|\n|$)/y;

function csvRows(text: string, path: string): readonly Row[] {
  const lineAt = (end: number) => text.slice(0, end).split(/\r\n?|\n/).length;
  const rows: { readonly at: number; readonly cells: string[] }[] = [{ at: 0, cells: [] }];
  let at = 0;
  for (let end: string | undefined; end !== ''; ) {
    CELL.lastIndex = at;
    const cell = CELL.exec(text);
    if (cell === null) throw unreadable(path, `line ${lineAt(at)} ${quoteFault(text.slice(at))}`);
    const [whole, quoted, plain] = cell;
    end = cell[3];
    rows.at(-1)?.cells.push(quoted?.replaceAll('""', '"') ?? plain ?? '');
    at += whole.length;
    if (end !== ',' && end !== '') rows.push({ at, cells: [] });
  }
  const [header, ...others] = rows.filter(({ cells }) => cells.some((cell) => cell !== ''));
  const names = header?.cells ?? [];
  const [file, label] = [names.indexOf('file'), names.indexOf('label')];
  if (file < 0 || label < 0) throw unreadable(path, 'its first line does not name the columns file and label');
  return others.map(({ at: start, cells }) => {
    if (cells.length === names.length && cells[file] !== '')
      return { file: cells[file] as string, label: cells[label] };
    throw unreadable(path, `line ${lineAt(start)} has ${cells.length} of ${names.length} cells, or no file`);
  });
}

function quoteFault(rest: string): string {
  if (/^ +"/.test(rest)) return 'has a space before a quote; remove it';
  const isOpen = rest.startsWith('"') && !/^"[^"]*(""[^"]*)*"/.test(rest);
  return isOpen ? 'opens a quote that does not end' : 'has a quote in or after a cell; double it';
}

const unreadable = (path: string, problem: string, cause?: unknown): AppError =>
  new AppError('FILE_UNREADABLE', `${path}: ${problem}.`, { details: { path }, ...(cause !== undefined && { cause }) });
