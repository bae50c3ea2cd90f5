import { describe, expect, it } from 'vitest';
import { syntheticPipeline } from '../equipoise.test-support.js';
import { serveTests } from '../serve-tests.test-support.js';

const { serve } = serveTests({ 'pipeline.yaml': syntheticPipeline() });

describe('the metrics of a served pipeline', () => {
  it('have its plan, its replicas and its requests', async () => {
    const { url } = await serve('pipeline.yaml', '--arrival-rps', '5');
    const answer = await fetch(`${url}/v1/pipelines/synthetic/run`, { method: 'POST', body: 'hi' });
    expect(answer.status).toBe(200);
    const text = await (await fetch(`${url}/metrics`)).text();
    const samples = new Map(text.split('\n').map((line) => splitAtLast(line)));
    const value = (series: string) => samples.get(series);
    expect(value('equipoise_requests_total{outcome="completed",reason="",pipeline="synthetic"}')).toBe(1);
    expect(value('equipoise_decisions_total{kind="apply",pipeline="synthetic"}')).toBe(1);
    expect(value('equipoise_forecast_rps{bound="mean",pipeline="synthetic"}')).toBe(5);
    expect(value('equipoise_plan_capacity_rps{pipeline="synthetic"}')).toBeGreaterThan(5);
    expect(value('equipoise_batch_size_count{pipeline="synthetic",stage="detect",variant="large"}')).toBe(1);
    const ready = 'equipoise_replicas{stage="detect",variant="large",status="ready",pipeline="synthetic"}';
    const desired = 'equipoise_desired_replicas{stage="detect",variant="large",pipeline="synthetic"}';
    expect(value(ready)).toBe(value(desired));
  });
});

/** Line of the page: name with labels, and value. */
function splitAtLast(line: string): readonly [string, number] {
  const at = line.lastIndexOf(' ');
  return [line.slice(0, at), Number(line.slice(at + 1))];
}
