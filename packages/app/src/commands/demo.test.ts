import { expect, it, vi } from 'vitest';
import { demo } from './demo.js';

vi.mock('../compose/measure-profile.js', () => ({
  measureProfile: () => Promise.reject(new Error('no profile in this test')),
}));

it.each([true, false])('warns of other programs before the profile is measured: %s', async (isBusy) => {
  let printed = '';
  const spy = vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    printed += String(text);
    return true;
  });
  try {
    const machine = { cores: 4, otherCores: 1.5, isBusy };
    await expect(demo({ policy: 'equipoise' }, async () => machine)).rejects.toThrow('no profile');
  } finally {
    spy.mockRestore();
  }
  expect(printed.includes('Other programs use 1.5 of the 4 cores of this machine')).toBe(isBusy);
});
