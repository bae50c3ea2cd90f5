/** Command line and results of a long measurement: progress with ETA, kept after each step, resumed on request. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

export interface RunOptions {
  readonly count: number;
  readonly first: number;
  readonly seedFrom: string;
  readonly resume: boolean;
  /** Simulated plans of the reference search. */
  readonly simulations: number;
  /** Path of the results without extension. */
  readonly out: string;
}

const COMMIT = /^[0-9a-f]{7,40}$/;
const DEFAULT_SIMULATIONS = 250;

/** Throws on unknown flags. Results of a seed that is no commit stay out of the repository. */
export function readRunOptions(name: string, defaultCount: number, args: readonly string[]): RunOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      count: { type: 'string', default: String(defaultCount) },
      first: { type: 'string', default: '0' },
      'seed-from': { type: 'string', default: 'dev' },
      resume: { type: 'boolean', default: false },
      simulations: { type: 'string', default: String(DEFAULT_SIMULATIONS) },
      out: { type: 'string' },
    },
  });
  const seedFrom = values['seed-from'];
  const repository = fileURLToPath(new URL(`${name}/results`, import.meta.url));
  const scratch = join(tmpdir(), 'equipoise-planner', `${name}-${seedFrom}`);
  return {
    count: wholeNumber('count', values.count),
    first: wholeNumber('first', values.first),
    seedFrom,
    resume: values.resume,
    simulations: wholeNumber('simulations', values.simulations),
    out: values.out ?? (COMMIT.test(seedFrom) ? repository : scratch),
  };
}

function wholeNumber(flag: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) throw new Error(`--${flag} needs a whole number, got ${text}`);
  return value;
}

interface Kept<T> {
  readonly seedFrom: string;
  readonly commit: string;
  readonly results: readonly T[];
}

export interface ResumableRun<T extends { readonly index: number }> {
  readonly measure: (index: number) => T;
  /** Text of a result in one line. */
  readonly line: (result: T) => string;
  readonly report: (results: readonly T[], heading: string) => string;
}

/** Returns all results. Keeps results of an earlier run if `resume` and the seeds are equal. */
export function runResumably<T extends { readonly index: number }>(
  options: RunOptions,
  { measure, line, report }: ResumableRun<T>,
): readonly T[] {
  const { count, first, seedFrom, out } = options;
  const file = `${out}.json`;
  mkdirSync(dirname(file), { recursive: true });
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
  let results = options.resume ? earlierResults<T>(file, seedFrom) : [];
  const done = new Set(results.map(({ index }) => index));
  const left = Array.from({ length: count }, (_, i) => first + i).filter((index) => !done.has(index));
  const startedMs = performance.now();
  for (const [i, index] of left.entries()) {
    const result = measure(index);
    results = [...results, result].sort((a, b) => a.index - b.index);
    const kept: Kept<T> = { seedFrom, commit, results };
    writeWhole(file, `${JSON.stringify(kept, null, 1)}\n`);
    writeWhole(`${out}.md`, report(results, `Seeds from ${seedFrom}, commit ${commit}.`));
    const etaS = (((performance.now() - startedMs) / 1000) * (left.length - i - 1)) / (i + 1);
    process.stdout.write(`[${i + 1}/${left.length}] ${line(result)} · ETA ${durationText(etaS)}\n`);
  }
  process.stdout.write(`\n${report(results, `Seeds from ${seedFrom}, commit ${commit}.`)}\nwritten to ${file}\n`);
  return results;
}

function earlierResults<T>(file: string, seedFrom: string): readonly T[] {
  if (!existsSync(file)) return [];
  const kept = JSON.parse(readFileSync(file, 'utf8')) as Kept<T>;
  if (kept.seedFrom !== seedFrom) throw new Error(`${file} has seeds from ${kept.seedFrom}; use another --out`);
  return kept.results;
}

/** A reader never sees half a file. */
function writeWhole(file: string, text: string): void {
  writeFileSync(`${file}.part`, text);
  renameSync(`${file}.part`, file);
}

export const durationText = (seconds: number): string =>
  seconds < 90 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`;
