import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { syntheticPipeline, TestFolder } from '../equipoise.test-support.js';
import { calibrate } from './calibrate.js';

const calls = vi.hoisted(() => ({ printed: '', beforeLoad: '' }));

vi.mock('../calibrate/load-generator.js', async (original) => ({
  ...(await original<typeof import('../calibrate/load-generator.js')>()),
  LoadGenerator: class {
    end() {}
  },
}));
vi.mock('../calibrate/calibrate-plan.js', async (original) => ({
  ...(await original<typeof import('../calibrate/calibrate-plan.js')>()),
  calibratePlan: async () => {
    calls.beforeLoad = calls.printed;
    throw new Error('no load in this test');
  },
}));
vi.mock('../terminal/stop-signal.js', async (original) => ({
  ...(await original<typeof import('../terminal/stop-signal.js')>()),
  stopSignal: () => new Promise(() => {}),
}));

const folder = new TestFolder();
let file = '';
beforeAll(() => {
  file = join(folder.path, folder.write('pipeline.yaml', syntheticPipeline()));
});
afterAll(() => folder.remove());

it.each([
  { isBusy: true, warns: true },
  { isBusy: false, warns: false },
])('warns of other programs before the first load: $isBusy', async ({ isBusy, warns }) => {
  calls.printed = '';
  const spy = vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    calls.printed += String(text);
    return true;
  });
  try {
    const machine = { cores: 4, otherCores: 1.5, isBusy };
    await expect(calibrate(file, { durationS: 2, seed: 1 }, async () => machine)).rejects.toThrow('no load');
  } finally {
    spy.mockRestore();
  }
  expect(calls.beforeLoad.includes('Other programs use 1.5 of the 4 cores of this machine')).toBe(warns);
});
