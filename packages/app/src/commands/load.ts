/** `equipoise load`: an open-loop load against a running pipeline. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import {
  AppError,
  type ArrivalProcess,
  deterministicArrivals,
  poissonArrivals,
  SeededRng,
  traceArrivals,
} from '@equipoise/core';
import { type LoadBody, type LoadResult, parseLoadFile, runLoad } from '@equipoise/runtime';
import { msText } from '../terminal/plan-table.js';
import { progressDisplay } from '../terminal/progress.js';
import type { CommandResult } from '../terminal/run-command.js';

/** Flags of the command. */
export interface LoadOptions {
  readonly arrivalRps?: number;
  readonly durationS?: number;
  readonly load?: string;
  readonly arrivals: 'poisson' | 'deterministic';
  readonly body?: string;
  readonly contentType?: string;
  readonly timeoutMs: number;
  readonly seed: number;
}

/** A load with its length, for the progress bar. */
interface PlannedLoad {
  readonly arrivals: ArrivalProcess;
  readonly durationMs: number;
}

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  '.jpg': 'image/jpeg',
  '.jpeg': 'image/jpeg',
  '.png': 'image/png',
  '.json': 'application/json',
  '.txt': 'text/plain',
};

/** Sends the load to `url`; the answer is no when a request failed (drops are reported, not failures). */
export async function load(url: string, options: LoadOptions): Promise<CommandResult> {
  if (!URL.canParse(url))
    throw new AppError(
      'WRONG_USAGE',
      `${url} is not an address; expected for example http://127.0.0.1:8080/v1/pipelines/NAME/run.`,
    );
  const { arrivals, durationMs } = await plannedLoad(options);
  const bodies = await bodiesOf(options);
  const display = progressDisplay('load');
  const showProgress = (sent: number, elapsedMs: number) =>
    display.show({
      doneUnits: Math.round(elapsedMs / 1000),
      totalUnits: Math.ceil(durationMs / 1000),
      etaMs: durationMs - elapsedMs,
      label: `${sent} sent`,
    });
  try {
    const result = await runLoad({ url, arrivals, bodies, timeoutMs: options.timeoutMs, onProgress: showProgress });
    display.stop();
    return { json: result, text: loadText(result), answerIsNo: result.failed > 0 };
  } finally {
    display.stop();
  }
}

async function plannedLoad({ load: file, arrivalRps, durationS, arrivals, seed }: LoadOptions): Promise<PlannedLoad> {
  const rng = new SeededRng(seed);
  if (file !== undefined) {
    const counts = parseLoadFile(await readText(file), file);
    return { arrivals: traceArrivals(counts, rng), durationMs: counts.length * 1000 };
  }
  if (arrivalRps === undefined || durationS === undefined) {
    throw new AppError('WRONG_USAGE', 'Say what load to send: --arrival-rps N --duration-s T, or --load FILE.csv.');
  }
  const durationMs = durationS * 1000;
  const constant =
    arrivals === 'deterministic'
      ? deterministicArrivals(arrivalRps, durationMs)
      : poissonArrivals(arrivalRps, durationMs, rng);
  return { arrivals: constant, durationMs };
}

/** The body file, or all files of a body folder in the order of their names; an empty JSON object without any. */
async function bodiesOf({ body, contentType }: LoadOptions): Promise<readonly LoadBody[]> {
  if (body === undefined)
    return [{ contentType: contentType ?? 'application/json', bytes: new TextEncoder().encode('{}') }];
  const found = await stat(body).catch((cause: unknown) => {
    throw new AppError('FILE_NOT_FOUND', `There is no file or folder ${body}.`, { cause });
  });
  const names = found.isDirectory() ? await filesOf(body) : [body];
  if (names.length === 0) throw new AppError('WRONG_USAGE', `The folder ${body} has no files to send.`);
  return Promise.all(
    names.map(async (path) => ({
      contentType: contentType ?? CONTENT_TYPES[extname(path).toLowerCase()] ?? 'application/octet-stream',
      bytes: await readFile(path),
    })),
  );
}

/** The files of a folder by name, without hidden ones, which file managers leave behind. */
async function filesOf(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isFile() && !entry.name.startsWith('.')).map(({ name }) => name);
  return names.sort().map((name) => join(folder, name));
}

async function readText(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((cause: unknown) => {
    throw new AppError('FILE_NOT_FOUND', `The load file ${file} cannot be read.`, { cause });
  });
}

function loadText(result: LoadResult): string {
  const { sent, ok, dropped, failed, latencyMs, offeredRps, achievedRps, byStatus } = result;
  const statuses = Object.entries(byStatus).map(([status, count]) => `${status}: ${count}`);
  return [
    `${sent} sent (${offeredRps.toFixed(1)} rps), ${ok} ok (${achievedRps.toFixed(1)} rps), ${dropped} dropped, ${failed} failed`,
    `latency mean ${msText(latencyMs.mean)}, p50 ${msText(latencyMs.p50)}, p95 ${msText(latencyMs.p95)}, p99 ${msText(latencyMs.p99)}, max ${msText(latencyMs.max)}`,
    `answers by status: ${statuses.join(', ')}`,
  ].join('\n');
}
