import { expect, it } from 'vitest';
import { type CpuTimes, measureMachineUse } from './machine-use.js';

/** Use of a machine of four cores in a second in which its programs and this one took these times (ms). */
async function useAfter(busyMs: number, ownMs: number) {
  const start: CpuTimes = { cores: 4, allMs: 900_000, busyMs: 500_000, ownMs: 7000 };
  const end = { cores: 4, allMs: 904_000, busyMs: 500_000 + busyMs, ownMs: 7000 + ownMs };
  let now = start;
  return measureMachineUse(
    () => now,
    async () => {
      now = end;
    },
  );
}

it('counts what other programs use', async () => {
  expect(await useAfter(2100, 100)).toEqual({ cores: 4, otherCores: 2, isBusy: true });
  expect(await useAfter(100, 100)).toEqual({ cores: 4, otherCores: 0, isBusy: false });
});

it('calls a machine busy from a twentieth of its cores on', async () => {
  expect(await useAfter(190, 0)).toMatchObject({ isBusy: false });
  expect(await useAfter(210, 0)).toMatchObject({ isBusy: true });
});

it('takes rounding of the clock for no use', async () => {
  expect(await useAfter(0, 20)).toEqual({ cores: 4, otherCores: 0, isBusy: false });
});

it('reads the times of this machine', async () => {
  const { cores, otherCores } = await measureMachineUse(undefined, async () => {});
  expect(cores).toBeGreaterThan(0);
  expect(otherCores).toBeGreaterThanOrEqual(0);
  expect(otherCores).toBeLessThanOrEqual(cores);
});
