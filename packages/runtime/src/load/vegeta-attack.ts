/**
 * A load sent by vegeta (v12), along the same schedule per second as Equipoise's own. Vegeta knows one constant rate for
 * a run, so seconds with the same count are one run, and each run is a process. It starts a second early and waits for
 * the end of its standard input (`-body stdin`), which comes at the scheduled instant. A run ends with its targets.
 * Within a second, requests have equal distances, half a distance from both ends (as the spread `uniform`).
 *
 * Vegeta's latency counts from the instant at which one of its workers takes a request, so a request that waits for a
 * worker looks fast. The report has both: from that instant, and from the scheduled one.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppError } from '@equipoise/core/model';
import type { ArrivalProcess } from '@equipoise/core/simulate';
import { type LoadResult, LoadTally } from './load-tally.js';
import { type LoadRecord, NO_TARGETS, readResults } from './vegeta-results.js';
import { type LoadTarget, targetsText } from './vegeta-targets.js';

export interface VegetaLoad {
  /** Path or name of the program. */
  readonly program: string;
  readonly arrivals: ArrivalProcess;
  /** Sent in turn; at least one. */
  readonly targets: readonly LoadTarget[];
  readonly timeoutMs: number;
  /** Most requests at once; then later ones wait. By default there is no limit. */
  readonly maxWorkers?: number | undefined;
  /** Stops sending; requests in flight are awaited. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (sent: number, elapsedMs: number) => void;
  readonly onEnd?: ((record: LoadRecord) => void) | undefined;
}

/** Consecutive seconds with the same count of requests. */
interface Run {
  readonly name: string;
  readonly fromS: number;
  readonly seconds: number;
  readonly perSecond: number;
  /** Number of the first request. */
  readonly first: number;
}

/** A process is started this long before its run. */
const LEAD_MS = 1000;
/** Bounds the file of a run. */
const MOST_REQUESTS_OF_RUN = 100_000;
const LOOK_EVERY_MS = 100;
/** Result files that vegeta opens at a time. */
const FILES_AT_A_TIME = 64;

/** Resolves when every request has ended. Throws PACKAGE_MISSING without vegeta, INTERRUPTED if it fails. */
export async function runVegeta(load: VegetaLoad): Promise<LoadResult> {
  const folder = await mkdtemp(join(tmpdir(), 'equipoise-vegeta-'));
  try {
    return await new VegetaAttack(load, folder).run();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

class VegetaAttack {
  readonly #load: VegetaLoad;
  readonly #folder: string;
  readonly #running = new Set<ChildProcess>();
  readonly #startedAtEpochMs = new Map<string, number>();
  #targets: readonly LoadTarget[] = [];
  #failure: AppError | undefined;

  constructor(load: VegetaLoad, folder: string) {
    this.#load = load;
    this.#folder = folder;
  }

  async run(): Promise<LoadResult> {
    const { arrivals, onProgress } = this.#load;
    const runs = runsOf(countsPerSecond(arrivals));
    await requireProgram(this.#load.program);
    this.#targets = await this.#targetsInFiles();
    const startsAtMs = performance.now() + LEAD_MS;
    const attacks: Promise<void>[] = [];
    for (const run of runs) {
      await this.#waitUntil(startsAtMs + 1000 * run.fromS - LEAD_MS);
      if (this.#isOver()) break;
      attacks.push(this.#attack(run, startsAtMs + 1000 * run.fromS));
      onProgress?.(run.first, 1000 * run.fromS);
    }
    await Promise.all(attacks);
    const elapsedMs = performance.now() - startsAtMs;
    if (this.#failure !== undefined) throw this.#failure;
    const attacked = runs.filter(({ name }) => this.#startedAtEpochMs.has(name));
    return this.#report(attacked, elapsedMs);
  }

  #isOver(): boolean {
    return this.#load.signal?.aborted === true || this.#failure !== undefined;
  }

  async #waitUntil(atMs: number): Promise<void> {
    for (let leftMs = atMs - performance.now(); leftMs > 0 && !this.#isOver(); leftMs = atMs - performance.now())
      await new Promise((resolve) => setTimeout(resolve, Math.min(leftMs, LOOK_EVERY_MS)));
  }

  /** Vegeta's `http` format names files of bodies, so that a body is stored once. */
  #targetsInFiles(): Promise<readonly LoadTarget[]> {
    return Promise.all(
      this.#load.targets.map(async (target, index) => {
        if (target.bytes.length === 0) return { ...target, path: undefined };
        const path = join(this.#folder, `body-${index}`);
        await writeFile(path, target.bytes, { mode: 0o600 });
        return { ...target, path };
      }),
    );
  }

  async #attack(run: Run, dueAtMs: number): Promise<void> {
    const { maxWorkers, program, timeoutMs, signal } = this.#load;
    const targetsFile = join(this.#folder, `${run.name}.targets`);
    await writeFile(targetsFile, targetsText(this.#targetsOfRun(run), 'http'), { mode: 0o600 });
    const workers = maxWorkers === undefined ? [] : [`-workers=${maxWorkers}`, `-max-workers=${maxWorkers}`];
    const args = ['-lazy', `-targets=${targetsFile}`, '-body=stdin', `-rate=${run.perSecond}/1s`, `-name=${run.name}`];
    const output = ['-max-body=0', `-timeout=${timeoutMs}ms`, `-output=${this.#fileOf(run)}`];
    const child = spawn(program, ['attack', ...args, ...output, ...workers], { stdio: ['pipe', 'ignore', 'pipe'] });
    const ended = endOf(child);
    this.#running.add(child);
    const stop = () => child.kill('SIGINT');
    signal?.addEventListener('abort', stop);
    try {
      // Vegeta sends its first request one distance after the start.
      await this.#waitUntil(dueAtMs - 500 / run.perSecond);
      if (this.#isOver()) stop();
      else this.#startedAtEpochMs.set(run.name, epochNowMs());
      child.stdin.on('error', () => {});
      child.stdin.end();
      const { code, stderr } = await ended;
      if (code !== 0 && !this.#isOver()) this.#failure = failureOf(program, stderr);
    } finally {
      signal?.removeEventListener('abort', stop);
      this.#running.delete(child);
    }
  }

  #targetsOfRun({ first, seconds, perSecond }: Run): readonly LoadTarget[] {
    const targets = this.#targets;
    const numbers = Array.from({ length: seconds * perSecond }, (_, index) => first + index);
    return numbers.map((number) => targets[number % targets.length] as LoadTarget);
  }

  readonly #fileOf = ({ name }: Run): string => join(this.#folder, `${name}.gob`);

  async #report(runs: readonly Run[], elapsedMs: number): Promise<LoadResult> {
    const tally = new LoadTally();
    const byName = new Map(runs.map((run) => [run.name, run]));
    const lastRun = runs.at(-1);
    for (let from = 0; from < runs.length; from += FILES_AT_A_TIME) {
      const files = runs.slice(from, from + FILES_AT_A_TIME).map(this.#fileOf);
      for await (const record of decodedResults(this.#load.program, files)) {
        const run = byName.get(record.attack);
        if (record.error === NO_TARGETS || run === undefined) continue;
        const { status, error, latencyMs } = record;
        const waitMs = Math.max(0, record.sentAtEpochMs - this.#scheduledAtEpochMs(run, record.seq));
        tally.note({ status, body: error }, latencyMs + waitMs, latencyMs);
        this.#load.onEnd?.(record);
      }
    }
    const offeredMs = lastRun === undefined ? 0 : 1000 * (lastRun.fromS + lastRun.seconds - 0.5 / lastRun.perSecond);
    const result = tally.result({ sent: tally.ended, offeredMs, elapsedMs });
    return {
      ...result,
      latencyFromSendMs: tally.latencyFromSendMs(),
      ...(this.#load.signal?.aborted === true && { cutShort: 'interrupted' as const }),
    };
  }

  #scheduledAtEpochMs({ name, perSecond }: Run, seq: number): number {
    return (this.#startedAtEpochMs.get(name) ?? 0) + (1000 * (seq + 1)) / perSecond;
  }
}

/** Time in ms since the epoch. The monotonic clock is precise, but does not follow corrections of the system's clock. */
function epochNowMs(): number {
  const preciseMs = performance.timeOrigin + performance.now();
  return Math.abs(preciseMs - Date.now()) > 2 ? Date.now() : preciseMs;
}

function countsPerSecond(arrivals: ArrivalProcess): readonly number[] {
  const counts: number[] = [];
  for (let atMs = arrivals.nextAtMs(); atMs !== undefined; atMs = arrivals.nextAtMs()) {
    const second = Math.floor(atMs / 1000);
    while (counts.length <= second) counts.push(0);
    counts[second] = (counts[second] ?? 0) + 1;
  }
  return counts;
}

/** Runs of vegeta for these counts of requests per second. */
export function runsOf(counts: readonly number[]): readonly Run[] {
  const runs: Run[] = [];
  let first = 0;
  for (const [second, perSecond] of counts.entries()) {
    const last = runs.at(-1);
    const continues =
      last !== undefined &&
      last.perSecond === perSecond &&
      last.fromS + last.seconds === second &&
      (last.seconds + 1) * perSecond <= MOST_REQUESTS_OF_RUN;
    if (continues) runs[runs.length - 1] = { ...last, seconds: last.seconds + 1 };
    else if (perSecond > 0) runs.push({ name: `from-${second}`, fromS: second, seconds: 1, perSecond, first });
    first += perSecond;
  }
  return runs;
}

interface ProcessEnd {
  readonly code: number | null;
  readonly stderr: string;
}

const MOST_STDERR_CHARACTERS = 4096;

function endOf(child: ChildProcess): Promise<ProcessEnd> {
  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    if (stderr.length < MOST_STDERR_CHARACTERS) stderr += text;
  });
  return new Promise((resolve) => {
    child.on('error', ({ message }) => resolve({ code: null, stderr: message }));
    child.on('close', (code) => resolve({ code, stderr }));
  });
}

const failureOf = (program: string, stderr: string): AppError =>
  new AppError('INTERRUPTED', `${program} failed: ${stderr.trim() || 'it gave no reason'}.`);

async function requireProgram(program: string): Promise<void> {
  const { code } = await endOf(spawn(program, ['-version'], { stdio: 'ignore' }));
  if (code === 0) return;
  throw new AppError(
    'PACKAGE_MISSING',
    `vegeta was not found as ${program}. Install it: go install github.com/tsenart/vegeta/v12@v12.13.0, then put it on the PATH or name its path in EQUIPOISE_VEGETA.`,
  );
}

/** Results of runs, decoded by vegeta itself from its binary format. */
async function* decodedResults(program: string, files: readonly string[]): AsyncGenerator<LoadRecord> {
  const child = spawn(program, ['encode', '--to=csv', ...files], { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = endOf(child);
  yield* readResults(child.stdout.setEncoding('utf8') as AsyncIterable<string>, 'the results of vegeta');
  const { code, stderr } = await ended;
  if (code !== 0) throw failureOf(program, stderr);
}
