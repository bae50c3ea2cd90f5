import { describe, expect, it } from 'vitest';
import { START_EPOCH_MS, sampleRun } from '../sample-run.test-support.js';
import { ALL_TIME, emptyWindow, windowOf, within } from './run-window.js';

const run = sampleRun({ pipeline: 'p', stages: ['a'], seconds: 600 });
const minutes = (count: number): number => START_EPOCH_MS + 60_000 * count;

describe('a window', () => {
  it('ends now if it has a length only', () => {
    expect(windowOf({ last: 1000 }, 5000)).toEqual({ fromEpochMs: 4000, toEpochMs: 5000 });
    expect(windowOf({ last: 1000, to: 3000 }, 5000)).toEqual({ fromEpochMs: 2000, toEpochMs: 3000 });
    expect(windowOf({}, 5000)).toEqual(ALL_TIME);
    expect(() => windowOf({ from: 2, to: 2 }, 5000)).toThrow('The window ends before it begins');
  });

  it('has no latencies unless it is the whole run, because they have no times', () => {
    expect(within(run, ALL_TIME)).toEqual(run);
    const part = within(run, { fromEpochMs: minutes(2), toEpochMs: minutes(5) });
    expect([part.points.length, part.decisions.length, part.latencies]).toEqual([180, 1, []]);
  });
});

describe('a window with nothing in it', () => {
  const messageOf = (flags: Parameters<typeof windowOf>[0]) =>
    emptyWindow('run.json', run, { window: windowOf(flags, minutes(600)), flags }).message;

  it.each([
    [{ last: 60_000 }, 'between 2026-03-01T21:59:00Z and 2026-03-01T22:00:00Z'],
    [{ from: minutes(20) }, 'after 2026-03-01T12:20:00Z'],
    [{ to: minutes(-1) }, 'up to 2026-03-01T11:59:00Z'],
    [{ from: minutes(20), to: minutes(20) + 1 }, 'between 2026-03-01T12:20:00Z and 2026-03-01T12:20:00.001Z'],
  ])('names the window of %j and the time that was recorded', (flags, text) => {
    expect(messageOf(flags)).toContain(
      `run.json has nothing ${text}. It has 600 points and 2 decisions from 2026-03-01T12:00:00Z to 2026-03-01T12:10:00Z.`,
    );
  });

  it('names the flag that reaches it', () => {
    expect(messageOf({ last: 60_000 })).toMatch(/add --to 2026-03-01T12:10:00Z, or omit --last\.$/);
    expect(messageOf({ last: 60_000, to: minutes(-1) })).toMatch(/Choose --from and --to within this time/);
    expect(within(run, windowOf({ last: 600_000, to: minutes(10) }, minutes(600))).points).toHaveLength(600);
  });
});
