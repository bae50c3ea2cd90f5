/** Access to Prometheus as flags name it. */
import { readFile } from 'node:fs/promises';
import { PrometheusApi } from '@equipoise/adapter-prometheus';
import { AppError } from '@equipoise/core/model';

export interface PrometheusFlags {
  readonly prometheus: string;
  readonly prometheusTokenFile?: string | undefined;
  readonly prometheusCaFile?: string | undefined;
  readonly scrapeIntervalS?: number | undefined;
}

/** Default of Prometheus' charts is 30 s; ours is that of deploy/monitoring. */
export const USUAL_SCRAPE_INTERVAL_S = 5;

/** Throws WRONG_USAGE for an address that is not one of a server, FILE_NOT_FOUND for a missing file. */
export async function prometheusApi(flags: Omit<PrometheusFlags, 'scrapeIntervalS'>): Promise<PrometheusApi> {
  const { prometheus, prometheusTokenFile: tokenFile, prometheusCaFile: caFile } = flags;
  // The token is read again for each request, because tokens of service accounts change.
  const token = tokenFile === undefined ? undefined : async () => (await textOf(tokenFile)).trim();
  await token?.();
  const ca = caFile === undefined ? undefined : await textOf(caFile);
  return new PrometheusApi({ url: prometheus, token, ca });
}

function textOf(path: string): Promise<string> {
  return readFile(path, 'utf8').catch((cause: unknown) => {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw new AppError('FILE_NOT_FOUND', `there is no file ${path}`, { cause });
    throw new AppError('FILE_UNREADABLE', `${path} cannot be read: ${message}`, { cause });
  });
}
