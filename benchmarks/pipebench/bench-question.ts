/** Flags of `npm run bench:pipebench`, checked. */
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { benchCells, cellText } from './cells.js';
import { type BenchPolicyName, benchPolicies } from './policies.js';
import { PUBLISHED } from './questions.js';

const MOST_SEEDS = 20;
const USUAL_SEEDS = 5;
const MOST_POLICIES = 8;

/** Wrong usage: exit code 2. */
export class UsageError extends Error {}

function wholeNumber(flag: string, text: string | undefined, { usual, most }: { usual: number; most: number }): number {
  if (text === undefined) return usual;
  const value = Number(text);
  if (!(Number.isInteger(value) && value >= 1 && value <= most))
    throw new UsageError(`--${flag} must be a whole number from 1 to ${most}, got ${text}.`);
  return value;
}

function flags(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        policy: { type: 'string', multiple: true, default: [] },
        against: { type: 'string', multiple: true, default: [] },
        only: { type: 'string', multiple: true, default: [] },
        seeds: { type: 'string' },
        workers: { type: 'string' },
        'limit-s': { type: 'string' },
        quick: { type: 'boolean', default: false },
        report: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/** Built-in policies that run: all, or those of `--against`. */
function builtIn(against: readonly string[], hasOwn: boolean): readonly BenchPolicyName[] {
  const known = benchPolicies.map(({ name }) => name);
  if (against.length === 0) return known;
  if (!hasOwn) throw new UsageError('--against chooses what your policy is compared with: give --policy FILE, too.');
  if (against.length === 1 && against[0] === 'none') return [];
  const unknown = against.find((name) => !known.some((each) => each === name));
  if (unknown !== undefined)
    throw new UsageError(`--against ${unknown}: choose from ${known.join(', ')}, or none to run your policy alone.`);
  return known.filter((name) => against.includes(name));
}

/** Reads flags. `env`: may name the folder of published profiles. Throws UsageError. */
export function readQuestion(args: readonly string[], env: Readonly<Record<string, string | undefined>>) {
  const values = flags(args);
  const { quick } = values;
  const policies = values.policy.map((path) => resolve(path));
  const missing = policies.find((path) => !existsSync(path));
  if (missing !== undefined) throw new UsageError(`--policy: there is no file ${missing}.`);
  if (policies.length > MOST_POLICIES)
    throw new UsageError(`--policy may be given at most ${MOST_POLICIES} times, got ${policies.length}.`);
  const referenceDir = env['EQUIPOISE_REFERENCE_DIR'];
  const published = referenceDir !== undefined && existsSync(join(referenceDir, 'ipa'));
  const cells = benchCells({ quick, published, only: values.only });
  if (cells.length === 0) {
    const names = benchCells({ quick, published, only: [] }).map(cellText);
    throw new UsageError(`--only ${values.only.join(' ')} matches no cell. The cells are: ${names.join('; ')}.`);
  }
  const seeds = wholeNumber('seeds', values.seeds, { usual: quick ? 1 : USUAL_SEEDS, most: MOST_SEEDS });
  return {
    quick,
    report: values.report,
    policies,
    against: builtIn(values.against, policies.length > 0),
    cells,
    seeds,
    referenceDir: published ? referenceDir : undefined,
    skipped: published || quick ? [] : PUBLISHED,
    workers: wholeNumber('workers', values.workers, { usual: availableParallelism(), most: 64 }),
    limitMs: 1000 * wholeNumber('limit-s', values['limit-s'], { usual: 60, most: 3600 }),
    isComplete: !quick && published && policies.length === 0 && values.only.length === 0 && seeds >= USUAL_SEEDS,
  };
}

export type BenchQuestion = ReturnType<typeof readQuestion>;
