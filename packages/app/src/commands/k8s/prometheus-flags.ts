/** Flags of the commands that ask Prometheus. */
import { Option } from 'commander';
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
