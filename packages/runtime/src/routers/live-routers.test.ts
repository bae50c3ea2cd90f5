import { expect, it } from 'vitest';
import { LiveRouters } from './live-routers.js';
import { ownIdentity, type ProcessIdentity } from './process-identity.js';
import type { RouterState } from './router-files.js';

const ENDED: ProcessIdentity = { ...ownIdentity(), pid: 2 ** 22 + 1 };
/** A process of another container. */
const UNSEEN: ProcessIdentity = { ...ownIdentity(), namespace: 'pid:[1]' };

const stateOf = (id: string, more: Partial<RouterState> = {}): RouterState => ({
  ...{ id, process: ownIdentity(), startedAtEpochMs: 1, atEpochMs: 1, specDigest: 'd', version: 1, planVersion: 1 },
  ...{ limitCores: 4, heldCores: 4, usesSurge: false, wantsSurge: false, arrived: 0, ...more },
});

/** Files in memory, and both clocks. */
class Bench {
  states: readonly RouterState[] = [];
  readonly removed: string[] = [];
  readonly news: string[] = [];
  nowMs = 1_000_000;
  epochNowMs = 1_700_000_000_000;
  readonly #routers = new LiveRouters({
    files: {
      routers: async () => this.states,
      remove: async (id) => {
        this.removed.push(id);
        this.states = this.states.filter((each) => each.id !== id);
      },
    },
    ownId: 'own',
    nowMs: () => this.nowMs,
    epochNowMs: () => this.epochNowMs,
  });

  async look(removesEnded = false): Promise<readonly string[]> {
    const onNews = ({ id }: RouterState) => this.news.push(id);
    return (await this.#routers.look({ removesEnded, onNews })).map(({ id }) => id);
  }

  pass(ms: number): void {
    this.nowMs += ms;
    this.epochNowMs += ms;
  }
}

it('lists the others, and news once', async () => {
  const bench = new Bench();
  bench.states = [stateOf('own'), stateOf('a'), stateOf('b')];
  expect(await bench.look()).toEqual(['a', 'b']);
  bench.states = [stateOf('a'), stateOf('b', { atEpochMs: 2 })];
  expect(await bench.look()).toEqual(['a', 'b']);
  expect(bench.news).toEqual(['a', 'b', 'b']);
});

it('keeps a router whose file is missing or damaged, while its process runs', async () => {
  const bench = new Bench();
  bench.states = [stateOf('a')];
  await bench.look(true);
  bench.states = [];
  bench.pass(60_000);
  expect(await bench.look(true)).toEqual(['a']);
  expect(bench.removed).toEqual([]);
});

it.each([
  ['has left', stateOf('a', { hasLeft: true })],
  ['has ended', stateOf('a', { process: ENDED })],
])('drops a router that %s, and the lead removes its file', async (_, gone) => {
  const bench = new Bench();
  bench.states = [stateOf('a')];
  await bench.look();
  bench.states = [{ ...gone, atEpochMs: 2 }];
  expect([await bench.look(), bench.removed]).toEqual([[], []]);
  expect([await bench.look(true), bench.removed]).toEqual([[], ['a']]);
});

it('drops an unseen process after 10 s of silence, whatever the clock of the day says', async () => {
  const bench = new Bench();
  bench.states = [stateOf('a', { process: UNSEEN, atEpochMs: bench.epochNowMs })];
  expect(await bench.look()).toEqual(['a']);
  bench.epochNowMs += 3_600_000;
  bench.pass(9_000);
  expect(await bench.look()).toEqual(['a']);
  bench.epochNowMs -= 7_200_000;
  bench.pass(2_000);
  expect(await bench.look()).toEqual([]);
  expect(await bench.look()).toEqual([]);
  bench.states = [stateOf('a', { process: UNSEEN, atEpochMs: bench.epochNowMs })];
  expect(await bench.look()).toEqual(['a']);
});

it('drops an unseen process at once if its file is old at the first look', async () => {
  const bench = new Bench();
  bench.states = [stateOf('a', { process: UNSEEN, atEpochMs: bench.epochNowMs - 11_000 })];
  expect(await bench.look(true)).toEqual([]);
  expect(bench.removed).toEqual(['a']);
});
