/** The cascade of docs/guide/branches.md is a valid file, and answers as the page says. */
import { readFile } from 'node:fs/promises';
import type { TensorMap } from '@equipoise/core/model';
import { parsePipelineFile } from '@equipoise/pipeline-file';
import { ManualClock } from '@equipoise/testkit';
import { expect, it } from 'vitest';
import { bench, fp32 } from './serving-bench.test-support.js';

it('the cascade of the guide answers from the stage that ran last', async () => {
  const page = await readFile(new URL('../../../../docs/guide/branches.md', import.meta.url), 'utf8');
  const text = /```yaml\n(apiVersion.*?)```/s.exec(page)?.[1] ?? '';
  const parsed = parsePipelineFile(text, { fileName: 'cascade.yaml', baseDir: '.' });
  expect(parsed).toMatchObject({ kind: 'valid', warnings: [] });
  if (parsed.kind === 'invalid') return;
  const clock = new ManualClock();
  const small = ({ image }: TensorMap) => ({ confidence: fp32([], Number(image?.data[0])), label: fp32([], 1) });
  const { pipeline } = bench(parsed.spec, clock, { small, large: () => ({ label: fp32([], 2) }) });
  const answers = [0.9, 0.1].map((confidence) => pipeline.submit({ image: fp32([1], confidence) }));
  await clock.advanceTo(100);
  const labels = (await Promise.all(answers)).map((answer) => answer.kind === 'completed' && answer.output);
  expect(labels).toEqual([{ label: fp32([], 1) }, { label: fp32([], 2) }]);
});
