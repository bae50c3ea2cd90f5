/** Logs that version 0.1.0 wrote: the state file of a server and the lines of a log. */
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { readDecisionLog } from './decision-log-file.js';
import { LogReplay, type ReplayVerdict } from './replay-log.js';

const folder = mkdtempSync(join(tmpdir(), 'equipoise-recorded-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A copy, because a state file that is opened may be migrated. */
function copyOf(name: string): string {
  const path = join(folder, name);
  copyFileSync(fileURLToPath(new URL(`./fixtures/${name}`, import.meta.url)), path);
  return path;
}

it.each([
  ['a state file', 'state-0.1.0.db', { burst: 1, plan: 6, manual: 5, start: 1 }, 7],
  ['a log file', 'decisions-0.1.0.jsonl', { burst: 1, plan: 7, 'roll-back': 2 }, 10],
])('%s of version 0.1.0 replays to the same decisions', { timeout: 60_000 }, async (_, name, triggers, replayable) => {
  const { setups, decisions } = await readDecisionLog(copyOf(name));
  const counts: Record<string, number> = {};
  for (const { record } of decisions) counts[record.trigger ?? ''] = (counts[record.trigger ?? ''] ?? 0) + 1;
  expect(counts).toEqual(triggers);
  const replay = new LogReplay(setups);
  const verdicts = decisions.map(({ record }) => replay.verdictOn(record)).map(decidedAlike);
  expect(verdicts.filter(({ kind }) => kind === 'different')).toEqual([]);
  expect(verdicts.filter(({ kind }) => kind === 'same')).toHaveLength(replayable);
});

/**
 * Estimated latency, samples of a verification and proof of a plan: a later planner estimates, draws and proves otherwise.
 * The rest is the decision.
 */
const OF_PLANNER = /\.(predicted\.latencyMs|verified\.(latencyMs|sloAttainmentFraction|seeds\.\d+)|certificate\.\w+)$/;

/** Powers of newer engines differ in the last bit from those of the engine that wrote the logs: another rate. */
const samePowers = 1.05 ** 63 === 21.623492570684135;
const OF_RATE = /\.arrivalRps$/;

/** The verdict without the differences that another planner or engine makes. */
function decidedAlike(verdict: ReplayVerdict): ReplayVerdict {
  if (verdict.kind !== 'different') return verdict;
  const differences = verdict.differences.filter(
    ({ path }) => !OF_PLANNER.test(path) && (samePowers || !OF_RATE.test(path)),
  );
  return differences.length === 0 ? { kind: 'same' } : { ...verdict, differences };
}
