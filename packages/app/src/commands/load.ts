/** `equipoise load`: sends an open-loop load to a running pipeline. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { arrivalRng } from '@equipoise/core/control';
import { AppError } from '@equipoise/core/model';
import { arrivalsOf, loadDurationS, ownArrivals, partDelays } from '@equipoise/core/simulate';
import {
  type LoadBody,
  type LoadResult,
  type LoadTarget,
  mediaTypeOf,
  type LoadOptions as RunLoadOptions,
  runLoad,
  runVegeta,
  targetsOf,
} from '@equipoise/runtime';
import { tokenIn } from '../compose/admin-port.js';
import { type LoadRequest, resolveLoad } from '../compose/resolve-load.js';
import { type SourceFlags, sourceLoadOf } from '../compose/source-load.js';
import { msText } from '../terminal/plan-table.js';
import { progressDisplay } from '../terminal/progress.js';
import type { CommandResult } from '../terminal/run-command.js';
import { stopSignal } from '../terminal/stop-signal.js';
import { awaitReady } from './await-ready.js';
import { reportOfResults, resultsFile, saveTargets, targetsIn } from './load-files.js';

export interface LoadOptions extends LoadRequest, SourceFlags {
  readonly body?: string;
  /** Paths by source. */
  readonly part?: Readonly<Record<string, string>>;
  readonly contentType?: string;
  readonly timeoutMs: number;
  readonly tokenFile?: string;
  readonly seed: number;
  /** Continues if the first requests fail or are refused. */
  readonly keepGoing?: boolean;
  readonly tool: 'builtin' | 'vegeta';
  /** Limit of vegeta on requests at once. */
  readonly maxWorkers?: number;
  /** Paths of files in vegeta's formats. */
  readonly targets?: string;
  readonly saveTargets?: string;
  readonly saveResults?: string;
  readonly readResults?: string;
}

/** Exits with 1 if a request failed (drops do not count) or the load was cut short. */
export async function load(givenUrl: string | undefined, options: LoadOptions): Promise<CommandResult> {
  if (options.readResults !== undefined) {
    if (givenUrl !== undefined)
      throw new AppError('WRONG_USAGE', '--read-results sends nothing: leave the address out.');
    return resultOf(await reportOfResults(options.readResults));
  }
  const { url, targets } = await requestsOf(givenUrl, options);
  const { spec } = await resolveLoad(options);
  const durationMs = loadDurationS(spec) * 1000;
  const token = tokenIn(options.tokenFile);
  const load: RunLoadOptions = {
    url,
    targets,
    arrivals: arrivalsOf(spec, arrivalRng(options.seed)),
    bodies: await bodiesOf(options),
    timeoutMs: options.timeoutMs,
    ...(await partsOf(url, options, durationMs)),
    ...(token !== undefined && { token }),
  };
  if (options.saveTargets !== undefined) await saveTargets(options.saveTargets, targetsOf(load));
  const display = progressDisplay('load');
  const onProgress = (sent: number, elapsedMs: number) =>
    display.show({
      doneUnits: Math.round(elapsedMs / 1000),
      totalUnits: Math.ceil(durationMs / 1000),
      etaMs: durationMs - elapsedMs,
      label: `${sent} sent`,
    });
  try {
    return resultOf(await sendLoad({ ...load, signal: interruptSignal(), onProgress }, options));
  } finally {
    display.stop();
  }
}

const resultOf = (result: LoadResult): CommandResult => ({
  json: result,
  text: loadText(result),
  answerIsNo: result.failed > 0 || result.cutShort !== undefined,
});

async function sendLoad(
  load: RunLoadOptions & { readonly signal: AbortSignal },
  options: LoadOptions,
): Promise<LoadResult> {
  const stops = options.keepGoing !== true;
  const results = options.saveResults === undefined ? undefined : await resultsFile(options.saveResults);
  const onEnd = results?.add;
  if (stops) await awaitReady(load.url, load.signal, () => process.stderr.write('waiting until the server is ready\n'));
  const sent =
    options.tool === 'vegeta'
      ? sendByVegeta({ ...load, onEnd }, options)
      : runLoad({ ...load, onEnd, stopsUnreachable: stops, stopsRefused: stops }).catch(rethrowWithRemedy);
  const result = await sent.finally(() => results?.close());
  return result;
}

function sendByVegeta(load: RunLoadOptions, { maxWorkers }: LoadOptions): Promise<LoadResult> {
  if (load.parts !== undefined)
    throw new AppError('WRONG_USAGE', '--tool vegeta cannot send the parts of several sources; leave --tool out.');
  const program = process.env['EQUIPOISE_VEGETA'] || 'vegeta';
  return runVegeta({ ...load, targets: targetsOf(load), program, maxWorkers });
}

/** Address and requests: of a file of targets, or to the address. The first target's address must be ready. */
async function requestsOf(
  url: string | undefined,
  { targets: path, body, part }: LoadOptions,
): Promise<{ readonly url: string; readonly targets?: readonly LoadTarget[] }> {
  if (path !== undefined) {
    if (url !== undefined || body !== undefined || part !== undefined)
      throw new AppError(
        'WRONG_USAGE',
        '--targets has addresses and bodies: leave the address, --body and --part out.',
      );
    const targets = await targetsIn(path);
    return { url: targets[0]?.url ?? '', targets };
  }
  if (url !== undefined && URL.canParse(url)) return { url };
  const found = url === undefined ? 'There is no address' : `${url} is not an address`;
  throw new AppError('WRONG_USAGE', `${found}; expected for example http://127.0.0.1:8080/v1/pipelines/NAME/run.`);
}

/** Aborted by the first Ctrl-C; sent requests are still awaited. */
function interruptSignal(): AbortSignal {
  const aborting = new AbortController();
  void stopSignal().then(() => {
    process.stderr.write('stopped sending; waiting for the answers to sent requests\n');
    aborting.abort();
  });
  return aborting.signal;
}

function rethrowWithRemedy(error: unknown): never {
  if (!(error instanceof AppError) || error.code !== 'UNREACHABLE') throw error;
  const { message, details, retryable } = error;
  const remedy =
    'Start the server first (`equipoise serve FILE`), or name its address; --keep-going sends the load all the same.';
  throw new AppError('UNREACHABLE', `${message} ${remedy}`, { details, retryable, cause: error });
}

/** Parts of each request, in random order with exponential gaps. */
async function partsOf(
  url: string,
  { part, contentType, seed, body, ...flags }: LoadOptions,
  durationMs: number,
): Promise<Pick<RunLoadOptions, 'parts' | 'partDelaysMs' | 'keys'>> {
  if (part === undefined) {
    if (flags.source === undefined && flags.keys === undefined) return {};
    throw new AppError('WRONG_USAGE', '--source and --keys need the parts of several sources; add --part for each.');
  }
  const names = Object.keys(part);
  if (body !== undefined || names.length < 2)
    throw new AppError('WRONG_USAGE', 'Give --part for each of several sources, in place of --body.');
  const address = /^(.*\/v[12]\/(?:pipelines|models)\/[^/]+)(\/.*)$/.exec(url);
  if (address === null)
    throw new AppError('WRONG_USAGE', `${url} does not name a pipeline; expected …/v1/pipelines/NAME/run.`);
  const load = sourceLoadOf(names, flags);
  const rng = arrivalRng(seed);
  const parts = await Promise.all(
    load.sources.map(async ({ arrivalRps }, index) => {
      const name = names[index] as string;
      return {
        name,
        url: `${address[1]}.${name}${address[2]}`,
        bodies: await bodiesOf({ body: part[name] as string, contentType }),
        ...(arrivalRps !== undefined && {
          own: ownArrivals(arrivalRps, durationMs, load, rng.fork(`source ${index}`)),
        }),
      };
    }),
  );
  return {
    parts,
    partDelaysMs: partDelays(load, rng.fork('parts')),
    ...(load.keys !== undefined && { keys: load.keys }),
  };
}

/** Bodies to send: all files of a folder by name; default: an empty JSON object. */
async function bodiesOf({
  body,
  contentType,
}: Pick<LoadOptions, 'body'> & { readonly contentType?: string | undefined }): Promise<readonly LoadBody[]> {
  if (body === undefined)
    return [{ contentType: contentType ?? 'application/json', bytes: new TextEncoder().encode('{}') }];
  const found = await stat(body).catch((cause: unknown) => {
    throw new AppError('FILE_NOT_FOUND', `There is no file or folder ${body}.`, { cause });
  });
  const names = found.isDirectory() ? await filesOf(body) : [body];
  if (names.length === 0) throw new AppError('WRONG_USAGE', `The folder ${body} has no files to send.`);
  return Promise.all(
    names.map(async (path) => ({
      contentType: contentType ?? mediaTypeOf(extname(path)),
      bytes: await readFile(path),
      path,
    })),
  );
}

/** Files of a folder, without hidden ones. */
async function filesOf(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isFile() && !entry.name.startsWith('.')).map(({ name }) => name);
  return names.sort().map((name) => join(folder, name));
}

function loadText(result: LoadResult): string {
  const { sent, ok, dropped, failed, latencyMs, offeredRps, achievedRps, byStatus, firstRefusal } = result;
  const statuses = Object.entries(byStatus).map(([status, count]) => `${status}: ${count}`);
  const latencies =
    ok === 0 ? 'no latency, because nothing was answered with success' : `latency ${latenciesText(latencyMs)}`;
  return [
    `${sent} sent (${offeredRps.toFixed(1)} rps), ${ok} ok (${achievedRps.toFixed(1)} rps), ${dropped} dropped, ${failed} failed`,
    latencies,
    ...(ok > 0 && result.latencyFromSendMs ? [`as vegeta counts: ${latenciesText(result.latencyFromSendMs)}`] : []),
    `answers by status: ${statuses.join(', ')}`,
    ...partTexts(result),
    ...(firstRefusal === undefined ? [] : [`the first failure, ${firstRefusal.status}: ${firstRefusal.message}`]),
    ...cutShortTexts(result),
  ].join('\n');
}

const latenciesText = ({ mean, p50, p95, p99, max }: LoadResult['latencyMs']): string =>
  `mean ${msText(mean)}, p50 ${msText(p50)}, p95 ${msText(p95)}, p99 ${msText(p99)}, max ${msText(max)}`;

function partTexts({ parts }: LoadResult): readonly string[] {
  return Object.entries(parts ?? {}).map(([name, { sent, byStatus }]) => {
    const statuses = Object.entries(byStatus).map(([status, count]) => `${status}: ${count}`);
    return `parts of ${name}: ${sent} sent; answers by status: ${statuses.join(', ')}`;
  });
}

function cutShortTexts({ cutShort }: LoadResult): readonly string[] {
  if (cutShort === undefined) return [];
  return cutShort === 'interrupted'
    ? ['interrupted: not all of the load was sent']
    : ['ended, because every answer was such a refusal; --keep-going sends the load all the same'];
}
