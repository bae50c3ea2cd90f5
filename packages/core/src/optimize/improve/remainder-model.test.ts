import { describe, expect, it } from 'vitest';
import { RemainderModel } from './remainder-model.js';

/** Errors of this standard deviation, alternately above and below. */
const observeErrors = (model: RemainderModel, deviation: number, known: number, count = 16): void => {
  for (let i = 0; i < count; i++) model.observe(i % 2 === 0 ? deviation : -deviation, known);
};

describe('remainder model', () => {
  it('learns how far similar choices lie apart', () => {
    const model = new RemainderModel();
    expect(model.deviation).toBeCloseTo(0.047, 3);
    observeErrors(model, 0.004, 0.002);
    expect(model.deviation).toBeLessThan(0.006);
    const apart = new RemainderModel();
    observeErrors(apart, 0.08, 0.002);
    expect(apart.deviation).toBeGreaterThan(0.05);
  });

  it('does not count as a difference what the prediction or the length of a run explains', () => {
    const model = new RemainderModel();
    observeErrors(model, 0.02, 0.02, 40);
    expect(model.deviation).toBeLessThan(0.012);
  });

  it('learns nothing from predictions that are vaguer than all differences', () => {
    const model = new RemainderModel();
    const before = model.deviation;
    model.observe(0.5, 5);
    expect(model.deviation).toBeCloseTo(before, 4);
  });

  it('stays sure after one error that is far too large', () => {
    const model = new RemainderModel();
    observeErrors(model, 0.004, 0.002);
    model.observe(0.3, 0.002);
    expect(model.deviation).toBeLessThan(0.015);
  });

  it('learns by how much the longest runs are slower, from precise comparisons first', () => {
    const model = new RemainderModel();
    expect(model.shift).toBe(0);
    model.observeLongest(0.03, 0.2);
    expect(model.shift).toBeLessThan(0.001);
    for (let i = 0; i < 4; i++) model.observeLongest(0.03, 0.01);
    expect(model.shift).toBeGreaterThan(0.025);
    expect(model.shift).toBeLessThan(0.03);
  });
});
