/** Flags of the commands that ask Prometheus. */
import type { SeriesSource } from '@equipoise/adapter-prometheus';
import { InvalidArgumentError, Option } from 'commander';
import { positive } from '../../terminal/flag-values.js';

export const prometheusFlag = (description: string): Option =>
  new Option('--prometheus <url>', `${description}, such as http://prometheus.monitoring:9090`);

export const prometheusTokenFlag = (): Option =>
  new Option('--prometheus-token-file <file>', 'file with the bearer token for Prometheus; read for each request');

export const prometheusCaFlag = (): Option =>
  new Option(
    '--prometheus-ca-file <file>',
    'certificate authority that signed the certificate of Prometheus, in PEM format',
  );

export const scrapeIntervalFlag = (): Option =>
  new Option(
    '--scrape-interval-s <n>',
    'scrape interval of the series, in seconds; samples older than twice this are stale',
  )
    .argParser(positive)
    .default(5);

/** Sources of series. Written here because the adapter is loaded only when a command runs. */
const names: readonly SeriesSource[] = [
  'equipoise',
  'seldon-v1',
  'seldon-v2',
  'kserve',
  'mlserver',
  'istio',
  'cadvisor',
];

export function sources(text: string): readonly SeriesSource[] {
  const asked = text.split(',').map((name) => name.trim());
  const unknown = asked.filter((name) => !names.some((known) => known === name));
  if (unknown.length === 0) return asked as readonly string[] as readonly SeriesSource[];
  throw new InvalidArgumentError(`Expected names of ${names.join(', ')}, found ${unknown.join(', ')}.`);
}
