import { expect, it } from 'vitest';
import { prepareProblem } from '../options/prepared-problem.js';
import { surrogateProblem } from '../options/surrogate.js';
import { problemOf, testPipeline, testStage } from '../planning.test-support.js';
import { solve } from './solve.js';

/**
 * Three replicas each of 260, 264 … 316 cores. A machine holds three. Deciding if all fit on 14 machines exceeds the
 * packing limit.
 */
function onMachines(count: number) {
  const stages = Array.from({ length: 15 }, (_, i) => {
    const only = { name: 'only', accuracy: 0.9, fixedMs: 1, perItemMs: 1 };
    return { ...testStage(`s${i}`, [only], [260 + 4 * i]), pins: { replicas: 3, maxBatchSize: 1 } };
  });
  const spec = { ...testPipeline(stages), budget: {}, nodes: [{ cpuCores: 1000, memoryBytes: 0, gpus: 0, count }] };
  return solve(surrogateProblem(prepareProblem(problemOf(spec, 1)), { theta: 1, kappa: 1 }));
}

it('proves nothing where a packing could not be settled', () => {
  expect(onMachines(15)).toMatchObject({ optimal: true, gapFraction: 0 });
  expect(onMachines(14)).toMatchObject({ optimal: false, gapFraction: 1 });
});
