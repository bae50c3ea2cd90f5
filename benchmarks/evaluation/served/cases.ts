/** Pairs of pipelines for the same task. Both have plans that reach the accuracy, for the same SLO. */
export interface ServedCase {
  readonly plain: string;
  readonly cascade: string;
  readonly arrivalRps: number;
  readonly accuracyFloor: number;
}

export const servedCases: readonly ServedCase[] = [
  {
    plain: 'examples/shelf-scan/pipeline.yaml',
    cascade: 'examples/shelf-scan/cascade.yaml',
    arrivalRps: 8,
    accuracyFloor: 0.869,
  },
  {
    plain: 'examples/shelf-scan/pipeline.yaml',
    cascade: 'examples/shelf-scan/cascade.yaml',
    arrivalRps: 8,
    accuracyFloor: 0.84,
  },
  {
    plain: 'examples/scanned-mail/reads-all.yaml',
    cascade: 'examples/scanned-mail/cascade.yaml',
    arrivalRps: 6,
    accuracyFloor: 0.918,
  },
];
