/** The admin port of `serve`: where it is unless flags say otherwise, and what may be seen and done there. */

import { existsSync, readFileSync } from 'node:fs';
import { AppError } from '@equipoise/core/model';
import {
  type EventFeed,
  isLoopback,
  type MetricsPage,
  type RunningAdminServer,
  startAdminServer,
} from '@equipoise/runtime';
import type { RunningPipeline } from './start-pipeline.js';

/** Flags of the admin port; `adminPort` is false where none is wanted. */
export interface AdminOptions {
  readonly adminPort?: number | false;
  readonly adminHost?: string;
  readonly adminTokenFile?: string;
}

/** What is administered. */
interface AdminParts {
  readonly pipelines: readonly RunningPipeline[];
  readonly feed: EventFeed;
  readonly metrics: MetricsPage;
}

const DEFAULT_PORT = 8081;
const DEFAULT_HOST = '127.0.0.1';

/**
 * Said before anything is started: AppError FILE_NOT_FOUND or WRONG_USAGE where the token file holds no token, and WRONG_USAGE where the
 * port could be reached from elsewhere without one.
 */
export function checkAdminPlace({ adminPort, adminHost = DEFAULT_HOST, adminTokenFile }: AdminOptions): void {
  if (adminPort === false || tokenIn(adminTokenFile) !== undefined || isLoopback(adminHost)) return;
  const message = `The admin port on ${adminHost} can be reached from other machines and needs a token: --admin-token-file FILE.`;
  throw new AppError('WRONG_USAGE', message);
}

/** Starts the port; undefined where none is wanted, or where the usual one is taken and nothing was said of the port. */
export async function startAdmin(options: AdminOptions, parts: AdminParts): Promise<RunningAdminServer | undefined> {
  const { adminPort, adminHost = DEFAULT_HOST, adminTokenFile } = options;
  if (adminPort === false) return undefined;
  const token = tokenIn(adminTokenFile);
  const place = { host: adminHost, port: adminPort ?? DEFAULT_PORT };
  try {
    return await startAdminServer({ ...parts, ...place, ...(token !== undefined && { token }) });
  } catch (error) {
    const isTaken = error instanceof AppError && error.code === 'PORT_IN_USE';
    if (!isTaken) throw error;
    const message = `${error.message} Choose another for the admin port with --admin-port.`;
    if (adminPort !== undefined || token !== undefined) throw new AppError('PORT_IN_USE', message, { cause: error });
    process.stderr.write(`no admin port: ${message}\n`);
    return undefined;
  }
}

/** The token in a file, undefined without one; AppError FILE_NOT_FOUND, or WRONG_USAGE where the file holds none. */
export function tokenIn(path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  if (!existsSync(path)) throw new AppError('FILE_NOT_FOUND', `There is no token file ${path}.`, { details: { path } });
  const token = readFileSync(path, 'utf8').trim();
  if (/^\S+$/.test(token)) return token;
  throw new AppError('WRONG_USAGE', `The token file ${path} must hold one token without spaces.`);
}
