import perfHooks from 'node:perf_hooks';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { collectProcessMetrics, EventLoopLag, LAG_SAMPLE_MS } from './process-metrics.js';

const namesOf = (registry: Registry) => registry.getMetricsAsArray().map(({ name, help }) => `${name}: ${help}`);

async function figureOf(registry: Registry, name: string): Promise<number> {
  const text = await registry.metrics();
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe('the metrics of the process', () => {
  it('have the names and texts of prom-client', () => {
    const [ours, theirs] = [new Registry(), new Registry()];
    collectProcessMetrics(ours);
    collectDefaultMetrics({ register: theirs });
    expect(namesOf(ours).sort()).toEqual(namesOf(theirs).sort());
  });

  it('wake the thread ten times per second', () => {
    const monitor = vi.spyOn(perfHooks, 'monitorEventLoopDelay');
    const timer = vi.spyOn(globalThis, 'setInterval');
    collectProcessMetrics(new Registry());
    expect(timer.mock.calls.map(([, ms]) => ms)).toEqual([100]);
    for (const [options] of monitor.mock.calls) expect(options?.resolution).toBeGreaterThan(1e9);
  });
});

describe('the lag of the event loop', () => {
  it('is the lateness of a timer since the page before', async () => {
    const registry = new Registry();
    const lag = new EventLoopLag(registry, 0);
    let nowMs = 0;
    const sample = (lateMs: number) => {
      nowMs += LAG_SAMPLE_MS + lateMs;
      lag.sample(nowMs);
    };
    for (let i = 0; i < 97; i++) sample(0);
    for (const lateMs of [200, 200, 50]) sample(lateMs);
    expect(await figureOf(registry, 'nodejs_eventloop_lag_p99_seconds')).toBeCloseTo(0.2, 2);
    sample(0);
    expect(await figureOf(registry, 'nodejs_eventloop_lag_max_seconds')).toBeLessThan(0.001);
  });

  it('is in all figures of one page, and stays until the next sample', async () => {
    const registry = new Registry();
    const lag = new EventLoopLag(registry, 1000);
    expect(await figureOf(registry, 'nodejs_eventloop_lag_max_seconds')).toBe(0);
    lag.sample(1000 + LAG_SAMPLE_MS + 30);
    for (let page = 0; page < 2; page++) {
      const text = await registry.metrics();
      const figures = [...text.matchAll(/^(nodejs_eventloop_lag\S*) (\S+)$/gm)].map(([, name, value]) => [
        name,
        Number(Number(value).toFixed(3)),
      ]);
      expect(Object.fromEntries(figures)).toEqual({
        nodejs_eventloop_lag_seconds: 0.03,
        nodejs_eventloop_lag_min_seconds: 0.03,
        nodejs_eventloop_lag_max_seconds: 0.03,
        nodejs_eventloop_lag_mean_seconds: 0.03,
        nodejs_eventloop_lag_stddev_seconds: 0,
        nodejs_eventloop_lag_p50_seconds: 0.03,
        nodejs_eventloop_lag_p90_seconds: 0.03,
        nodejs_eventloop_lag_p99_seconds: 0.03,
      });
    }
  });
});
