/** A served pipeline compares its answers with a shadow, and rolls back a canary that agrees with it too little. */
import { setTimeout } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { serveTests } from '../serve-tests.test-support.js';

/** Answers the class of its input, or that of the parameter `broken`. */
const STAGE = `export function load({ parameters }) {
  const classOf = ({ x }) => ({ label: { datatype: 'INT32', shape: [1], data: Int32Array.of(parameters.broken ?? x.data[0]) } });
  return { run: (batch) => batch.map(classOf) };
}
`;

const variant = (name: string, more = '') => `        - name: ${name}
          accuracy: { value: 0.95 }
          ${more}
          resources: { cpuCores: 0.25 }
          profile: [{ cpuCores: 1, batchSize: 1, meanMs: 10, p99Ms: 20 }]
`;

const PIPELINE = `apiVersion: equipoise.dev/v1alpha1
kind: InferencePipeline
metadata: { name: compared }
spec:
  slo: { latencyMs: 5000 }
  budget: { cpuCores: 1 }
  sources: [{ name: x, datatype: INT32, shape: [1] }]
  stages:
    - name: classify
      module: ./classify.mjs
      shadow: { variant: large, fraction: 1 }
      pins: { variant: small }
      variants:
${variant('small')}${variant('replaced', 'parameters: { broken: 99 }')}${variant('large')}`;

const { serve } = serveTests({ 'pipeline.yaml': PIPELINE, 'classify.mjs': STAGE });

it('compares all answers, and rolls back a variant whose artifact is broken although it is as fast', async () => {
  const { url, command } = await serve('pipeline.yaml', '--mode', 'advise', '--arrival-rps', '1');
  const [, admin = ''] = await command.said(/admin port (http:\S+?)\/admin/);
  const headers = { 'content-type': 'application/json' };
  let isOver = false;
  let answered = 0;
  const client = async (): Promise<void> => {
    while (!isOver) {
      const body = JSON.stringify({ inputs: [{ name: 'x', datatype: 'INT32', shape: [1], data: [answered % 10] }] });
      const response = await fetch(`${url}/v2/models/compared/infer`, { method: 'POST', headers, body });
      expect(response.status).toBe(200);
      await response.arrayBuffer();
      answered += 1;
      await setTimeout(10);
    }
  };
  const clients = [client(), client()];
  const replica = { variantId: 'replaced', resources: { cpuCores: 0.25 }, maxBatchSize: 1, replicas: 1 };
  await fetch(`${admin}/admin/pipelines/compared/unpin`, {
    ...{ method: 'POST', headers, body: JSON.stringify({ stageId: 'classify' }) },
  });
  const applied = await fetch(`${admin}/admin/pipelines/compared/apply`, {
    ...{ method: 'POST', headers, body: JSON.stringify({ stages: { classify: [replica] } }) },
  });
  const said = await applied.text();
  expect(said).toMatch(/agrees with the shadow on 0\.\d+ of \d+ compared items, and at least 0\.890 is expected/);
  isOver = true;
  await Promise.all(clients);
  const metrics = await (await fetch(`${url}/metrics`)).text();
  const compared = (name: string) =>
    Number(
      new RegExp(`equipoise_shadow_items_total\\{.*variant="${name}".*result="compared".*\\} (\\d+)`).exec(
        metrics,
      )?.[1],
    );
  expect(compared('small')).toBeGreaterThan(0);
  expect(compared('replaced')).toBeGreaterThan(0);
  expect(metrics).toMatch(/equipoise_agreement\{[^}]*variant="small"[^}]*bound="mean"[^}]*\} 1\n/);
  expect(metrics).toMatch(/equipoise_agreement\{[^}]*variant="replaced"[^}]*bound="mean"[^}]*\} 0\n/);
});
