/** The stage of `fixtures/obey.mjs`: an item may carry the command that it obeys. */
import { fileURLToPath } from 'node:url';
import type { LaunchRequest, Tensor, TensorMap } from '@equipoise/core';
import { launchRequestOf, stageNamed, variantNamed } from '@equipoise/testkit';

/** Folder of the fixtures. */
export const fixtures = fileURLToPath(new URL('./fixtures', import.meta.url));

/** Asks for a replica of a module in the fixtures. */
export const requestFor = (module: string, over: Partial<Parameters<typeof variantNamed>[1]> = {}): LaunchRequest =>
  launchRequestOf(stageNamed('obey', [variantNamed('only', over)], { module }), { baseDir: fixtures });

/** Asks for a replica of the obeying stage. */
export const obeying = (parameters: Readonly<Record<string, unknown>> = {}): LaunchRequest =>
  requestFor('./obey.mjs', { parameters });

/** A tensor of numbers. */
export const fp32 = (...values: number[]): Tensor => ({
  datatype: 'FP32',
  shape: [values.length],
  data: Float32Array.from(values),
});

/** An item that makes the stage obey. */
export const commandItem = (command: string): TensorMap => ({
  command: { datatype: 'BYTES', shape: [1], data: [command] },
});
