import { expect, it } from 'vitest';
import { OperatorMonitor } from './operator-monitor.js';

it('tells which shards this operator leads', async () => {
  const monitor = new OperatorMonitor({ version: '1.2.3', shards: 8 });
  expect(await monitor.page.text()).toMatch(/^equipoise_operator_shards 8$/m);
  const lines = async () =>
    (await monitor.page.text()).split('\n').filter((line) => /^equipoise_operator_leads/.test(line));
  expect(await lines()).toEqual(['equipoise_operator_leads 0']);
  monitor.leads(true, 0);
  monitor.leads(true, 3);
  monitor.leads(false, 0);
  expect(await lines()).toEqual(['equipoise_operator_leads 1', 'equipoise_operator_leads_shard{shard="3"} 1']);
  monitor.leads(false, 3);
  expect(await lines()).toEqual(['equipoise_operator_leads 0']);
});

it('counts pipelines that shift, and what was taken back while this operator acts', async () => {
  const monitor = new OperatorMonitor({ version: '1.2.3' });
  const figures = async () => {
    const text = await monitor.page.text();
    const of = (name: string) => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1]);
    return [of('equipoise_operator_shifting_pipelines'), of('equipoise_operator_rollbacks_total')];
  };
  monitor.passed('a', { isShifting: true });
  monitor.passed('b', { isShifting: true, rolledBackAt: 'before' });
  expect(await figures()).toEqual([2, 0]);
  expect(monitor.passed('a', { isShifting: false, rolledBackAt: 'now' })).toBe(true);
  expect(monitor.passed('a', { isShifting: false, rolledBackAt: 'now' })).toBe(false);
  monitor.passed('b', { isShifting: true, rolledBackAt: 'again' });
  expect(await figures()).toEqual([1, 2]);
  monitor.passed('a', { isShifting: false });
  monitor.passed('b', { isShifting: false, rolledBackAt: 'again' });
  expect(await figures()).toEqual([0, 2]);
  monitor.passed('a', { isShifting: true });
  monitor.gone('a');
  expect(await figures()).toEqual([0, 2]);
  expect(monitor.passed('a', { isShifting: true, rolledBackAt: 'of another of this name' })).toBe(false);
  monitor.leads(false);
  expect(monitor.passed('b', { isShifting: false, rolledBackAt: 'by another' })).toBe(false);
  expect(await figures()).toEqual([0, 2]);
});

it('shows network times of pipelines that it leads, and no others', async () => {
  const monitor = new OperatorMonitor({ version: '1.2.3' });
  const lines = async () =>
    (await monitor.page.text()).split('\n').filter((line) => line.startsWith('equipoise_operator_network_seconds{'));
  monitor.leads(true);
  monitor.passed('a', { isShifting: false, networkMs: { detect: 4, label: 2 } });
  monitor.passed('b', { isShifting: false, networkMs: { detect: 8 } });
  monitor.passed('a', { isShifting: false, networkMs: { detect: 6 } });
  expect(await lines()).toEqual([
    'equipoise_operator_network_seconds{pipeline="a",stage="detect"} 0.006',
    'equipoise_operator_network_seconds{pipeline="b",stage="detect"} 0.008',
  ]);
  monitor.gone('a');
  expect(await lines()).toEqual(['equipoise_operator_network_seconds{pipeline="b",stage="detect"} 0.008']);
  monitor.leads(false);
  expect(await lines()).toEqual([]);
});

it('leaves the pipelines of a shard to its next leader', async () => {
  const monitor = new OperatorMonitor({ version: '1.2.3', shards: 2 });
  const shifting = async () => /^equipoise_operator_shifting_pipelines (\d+)$/m.exec(await monitor.page.text())?.[1];
  monitor.leads(true, 0);
  monitor.leads(true, 1);
  monitor.passed('a', { shard: 0, isShifting: true });
  monitor.passed('b', { shard: 1, isShifting: true });
  expect(await shifting()).toBe('2');
  monitor.leads(false, 0);
  expect(await shifting()).toBe('1');
});

it('times passes and requests', async () => {
  const monitor = new OperatorMonitor({ version: '1.2.3' });
  monitor.passTimed({ waitedMs: 40, tookMs: 300 });
  monitor.passTimed({ waitedMs: 2_000, tookMs: 100 });
  monitor.requestWaited(7);
  const text = await monitor.page.text();
  expect(text).toContain('equipoise_operator_queue_seconds_bucket{le="0.05"} 1');
  expect(text).toContain('equipoise_operator_queue_seconds_sum 2.04');
  expect(text).toContain('equipoise_operator_pass_seconds_sum 0.4');
  expect(text).toContain('equipoise_operator_request_wait_seconds_count 1');
});
