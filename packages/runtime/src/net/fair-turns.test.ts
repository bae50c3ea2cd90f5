import { setImmediate } from 'node:timers/promises';
import { beforeEach, describe, expect, it } from 'vitest';
import { noPressure } from './accept-pressure.js';
import { FairTurns, MemoryQueue, ReadTurns } from './fair-turns.js';

describe('calls of many connections', () => {
  const turns: (() => void)[] = [];
  let fair: FairTurns;
  let begun: string[];

  beforeEach(() => {
    turns.length = 0;
    begun = [];
    // With real time, less would begin in a turn of a busy machine.
    fair = new FairTurns(
      noPressure,
      (turn) => turns.push(turn),
      () => 0,
    );
  });

  const connections = new Map<string, object>();
  const connection = (name: string) => {
    const known = connections.get(name) ?? {};
    connections.set(name, known);
    return known;
  };
  const send = (name: string, count: number) => {
    for (let call = 0; call < count; call++) fair.begin(connection(name), () => begun.push(`${name}${call}`));
  };
  /** The calls that begin in the next turn. */
  const next = () => {
    begun.length = 0;
    expect(turns).toHaveLength(1);
    turns.shift()?.();
    return [...begun];
  };

  it('begin at once while they are few', () => {
    for (let turn = 0; turn < 3; turn++) {
      send('a', 64);
      expect(begun).toHaveLength(64);
      expect(next()).toEqual([]);
    }
  });

  it('take turns, in the order of each, and at most 64 begin in one', () => {
    send('a', 1000);
    expect(begun).toHaveLength(64);
    send('b', 2);
    send('c', 1);
    expect(begun).toHaveLength(64);
    const turn = next();
    expect(turn.slice(0, 6)).toEqual(['a64', 'b0', 'c0', 'a65', 'b1', 'a66']);
    expect(turn).toHaveLength(64);
    // The next turn is full already.
    send('d', 1);
    expect(next()[1]).toBe('d0');
    let count = 64 + 61 + 63;
    while (count < 1000) count += next().length;
    expect(begun.at(-1)).toBe('a999');
    expect(next()).toEqual([]);
    expect(turns).toEqual([]);
  });

  it('that may not begin at once begin in the next turn, in order', () => {
    for (const name of ['a', 'b']) fair.begin(connection(name), () => begun.push(name), false);
    send('a', 1);
    send('c', 1);
    expect(begun).toEqual(['c0']);
    expect(next()).toEqual(['a', 'b', 'a0']);
    expect(next()).toEqual([]);
    expect(turns).toEqual([]);
  });

  it('begin one by one if the thread stands still for longer than a turn may take', () => {
    let nowMs = 0;
    fair = new FairTurns(
      noPressure,
      (turn) => turns.push(turn),
      () => (nowMs += 1000),
    );
    for (const name of ['a', 'b']) fair.begin(connection(name), () => begun.push(name), false);
    expect(next()).toEqual(['a']);
    expect(next()).toEqual(['b']);
    expect(next()).toEqual([]);
    expect(turns).toEqual([]);
  });

  it('begin for 4 ms of a turn if they wait, and for 1 ms while new clients wait to be accepted', () => {
    const pressure = { isHigh: false };
    let nowMs = 0;
    fair = new FairTurns(
      pressure,
      (turn) => turns.push(turn),
      () => nowMs,
    );
    const wait = (name: string) =>
      fair.begin(
        connection(name),
        () => {
          begun.push(name);
          nowMs += 0.5;
        },
        false,
      );
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l']) wait(name);
    expect(next().join('')).toBe('abcdefgh');
    pressure.isHigh = true;
    expect(next().join('')).toBe('ij');
    expect(next().join('')).toBe('kl');
    expect(next()).toEqual([]);
    expect(turns).toEqual([]);
  });

  it('do not overtake calls of their connection', () => {
    send('a', 65);
    fair.begin(connection('b'), () => fair.begin(connection('a'), () => begun.push('last')));
    expect(next()).toEqual(['a64', 'last']);
  });
});

describe('bodies of many connections', () => {
  const CHUNK = 64 * 1024;
  const calm = { hasHadTurn: false, isPressed: false };
  const pressed = { hasHadTurn: false, isPressed: true };
  const turns: (() => void)[] = [];
  let reads: ReadTurns;

  beforeEach(() => {
    turns.length = 0;
    reads = new ReadTurns((turn) => turns.push(turn));
  });

  const bodies = (count: number) =>
    Array.from({ length: count }, () => {
      const body = { isPaused: false, pause: () => (body.isPaused = true), resume: () => (body.isPaused = false) };
      return body;
    });
  const next = () => turns.shift()?.();

  it('are read at once up to 2 MiB in a turn, and continue in order', () => {
    const all = bodies(100);
    for (const body of all) reads.take(body, CHUNK, calm);
    expect(all.filter(({ isPaused }) => isPaused)).toEqual(all.slice(32));
    next();
    expect(all.filter(({ isPaused }) => isPaused)).toEqual(all.slice(64));
    // A body that has continued waits behind the others.
    reads.take(all[32] as (typeof all)[number], 2 * 1024 * 1024 + 1, calm);
    next();
    expect(all.filter(({ isPaused }) => isPaused)).toEqual([all[32], ...all.slice(96)]);
    next();
    expect(all.filter(({ isPaused }) => isPaused)).toEqual([]);
    next();
    expect(turns).toEqual([]);
  });

  it('are read up to 0.5 MiB in a turn while new clients wait to be accepted, and all are read in the end', () => {
    const all = bodies(20);
    const paused = () => all.filter(({ isPaused }) => isPaused);
    for (const body of all) reads.take(body, CHUNK, pressed);
    expect(paused()).toEqual(all.slice(8));
    next();
    expect(paused()).toEqual(all.slice(16));
    for (const body of all.slice(8, 16)) reads.take(body, CHUNK, pressed);
    next();
    expect(paused()).toEqual([]);
    for (const body of all) reads.take(body, CHUNK, calm);
    expect(paused()).toEqual([]);
    next();
    expect(turns).toEqual([]);
  });

  it('wait for the next turn after their own', () => {
    const [body, other] = bodies(2);
    if (body === undefined || other === undefined) throw new Error('no bodies');
    reads.take(body, CHUNK, { ...calm, hasHadTurn: true });
    reads.take(other, CHUNK, calm);
    expect([body.isPaused, other.isPaused]).toEqual([true, false]);
    next();
    expect(body.isPaused).toBe(false);
  });
});

describe('limited memory', () => {
  it('is granted while it suffices, in the order in which it is asked for', async () => {
    const queue = new MemoryQueue(100);
    const granted: string[] = [];
    const take = (name: string, bytes: number) => queue.take({}, bytes).then(() => granted.push(name));
    const [a, b, c, d] = [take('a', 60), take('b', 40), take('c', 500), take('d', 1)];
    await Promise.all([a, b]);
    queue.release(60);
    // Small messages do not overtake large ones, which run alone.
    await setImmediate();
    expect(granted).toEqual(['a', 'b']);
    queue.release(40);
    await c;
    await setImmediate();
    expect(granted).toEqual(['a', 'b', 'c']);
    queue.release(500);
    await d;
  });

  it('is granted to connections in turn, when many messages end at once', async () => {
    const queue = new MemoryQueue(100);
    const granted: string[] = [];
    let held = 0;
    const take = async (connection: object, name: string) => {
      await queue.take(connection, 10);
      expect(++held).toBeLessThanOrEqual(10);
      granted.push(name);
    };
    const [a, b, c] = [{}, {}, {}];
    await Promise.all(Array.from({ length: 10 }, () => take(a, '')));
    const names = ['a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'b', 'b', 'c'] as const;
    const waiting = names.map((name) => take({ a, b, c }[name], name));
    while (held > 0) {
      const ending = held;
      held = 0;
      for (let count = 0; count < ending; count++) queue.release(10);
      await setImmediate();
    }
    await Promise.all(waiting);
    expect(granted.join('')).toBe('abcabaaaaaaaaa');
  });
});
