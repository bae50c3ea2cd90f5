/** Metrics of when requests arrive: what a control loop in another process needs beside their number. */
import { Gauge, type Registry } from 'prom-client';
import type { PipelineRunner } from '../data-plane/pipeline-runner.js';

const LONG_WINDOW_S = 10;

/** Registers them; they are read when the page is asked for. */
export function watchArrivals(registry: Registry, runner: Pick<PipelineRunner, 'statistics' | 'nowMs'>): void {
  const registers = [registry];
  const labelNames = ['window_seconds'] as const;
  new Gauge({
    name: 'equipoise_arrivals_latest',
    help: 'Requests that arrived in the last quarter, half and whole second.',
    labelNames,
    registers,
    collect() {
      this.reset();
      for (const { windowS, arrivals } of runner.statistics.load(runner.nowMs).latest ?? [])
        this.set({ window_seconds: String(windowS) }, arrivals);
    },
  });
  new Gauge({
    name: 'equipoise_arrival_dispersion',
    help: 'Variance of the arrivals in windows of about the SLO and of 10 s relative to their mean, over ten minutes: 1 is Poisson; none while too little was seen.',
    labelNames,
    registers,
    collect() {
      this.reset();
      const { burstiness } = runner.statistics.load(runner.nowMs);
      if (burstiness === undefined) return;
      this.set({ window_seconds: String(burstiness.sloMs / 1000) }, burstiness.dispersionAtSlo);
      this.set({ window_seconds: String(LONG_WINDOW_S) }, burstiness.dispersionAt10s);
    },
  });
}
