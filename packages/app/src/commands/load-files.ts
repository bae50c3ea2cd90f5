/** Files of `equipoise load` in vegeta's formats: requests to send (targets), and one record for each request (results). */
import { once } from 'node:events';
import { createReadStream, createWriteStream, readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, extname, resolve } from 'node:path';
import { AppError } from '@equipoise/core/model';
import {
  type LoadRecord,
  type LoadResult,
  LoadTally,
  type LoadTarget,
  parseTargets,
  type ResultFormat,
  readResults,
  resultText,
  type TargetFormat,
  targetsText,
} from '@equipoise/runtime';

const JSON_EXTENSIONS: ReadonlySet<string> = new Set(['.json', '.jsonl', '.ndjson']);

/** Names of JSON files end in .json, .jsonl or .ndjson. All other targets are in the format `http`. */
const targetFormatOf = (path: string): TargetFormat => (JSON_EXTENSIONS.has(extname(path)) ? 'json' : 'http');

/** Body files of the format `http` are relative to the targets file. */
export async function targetsIn(path: string): Promise<readonly LoadTarget[]> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new AppError('FILE_NOT_FOUND', `The file of targets ${path} cannot be read.`, { cause });
  });
  const readBody = (body: string) => readFileSync(resolve(dirname(path), body));
  return parseTargets(text, targetFormatOf(path), { fileName: path, readBody });
}

export async function saveTargets(path: string, targets: readonly LoadTarget[]): Promise<void> {
  const absolute = targets.map((target) => ({ ...target, path: target.path && resolve(target.path) }));
  const text = targetsText(absolute, targetFormatOf(path));
  await writeFile(path, text, { mode: 0o600 }).catch((cause: unknown) => {
    throw new AppError('FILE_UNREADABLE', `The targets cannot be written to ${path}.`, { cause });
  });
}

export interface ResultsFile {
  add(record: LoadRecord): void;
  close(): Promise<void>;
}

/** Opens a file for results before the load. Rejects with FILE_UNREADABLE, and so does `close` if a write failed. */
export async function resultsFile(path: string): Promise<ResultsFile> {
  const format: ResultFormat = JSON_EXTENSIONS.has(extname(path)) ? 'json' : 'csv';
  if (format === 'csv' && extname(path) !== '.csv')
    throw new AppError('WRONG_USAGE', `--save-results ${path}: expected a name that ends in .csv or .json.`);
  const file = createWriteStream(path);
  let failure: Error | undefined;
  file.on('error', (error) => {
    failure = error;
  });
  // A failed write closes the file early.
  const closed = new Promise<void>((resolve) => file.on('close', resolve));
  await once(file, 'open').catch((cause: Error) => {
    throw resultsNotWritten(path, cause);
  });
  return {
    add: (record) => void file.write(resultText(record, format)),
    close: async () => {
      file.end();
      await closed;
      if (failure !== undefined) throw resultsNotWritten(path, failure);
    },
  };
}

const resultsNotWritten = (path: string, cause: Error): AppError =>
  new AppError('FILE_UNREADABLE', `The results cannot be written to ${path}: ${cause.message}`, { cause });

/** Report of a load from the results of vegeta, or of `--save-results`. Latency counts from where its tool counted. */
export async function reportOfResults(path: string): Promise<LoadResult> {
  const tally = new LoadTally();
  const file = createReadStream(path, 'utf8');
  let [firstMs, lastMs, endMs] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY];
  try {
    for await (const { status, error, latencyMs, sentAtEpochMs } of readResults(file as AsyncIterable<string>, path)) {
      tally.note({ status, body: error }, latencyMs);
      firstMs = Math.min(firstMs, sentAtEpochMs);
      lastMs = Math.max(lastMs, sentAtEpochMs);
      endMs = Math.max(endMs, sentAtEpochMs + latencyMs);
    }
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    throw new AppError('FILE_NOT_FOUND', `The file of results ${path} cannot be read.`, { cause });
  }
  if (tally.ended === 0) throw new AppError('FILE_UNREADABLE', `${path} has no results.`);
  return tally.result({ sent: tally.ended, offeredMs: lastMs - firstMs, elapsedMs: endMs - firstMs });
}
