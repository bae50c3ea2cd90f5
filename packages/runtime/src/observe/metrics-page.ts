/** What a port answers to Prometheus. */
export interface MetricsPage {
  readonly contentType: string;
  text(): Promise<string>;
}
