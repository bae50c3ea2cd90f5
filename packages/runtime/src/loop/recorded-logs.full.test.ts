/** Logs of version 0.1.0: a state file and exported log lines. */
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { readDecisionLog } from './decision-log-file.js';
import { LogReplay, type ReplayVerdict } from './replay-log.js';

const folder = mkdtempSync(join(tmpdir(), 'equipoise-recorded-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A copy, because opening a state file may migrate it. */
function copyOf(name: string): string {
  const path = join(folder, name);
  copyFileSync(fileURLToPath(new URL(`./fixtures/${name}`, import.meta.url)), path);
  return path;
}

/** The forecaster of 0.1.0 took the first requests for a rise, so it planned the same for a slightly higher load. */
const FIRST_REQUESTS = ['decision.evidence.forecast.upperRps', 'decision.evidence.load.arrivalRps'];

it.each([
  ['a state file', 'state-0.1.0.db', { burst: 1, plan: 6, manual: 5, start: 1 }, 6, [FIRST_REQUESTS]],
  ['a log file', 'decisions-0.1.0.jsonl', { burst: 1, plan: 7, 'roll-back': 2 }, 10, []],
])(
  '%s of version 0.1.0 replays to the same decisions',
  { timeout: 60_000 },
  async (_, name, triggers, same, others) => {
    const { setups, decisions } = await readDecisionLog(copyOf(name));
    const counts: Record<string, number> = {};
    for (const { record } of decisions) counts[record.trigger ?? ''] = (counts[record.trigger ?? ''] ?? 0) + 1;
    expect(counts).toEqual(triggers);
    const replay = new LogReplay(setups);
    const verdicts = decisions.map(({ record }) => replay.verdictOn(record)).map(decidedAlike);
    const different = verdicts.flatMap((verdict) => (verdict.kind === 'different' ? [verdict.differences] : []));
    expect(different.map((each) => each.map(({ path }) => path))).toEqual(
      others.map((each) => each.filter(isCompared)),
    );
    expect(verdicts.filter(({ kind }) => kind === 'same')).toHaveLength(same);
  },
);

/**
 * Fields in which later planners differ: estimated latency, verification samples and proof. The rest is the decision.
 */
const OF_PLANNER = /\.(predicted\.latencyMs|verified\.(latencyMs|sloAttainmentFraction|seeds\.\d+)|certificate\.\w+)$/;

/** Newer JavaScript engines round powers differently, which changes the last bit of a rate. */
const samePowers = 1.05 ** 63 === 21.623492570684135;
const OF_RATE = /\.arrivalRps$/;

const isCompared = (path: string): boolean => !OF_PLANNER.test(path) && (samePowers || !OF_RATE.test(path));

/** The verdict without differences between planners or engines. */
function decidedAlike(verdict: ReplayVerdict): ReplayVerdict {
  if (verdict.kind !== 'different') return verdict;
  const differences = verdict.differences.filter(({ path }) => isCompared(path));
  return differences.length === 0 ? { kind: 'same' } : { ...verdict, differences };
}
