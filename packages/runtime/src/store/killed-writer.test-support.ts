/**
 * Kills a process that writes a state file, then checks the file: acknowledged writes are complete, and no write is
 * partial.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import Database from 'libsql';
import { expect } from 'vitest';
import { SqlitePlanStore } from './sqlite-plan-store.js';
import { numberedDecision, numberedPlan } from './writing-process.test-support.js';

/** Kills the process `afterMs` after `writes` acknowledged writes, or after the start if `writes` is 0. */
export interface Kill {
  readonly writes: number;
  readonly afterMs: number;
}

const writer = fileURLToPath(new URL('./writing-process.test-support.ts', import.meta.url));

/** Lets a process write from number `first` on, kills it and checks the file; returns the next number. */
export async function killedAndRead(path: string, first: number, kill: Kill): Promise<number> {
  const acknowledged = await writeUntilKilled(path, first, kill);
  const store = new SqlitePlanStore(path);
  const decisions = await store.decisions('p', { limit: 20_000 });
  const newest = (decisions[0]?.id ?? 0) - 1;
  expect(newest).toBeGreaterThanOrEqual(acknowledged);
  expect(newest).toBeLessThanOrEqual(acknowledged + 1);
  expect(decisions.map(({ id }) => id)).toEqual(Array.from({ length: newest + 1 }, (_, index) => newest + 1 - index));
  for (const { outcome, ...decision } of decisions.slice(0, 50)) {
    expect(decision).toEqual(numberedDecision(decision.id - 1));
    const number = decision.id - 1;
    // A process killed earlier may have stored a decision before `first` without its outcome.
    if (number >= first && number <= acknowledged) expect(outcome).toEqual({ kind: 'applied', tookMs: number });
  }
  const [good] = await store.goodPlans('p', 1);
  if (newest >= 0) expect([numberedPlan(newest), numberedPlan(newest + 1)]).toContainEqual(good?.plan);
  const learned = (await store.kept('p', 'learning')) as { readonly number: number; readonly weights: number[] };
  const lastLearned = 3 * Math.floor(acknowledged / 3);
  if (lastLearned >= first) {
    expect(learned.number).toBeGreaterThanOrEqual(lastLearned);
    expect(learned.weights).toEqual(new Array(5000).fill(learned.number));
  }
  await store.close();
  expect(checked(path)).toBe('ok');
  return newest + 1;
}

/** Last acknowledged number. */
async function writeUntilKilled(path: string, first: number, { writes, afterMs }: Kill): Promise<number> {
  const child = spawn(
    process.execPath,
    ['--conditions=equipoise-source', '--import', 'tsx', writer, path, `${first}`],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const ended = once(child, 'exit');
  let acknowledged = first - 1;
  const kill = () => void setTimeout(() => child.kill('SIGKILL'), afterMs);
  if (writes === 0) kill();
  for await (const line of createInterface({ input: child.stdout })) {
    acknowledged = Number(line);
    if (acknowledged === first + writes - 1) kill();
  }
  expect(await ended).toEqual([null, 'SIGKILL']);
  return acknowledged;
}

function checked(path: string): string {
  const database = new Database(path);
  try {
    return (database.prepare('PRAGMA integrity_check').get() as { integrity_check: string }).integrity_check;
  } finally {
    database.close();
  }
}
