/** A served pipeline compares its answers with a shadow, and rolls back a canary that agrees with it too little. */
import { setTimeout } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { serveTests } from '../serve-tests.test-support.js';
import { inferX, JSON_HEADERS, shadowedItems, shadowedPipeline } from './shadowed-pipeline.test-support.js';

/** Answers the class of its input, or that of the parameter `broken`. */
const STAGE = `export function load({ parameters }) {
  const classOf = ({ x }) => ({ label: { datatype: 'INT32', shape: [1], data: Int32Array.of(parameters.broken ?? x.data[0]) } });
  return { run: (batch) => batch.map(classOf) };
}
`;

const PIPELINE = shadowedPipeline({ name: 'compared', variants: { small: '', replaced: 'broken: 99', large: '' } });

const { serve } = serveTests({ 'pipeline.yaml': PIPELINE, 'classify.mjs': STAGE });

it('compares all answers, and rolls back a variant whose artifact is broken although it is as fast', async () => {
  const serving = await serve('pipeline.yaml', '--mode', 'advise', '--arrival-rps', '1');
  const [, admin = ''] = await serving.command.said(/admin port (http:\S+?)\/admin/);
  let isOver = false;
  let answered = 0;
  const client = async (): Promise<void> => {
    while (!isOver) {
      const response = await inferX(serving, 'compared', answered % 10);
      expect(response.status).toBe(200);
      await response.arrayBuffer();
      answered += 1;
      await setTimeout(10);
    }
  };
  const clients = [client(), client()];
  const replica = { variantId: 'replaced', resources: { cpuCores: 0.25 }, maxBatchSize: 1, replicas: 1 };
  await fetch(`${admin}/admin/pipelines/compared/unpin`, {
    ...{ method: 'POST', headers: JSON_HEADERS, body: JSON.stringify({ stageId: 'classify' }) },
  });
  const applied = await fetch(`${admin}/admin/pipelines/compared/apply`, {
    ...{ method: 'POST', headers: JSON_HEADERS, body: JSON.stringify({ stages: { classify: [replica] } }) },
  });
  const said = await applied.text();
  expect(said).toMatch(/agrees with the shadow on 0\.\d+ of \d+ compared items, and at least 0\.890 is expected/);
  isOver = true;
  await Promise.all(clients);
  for (const variant of ['small', 'replaced'])
    expect(await shadowedItems(serving, 'compared', variant), variant).toBeGreaterThan(0);
  const metrics = await (await fetch(`${serving.url}/metrics`)).text();
  expect(metrics).toMatch(/equipoise_agreement\{[^}]*variant="small"[^}]*bound="mean"[^}]*\} 1\n/);
  expect(metrics).toMatch(/equipoise_agreement\{[^}]*variant="replaced"[^}]*bound="mean"[^}]*\} 0\n/);
});
