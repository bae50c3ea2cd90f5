import { Counter, Gauge, type Registry } from 'prom-client';
import type { AccuracyWatch, WatchedAccuracy } from '../accuracy/accuracy-watch.js';
import type { AgreementWatch, WatchedAgreement } from '../accuracy/agreement-watch.js';

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

/** Adds the metrics of the comparisons with shadows. */
export function watchAgreement(registry: Registry, watch: AgreementWatch): void {
  const registers = [registry];
  const labelNames = ['stage', 'variant', 'shadow'] as const;
  const labelsOf = ({ stageId, variantId, shadowId }: WatchedAgreement) => ({
    stage: stageId,
    variant: variantId,
    shadow: shadowId,
  });
  new Counter({
    name: 'equipoise_shadow_items_total',
    help: 'Items for the shadow of a stage, by their result: compared, failed (not run, or not comparable), skipped (the shadow was busy or away).',
    labelNames: [...labelNames, 'result'],
    registers,
    collect() {
      this.reset();
      for (const watched of watch.all) {
        const { scores: compared, failed, skipped } = watched;
        for (const [result, count] of Object.entries({ compared, failed, skipped }))
          if (count > 0) this.inc({ ...labelsOf(watched), result }, count);
      }
    },
  });
  new Gauge({
    name: 'equipoise_agreement',
    help: 'Agreement of a variant with the shadow over the newest compared items (at most 2,050), with the bounds of its 95 % interval: mean, low or high.',
    labelNames: [...labelNames, 'bound'],
    registers,
    collect() {
      this.reset();
      for (const watched of watch.all) {
        const { seen } = watched.test;
        if (seen === undefined) continue;
        const [low, high] = seen.confidence95;
        for (const [bound, value] of Object.entries({ mean: seen.accuracy, low, high }))
          this.set({ ...labelsOf(watched), bound }, value);
      }
    },
  });
  const perVariant = (name: string, help: string, value: (watched: WatchedAgreement) => number | undefined) => {
    new Gauge({
      name,
      help,
      labelNames,
      registers,
      collect() {
        this.reset();
        for (const watched of watch.all) {
          const known = watched.scores > 0 ? value(watched) : undefined;
          if (known !== undefined) this.set(labelsOf(watched), known);
        }
      },
    });
  };
  perVariant(
    'equipoise_agreement_least_expected',
    'Lowest agreement that counts as expected: by the accuracies of both variants, or learned. Absent until one is known.',
    ({ test }) => test.leastExpected,
  );
  perVariant('equipoise_agreement_is_lower', '1 while the agreement is lower than expected, else 0.', ({ test }) =>
    test.drop === undefined ? 0 : 1,
  );
}
