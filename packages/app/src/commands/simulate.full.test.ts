/** The simulated control loop as a command: it plans several times, each time with verification. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { documentOf, syntheticPipeline, TestFolder } from '../equipoise.test-support.js';
import { equipoiseHere } from '../run-here.test-support.js';

const folder = new TestFolder();
const steady = ['--arrival-rps', '20', '--duration-s', '60'];

type Figures = { readonly pasMean: number; readonly decisions: number };

async function figuresOf(...flags: readonly (readonly string[])[]): Promise<readonly Figures[]> {
  const runs = await Promise.all(
    flags.map((more) => equipoiseHere(folder.path, 'simulate', 'pipeline.yaml', '--json', ...steady, ...more)),
  );
  return runs.map((run) => documentOf(run) as Figures);
}

beforeAll(() => folder.write('pipeline.yaml', syntheticPipeline()));
afterAll(() => folder.remove());

describe('equipoise simulate', () => {
  it('plans robustly where asked to, under service times as profiled', async () => {
    const asked = ['--policy', 'equipoise', '--slo-ms', '60', '--seed', '7'];
    const [nominal, robust] = await figuresOf(asked, [...asked, '--service-factor', '3']);
    expect(nominal?.pasMean).toBeCloseTo(0.4);
    expect(robust?.pasMean).toBeCloseTo(0.25);
  });

  it('runs the control loop with a policy', async () => {
    const [ours, cheapest] = await figuresOf(['--policy', 'equipoise'], ['--policy', 'static-cheapest']);
    expect(ours).toMatchObject({ pasMean: expect.closeTo(0.4), decisions: 5 });
    expect(cheapest?.pasMean).toBeCloseTo(0.25);
  });
});
