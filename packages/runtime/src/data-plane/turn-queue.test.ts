import { expect, it } from 'vitest';
import { TurnQueue } from './turn-queue.js';

it('runs a step to its end before the next, in order, within the call from outside', () => {
  const turns = new TurnQueue();
  const seen: string[] = [];
  turns.take(() => {
    turns.take(() => {
      seen.push('b');
      turns.take(() => seen.push('d'));
    });
    turns.take(() => seen.push('c'));
    seen.push('a');
  });
  expect(seen).toEqual(['a', 'b', 'c', 'd']);
});

it('goes on after a step that throws', () => {
  const turns = new TurnQueue();
  const seen: string[] = [];
  const broken = () =>
    turns.take(() => {
      turns.take(() => seen.push('a'));
      throw new Error('broken');
    });
  expect(broken).toThrow('broken');
  turns.take(() => seen.push('b'));
  expect(seen).toEqual(['a', 'b']);
});
