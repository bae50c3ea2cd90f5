/**
 * Process that writes a state file until it is killed: `FILE FIRST_NUMBER`. Number n becomes a plan and a decision and
 * is printed once all calls have returned. Every third number is stored as learned state, too.
 */
import { writeSync } from 'node:fs';
import type { DecisionRecord, Plan } from '@equipoise/core/model';
import { SqlitePlanStore } from './sqlite-plan-store.js';

export function numberedPlan(number: number): Plan {
  const predicted = { latencyMs: number, percentile: 99, pas: 1, capacityRps: 1, cpuCores: 1, costPerHour: 1 };
  return { stages: {}, predicted };
}

/** Decision with a number, of realistic size. */
export function numberedDecision(number: number): DecisionRecord {
  return {
    id: number + 1,
    atEpochMs: number,
    observation: {
      atMs: number,
      load: { arrivalsPerSecond: new Array<number>(600).fill(number) },
      stages: {},
      runningPlan: { stages: {} },
      staleSources: [],
    },
    decision: {
      kind: 'hold',
      reason: `number ${number}`,
      evidence: { forecast: { method: 'last', meanRps: 1, upperRps: 1 } },
    },
  };
}

const [, script, path, first] = process.argv;
if (script?.includes('writing-process') === true && path !== undefined) {
  const store = new SqlitePlanStore(path);
  for (let number = Number(first); ; number++) {
    await store.saveGoodPlan('p', { plan: numberedPlan(number), atEpochMs: number, specDigest: 'd' });
    await store.appendDecision('p', numberedDecision(number));
    await store.amendDecision('p', number + 1, { outcome: { kind: 'applied', tookMs: number } });
    if (number % 3 === 0) await store.keep('p', 'learning', { number, weights: new Array<number>(5000).fill(number) });
    writeSync(1, `${number}\n`);
  }
}
