import { loadDurationS } from '@equipoise/core/simulate';
import { afterAll, describe, expect, it } from 'vitest';
import { buildProgram } from '../build-program.js';
import { TestFolder } from '../equipoise.test-support.js';
import { readLoadBytes } from './load-size.js';
import { arrivalForms, parseArrivals, parseTraceSpread, resolveLoad, shippedLoadNames } from './resolve-load.js';

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

  it('stops reading a file at the limit', async () => {
    const refused = { code: 'FILE_UNREADABLE', message: expect.stringContaining('more than 100000 bytes') };
    folder.write('long.csv', '1\n'.repeat(60_000));
    await expect(readLoadBytes(`${folder.path}/long.csv`, 100_000)).rejects.toMatchObject(refused);
    folder.write('short.csv', '1\n');
    expect((await readLoadBytes(`${folder.path}/short.csv`, 2)).toString()).toBe('1\n');
  });

  it.each([
    [{}, 'WRONG_USAGE', '--arrival-rps N --duration-s T, or --load FILE.csv or NAME'],
    [{ arrivalRps: 5 }, 'WRONG_USAGE', '--duration-s T'],
    [{ arrivalRps: 1e6, durationS: 1e6 }, 'WRONG_USAGE', 'about 1e+12 requests; expected at most 1000000000'],
    [{ arrivalRps: 1, durationS: 9, arrivals: 'gamma:1e9' }, 'WRONG_USAGE', 'Use a lower rate or a shorter duration'],
    [{ arrivalRps: 1, durationS: 9, arrivals: 'mmpp:1@1e-9,2@1' }, 'WRONG_USAGE', 'Hold each rate longer'],
    [{ arrivalRps: 1, durationS: 9, arrivals: 'square-wave:0@1e-9,0@1' }, 'WRONG_USAGE', 'Hold each rate longer'],
    [{ arrivalRps: 1e300, durationS: 1e300, arrivals: 'ramp:2' }, 'WRONG_USAGE', 'about too many requests'],
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

const scale = { arrivalRps: 10, durationS: 120 };

describe('parseArrivals', () => {
  it.each([
    ['poisson', { kind: 'poisson', ...scale }],
    ['deterministic', { kind: 'deterministic', ...scale }],
    ['gamma:0.5', { kind: 'gamma', cv: 0.5, ...scale }],
    ['daily-cycle:0.6', { kind: 'daily-cycle', swingFraction: 0.6, periodS: 86_400, ...scale }],
    ['daily-cycle:1@60', { kind: 'daily-cycle', swingFraction: 1, periodS: 60, ...scale }],
    ['step:3@60', { kind: 'step', fromRps: 10, toRps: 30, atS: 60, durationS: 120 }],
    ['ramp:0', { kind: 'ramp', fromRps: 10, toRps: 0, durationS: 120 }],
  ])('reads %s', (text, load) => {
    expect(parseArrivals(text, scale)).toEqual(load);
  });

  it('reads states, levels and points as multiples of the rate', () => {
    expect(parseArrivals('mmpp:0.5@60,3@15', scale)).toEqual({
      kind: 'mmpp',
      durationS: 120,
      states: [
        { arrivalRps: 5, meanHoldS: 60 },
        { arrivalRps: 30, meanHoldS: 15 },
      ],
    });
    expect(parseArrivals('square-wave:1@30,0@10', scale)).toEqual({
      kind: 'square-wave',
      durationS: 120,
      levels: [
        { arrivalRps: 10, holdS: 30 },
        { arrivalRps: 0, holdS: 10 },
      ],
    });
  });

  it('holds the first and last point of a piecewise linear load to its ends', () => {
    expect(parseArrivals('piecewise-linear:1@20,3@60', scale)).toEqual({
      kind: 'piecewise-linear',
      points: [
        { atS: 0, arrivalRps: 10 },
        { atS: 20, arrivalRps: 10 },
        { atS: 60, arrivalRps: 30 },
        { atS: 120, arrivalRps: 30 },
      ],
    });
  });

  it.each([
    ['poison', 'is not a form of arrivals. Known: poisson · deterministic · gamma:CV · mmpp:FACTOR@HOLD_S'],
    ['toString', 'is not a form of arrivals'],
    ['bunched', 'it spreads the counts of a --load file'],
    ['poisson:2', 'poisson takes no numbers'],
    ['gamma', 'such as gamma:2'],
    ['gamma:0', 'such as gamma:2'],
    ['gamma:Infinity', 'such as gamma:2'],
    ['mmpp:1@60', 'at least two states'],
    ['mmpp:1@60,2@0', 'more than 0 s'],
    ['mmpp:1@60,2', 'such as mmpp:0.5@60,3@15'],
    ['daily-cycle:1.5', 'a swing from 0 to 1'],
    ['daily-cycle:0.5@10@2', 'such as daily-cycle:0.6@3600'],
    ['step:2@120', 'steps at 120 s, but the load ends at 120 s'],
    ['step:2@1,3@2', 'such as step:3@60'],
    ['ramp:-1', 'such as ramp:3'],
    ['square-wave:-1@1,2@2', 'at least two levels'],
    ['piecewise-linear:1@60,2@30', 'at ascending seconds'],
    ['piecewise-linear:1@0,2@121', 'has a point at 121 s, but the load ends at 120 s'],
  ])('refuses %s and says what to write', (text, message) => {
    expect(() => parseArrivals(text, scale)).toThrow(message);
    expect(() => parseArrivals(text, scale)).toThrow(expect.objectContaining({ code: 'WRONG_USAGE' }));
  });

  it('is told in full by the help of the commands that take it', () => {
    const help = buildProgram()
      .commands.filter(({ options }) => options.some(({ long }) => long === '--arrivals'))
      .map((command) => command.helpInformation());
    expect(help.length).toBeGreaterThan(0);
    for (const text of help) for (const kind of Object.keys(arrivalForms)) expect(text).toContain(kind);
  });
});

describe('parseTraceSpread', () => {
  it('knows three spreads', () => {
    expect(['poisson', 'uniform', 'bunched'].map(parseTraceSpread)).toEqual(['poisson', 'uniform', 'bunched']);
    expect(() => parseTraceSpread('gamma:2')).toThrow('with --load it is poisson, uniform, bunched');
  });
});
