import { expect, it } from 'vitest';
import { BytesInFlight, InboundBytes, PageBytes, tensorBytes } from './bytes-in-flight.js';

it('takes what fits, and anything while nothing is in flight', () => {
  const bytes = new BytesInFlight(10);
  expect([bytes.take(20), bytes.take(1), bytes.sum]).toEqual([true, false, 20]);
  bytes.release(20);
  expect([bytes.take(6), bytes.take(5), bytes.take(4), bytes.sum]).toEqual([true, false, true, 10]);
});

it('is not bounded when no bound is given, and gives nothing back that it has not taken', () => {
  const bytes = new BytesInFlight();
  expect([bytes.take(1e12), bytes.take(1e12)]).toEqual([true, true]);
  expect(() => bytes.release(3e12)).toThrow('released bytes were reserved before');
});

it('keeps to another bound from when it is given', () => {
  const bytes = new BytesInFlight(10);
  bytes.take(8);
  bytes.setMost(4);
  expect([bytes.take(1), bytes.sum]).toEqual([false, 8]);
  bytes.setMost(9);
  expect([bytes.take(1), bytes.take(1)]).toEqual([true, false]);
  bytes.setMost();
  expect(bytes.take(1e12)).toBe(true);
});

it('keeps a quarter of the inbound bytes for small bodies', () => {
  const KIB = 1024;
  const inbound = new InboundBytes(1024 * KIB);
  const [small, large] = [64 * KIB, 832 * KIB];
  expect([inbound.take(small), inbound.take(large - small, small)]).toEqual([true, true]);
  expect([inbound.fits(small + 1), inbound.take(small), inbound.take(1, small)]).toEqual([false, true, false]);
  expect([inbound.take(small), inbound.take(small), inbound.take(1)]).toEqual([true, true, false]);
  inbound.release(large);
  expect([inbound.sum, inbound.fits(large), inbound.fits(large + 1)]).toEqual([3 * small, true, false]);
  expect([inbound.take(large), inbound.take(1)]).toEqual([true, false]);
  for (const length of [small, small, small, large]) inbound.release(length);
  expect(inbound.sum).toBe(0);
});

it.each([14, 16, 20])('takes a body of 16 MiB alone under a bound of %d MiB, in pieces', (most) => {
  const MIB = 1024 * 1024;
  const inbound = new InboundBytes(most * MIB, 16 * MIB);
  expect(inbound.fits(16 * MIB)).toBe(true);
  expect(Array.from({ length: 16 }, (_, i) => inbound.take(MIB, i * MIB))).toEqual(Array(16).fill(true));
  expect(inbound.take(MIB, 16 * MIB)).toBe(false);
});

it('refuses bodies that have stalled for half a second, the oldest first, to make room for small ones', () => {
  const KIB = 1024;
  const [small, large] = [64 * KIB, 800 * KIB];
  let nowMs = 0;
  const inbound = new InboundBytes(1024 * KIB, 0, () => nowMs);
  const dropped: string[] = [];
  const body = (name: string, bytes: number) => {
    expect(inbound.take(bytes)).toBe(true);
    const unfinished = {
      makeRoom: () => {
        dropped.push(name);
        inbound.release(bytes);
      },
    };
    inbound.noteProgress(unfinished);
    return unfinished;
  };
  inbound.forget(body('whole', small));
  const first = body('first', small);
  body('large', large);
  nowMs = 100;
  body('second', small);
  nowMs = 499;
  inbound.noteProgress(first);
  expect([inbound.take(small), inbound.fits(small)]).toEqual([false, false]);
  nowMs = 500;
  // Not for large ones: they would make room for each other again and again.
  expect([inbound.fits(large), inbound.take(large)]).toEqual([false, false]);
  expect([inbound.fits(small), dropped]).toEqual([true, []]);
  expect([inbound.take(small), dropped]).toEqual([true, ['large']]);
  nowMs = 10_000;
  while (inbound.take(small));
  expect(dropped).toEqual(['large', 'second', 'first']);
  expect(inbound.sum).toBe(1024 * KIB);
});

it('knows which body has stalled longest, also if one goes on many times or begins again', () => {
  let nowMs = 0;
  const inbound = new InboundBytes(4, 0, () => nowMs);
  const dropped: string[] = [];
  const bodyOf = (name: string) => ({
    makeRoom: () => {
      dropped.push(name);
      inbound.release(1);
    },
  });
  const [a, b, c, d] = [bodyOf('a'), bodyOf('b'), bodyOf('c'), bodyOf('d')];
  const note = (atMs: number, body: typeof a) => {
    nowMs = atMs;
    inbound.noteProgress(body);
  };
  for (const body of [a, b, c, d]) {
    expect(inbound.take(1, 0, body)).toBe(true);
    note(0, body);
  }
  note(1, d);
  note(2, d);
  note(3, b);
  inbound.forget(b);
  note(4, c);
  note(5, b);
  nowMs = 1000;
  for (let count = 0; count < 4; count++) expect(inbound.take(1)).toBe(true);
  expect(dropped).toEqual(['a', 'd', 'c', 'b']);
  expect(inbound.take(1)).toBe(false);
});

it('never has a body make room for its own next bytes', () => {
  const KIB = 1024;
  let nowMs = 0;
  const inbound = new InboundBytes(64 * KIB, 0, () => nowMs);
  const dropped: string[] = [];
  const body = (name: string) => {
    const unfinished = {
      length: 32 * KIB,
      makeRoom: () => {
        dropped.push(name);
        inbound.release(unfinished.length);
      },
    };
    expect(inbound.take(unfinished.length, 0, unfinished)).toBe(true);
    inbound.noteProgress(unfinished);
    return unfinished;
  };
  const [first] = [body('first'), body('second')];
  nowMs = 600;
  expect([inbound.take(16 * KIB, first.length, first), dropped]).toEqual([true, ['second']]);
  inbound.release(first.length + 16 * KIB);
  expect(inbound.sum).toBe(0);
});

it('takes of pages so much in all, and a part of it from each connection', () => {
  const MIB = 1024 * 1024;
  const pages = new PageBytes();
  const connections = Array.from({ length: 33 }, () => pages.of({}));
  expect([connections[0]?.take(5 * MIB), connections[0]?.take(1)]).toEqual([true, false]);
  connections[0]?.release(5 * MIB);
  expect(connections.map((connection) => connection.take(MIB))).toEqual([...Array(32).fill(true), false]);
  connections[5]?.release(MIB);
  expect(connections[32]?.take(MIB)).toBe(true);
});

it('counts what numbers take, and of BYTES the holding of each element too, be it empty', () => {
  const numbers = { datatype: 'FP32', shape: [3], data: new Float32Array(3) } as const;
  const texts = { datatype: 'BYTES', shape: [2], data: ['', 'four'] } as const;
  const views = { datatype: 'BYTES', shape: [2], data: [new Uint8Array(), new Uint8Array(5)] } as const;
  expect(tensorBytes({ numbers })).toBe(12);
  expect(tensorBytes({ texts })).toBe(2 * 32 + 8);
  expect(tensorBytes({ numbers, views })).toBe(12 + 2 * 112 + 5);
});
