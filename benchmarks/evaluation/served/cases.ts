/** Pairs of pipelines for the same task. Both have plans that reach the accuracy, for the same SLO. */
export interface ServedCase {
  readonly plain: string;
  /** With a cascade or an ensemble. */
  readonly combined: string;
  readonly means: 'cascade' | 'ensemble';
  readonly arrivalRps: number;
  readonly accuracyFloor: number;
  /** Times that each sample is sent. */
  readonly passes: number;
}

export const servedCases: readonly ServedCase[] = [
  {
    plain: 'examples/shelf-scan/pipeline.yaml',
    combined: 'examples/shelf-scan/cascade.yaml',
    means: 'cascade',
    arrivalRps: 8,
    accuracyFloor: 0.869,
    passes: 1,
  },
  {
    plain: 'examples/shelf-scan/pipeline.yaml',
    combined: 'examples/shelf-scan/cascade.yaml',
    means: 'cascade',
    arrivalRps: 8,
    accuracyFloor: 0.84,
    passes: 1,
  },
  {
    plain: 'examples/scanned-mail/reads-all.yaml',
    combined: 'examples/scanned-mail/cascade.yaml',
    means: 'cascade',
    arrivalRps: 6,
    accuracyFloor: 0.918,
    passes: 4,
  },
];
