import { Counter, Gauge, type Registry } from 'prom-client';
import type { AccuracyWatch, WatchedAccuracy } from '../accuracy/accuracy-watch.js';

/** Adds the metrics of the accuracy in operation. */
export function watchAccuracy(registry: Registry, watch: AccuracyWatch): void {
  const registers = [registry];
  const labelNames = ['variants'];
  new Counter({
    name: 'equipoise_feedback_total',
    help: 'Scores of answers that clients sent, by the variants that answered.',
    labelNames,
    registers,
    collect() {
      this.reset();
      for (const { variants, scores } of watch.all) this.inc({ variants }, scores);
    },
  });
  new Gauge({
    name: 'equipoise_accuracy',
    help: 'Mean score of the newest answers with feedback (at most 2,050), with the bounds of its 95 % interval: mean, low or high.',
    labelNames: ['variants', 'bound'],
    registers,
    collect() {
      this.reset();
      for (const { variants, test } of watch.all) {
        if (test.seen === undefined) continue;
        const { accuracy, confidence95 } = test.seen;
        this.set({ variants, bound: 'mean' }, accuracy);
        this.set({ variants, bound: 'low' }, confidence95[0]);
        this.set({ variants, bound: 'high' }, confidence95[1]);
      }
    },
  });
  const perChoice = (name: string, help: string, value: (test: WatchedAccuracy['test']) => number | undefined) => {
    new Gauge({
      name,
      help,
      labelNames,
      registers,
      collect() {
        this.reset();
        for (const { variants, test } of watch.all) {
          const known = value(test);
          if (known !== undefined) this.set({ variants }, known);
        }
      },
    });
  };
  perChoice(
    'equipoise_accuracy_least_expected',
    'Lowest accuracy that counts as expected: of the measurement, or learned from feedback. Absent until one is known.',
    ({ leastExpected }) => leastExpected,
  );
  perChoice('equipoise_accuracy_is_lower', '1 while the accuracy is lower than expected, else 0.', ({ drop }) =>
    drop === undefined ? 0 : 1,
  );
}
