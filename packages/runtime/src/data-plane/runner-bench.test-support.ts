/** A pipeline with scripted replicas and recorded outcomes, for tests of the runner. */
import type { PipelineSpec, TensorMap } from '@equipoise/core/model';
import { ManualClock } from '@equipoise/testkit';
import { expect } from 'vitest';
import type { RequestEnd } from './request-end.js';
import { bench, fp32, type ItemScript } from './serving-bench.test-support.js';

export const echo: ItemScript = (item) => item;
export const x = (value: number): TensorMap => ({ x: fp32([1], value) });

export function setUp(spec: PipelineSpec, scripts: Readonly<Record<string, ItemScript>>) {
  const clock = new ManualClock();
  const { pipeline, runners } = bench(spec, clock, scripts);
  const ends: RequestEnd[] = [];
  pipeline.onRequestEnd((end) => ends.push(end));
  return { clock, pipeline, runners, ends };
}

export function zeros(count: number): readonly number[] {
  return new Array<number>(count).fill(0);
}

export function failed(code: string, message: RegExp) {
  return { kind: 'failed', failure: expect.objectContaining({ code, message: expect.stringMatching(message) }) };
}
