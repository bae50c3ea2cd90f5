import { expect, it } from 'vitest';
import { FrameQueue } from './frame-queue.js';

function bench() {
  const asked: (() => void)[] = [];
  const done: string[] = [];
  const queue = new FrameQueue((run) => asked.push(run));
  return {
    done,
    asked,
    queue,
    put: (owner: object, name: string) => queue.put(owner, () => done.push(name)),
    frame: () => asked.shift()?.(),
  };
}

it('does one piece a frame, the newest of each owner, in the order in which the owners came', () => {
  const { done, put, frame, asked } = bench();
  const [a, b] = [{}, {}];
  put(a, 'a1');
  put(b, 'b1');
  put(a, 'a2');
  expect([done, asked.length]).toEqual([[], 1]);
  frame();
  expect(done).toEqual(['a2']);
  put(a, 'a3');
  frame();
  frame();
  expect([done, asked.length]).toEqual([['a2', 'b1', 'a3'], 0]);
});

it('goes on after a piece that fails', () => {
  const asked: (() => void)[] = [];
  const done: string[] = [];
  const queue = new FrameQueue((run) => asked.push(run));
  queue.put({}, () => {
    throw new Error('a chart');
  });
  queue.put({}, () => done.push('other'));
  expect(() => asked.shift()?.()).toThrow('a chart');
  asked.shift()?.();
  expect(done).toEqual(['other']);
});

it('keeps the newest work of a hidden owner until it is shown, and asks for no frame meanwhile', () => {
  const { done, put, frame, asked, queue } = bench();
  const [a, b] = [{}, {}];
  queue.show(a, false);
  for (const name of ['a1', 'a2', 'a3']) put(a, name);
  expect(asked.length).toBe(0);
  put(b, 'b1');
  frame();
  expect([done, asked.length]).toEqual([['b1'], 0]);
  queue.show(a, true);
  frame();
  expect([done, asked.length]).toEqual([['b1', 'a3'], 0]);
});

it('drops the work of an owner that is gone', () => {
  const { done, put, frame, asked, queue } = bench();
  const [a, b] = [{}, {}];
  put(a, 'a1');
  put(b, 'b1');
  queue.forget(a);
  frame();
  expect([done, asked.length]).toEqual([['b1'], 0]);
});
