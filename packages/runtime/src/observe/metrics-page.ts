/** What a port answers to Prometheus. */
export interface MetricsPage {
  readonly contentType: string;
  /** Of all metrics, or of those that `names` has, as far as there are such; a histogram counts as one. */
  text(names?: readonly string[]): Promise<string>;
}
