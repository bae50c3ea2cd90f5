import { expect, it } from 'vitest';
import { WorkBudget } from './work-budget.js';

it('allows a burst, then a fraction of the time', () => {
  let nowMs = 0;
  const budget = new WorkBudget({ burstMs: 100, fraction: 0.1 }, () => nowMs);
  const work = (ms: number) => budget.count(() => (nowMs += ms));
  work(100);
  expect(budget.owedMs).toBe(-100);
  work(20);
  // 120 ms of work are paid for after 1,200 ms, of which 120 ms are over; the burst may owe 1,000 ms.
  expect(budget.owedMs).toBe(80);
  nowMs += 80;
  expect(budget.owedMs).toBe(0);
  nowMs += 10_000;
  work(1);
  expect(budget.owedMs).toBe(10 - 1 - 1000);
});

it('counts work that fails', () => {
  let nowMs = 0;
  const budget = new WorkBudget({ burstMs: 0, fraction: 0.5 }, () => nowMs);
  const fail = () => {
    nowMs += 10;
    throw new Error('bad');
  };
  expect(() => budget.count(fail)).toThrow('bad');
  expect(budget.owedMs).toBe(10);
});
