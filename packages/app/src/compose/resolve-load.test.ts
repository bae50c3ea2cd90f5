import { loadDurationS } from '@equipoise/core/simulate';
import { afterAll, describe, expect, it } from 'vitest';
import { TestFolder } from '../equipoise.test-support.js';
import { resolveLoad, shippedLoadNames } from './resolve-load.js';

const folder = new TestFolder();
const file = `${folder.path}/load.csv`;

describe('resolveLoad', () => {
  afterAll(() => folder.remove());

  it('takes a rate with a duration, Poisson when nothing else is said', async () => {
    const poisson = { kind: 'poisson', arrivalRps: 5, durationS: 60 };
    expect(await resolveLoad({ arrivalRps: 5, durationS: 60 })).toEqual({ name: 'poisson 5 rps 60 s', spec: poisson });
    const gamma = await resolveLoad({ arrivalRps: 5, durationS: 60, arrivals: 'gamma:2' });
    expect(gamma).toEqual({ name: 'gamma:2 5 rps 60 s', spec: { ...poisson, kind: 'gamma', cv: 2 } });
  });

  it('takes a file, spread as asked', async () => {
    folder.write('load.csv', '# two seconds\nrequests\n3\n2\n');
    const spec = { kind: 'trace', arrivalsPerSecond: [3, 2], spread: 'poisson' };
    expect(await resolveLoad({ load: file })).toEqual({ name: file, spec });
    const bunched = await resolveLoad({ load: file, arrivals: 'bunched' });
    expect(bunched.spec).toEqual({ ...spec, spread: 'bunched' });
  });

  it('takes the names of shipped loads', async () => {
    expect(shippedLoadNames()).toEqual(['bursty', 'fluctuating', 'steady-high', 'steady-low']);
    for (const load of shippedLoadNames()) {
      const { name, spec } = await resolveLoad({ load });
      expect(name).toBe(load);
      expect(loadDurationS(spec)).toBe(1200);
    }
  });

  it.each([
    [{}, 'WRONG_USAGE', '--arrival-rps N --duration-s T, or --load FILE.csv or NAME'],
    [{ arrivalRps: 5 }, 'WRONG_USAGE', '--duration-s T'],
    [{ load: 'bursty', arrivalRps: 5 }, 'WRONG_USAGE', 'leave --arrival-rps and --duration-s out'],
    [{ load: 'bursty', arrivals: 'gamma:2' }, 'WRONG_USAGE', 'with --load it is poisson, uniform, bunched'],
    [
      { load: 'busty' },
      'FILE_NOT_FOUND',
      'busty cannot be read; shipped loads are bursty, fluctuating, steady-high, steady-low.',
    ],
  ])('refuses %j', async (request, code, message) => {
    await expect(resolveLoad(request)).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
  });
});
